/**
 * What a test needs of the machine: programs, root, kernel features. A test that lacks something skips and names it.
 * With CFS_NO_SKIP=1, as in CI, that is a failure, unless the machine cannot have it or it is optional everywhere.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { delimiter, join } from 'node:path';

/** What is not a program on PATH: how to see that it is there, and whether a test may skip without it even in CI. */
const special: Readonly<Record<string, { readonly mayBeAbsent: boolean; found(): boolean }>> = {
  root: { mayBeAbsent: false, found: isAdministrator },
  'GLib for Python': {
    mayBeAbsent: false,
    found: () => spawnSync('/usr/bin/python3', ['-c', 'import gi; gi.require_version("GLib", "2.0")']).status === 0,
  },
  'libostree for Node': {
    mayBeAbsent: false,
    found: () => existsSync(join(import.meta.dirname, '../ostree/gi/node_modules/node-gtk/package.json')),
  },
  cfsctl: { mayBeAbsent: true, found: () => toolPath('cfsctl') !== undefined },
  'EROFS in the kernel': { mayBeAbsent: true, found: () => hasFileSystem('erofs') },
  'overlay in the kernel': { mayBeAbsent: true, found: () => hasFileSystem('overlay') },
  'Btrfs in the kernel': { mayBeAbsent: true, found: () => hasFileSystem('btrfs') },
  'XFS in the kernel': { mayBeAbsent: true, found: () => hasFileSystem('xfs') },
  'fs-verity in the kernel': { mayBeAbsent: true, found: () => existsSync('/proc/sys/fs/verity') },
  'loop devices': { mayBeAbsent: true, found: () => existsSync('/dev/loop-control') },
};

/** Root in a container is often not allowed to mount; that needs CAP_SYS_ADMIN, the 21st bit. */
function isAdministrator(): boolean {
  const effective = /^CapEff:\s*([0-9a-f]+)$/m.exec(readFileSync('/proc/self/status', 'latin1'))?.[1] ?? '0';
  return process.getuid?.() === 0 && ((BigInt(`0x${effective}`) >> 21n) & 1n) === 1n;
}

function hasFileSystem(name: string): boolean {
  const loaded = (): boolean => readFileSync('/proc/filesystems', 'latin1').includes(`\t${name}\n`);
  return loaded() || (spawnSync('modprobe', [name]).status === 0 && loaded());
}

/** The path of a program on PATH, among the administrator's, or among those of cargo. */
export function toolPath(name: string): string | undefined {
  const folders = [
    ...(process.env['PATH'] ?? '').split(delimiter),
    '/usr/sbin',
    '/sbin',
    join(homedir(), '.cargo/bin'),
  ];
  return folders.map((folder) => join(folder, name)).find((path) => existsSync(path));
}

/**
 * For the `skip` option of a test: false if all of `names` are there, else which are missing.
 * A name is that of a program, or one of the table above. Throws instead of letting a test skip that could run.
 */
export function needs(...names: string[]): string | false {
  const missing = names.filter((name) => !(special[name]?.found() ?? toolPath(name) !== undefined));
  if (missing.length === 0) return false;
  const reason = `needs ${missing.join(', ')}`;
  if (process.env['CFS_NO_SKIP'] === '1' && missing.some((name) => special[name]?.mayBeAbsent !== true)) {
    throw new Error(`A test ${reason}, and CFS_NO_SKIP forbids skipping it`);
  }
  return reason;
}
