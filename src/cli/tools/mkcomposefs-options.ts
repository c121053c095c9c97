/** The command line of `mkcomposefs`, by the rules and with the messages of the C program, and `--hardlinks` of the Rust one. */
import { availableParallelism } from 'node:os';
import { parseCommandLine } from './getopt.ts';
import { ToolFailure } from './tool.ts';

export interface MkcomposefsOptions {
  readonly source: string;
  /** `-` for stdout; undefined when only the digest is asked for. */
  readonly image: string | undefined;
  readonly fromFile: boolean;
  readonly printDigest: boolean;
  readonly digestStore: string | undefined;
  readonly useEpoch: boolean;
  readonly skipDevices: boolean;
  readonly skipXattrs: boolean;
  readonly userXattrs: boolean;
  readonly hardlinks: boolean;
  readonly minVersion: number;
  readonly maxVersion: number;
  readonly threads: number;
}

const table = {
  'digest-store': 'value',
  'use-epoch': 'flag',
  'skip-devices': 'flag',
  'skip-xattrs': 'flag',
  'user-xattrs': 'flag',
  'print-digest': 'flag',
  'print-digest-only': 'flag',
  'from-file': 'flag',
  'min-version': 'value',
  'max-version': 'value',
  threads: 'value',
  hardlinks: 'flag',
  help: 'flag',
} as const;

export function usage(calledAs: string): string {
  return `usage: ${calledAs} [OPTIONS] SOURCE IMAGE

Makes a composefs image of a directory, or of a dump file with --from-file. IMAGE '-' is stdout.

Options:
  --digest-store=PATH   copy the content of files into the directory PATH, as xx/DIGEST
  --use-epoch           set all times of change to 0
  --skip-devices        leave out device nodes
  --skip-xattrs         leave out extended attributes
  --user-xattrs         keep only the extended attributes that start with 'user.'
  --print-digest        print the fs-verity digest of the image
  --print-digest-only   print it, and write no image
  --from-file           SOURCE is a dump file, '-' is stdin
  --min-version=N       lowest format version of the image, 0 or 1
  --max-version=N       highest format version that is chosen when the tree needs it, 0 or 1
  --threads=N           threads that compute digests and copy files (default: one for each processor)
  --hardlinks           keep the hard links of the directory

Examples:
  ${calledAs} --digest-store=objects rootfs rootfs.cfs
  ${calledAs} --from-file --print-digest-only rootfs.dump
`;
}

/** @returns undefined when only help is asked for. @throws ToolFailure */
export function parseMkcomposefs(calledAs: string, args: readonly string[]): MkcomposefsOptions | undefined {
  const { options, operands, problem } = parseCommandLine(args, table);
  const wrong = (message: string): ToolFailure => new ToolFailure(`${message}\n${usage(calledAs)}`);
  const given = new Set(options.map(({ name }) => name));
  if (given.has('help')) return undefined;

  let digestStore: string | undefined;
  let minVersion: number | undefined;
  let maxVersion: number | undefined;
  let threads = availableParallelism();
  for (const { name, value = '' } of options) {
    if (name === 'digest-store') digestStore = value;
    else if (name === 'min-version') minVersion = integer(value, 'min version');
    else if (name === 'max-version') maxVersion = integer(value, 'max version');
    else if (name === 'threads') {
      threads = integer(value, 'threads count');
      if (threads < 1) throw invalid('threads count', value);
    }
  }
  if (problem !== undefined) {
    throw problem.kind === 'no value' ? new ToolFailure('option needs a value\n') : new ToolFailure(usage(calledAs));
  }

  const onlyDigest = given.has('print-digest-only');
  const [source, image, ...more] = operands;
  if (source === undefined) throw wrong('No source path specified');
  if (source === '') throw new ToolFailure(`${calledAs}: Empty source path specified\n`);
  if (onlyDigest && image !== undefined) throw wrong('Cannot specify destination path with --print-digest-only');
  if (!onlyDigest && image === undefined) throw wrong('No destination path specified');
  if (more.length > 0) throw wrong('Too many arguments');
  return {
    source,
    image,
    digestStore,
    fromFile: given.has('from-file'),
    printDigest: onlyDigest || given.has('print-digest'),
    useEpoch: given.has('use-epoch'),
    skipDevices: given.has('skip-devices'),
    skipXattrs: given.has('skip-xattrs'),
    userXattrs: given.has('user-xattrs'),
    hardlinks: given.has('hardlinks'),
    // One alone leaves the other at 0.
    minVersion: minVersion ?? 0,
    maxVersion: maxVersion ?? (minVersion === undefined ? 1 : 0),
    threads,
  };
}

function invalid(what: string, value: string): ToolFailure {
  return new ToolFailure(`Invalid ${what} ${value}\n`);
}

function integer(value: string, what: string): number {
  if (!/^\s*[+-]?\d+$/.test(value)) throw invalid(what, value);
  return Number(value);
}
