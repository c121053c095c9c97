/** `mkcomposefs SOURCE IMAGE`: a composefs image of a directory or of a dump file, as the composefs C tool makes it. */
import { closeSync, openSync, readSync } from 'node:fs';
import { CfsError, FormatError, hasCode } from '../../../bytes/errors.ts';
import { EINVAL } from '../../linux/errno.ts';
import { strerror } from '../../linux/libc.ts';
import { planImage } from '../../erofs/plan.ts';
import { imageChunks } from '../../erofs/write.ts';
import { DumpParser } from '../../tree/dumpfile-parse.ts';
import type { Directory } from '../../tree/tree.ts';
import { VerityHasher } from '../../verity/digest.ts';
import { writeLine, writeOut } from '../output.ts';
import { openOutput, type ImageOutput } from './image-output.ts';
import { parseMkcomposefs, usage, type MkcomposefsOptions } from './mkcomposefs-options.ts';
import { exitCodeOf, reason, ToolFailure } from './tool.ts';

const READ_SIZE = 1 << 20;

export function runTool(calledAs: string, args: readonly string[]): Promise<number> {
  return exitCodeOf(async () => {
    const options = parseMkcomposefs(calledAs, args);
    if (options === undefined) writeOut(usage(calledAs));
    else await new Mkcomposefs(calledAs, options).run();
  });
}

class Mkcomposefs {
  readonly #calledAs: string;
  readonly #options: MkcomposefsOptions;

  constructor(calledAs: string, options: MkcomposefsOptions) {
    this.#calledAs = calledAs;
    this.#options = options;
  }

  async run(): Promise<void> {
    const { image, printDigest } = this.#options;
    using output = image === undefined ? undefined : this.#openOutput(image);
    const tree = await this.#readTree();
    const hasher = printDigest ? new VerityHasher('sha256') : undefined;
    await this.#writeImage(tree, output, hasher);
    output?.commit();
    if (hasher !== undefined) writeLine(hasher.digest());
  }

  #fail(problem: string): ToolFailure {
    return new ToolFailure(`${this.#calledAs}: ${problem}\n`);
  }

  #openOutput(image: string): ImageOutput {
    try {
      return openOutput(image);
    } catch (error) {
      throw this.#fail(image === '-' ? reason(error) : `failed to open output file: ${reason(error)}`);
    }
  }

  #readTree(): Promise<Directory> {
    const { source, fromFile } = this.#options;
    return fromFile ? this.#readDump(source) : this.#readDirectory(source);
  }

  async #readDump(path: string): Promise<Directory> {
    const parser = new DumpParser();
    try {
      if (path === '-') for await (const chunk of process.stdin) parser.push(chunk as Buffer);
      else this.#pushFile(path, parser);
      return parser.finish();
    } catch (error) {
      if (error instanceof ToolFailure) throw error;
      if (!(error instanceof FormatError)) throw this.#fail(reason(error));
      // The parser's own words are those of C; where it was goes on a line of its own.
      const problem = error.message.slice(`Invalid ${error.format}: ${error.field}: `.length);
      const where = error.field.startsWith('line ') ? `\nin ${error.field} of ${path === '-' ? 'stdin' : path}` : '';
      throw this.#fail(problem + where);
    }
  }

  #pushFile(path: string, parser: DumpParser): void {
    let fd: number;
    try {
      fd = openSync(path, 'r');
    } catch (error) {
      throw this.#fail(`open \`${path}\`: ${reason(error)}`);
    }
    try {
      const buffer = Buffer.allocUnsafeSlow(READ_SIZE);
      for (let length = 1; length > 0;) {
        length = readSync(fd, buffer);
        parser.push(buffer.subarray(0, length));
      }
    } finally {
      closeSync(fd);
    }
  }

  async #readDirectory(path: string): Promise<Directory> {
    const { digestStore, skipXattrs, userXattrs, useEpoch, skipDevices, hardlinks, threads } = this.#options;
    if (skipXattrs && userXattrs) throw this.#fail(`error accessing ${path}: ${strerror(EINVAL)}`);
    const { readDirectory } = await import('../../directory/read.ts');
    const { digestStoreTask } = await import('../../directory/digest-store.ts');
    try {
      const content = digestStoreTask(digestStore);
      const { root } = await readDirectory(path, {
        content,
        threads,
        hardLinks: hardlinks,
        xattrs: skipXattrs ? 'none' : userXattrs ? 'user' : 'all',
        useEpoch,
        skipDevices,
      });
      return root;
    } catch (error) {
      throw this.#readFailure(path, error);
    }
  }

  #readFailure(root: string, error: unknown): Error {
    if (!(error instanceof CfsError)) return this.#fail(`cannot fill store: ${reason(error)}`);
    const { path } = error.facts;
    const { cause } = error;
    if (error.facts['store'] !== undefined) return this.#fail(`cannot fill store: ${reason(cause)}`);
    if (path === root.replace(/(?<=.)\/+$/, '') && hasCode(cause, 'ENOTDIR'))
      return this.#fail(`cannot write file: ${reason(cause)}`);
    return this.#fail(cause === undefined ? error.message : `error accessing ${path}: ${reason(cause)}`);
  }

  /** Writes and hashes the image as it is made. */
  async #writeImage(tree: Directory, output: ImageOutput | undefined, hasher: VerityHasher | undefined): Promise<void> {
    const { minVersion, maxVersion } = this.#options;
    try {
      for (const chunk of imageChunks(planImage(tree, versions(minVersion, maxVersion)))) {
        hasher?.update(chunk);
        await output?.write(chunk);
      }
    } catch (error) {
      throw this.#fail(`cannot write file: ${reason(error)}`);
    }
  }
}

/** The lowest version, and the one that may be chosen for whiteouts. */
function versions(min: number, max: number): { version: 0 | 1; maxVersion: 0 | 1 } {
  if (min < 0 || min > 1 || max < 0 || max > 1) throw new Error('Invalid argument');
  return { version: min === 1 ? 1 : 0, maxVersion: max === 1 ? 1 : 0 };
}
