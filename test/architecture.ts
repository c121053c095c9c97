/** What the sources import, and which of it `docs/architecture.md` forbids. Works on texts, so that each rule can be tried. */
import { posix } from 'node:path';

/** Path from the root of the repository to text. */
export type Sources = ReadonlyMap<string, string>;

export interface Import {
  readonly from: string;
  /** A path from the root for our own files, else the name of Node's module or the package (`node:fs/promises`, `koffi`). */
  readonly to: string;
  /** `import type`: gone when the program runs. */
  readonly typesOnly: boolean;
}

/**
 * What each room may import besides itself: the rooms named here and all that these may import.
 * A room is a folder, or one file; the longest that fits counts, and a file in none of them is a mistake.
 */
export const arrows: Readonly<Record<string, readonly string[]>> = {
  bytes: [],
  gvariant: [],
  splitstream: ['bytes'],
  'ostree/gi/server': [],
  ostree: ['bytes', 'gvariant', 'ostree/gi/server'],
  'src/verity': ['bytes'],
  'src/tree': ['src/verity'],
  'src/erofs': ['src/tree'],
  'src/linux': ['bytes'],
  'src/progress.ts': [],
  'src/threads.ts': ['bytes'],
  'src/job-counters.ts': [],
  'src/repository': [
    'src/progress.ts',
    'src/threads.ts',
    'src/job-counters.ts',
    'src/erofs',
    'src/linux',
    'splitstream',
  ],
  'src/directory': ['src/repository'],
  'src/commit': ['src/repository', 'ostree'],
  'src/pull': ['src/commit'],
  'src/export': ['src/pull'],
  'src/repair': ['src/pull'],
  'src/compare': ['src/directory', 'src/pull'],
  'src/delta': ['src/commit'],
  'src/cli': ['src/delta', 'src/compare', 'src/export', 'src/repair'],
  src: ['src/delta', 'src/directory', 'src/export', 'src/pull', 'src/repair'],
  bench: ['src'],
  test: ['src/cli', 'src', 'bench'],
};

/** Packages from npm, with the rooms that may import them. */
export const packages: Readonly<Record<string, readonly string[]>> = {
  commander: ['src/cli'],
  koffi: ['src/linux', 'src/verity', 'src/pull'],
  undici: ['ostree'],
  'node-gtk': ['ostree/gi/server'],
  'fast-check': ['test'],
};

/** Rooms that compute on bytes in memory only, and what of Node they may use for it. */
export const pureRooms: readonly string[] = ['bytes', 'gvariant', 'splitstream', 'src/tree', 'src/erofs'];
export const pureModules: readonly string[] = ['node:buffer', 'node:crypto', 'node:util', 'node:zlib'];

export const maxLines = 500;

const importForms = [
  /^\s*(?:import|export)\s[^'"`;]*?\sfrom\s*['"]([^'"]+)['"]/gm,
  /^\s*import\s*['"]([^'"]+)['"]/gm,
  /\bimport\(\s*['"]([^'"]+)['"]/g,
  /\bcreateRequire\(import\.meta\.url\)\(\s*['"]([^'"]+)['"]/g,
  /\bnew URL\(\s*['"](\.[^'"]+\.[jt]s)['"],\s*import\.meta\.url/g,
];

/** All imports: static, for types, re-exports, dynamic, required, and worker files named by `new URL(…, import.meta.url)`. */
export function importsOf(sources: Sources): Import[] {
  return Array.from(sources).flatMap(([from, text]) => {
    const matches = importForms.flatMap((form) => Array.from(text.matchAll(form)));
    return matches.map(([statement, name = '']) => ({
      from,
      to: name.startsWith('.') ? posix.join(posix.dirname(from), name) : moduleOf(name),
      typesOnly: /^\s*(?:import|export)\s+type\b/.test(statement),
    }));
  });
}

/** A file of a package belongs to the package. */
function moduleOf(name: string): string {
  return name.startsWith('node:') ? name : name.split('/')[0]!;
}

export function roomOf(path: string): string | undefined {
  const fitting = Object.keys(arrows).filter((room) => path === room || path.startsWith(`${room}/`));
  return fitting.sort((a, b) => b.length - a.length)[0];
}

function mayImport(room: string, target: string): boolean {
  return room === target || (arrows[room] ?? []).some((next) => mayImport(next, target));
}

function isOurs(path: string): boolean {
  return path.includes('/') && !path.startsWith('node:');
}

/** Imports against the arrows, and files that lie in no room. */
export function wrongArrows(sources: Sources): string[] {
  const lost = Array.from(sources.keys()).filter((path) => roomOf(path) === undefined);
  const wrong = importsOf(sources).filter(({ from, to }) => {
    const [room, target] = [roomOf(from), roomOf(to)];
    return isOurs(to) && room !== undefined && (target === undefined || !mayImport(room, target));
  });
  return [...lost.map((path) => `${path} is in no room`), ...wrong.map(({ from, to }) => `${from} imports ${to}`)];
}

/** Imports of npm packages outside of the rooms that may use them, and of Node's I/O in pure rooms. */
export function wrongPackages(sources: Sources): string[] {
  const wrong = importsOf(sources).filter(({ from, to }) => {
    const room = roomOf(from) ?? '';
    if (isOurs(to)) return false;
    if (!to.startsWith('node:')) return !(packages[to] ?? []).includes(room);
    return pureRooms.includes(room) && !pureModules.includes(to);
  });
  return wrong.map(({ from, to }) => `${from} imports ${to}`);
}

/** Files of the program that import Node's HTTP: that reads what it has behind getters, among it a whole client, and costs 20 ms a thread. */
export function heavyImports(sources: Sources): string[] {
  const heavy = importsOf(sources).filter(
    ({ from, to, typesOnly }) => to === 'node:http' && !typesOnly && !['test', 'bench'].includes(roomOf(from) ?? ''),
  );
  return heavy.map(({ from, to }) => `${from} imports ${to}`);
}

/** Relative imports of files that are not there. */
export function deadImports(sources: Sources): string[] {
  const dead = importsOf(sources).filter(({ to }) => to.endsWith('.ts') && isOurs(to) && !sources.has(to));
  return dead.map(({ from, to }) => `${from} imports ${to}, which is not there`);
}

/** Each import cycle once, as `a -> b -> a`. Types may refer to each other across files: they are gone when the program runs. */
export function cycles(sources: Sources): string[] {
  const kept = importsOf(sources).filter(({ typesOnly }) => !typesOnly);
  const edges = Map.groupBy(kept, ({ from }) => from);
  const done = new Set<string>();
  const found: string[] = [];
  const walk = (path: string, above: readonly string[]): void => {
    const at = above.indexOf(path);
    if (at >= 0) found.push([...above.slice(at), path].join(' -> '));
    if (at >= 0 || done.has(path)) return;
    for (const { to } of edges.get(path) ?? []) walk(to, [...above, path]);
    done.add(path);
  };
  for (const path of sources.keys()) walk(path, []);
  return found;
}

export function longFiles(sources: Sources): string[] {
  const lines = (text: string): number => text.split('\n').length - 1;
  const long = Array.from(sources).filter(([, text]) => lines(text) > maxLines);
  return long.map(([path, text]) => `${path} has ${lines(text)} lines`);
}
