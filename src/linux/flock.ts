/** flock(2), and who holds such a lock. */
import { readFileSync, statSync } from 'node:fs';
import { basename } from 'node:path';
import { EAGAIN, EINTR, SystemError } from './errno.ts';
import { lastErrno, libcFunction } from './libc.ts';

export type LockKind = 'shared' | 'exclusive';

const LOCK_SH = 1;
const LOCK_EX = 2;
const LOCK_NB = 4;
const LOCK_UN = 8;

const flock = libcFunction<[number, number]>('flock', 'int', ['int', 'int']);

/**
 * Takes the lock, or converts the one that `fd` has, without waiting: false if another holds it. A failed conversion has lost
 * the old lock: the kernel drops it before it tries the new one.
 */
export function tryLock(fd: number, kind: LockKind): boolean {
  for (;;) {
    if (flock(fd, (kind === 'shared' ? LOCK_SH : LOCK_EX) | LOCK_NB) === 0) return true;
    const errno = lastErrno();
    if (errno === EAGAIN) return false;
    if (errno !== EINTR) throw new SystemError(errno, 'flock');
  }
}

export function unlock(fd: number): void {
  flock(fd, LOCK_UN);
}

export interface LockHolder {
  readonly kind: LockKind;
  /** Undefined for a process outside of our pid namespace. */
  readonly pid: number | undefined;
  /** Command line, shortened; undefined where /proc does not tell. */
  readonly command: string | undefined;
}

/**
 * The holders of flock locks on a file, from /proc/locks: best effort, and empty where that is missing. Some file systems
 * (btrfs) show another device number there than stat does, so an inode that matches on no device matches on any.
 */
export function lockHolders(path: string): LockHolder[] {
  let text: string;
  let stat: { dev: bigint; ino: bigint };
  try {
    text = readFileSync('/proc/locks', 'latin1');
    stat = statSync(path, { bigint: true });
  } catch {
    return [];
  }
  const major = ((stat.dev >> 8n) & 0xfffn) | ((stat.dev >> 32n) & ~0xfffn);
  const minor = (stat.dev & 0xffn) | ((stat.dev >> 12n) & ~0xffn);
  const device = `${hex2(major)}:${hex2(minor)}`;
  // "1: FLOCK  ADVISORY  READ  1234 fd:01:5678 0 EOF"; a waiter's line has "->" behind the number.
  const locks = text
    .split('\n')
    .map((line) => line.split(/\s+/))
    .filter((field) => field[1] === 'FLOCK' && field[5]?.split(':')[2] === String(stat.ino));
  const onDevice = locks.filter((field) => field[5]?.startsWith(`${device}:`));
  return (onDevice.length > 0 ? onDevice : locks).map((field) => {
    const pid = Number(field[4]);
    return {
      kind: field[3] === 'WRITE' ? 'exclusive' : 'shared',
      pid: pid > 0 ? pid : undefined,
      command: pid > 0 ? commandOf(pid) : undefined,
    };
  });
}

function hex2(value: bigint): string {
  return value.toString(16).padStart(2, '0');
}

/** The command line of a process, at most 80 characters, or undefined. */
function commandOf(pid: number): string | undefined {
  try {
    const text = shownCommand(readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0'));
    return text === '' ? readFileSync(`/proc/${pid}/comm`, 'utf8').trim() : text.slice(0, 80);
  } catch {
    return undefined;
  }
}

/** Of a program that an interpreter runs, the program: the interpreter and its options would fill the line. */
function shownCommand([program = '', ...args]: readonly string[]): string {
  if (basename(program) !== 'node') return [program, ...args].join(' ').trim();
  const at = args.findIndex((arg) => !arg.startsWith('-'));
  const script = args[at] ?? program;
  const name = /\/cli\/main\.[jt]s$/.test(script) ? 'cfs' : script;
  return [name, ...args.slice(at + 1)].join(' ').trim();
}
