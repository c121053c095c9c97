/**
 * Marks that say: objects were linked whose content may not be on disk yet.
 *
 * Objects get their names as soon as they are complete, long before the one `syncfs` that makes them durable. If power fails in
 * between, a file system may keep the name but lose content: a short, empty or zero-filled object under a digest that promises
 * otherwise. Nothing refers to it yet, but the next pull would find it "present". So before its first object a transaction puts
 * a file `.cfs-unsynced-XXXXXXXXXXXX` into the root, durably, with the kernel's boot id in it, and takes it away after the
 * `syncfs`. What such a file means to others:
 *
 * - this boot, writer alive: the page cache holds what the disk may lack, so objects can be reused. Whoever reuses them runs its
 *   own `syncfs` before it refers to them.
 * - this boot, writer dead: the same. The next `syncfs` of anyone covers its objects, and takes the mark away. A writer in another
 *   pid namespace (a container) cannot be seen, and counts as alive.
 * - another boot: objects are suspect. Until somebody has looked at all of them, an existing object is hashed before it is reused,
 *   and replaced if it is bad. Times are not used to tell which are suspect, as clocks jump. `fsck` without findings takes such
 *   marks away; so does garbage collection, since what it leaves is reachable from links that were made after a `syncfs`,
 *   unless the mark's transaction ran without any (`"synced": false`).
 *
 * A mark that cannot be read counts as of another boot. composefs-rs ignores these files, and writes none: an object that it
 * alone lost in a power failure is found by `fsck`, or by its size.
 */
import {
  closeSync,
  fsyncSync,
  openSync,
  readFileSync,
  readdirSync,
  readlinkSync,
  renameSync,
  unlinkSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { hasCode } from '../../bytes/errors.ts';
import { readRegularFile } from '../linux/regular-file.ts';
import { TEMPORARY_FILE, temporaryName } from './layout.ts';
import { syncDirectories } from './links.ts';

const PREFIX = '.cfs-unsynced-';
const MAX_SIZE = 64 * 1024;

export interface Mark {
  readonly name: string;
  /** Writer alive (or out of sight) or dead, or written under another boot of the kernel. */
  readonly state: 'alive' | 'dead' | 'foreign';
  /** False if its transaction made links without a `syncfs` before them. */
  readonly synced: boolean;
}

/** Names of marks that transactions of this process still need. */
const own = new Set<string>();

/** Puts up a mark, durably unless `synced` is false; gives its name. */
export function addMark(root: string, synced: boolean): string {
  const temporary = join(root, temporaryName(TEMPORARY_FILE));
  const name = temporaryName(PREFIX);
  const fd = openSync(temporary, 'wx', 0o644);
  try {
    const mark = { boot: bootId(), pids: pidNamespace(), pid: process.pid, start: startTime(process.pid), synced };
    writeSync(fd, `${JSON.stringify(mark)}\n`);
    if (synced) fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
  own.add(name);
  renameSync(temporary, join(root, name));
  if (synced) syncDirectories(new Set([root]));
  return name;
}

/** Gives up a mark without a `syncfs`: it stays, as that of a dead writer. */
export function abandonMark(name: string): void {
  own.delete(name);
}

export function removeMarks(root: string, names: Iterable<string>): void {
  for (const name of names) {
    own.delete(name);
    try {
      unlinkSync(join(root, name));
    } catch (error) {
      if (!hasCode(error, 'ENOENT')) throw error;
    }
  }
}

export function listMarks(root: string): Mark[] {
  const boot = bootId();
  return readdirSync(root)
    .filter((name) => name.startsWith(PREFIX))
    .flatMap((name) => {
      try {
        return [readMark(name, readRegularFile(join(root, name), MAX_SIZE).toString(), boot)];
      } catch (error) {
        if (hasCode(error, 'ENOENT')) return [];
        if (hasCode(error, 'CORRUPT', 'LIMIT')) return [readMark(name, '', boot)];
        throw error;
      }
    });
}

function readMark(name: string, text: string, boot: string): Mark {
  let mark: { boot?: unknown; pids?: unknown; pid?: unknown; start?: unknown; synced?: unknown };
  try {
    mark = (JSON.parse(text) ?? {}) as typeof mark;
  } catch {
    mark = {};
  }
  const synced = mark.synced === true;
  if (boot === '' || mark.boot !== boot) return { name, state: 'foreign', synced };
  if (mark.pids !== pidNamespace()) return { name, state: 'alive', synced };
  const alive =
    mark.pid === process.pid ? own.has(name) : typeof mark.pid === 'number' && startTime(mark.pid) === mark.start;
  return { name, state: alive ? 'alive' : 'dead', synced };
}

/** Changes with every boot of the kernel; empty where /proc does not tell. */
function bootId(): string {
  try {
    return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
  } catch {
    return '';
  }
}

/** Where the pids of this process mean something; undefined where /proc does not tell. */
function pidNamespace(): string | undefined {
  try {
    return readlinkSync('/proc/self/ns/pid');
  } catch {
    return undefined;
  }
}

/** When a process started, in clock ticks since boot: tells it from a later one with the same pid. Undefined if it is gone. */
function startTime(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    // The command, in parentheses, may hold anything; starttime is field 22 of the line, the 20th behind it.
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19];
  } catch {
    return undefined;
  }
}
