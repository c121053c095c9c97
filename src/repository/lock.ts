/**
 * Who may work on a repository: a shared flock on its root directory for as long as a handle is open, an exclusive one for
 * garbage collection; the same locks that composefs-rs takes.
 *
 * All handles of one process share one descriptor, as two would lock each other out for ever. Inside of the process, handles
 * alone exclude nobody: what needs the repository to stay as it is takes a hold, and an exclusive lock waits for the holds,
 * then for other processes. While one waits or is held, the shared lock is gone, since the kernel converts a lock by dropping
 * it; the next hold takes it again.
 *
 * Worker threads count as other processes: they never open a repository, but write objects under a hold of their parent.
 */
import { closeSync, constants, fstatSync, openSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { CfsError } from '../../bytes/errors.ts';
import { lockHolders, tryLock, unlock, type LockHolder } from '../linux/flock.ts';

export interface LockOptions {
  /** Seconds to wait for others, 300 unless given. */
  readonly lockTimeout?: number | undefined;
  /** Called once when waiting starts. */
  readonly onWait?: ((holders: readonly LockHolder[]) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Released once; later calls do nothing. */
export type Release = () => void;

const DEFAULT_TIMEOUT = 300;
const FIRST_PAUSE = 10;
const LONGEST_PAUSE = 500;

/** Of this process, by device and inode of the root. */
const locks = new Map<string, RepositoryLock>();

export class RepositoryLock {
  /** The root directory, open for reading. */
  readonly fd: number;
  readonly #path: string;
  readonly #key: string;
  #handles = 0;
  #holds = 0;
  /** Exclusive locks held or waited for; holds wait for them. */
  #exclusive = 0;
  #exclusiveHeld = false;
  /** What the flock is now. */
  #flock: 'none' | 'shared' | 'exclusive' = 'none';

  private constructor(fd: number, path: string, key: string) {
    this.fd = fd;
    this.#path = path;
    this.#key = key;
  }

  /** Registers a handle on the directory `path`, and waits for the shared lock. Throws ENOENT, ENOTDIR; CfsError LOCKED. */
  static async open(path: string, options: LockOptions): Promise<RepositoryLock> {
    const fd = openSync(path, constants.O_RDONLY | constants.O_DIRECTORY);
    const { dev, ino } = fstatSync(fd, { bigint: true });
    const key = `${dev}:${ino}`;
    let lock = locks.get(key);
    if (lock === undefined) {
      lock = new RepositoryLock(fd, path, key);
      locks.set(key, lock);
    } else {
      closeSync(fd);
    }
    lock.#handles++;
    try {
      await lock.#wait(options, () => lock.#tryShared());
    } catch (error) {
      lock.close();
      throw error;
    }
    return lock;
  }

  /** Ends one handle; the last one gives up the lock, and ends all waiting for it. */
  close(): void {
    if (--this.#handles > 0) return;
    locks.delete(this.#key);
    closeSync(this.fd);
  }

  /** Keeps garbage collection away, in this process and others, until released. @throws CfsError LOCKED, CANCELLED */
  async hold(options: LockOptions = {}): Promise<Release> {
    // Counted where it is decided: what is asked for in the meantime must already meet it.
    await this.#wait(options, () => {
      if (this.#exclusive > 0 || !this.#tryShared()) return false;
      this.#holds++;
      return true;
    });
    return once(() => this.#holds--);
  }

  /** Keeps everybody else away until released. @throws CfsError LOCKED, CANCELLED */
  async exclusive(options: LockOptions = {}): Promise<Release> {
    this.#exclusive++;
    try {
      await this.#wait(options, () => {
        if (this.#exclusiveHeld || this.#holds > 0) return false;
        this.#flock = 'none';
        if (!tryLock(this.fd, 'exclusive')) return false;
        this.#flock = 'exclusive';
        return (this.#exclusiveHeld = true);
      });
    } catch (error) {
      this.#endExclusive();
      throw error;
    }
    return once(() => {
      this.#exclusiveHeld = false;
      this.#endExclusive();
    });
  }

  /** Back to the shared lock, or to none if another process is faster; then the next hold takes it. */
  #endExclusive(): void {
    this.#exclusive--;
    // With the last handle went the descriptor, whose number may be another file's by now.
    if (this.#exclusiveHeld || this.#handles === 0) return;
    unlock(this.fd);
    this.#flock = tryLock(this.fd, 'shared') ? 'shared' : 'none';
  }

  /** Takes the shared lock unless this process has one; false if another process keeps it out. */
  #tryShared(): boolean {
    // A handle may be opened while this process has or awaits the exclusive lock; taking the shared one would undo that.
    if (this.#flock !== 'none' || this.#exclusive > 0) return true;
    if (!tryLock(this.fd, 'shared')) return false;
    this.#flock = 'shared';
    return true;
  }

  /** Asks again and again, with growing pauses. */
  async #wait({ lockTimeout = DEFAULT_TIMEOUT, onWait, signal }: LockOptions, ready: () => boolean): Promise<void> {
    const deadline = performance.now() + 1000 * lockTimeout;
    for (let pause = FIRST_PAUSE; ; pause = Math.min(2 * pause, LONGEST_PAUSE)) {
      if (signal?.aborted === true)
        throw new CfsError('CANCELLED', `Cancelled waiting for ${this.#path}`, {}, signal.reason);
      if (this.#handles === 0)
        throw new CfsError('CANCELLED', `Repository ${this.#path} was closed while it was waited for`);
      if (ready()) return;
      if (pause === FIRST_PAUSE) onWait?.(this.#others());
      const left = deadline - performance.now();
      if (left <= 0) throw this.#timeout(lockTimeout);
      // An abort ends the pause early; the loop then finds it.
      await sleep(Math.min(pause, left), undefined, signal === undefined ? {} : { signal }).catch(() => undefined);
    }
  }

  #others(): LockHolder[] {
    const holders = lockHolders(this.#path);
    const others = holders.filter(({ pid }) => pid !== process.pid);
    return others.length > 0 ? others : holders;
  }

  #timeout(seconds: number): CfsError {
    const [holder] = this.#others();
    const who =
      holder?.pid === process.pid
        ? `this process (${holder.pid}) is working on it`
        : `process ${holder?.pid ?? 'unknown'}${holder?.command === undefined ? '' : ` (${holder.command})`} holds the lock`;
    return new CfsError('LOCKED', `Cannot lock repository ${this.#path}: ${who}, waited ${seconds} s`, {
      path: this.#path,
      pid: holder?.pid,
      command: holder?.command,
    });
  }
}

function once(action: () => void): Release {
  let done = false;
  return () => {
    if (!done) action();
    done = true;
  };
}
