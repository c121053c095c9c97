/** `cfs ostree delta create [FROM] TO` */
import type { Command } from 'commander';
import type { OstreeChecksum } from '../../ostree/checksum.ts';
import { decodeCommit } from '../../ostree/commit.ts';
import { findCommit, readCommit, resolveCommit } from '../commit/stored.ts';
import { createDelta, type CreatedDelta } from '../delta/create.ts';
import { hasDelta, type DeltaPlace } from '../delta/destination.ts';
import type { Repository } from '../repository/repository.ts';
import { action, examples, type Context } from './context.ts';
import { usageError } from './failure.ts';
import { writeJson, writeLine } from './output.ts';
import { formatBytes } from './progress.ts';

const MEGABYTE = 1_000_000;

interface Options {
  readonly empty?: boolean;
  readonly output?: string;
  readonly ostreeRepo?: string;
  readonly inline?: boolean;
  readonly ifNotExists?: boolean;
  /** False for `--disable-bsdiff`. */
  readonly disableBsdiff?: boolean;
  readonly maxChunkSize?: number;
  readonly minFallbackSize?: number;
  readonly maxBsdiffSize?: number;
  readonly threads?: number;
}

export function define(command: Command): void {
  command
    .argument('<commit>', 'FROM, if there are two; ref, commit id, or the beginning of one')
    .argument('[to]', 'TO; without it the only commit is TO, and FROM its parent')
    .option('--empty', 'from nothing: brings the whole commit')
    .option('-o, --output <path>', 'write it to a new folder, or with --inline to a new file')
    .option('--ostree-repo <path>', 'put it into this OSTree repository, where pulls from it find it')
    .option('--inline', 'one file with all parts in it')
    .option('--if-not-exists', 'do nothing if the OSTree repository has this delta')
    .option('--disable-bsdiff', 'no patches, only copies of what did not change')
    .option('--max-chunk-size <MB>', 'size of a part before compression (32)', someMegabytes)
    .option(
      '--min-fallback-size <MB>',
      'leave new files of more out, for pulls to fetch by themselves; 0 for none (4 with --ostree-repo, 0 with --output)',
      megabytes,
    )
    .option(
      '--max-bsdiff-size <MB>',
      'of larger files only equal pieces are found; old and new one together (128)',
      megabytes,
    )
    .option('--threads <n>', 'threads that compare and compress (one for each processor)', positive);
  examples(
    command,
    'cfs ostree delta create os/1 os/2 --output os-1-2.delta --inline',
    'cfs ostree delta create --empty os/2 --output /mnt/usb/os-2',
    'cfs ostree delta create os/stable --ostree-repo /srv/repo   # from its parent; then: ostree summary -u --repo=/srv/repo',
  );
  action(command, run);
}

/** Bytes. */
function megabytes(text: string): number {
  const value = Number(text);
  if (text.trim() !== '' && Number.isFinite(value) && value >= 0) return Math.round(value * MEGABYTE);
  throw usageError(`'${text}' is no size in megabytes`);
}

function someMegabytes(text: string): number {
  const size = megabytes(text);
  if (size > 0) return size;
  throw usageError('The size of a part must be more than 0');
}

function positive(text: string): number {
  const value = Number(text);
  if (Number.isInteger(value) && value > 0) return value;
  throw usageError(`'${text}' is no number of threads`);
}

async function run(context: Context, first: string, second: string | undefined, options: Options): Promise<void> {
  const begun = performance.now();
  const place = placeOf(options);
  using repository = await context.openRepository();
  const { from, to } = ends(repository, first, second, options.empty === true);
  if (options.ifNotExists === true && hasDelta(place.path, from, to)) {
    if (context.json) writeJson({ from, to, existing: true });
    else writeLine(`exists  ${from === undefined ? to : `${from}-${to}`}`);
    return;
  }
  const created = await createDelta(repository, {
    from,
    to,
    place,
    inline: options.inline,
    maxChunkSize: options.maxChunkSize,
    minFallbackSize: options.minFallbackSize,
    maxPatchSize: options.maxBsdiffSize,
    patches: options.disableBsdiff !== true,
    threads: options.threads,
    signal: context.signal,
    onProgress: context.output.onProgress,
  });
  context.output.end();
  show(context, created, (performance.now() - begun) / 1000);
  if (place.kind === 'repository') {
    context.output.note(`To announce it to clients: ostree summary --update --repo=${place.path}`);
  } else if (created.fallbacks.length > 0) {
    context.output.note('It cannot be applied offline: its fallback files are fetched from a repository');
  }
}

function placeOf({ output, ostreeRepo, ifNotExists }: Options): DeltaPlace {
  if ((output === undefined) === (ostreeRepo === undefined)) {
    throw usageError('Say where to put the delta: either --output PATH or --ostree-repo PATH');
  }
  if (ostreeRepo !== undefined) return { kind: 'repository', path: ostreeRepo };
  if (ifNotExists === true) throw usageError('--if-not-exists is for --ostree-repo');
  return { kind: 'path', path: output! };
}

function ends(
  repository: Repository,
  first: string,
  second: string | undefined,
  empty: boolean,
): { from: OstreeChecksum | undefined; to: OstreeChecksum } {
  if (second !== undefined) {
    if (empty) throw usageError('--empty takes one commit: there is no FROM');
    return { from: resolveCommit(repository, first), to: resolveCommit(repository, second) };
  }
  const to = resolveCommit(repository, first);
  if (empty) return { from: undefined, to };
  const { parent } = decodeCommit(readCommit(repository, to).content.get(to)!.data, to);
  if (parent !== undefined && findCommit(repository, parent) !== undefined) return { from: parent, to };
  const why = parent === undefined ? 'it has no parent' : `its parent ${parent} is not stored`;
  throw usageError(`Which commit is the delta to ${to} from? Name it before, or give --empty: ${why}`);
}

function show({ json }: Context, created: CreatedDelta, seconds: number): void {
  const { from, to, path, size, usize, parts, files, fallbacks } = created;
  if (json) {
    writeJson({
      from,
      to,
      path,
      size,
      uncompressed_size: usize,
      parts: parts.map((part) => ({
        checksum: part.checksum,
        size: part.size,
        payload_size: part.payloadSize,
        uncompressed_size: part.usize,
        objects: part.objectCount,
      })),
      files,
      fallbacks: fallbacks.map((file) => ({
        checksum: file.checksum,
        size: file.size,
        uncompressed_size: file.usize,
      })),
      seconds: Number(seconds.toFixed(3)),
    });
    return;
  }
  const objects = parts.reduce((sum, { objectCount }) => sum + objectCount, 0);
  writeLine(`from    ${from ?? 'nothing'}`);
  writeLine(`to      ${to}`);
  writeLine(`delta   ${path}`);
  writeLine(`size    ${formatBytes(size)} in ${parts.length} parts, for ${formatBytes(usize)} in ${objects} objects`);
  writeLine(`files   ${files.copied} by copies, ${files.patched} by patches, ${files.whole} as a whole`);
  if (fallbacks.length > 0) writeLine(`missing ${fallbacks.length} files, which pulls fetch by themselves`);
}
