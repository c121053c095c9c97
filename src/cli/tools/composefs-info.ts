/** `composefs-info COMMAND FILE…`: what composefs images hold, as the composefs C tool tells it. */
import { closeSync, existsSync, openSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { hasCode } from '../../../bytes/errors.ts';
import { readStoredImage, type StoredDirectories } from '../../erofs/read.ts';
import { EINVAL } from '../../linux/errno.ts';
import { measureVerity } from '../../linux/ioctl.ts';
import { strerror } from '../../linux/libc.ts';
import { measureFile } from '../../repository/measure.ts';
import type { ByteString } from '../../tree/byte-string.ts';
import type { Directory } from '../../tree/tree.ts';
import { writeLine, writeOut } from '../output.ts';
import { externalPayloads, listingLines, storedDumpLines } from './image-listing.ts';
import { parseCommandLine } from './getopt.ts';
import { exitCodeOf, reason, ToolFailure, type ToolFile } from './tool.ts';

const table = { basedir: 'value', filter: 'value', help: 'flag' } as const;

function usage(calledAs: string): string {
  return (
    `usage: ${calledAs} [--basedir=path] [--filter=name]... ` +
    'ls|objects|dump|missing-objects|measure-file IMAGE...\n'
  );
}

interface Image {
  readonly root: Directory;
  readonly directories: StoredDirectories;
}

/**
 * The fs-verity digest that the C tool computes for an empty file, where the kernel does not know one: that of one block of zeros. fs-verity
 * itself says that the tree of an empty file has no block.
 */
const EMPTY_FILE = 'cfc3391077edfd51859f6e5e16e03f82b1da3ee1a35d418b0d0b3b57740b4405';

export const runTool: ToolFile['runTool'] = (calledAs, args) =>
  exitCodeOf(async () => {
    const { options, operands, problem } = parseCommandLine(args, table);
    if (options.some(({ name }) => name === 'help')) {
      writeOut(usage(calledAs));
      return;
    }
    if (problem !== undefined) {
      // The C tool says so on stdout.
      writeLine('Def');
      throw new ToolFailure(`${calledAs}: ${problem.message}\n${usage(calledAs)}`);
    }
    await Promise.resolve();
    const values = (wanted: string): string[] =>
      options.flatMap(({ name, value }) => (name === wanted ? [value!] : []));
    new ComposefsInfo(calledAs, values('filter'), values('basedir').at(-1)).run(operands);
  });

class ComposefsInfo {
  readonly #calledAs: string;
  readonly #filters: ReadonlySet<string>;
  readonly #basedir: string | undefined;

  constructor(calledAs: string, filters: readonly string[], basedir: string | undefined) {
    this.#calledAs = calledAs;
    this.#filters = new Set(filters.map((name) => Buffer.from(name).toString('latin1')));
    this.#basedir = basedir;
  }

  run([command, ...files]: readonly string[]): void {
    const commands: Readonly<Record<string, () => void>> = {
      ls: () => this.#eachImage(files, (image) => listingLines(image.root)),
      dump: () => this.#eachImage(files, (image) => storedDumpLines(image.root, image.directories)),
      objects: () => this.#writeObjects(files, () => true),
      'missing-objects': () => this.#writeMissing(files),
      'measure-file': () => files.forEach((file) => this.#measure(file)),
    };
    if (command === undefined) throw this.#usageError('No command specified');
    if (!Object.hasOwn(commands, command)) throw new ToolFailure(`Unknown command '${command}'\n\n`);
    if (files.length === 0) {
      throw this.#usageError(command === 'measure-file' ? 'No files specified' : 'No image path specified');
    }
    commands[command]!();
  }

  #usageError(problem: string): ToolFailure {
    return new ToolFailure(`${problem}\n${usage(this.#calledAs)}`);
  }

  #eachImage(files: readonly string[], lines: (image: Image) => Iterable<string>): void {
    for (const file of files) {
      const image = this.#load(file);
      for (const line of lines(image)) writeOut(`${line}\n`);
    }
  }

  #load(file: string): Image {
    let bytes: Buffer;
    try {
      bytes = readFileSync(file);
    } catch (error) {
      if (hasCode(error, 'EISDIR')) throw new ToolFailure(`Failed to load '${file}': ${strerror(EINVAL)}\n`);
      throw new ToolFailure(`Failed to open '${file}': ${reason(error)}\n`);
    }
    for (const name of this.#filters) {
      if (name.includes('/')) throw new ToolFailure(`Filter must be a single name: ${name}: ${strerror(EINVAL)}\n`);
    }
    let image: Image;
    try {
      image = readStoredImage(bytes);
    } catch (error) {
      // The C tool stops at its words; what follows them says why.
      throw new ToolFailure(`Failed to load '${file}': ${strerror(EINVAL)}\n${reason(error)}\n`);
    }
    if (this.#filters.size > 0) {
      for (const name of image.root.entries.keys()) if (!this.#filters.has(name)) image.root.entries.delete(name);
    }
    return image;
  }

  #writeMissing(files: readonly string[]): void {
    const base = this.#basedir ?? '/proc/self/fd/0';
    if (this.#basedir !== undefined) this.#checkBasedir(base);
    this.#writeObjects(files, (payload) => !existsSync(Buffer.from(join(base, payload), 'latin1')));
  }

  #checkBasedir(path: string): void {
    try {
      closeSync(openSync(path, 'r'));
      if (!statSync(path).isDirectory()) throw Object.assign(new Error(), { errno: -20 });
    } catch (error) {
      throw new ToolFailure(`Can't open basedir \`${path}\`\n: ${reason(error)}\n`);
    }
  }

  #writeObjects(files: readonly string[], select: (payload: ByteString) => boolean): void {
    const payloads = new Set(files.flatMap((file) => [...externalPayloads(this.#load(file).root)]));
    for (const payload of [...payloads].sort().filter(select)) writeOut(Buffer.from(`${payload}\n`, 'latin1'));
  }

  #measure(file: string): void {
    let fd: number | undefined;
    try {
      fd = openSync(file, 'r');
      const measured = measureVerity(fd);
      const isEmpty = typeof measured === 'string' && statSync(file).size === 0;
      const digest = typeof measured === 'string' ? measureFile(fd, 'sha256') : measured.digest;
      writeLine(isEmpty ? EMPTY_FILE : digest);
    } catch (error) {
      if (fd === undefined) throw new ToolFailure(`Failed to open '${file}': ${reason(error)}\n`);
      throw new ToolFailure(`failed to measure '${file}': ${reason(error)}`);
    } finally {
      if (fd !== undefined) closeSync(fd);
    }
  }
}
