/** Pulls into temporary repositories, and what is looked at afterwards. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { OstreeChecksum } from '../../ostree/checksum.ts';
import type { FileObject, Source } from '../../ostree/source.ts';
import { pullCommit, type PullOptions, type PullResult } from '../../src/pull/pull.ts';
import { openLocalSource } from '../../src/pull/source.ts';
import { checkRepository } from '../../src/repository/fsck.ts';
import { listImages } from '../../src/repository/images.ts';
import { listRefs } from '../../src/repository/refs.ts';
import { Repository } from '../../src/repository/repository.ts';
import { listStreams } from '../../src/repository/streams.ts';
import type { HashAlgorithm, ObjectId } from '../../src/verity/object-id.ts';

const fixtures = join(import.meta.dirname, '../../fixtures');

/** The path of a fixture. */
export function fixture(name: string): string {
  return join(fixtures, name);
}

interface Expected {
  readonly commits: Readonly<Record<string, OstreeChecksum>>;
  readonly images: Readonly<Record<string, Readonly<Record<HashAlgorithm, Readonly<Record<string, string>>>>>>;
  readonly mkcomposefs: Readonly<
    Record<string, Readonly<Record<string, { readonly fsverity_sha256: string; readonly sha256: string }>>>
  >;
  readonly streams: Readonly<Record<string, { readonly content_sha256: string; readonly content_size: number }>>;
}

export const expected = JSON.parse(readFileSync(fixture('expected.json'), 'utf8')) as Expected;

/** The golden commits: names of `expected.commits`. */
export const goldenNames = ['1', '2', '3', 'plain', 'single', 'empty'] as const;

/** A pull of a whole commit. */
export interface CompletePull extends PullResult {
  readonly image: ObjectId;
}

/** Pulls a whole commit from the OSTree repository at `from`, in this thread unless asked otherwise. */
export async function pull(...args: Parameters<typeof pullPart>): Promise<CompletePull> {
  const result = await pullPart(...args);
  const { image } = result;
  assert(image !== undefined && !result.partial, `commit ${result.commit} is stored in part`);
  return { ...result, image };
}

/** The same, also for options that leave some of the commit out. */
export async function pullPart(
  repositoryPath: string,
  from: string | Source,
  name: string,
  options: PullOptions = {},
): Promise<PullResult> {
  using repository = await Repository.open(repositoryPath);
  using source = typeof from === 'string' ? openLocalSource(from) : from;
  return await pullCommit(repository, source, name, { threads: 1, ...options });
}

/** What is visible in a repository: its streams, images and refs. Objects without a link do not count. */
export function visible(repository: Repository): unknown {
  const streams = listStreams(repository)
    .map(({ name, id }) => `${name} ${id}`)
    .toSorted();
  const images = listImages(repository).toSorted();
  return { streams, images, refs: [listRefs(repository, 'streams'), listRefs(repository, 'images')] };
}

/** Everything about it must be in order. */
export async function assertClean(repository: Repository): Promise<void> {
  const { problems } = await checkRepository(repository);
  assert.deepEqual(problems, []);
}

/** The names of all objects, temporary files included. */
export function objectNames(repositoryPath: string): string[] {
  return readdirSync(join(repositoryPath, 'objects'), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.length > 2)
    .toSorted();
}

/** Passes everything on to a source, and writes down what was asked for. */
export class Recorder implements Source {
  readonly location: string;
  readonly concurrency: number;
  readonly metadata: string[] = [];
  readonly files: OstreeChecksum[] = [];
  readonly #source: Source;

  constructor(source: Source) {
    this.#source = source;
    this.location = source.location;
    this.concurrency = source.concurrency;
  }

  /** Objects that were read. */
  get count(): number {
    return this.metadata.length + this.files.length;
  }

  resolveRef(...args: Parameters<Source['resolveRef']>): Promise<OstreeChecksum> {
    return this.#source.resolveRef(...args);
  }

  listRefs(): Promise<ReadonlyMap<string, OstreeChecksum>> {
    return this.#source.listRefs();
  }

  readObject(...args: Parameters<Source['readObject']>): Uint8Array | Promise<Uint8Array> {
    this.metadata.push(`${args[1]}.${args[0]}`);
    return this.#source.readObject(...args);
  }

  openFile(...args: Parameters<Source['openFile']>): FileObject | Promise<FileObject> {
    this.files.push(args[0]);
    return this.#source.openFile(...args);
  }

  describe(): ReturnType<Source['describe']> {
    return this.#source.describe();
  }

  close(): void {
    this.#source.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }
}
