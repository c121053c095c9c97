/** What every command shares: the global options, the repository they name, signals, notes and progress. */
import { readdirSync } from 'node:fs';
import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import type { Command } from 'commander';
import { CfsError, hasCode, UnsupportedError } from '../../bytes/errors.ts';
import type { LockOptions } from '../repository/lock.ts';
import { formatAlgorithm, type ErofsVersion } from '../repository/metadata.ts';
import { Repository } from '../repository/repository.ts';
import type { HashAlgorithm } from '../verity/object-id.ts';
import { Interrupted, signalExitCode, usageError } from './failure.ts';
import { openProgressDescriptor } from './progress-lines.ts';
import { progressOutput, type ProgressForm, type ProgressOutput } from './progress.ts';

interface GlobalOptions {
  /** False for `--no-repo`. */
  readonly repo?: string | boolean;
  readonly user?: boolean;
  readonly system?: boolean;
  readonly hash?: HashAlgorithm;
  readonly erofsVersion?: string;
  readonly insecure?: boolean;
  readonly requireVerity?: boolean;
  readonly lockTimeout?: string;
  readonly upgrade: boolean;
  readonly json?: boolean;
  readonly quiet?: boolean;
  readonly progress: ProgressForm;
  readonly progressFd?: string;
}

export class Context {
  readonly #options: GlobalOptions;
  readonly output: ProgressOutput;
  readonly #controller: AbortController;

  constructor(command: Command, controller: AbortController) {
    this.#options = command.optsWithGlobals<GlobalOptions>();
    const { progress, progressFd, quiet } = this.#options;
    const lines = progressFd === undefined ? undefined : openProgressDescriptor(progressFd);
    this.output = progressOutput(progress, quiet === true, process.stderr, lines);
    this.#controller = controller;
  }

  /** Aborted by Ctrl-C and SIGTERM, and when the deadline has passed. */
  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** Ends the command with an error if it is not done after so many milliseconds from now. */
  setDeadline(milliseconds: number): void {
    const problem = `Not done within ${milliseconds / 1000} s; what was stored so far is kept for the next time`;
    setTimeout(() => this.#controller.abort(new CfsError('TIMEOUT', problem)), milliseconds).unref();
  }

  get json(): boolean {
    return this.#options.json === true;
  }

  get hash(): HashAlgorithm | undefined {
    return this.#options.hash;
  }

  get erofsVersion(): ErofsVersion | undefined {
    const text = this.#options.erofsVersion;
    return text === undefined ? undefined : (Number(text) as ErofsVersion);
  }

  /** Do without fs-verity; for the commands that have the option. */
  get insecure(): boolean {
    return this.#options.insecure === true;
  }

  /** False for `--no-repo`. */
  get usesRepository(): boolean {
    return this.#options.repo !== false;
  }

  /** The options name a repository, which is not only the one by default. */
  get namesRepository(): boolean {
    const { repo, user = false, system = false } = this.#options;
    return typeof repo === 'string' || user || system;
  }

  /** The path that the options name: by default the system's repository for root, else the user's. */
  get repositoryPath(): string {
    const { repo, user = false, system = false } = this.#options;
    const named = typeof repo === 'string';
    if (Number(named) + Number(user) + Number(system) > 1) {
      throw usageError('--repo, --user and --system exclude each other');
    }
    if (repo === false) throw usageError('This command needs a repository, so --no-repo does not fit');
    if (named) return resolve(repo);
    const isSystem = system || (!user && process.getuid?.() === 0);
    return isSystem ? '/sysroot/composefs' : join(homedir(), '.var/lib/composefs');
  }

  /** Opens the repository that the options name. */
  openRepository(): Promise<Repository> {
    return Repository.open(this.repositoryPath, {
      noUpgrade: !this.#options.upgrade,
      algorithm: this.#options.hash,
      requireVerity: this.#options.requireVerity,
      ...this.lockOptions,
    });
  }

  /** As `openRepository`; undefined where nothing or an empty folder is. */
  async openRepositoryIfThere(): Promise<Repository | undefined> {
    return isVacant(this.repositoryPath) ? undefined : this.openRepository();
  }

  /** As `openRepository`, and makes it first where nothing or an empty folder is. */
  openOrMakeRepository(): Promise<Repository> {
    const path = this.repositoryPath;
    if (isVacant(path)) this.#make(path);
    return this.openRepository();
  }

  #make(path: string): void {
    const algorithm = this.#options.hash ?? 'sha512';
    const made = (insecure: boolean): void => {
      Repository.init(path, { algorithm, insecure, ensure: true });
      this.output.note(`Made a composefs repository at ${path} (${formatAlgorithm(algorithm)})`);
    };
    try {
      made(false);
    } catch (error) {
      if (!(error instanceof UnsupportedError) || this.#options.requireVerity === true) throw error;
      made(true);
      this.output.note('It is insecure: this file system has no fs-verity, so the kernel will not verify what is read');
    }
  }

  /** @throws CfsError USAGE unless the timeout is a number. */
  get lockOptions(): LockOptions {
    const { lockTimeout } = this.#options;
    if (lockTimeout !== undefined && !/^\d{1,9}(\.\d+)?$/.test(lockTimeout)) {
      throw usageError(`--lock-timeout ${lockTimeout}: expected a number of seconds`);
    }
    return {
      signal: this.signal,
      lockTimeout: lockTimeout === undefined ? undefined : Number(lockTimeout),
      onWait: (holders) => {
        const who = holders.map(({ pid, command }) => `process ${pid}${command === undefined ? '' : ` (${command})`}`);
        this.output.note(`Waiting for the repository's lock, held by ${who.join(', ') || 'another process'}`);
      },
    };
  }
}

/** True for a path where nothing or an empty folder is. */
export function isVacant(path: string): boolean {
  try {
    return readdirSync(path).length === 0;
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return true;
    throw error;
  }
}

/**
 * The action of a command: runs `run` with the context and the command's own arguments, and turns signals into an abort; a
 * second one ends the process at once.
 */
export function action(command: Command, run: (context: Context, ...args: any[]) => void | Promise<void>): void {
  command.action(async (...all: unknown[]) => {
    const controller = new AbortController();
    for (const name of ['SIGINT', 'SIGTERM'] as const) {
      process.on(name, () => {
        if (controller.signal.aborted) process.exit(signalExitCode(name));
        controller.abort(new Interrupted(name));
      });
    }
    const context = new Context(command, controller);
    try {
      // Commander adds the options and the command.
      await run(context, ...all.slice(0, -1));
    } catch (error) {
      // Whatever failed then, this is why.
      throw controller.signal.aborted ? controller.signal.reason : error;
    } finally {
      context.output.end();
    }
  });
}

const exampleLines = new WeakMap<Command, readonly string[]>();

/** The examples that a command was given. */
export function examplesOf(command: Command): readonly string[] {
  return exampleLines.get(command) ?? [];
}

/** Adds examples to a command's help. */
export function examples(command: Command, ...lines: readonly string[]): void {
  exampleLines.set(command, lines);
  const list = lines.map((line) => `  ${line}`).join('\n');
  command.addHelpText('after', `\nExamples:\n${list}\n\nOptions of every command (--repo, --json, …): cfs --help`);
}
