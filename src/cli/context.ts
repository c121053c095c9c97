/** What every command shares: the global options, the repository they name, signals, notes and progress. */
import { readdirSync } from 'node:fs';
import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import type { Command } from 'commander';
import { hasCode, UnsupportedError } from '../../bytes/errors.ts';
import type { LockHolder } from '../linux/flock.ts';
import { formatAlgorithm, type ErofsVersion } from '../repository/metadata.ts';
import { Repository } from '../repository/repository.ts';
import type { HashAlgorithm } from '../verity/object-id.ts';
import { Interrupted, signalExitCode, usageError } from './failure.ts';
import { progressOutput, type ProgressForm, type ProgressOutput } from './progress.ts';

interface GlobalOptions {
  /** False for `--no-repo`. */
  readonly repo?: string | boolean;
  readonly user?: boolean;
  readonly system?: boolean;
  readonly hash?: HashAlgorithm;
  readonly erofsVersion?: string;
  readonly requireVerity?: boolean;
  readonly upgrade: boolean;
  readonly json?: boolean;
  readonly quiet?: boolean;
  readonly progress: ProgressForm;
}

export class Context {
  readonly #options: GlobalOptions;
  readonly output: ProgressOutput;
  /** Aborted by Ctrl-C and SIGTERM. */
  readonly signal: AbortSignal;

  constructor(command: Command, signal: AbortSignal) {
    this.#options = command.optsWithGlobals<GlobalOptions>();
    this.output = progressOutput(this.#options.progress, this.#options.quiet === true);
    this.signal = signal;
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

  get lockOptions(): { signal: AbortSignal; onWait: (holders: readonly LockHolder[]) => void } {
    return {
      signal: this.signal,
      onWait: (holders) => {
        const who = holders.map(({ pid, command }) => `process ${pid}${command === undefined ? '' : ` (${command})`}`);
        this.output.note(`Waiting for the repository's lock, held by ${who.join(', ') || 'another process'}`);
      },
    };
  }
}

function isVacant(path: string): boolean {
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
    const context = new Context(command, controller.signal);
    try {
      // Commander adds the options and the command.
      await run(context, ...all.slice(0, -1));
    } finally {
      context.output.end();
    }
  });
}

/** Adds examples to a command's help. */
export function examples(command: Command, ...lines: readonly string[]): void {
  const list = lines.map((line) => `  ${line}`).join('\n');
  command.addHelpText('after', `\nExamples:\n${list}\n\nOptions of every command (--repo, --json, …): cfs --help`);
}
