/** `cfs ostree ls COMMIT [PATH…]`: paths of a commit, as `ostree ls` shows them. */
import type { Command } from 'commander';
import { print } from '../../gvariant/src/print.ts';
import { isSymlinkMode } from '../../ostree/file-header.ts';
import type { Xattr } from '../../ostree/xattrs.ts';
import type { CommitGraph } from '../commit/graph.ts';
import { CommitPaths, type CommitEntry } from '../commit/paths.ts';
import { readCommit, resolveCommit, storedGraph } from '../commit/stored.ts';
import { action, examples, type Context } from './context.ts';
import { printable, writeJson, writeLine, writeOut } from './output.ts';

interface Options {
  readonly dironly?: boolean;
  readonly recursive?: boolean;
  readonly checksum?: boolean;
  readonly xattrs?: boolean;
  readonly nulFilenamesOnly?: boolean;
}

export function define(command: Command): void {
  command
    .argument('<commit>', 'ref, commit id, or the beginning of one')
    .argument('[path...]', 'files and directories in it (default: /)')
    .option('-d, --dironly', 'do not list what is in directories')
    .option('-R, --recursive', 'list what is in directories, however deep')
    .option('-C, --checksum', "also show checksums; a directory's are those of its dirtree and dirmeta")
    .option('-X, --xattrs', 'also show extended attributes')
    .option('--nul-filenames-only', 'write only paths, each with a NUL byte behind it');
  examples(command, 'cfs ostree ls -R os/stable /etc', 'cfs ostree ls -C os/stable /usr/bin/bash');
  action(command, run);
}

async function run(context: Context, name: string, paths: readonly string[], options: Options): Promise<void> {
  using repository = await context.openRepository();
  const stored = readCommit(repository, resolveCommit(repository, name));
  const graph = await storedGraph(stored);
  const commit = new CommitPaths(graph, (checksum) => stored.content.get(checksum));
  const starts = (paths.length === 0 ? ['/'] : paths).map((path) => commit.find(path));
  const entries = walk(commit, starts, options);
  if (context.json) {
    writeJson({ commit: stored.checksum, entries: [...entries].map((entry) => entryJson(graph, entry)) });
  } else if (options.nulFilenamesOnly === true) {
    for (const { path } of entries) writeOut(`${path}\0`);
  } else {
    for (const entry of entries) writeLine(entryText(graph, entry, options));
  }
}

function* walk(commit: CommitPaths, starts: readonly CommitEntry[], options: Options): Generator<CommitEntry, void> {
  for (const start of starts) {
    const pending = [start];
    for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
      yield next;
      if (next.kind !== 'directory' || options.dironly === true) continue;
      if (next !== start && options.recursive !== true) continue;
      for (const entry of Array.from(commit.list(next)).reverse()) pending.push(entry);
    }
  }
}

interface Facts {
  readonly type: 'directory' | 'file' | 'symlink';
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly size: number;
  readonly target: string | undefined;
  readonly xattrs: readonly Xattr[];
}

function factsOf(graph: CommitGraph, entry: CommitEntry): Facts {
  if (entry.kind === 'directory') {
    return { ...graph.dirmetas.get(entry.meta)!, type: 'directory', size: 0, target: undefined };
  }
  const { header, size } = entry.header;
  return isSymlinkMode(header.mode)
    ? { ...header, type: 'symlink', size, target: header.symlinkTarget }
    : { ...header, type: 'file', size, target: undefined };
}

const letters = { directory: 'd', file: '-', symlink: 'l' } as const;

function entryText(graph: CommitGraph, entry: CommitEntry, options: Options): string {
  const { type, mode, uid, gid, size, target, xattrs } = factsOf(graph, entry);
  const permissions = (mode & 0o7777).toString(8).padStart(5, '0');
  const parts = [`${letters[type]}${permissions}`, uid, gid, String(size).padStart(6)];
  if (options.checksum === true) parts.push(...checksums(entry));
  if (options.xattrs === true) parts.push(`{ ${xattrsText(xattrs)} }`);
  parts.push(printable(entry.path));
  if (target !== undefined) parts.push(`-> ${printable(target)}`);
  return parts.join(' ');
}

function checksums(entry: CommitEntry): string[] {
  return entry.kind === 'directory' ? [entry.tree, entry.meta] : [entry.checksum];
}

/** As OSTree has them: names end in NUL. */
function xattrsText(xattrs: readonly Xattr[]): string {
  const pairs = xattrs.map(({ name, value }) => [Buffer.from(`${name}\0`, 'latin1'), value] as const);
  return print('a(ayay)', pairs);
}

function entryJson(graph: CommitGraph, entry: CommitEntry): unknown {
  const { xattrs, ...facts } = factsOf(graph, entry);
  return {
    path: entry.path,
    type: facts.type,
    mode: facts.mode & 0o7777,
    uid: facts.uid,
    gid: facts.gid,
    size: facts.size,
    target: facts.target,
    ...(entry.kind === 'directory' ? { tree: entry.tree, dirmeta: entry.meta } : { checksum: entry.checksum }),
    object: entry.kind === 'file' ? entry.stored.object : undefined,
    xattrs: xattrs.map(({ name, value }) => ({ name, value: Buffer.from(value).toString('base64') })),
  };
}
