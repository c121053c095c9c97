/**
 * Checks a repository: its metadata, the content of every object, every stream (tables, the compressed section, sizes), every
 * image and every ref. Reads only, except that a complete check without findings among the objects settles the doubts that a
 * power failure left (unsynced.ts).
 */
import { basename, join } from 'node:path';
import { setImmediate as pause } from 'node:timers/promises';
import { CfsError, hasCode } from '../../bytes/errors.ts';
import { readChunks, verifyStreamSize, type Splitstream } from '../../splitstream/read.ts';
import { imageObjects } from '../erofs/objects.ts';
import { readRegularFile } from '../linux/regular-file.ts';
import { objectPath, type ObjectId } from '../verity/object-id.ts';
import { checkJob } from './check-job.ts';
import { checkObjects } from './check-threads.ts';
import { ContentSumsBuilder } from './content-sums.ts';
import type { FsckReport, Problem, ProblemKind, ToldSum } from './fsck-report.ts';
import { linkedObject, type LinkKind } from './layout.ts';
import { listDirectory, readLink } from './links.ts';
import type { LockOptions } from './lock.ts';
import { parseMetadata } from './metadata.ts';
import { MAX_METADATA_FILE } from './metadata-file.ts';
import { listObjects, objectAt, objectCount } from './object-table.ts';
import { objectSize, readObject } from './objects.ts';
import { exists } from './reachable.ts';
import type { Repository } from './repository.ts';
import { listStreams, readStreamObject } from './streams.ts';
import { listMarks, removeMarks } from './unsynced.ts';

export interface FsckOptions extends LockOptions {
  /** Leave out the objects. */
  readonly metadataOnly?: boolean | undefined;
  /** Looks into streams too. */
  readonly streams?: StreamKnowledge | undefined;
  readonly onProgress?: ((progress: FsckProgress) => void) | undefined;
}

/** What can be told of streams by their content type. */
export interface StreamKnowledge {
  /** Descriptions of what is wrong with the content of a stream. May throw CfsError. */
  check(name: string, stream: Splitstream): Iterable<string> | Promise<Iterable<string>>;
  /** What the stream says of the contents of its objects. May throw CfsError. */
  sums?(name: string, stream: Splitstream): Iterable<ToldSum>;
  /** True for a stream that knows that something is missing in it. May throw CfsError. */
  isPartial?(name: string, stream: Splitstream): boolean;
}

export interface FsckProgress {
  readonly phase: 'objects' | 'streams' | 'images';
  readonly done: number;
  readonly total: number;
  /** Content hashed so far, in bytes. */
  readonly bytes: number;
}

/** @throws CfsError LOCKED, CANCELLED; errors of the system that hinder the check itself. */
export async function checkRepository(repository: Repository, options: FsckOptions = {}): Promise<FsckReport> {
  const release = await repository.hold(options);
  try {
    return await new Check(repository, options).run();
  } catch (error) {
    const { signal } = options;
    if (signal?.aborted === true) throw new CfsError('CANCELLED', 'The check was cancelled', {}, signal.reason);
    throw error;
  } finally {
    release();
  }
}

class Check {
  readonly #repository: Repository;
  readonly #options: FsckOptions;
  readonly #problems: Problem[] = [];
  readonly #count = {
    objectsChecked: 0,
    objectsCorrupted: 0,
    streamsChecked: 0,
    streamsCorrupted: 0,
    imagesChecked: 0,
    imagesCorrupted: 0,
    brokenLinks: 0,
    missingObjects: 0,
  };
  readonly #partial: string[] = [];
  readonly #told: ToldSum[] = [];
  #bytes = 0;
  #sums: ContentSumsBuilder | undefined;
  /** What was computed instead, by the position of the sum. */
  readonly #wrongSums = new Map<number, string>();

  constructor(repository: Repository, options: FsckOptions) {
    this.#repository = repository;
    this.#options = options;
  }

  async run(): Promise<FsckReport> {
    const metadata = this.#metadata();
    if (this.#options.metadataOnly !== true) await this.#objects();
    await this.#links('streams', (name, id) => this.#stream(name, id));
    await this.#links('images', (name, id) => this.#image(name, id));
    return { metadata, ...this.#count, partial: this.#partial, wrongSums: this.#told, problems: this.#problems };
  }

  #report(kind: ProblemKind, path: string, detail?: string): void {
    this.#problems.push({ kind, path, detail });
  }

  /** Lets others run, and ends the check if it was cancelled. */
  async #step(phase: FsckProgress['phase'], done: number, total: number): Promise<void> {
    this.#options.signal?.throwIfAborted();
    this.#options.onProgress?.({ phase, done, total, bytes: this.#bytes });
    if (done % 64 === 0) await pause();
  }

  #metadata(): FsckReport['metadata'] {
    try {
      const text = readRegularFile(join(this.#repository.path, 'meta.json'), MAX_METADATA_FILE).toString();
      const { algorithm } = parseMetadata(text);
      const opened = this.#repository.algorithm;
      if (algorithm === opened) return 'ok';
      const detail = `expected ${algorithm}, repository opened as ${opened}`;
      this.#report('metadata-algorithm-mismatch', 'meta.json', detail);
    } catch (error) {
      if (hasCode(error, 'ENOENT')) return 'absent';
      this.#report('metadata-parse-failed', 'meta.json', (error as Error).message);
    }
    return 'error';
  }

  async #objects(): Promise<void> {
    const { path, algorithm, secure } = this.#repository;
    const { signal, onProgress } = this.#options;
    const foreign = listMarks(path).filter(({ state }) => state === 'foreign');
    const problems: Problem[] = [];
    const wanted = `expected ${algorithm === 'sha256' ? 62 : 126} lower-case hex digits`;
    const table = listObjects(path, algorithm, (file) => {
      problems.push({ kind: 'object-invalid-name', path: `objects/${file}`, detail: wanted });
    });
    const total = objectCount(table);
    this.#sums = await this.#toldSums(new ContentSumsBuilder(table));
    const findings = await checkObjects(checkJob(path, secure, table, this.#sums?.finish()), {
      signal,
      onProgress: (done, bytes) => {
        this.#bytes = bytes;
        onProgress?.({ phase: 'objects', done, total, bytes });
      },
    });
    for (const finding of findings) {
      if ('position' in finding) {
        this.#wrongSums.set(finding.position, finding.actual);
        continue;
      }
      const { index, kind, detail } = finding;
      problems.push({ kind, path: `objects/${objectPath(objectAt(table, index))}`, detail });
    }
    problems.sort((a, b) => (a.path < b.path ? -1 : 1));
    for (const problem of problems) this.#problems.push(problem);
    this.#count.objectsChecked = total + problems.filter(({ kind }) => kind === 'object-invalid-name').length;
    this.#count.objectsCorrupted = problems.length;
    if (problems.length === 0 && foreign.length > 0) {
      try {
        removeMarks(
          path,
          foreign.map(({ name }) => name),
        );
      } catch (error) {
        if (!hasCode(error, 'EROFS', 'EACCES', 'EPERM')) throw error;
      }
    }
  }

  /** What all streams say of the contents of objects. Streams that cannot be read are reported later. */
  async #toldSums(builder: ContentSumsBuilder): Promise<ContentSumsBuilder | undefined> {
    const { streams, signal } = this.#options;
    if (streams?.sums === undefined) return undefined;
    for (const { name, id } of listStreams(this.#repository)) {
      try {
        for (const { object, head, sum } of streams.sums(name, readStreamObject(this.#repository, id))) {
          builder.add(object, head, sum);
        }
      } catch (error) {
        if (!(error instanceof CfsError) && !hasCode(error, 'EIO', 'EISDIR', 'EACCES')) throw error;
      }
      await pause();
      signal?.throwIfAborted();
    }
    return builder;
  }

  /** All links of a kind, first level and refs. */
  async #links(kind: LinkKind, check: (name: string, id: ObjectId) => boolean | Promise<boolean>): Promise<void> {
    const directory = join(this.#repository.path, kind);
    const entries = listDirectory(directory).filter(({ name, type }) => !(name === 'refs' && type === 'directory'));
    for (const [i, { name, type }] of entries.entries()) {
      const path = `${kind}/${name}`;
      this.#count[`${kind}Checked`]++;
      let good = false;
      if (type !== 'symlink') {
        this.#report('entry-not-symlink', path);
      } else if (!exists(join(directory, name))) {
        this.#count.brokenLinks++;
        this.#report('broken-symlink', path);
      } else {
        const text = readLink(join(directory, name)) ?? '';
        const id = linkedObject(text, this.#repository.algorithm);
        if (id === undefined)
          this.#report(`${singular(kind)}-open-failed`, path, `linked to '${text}', which is no object`);
        else good = await check(name, id);
      }
      if (!good) this.#count[`${kind}Corrupted`]++;
      await this.#step(kind, i + 1, entries.length);
    }
    this.#refs(kind, 'refs');
  }

  #refs(kind: LinkKind, below: string): void {
    const directory = join(this.#repository.path, kind, below);
    for (const { name, type } of listDirectory(directory)) {
      const path = `${kind}/${below}/${name}`;
      const file = join(directory, name);
      if (type === 'directory') {
        this.#refs(kind, `${below}/${name}`);
      } else if (type === 'other') {
        this.#report('unexpected-file-type', path, 'neither a symlink nor a directory');
      } else {
        const text = readLink(file);
        // Nobody is kept from removing refs meanwhile.
        if (text === undefined) continue;
        const target = basename(text);
        const isBroken = !exists(file) && readLink(file) === text;
        if (isBroken) this.#count.brokenLinks++;
        if (isBroken) this.#report('broken-symlink', path);
        if (isBroken || exists(join(this.#repository.path, kind, target))) continue;
        this.#report('stat-failed', path, `points to '${target}', which is no entry of ${kind}/`);
      }
    }
  }

  /** Reports a missing object; false if it is. What lacks an object does not count as corrupted itself. */
  #present(kind: ProblemKind, path: string, id: ObjectId, prefix = ''): boolean {
    if (objectSize(this.#repository, id) !== undefined) return true;
    this.#count.missingObjects++;
    this.#report(kind, path, prefix + id);
    return false;
  }

  async #stream(name: string, id: ObjectId): Promise<boolean> {
    const path = `streams/${name}`;
    let stream: Splitstream;
    try {
      stream = readStreamObject(this.#repository, id);
    } catch (error) {
      const kind = hasCode(error, 'FORMAT', 'CHECKSUM', 'LIMIT') ? 'stream-read-failed' : 'stream-open-failed';
      this.#report(kind, path, (error as Error).message);
      return false;
    }
    let complete = true;
    for (const object of stream.objectRefs as readonly ObjectId[]) {
      complete = this.#present('missing-object-ref', path, object) && complete;
    }
    for (const [ref, object] of stream.namedRefs as ReadonlyMap<string, ObjectId>) {
      this.#present('missing-named-ref', path, object, `ref ${ref}: `);
    }
    const before = this.#problems.length;
    try {
      // Sizes say nothing while objects are missing; the chunks are looked at all the same.
      if (complete) verifyStreamSize(stream, (object) => objectSize(this.#repository, object as ObjectId) ?? 0);
      else readChunks(stream).toArray();
      const { streams } = this.#options;
      for (const problem of (await streams?.check(name, stream)) ?? []) {
        this.#report('stream-read-failed', path, problem);
      }
      if (this.#wrongSums.size > 0) this.#reportSums(path, streams?.sums?.(name, stream) ?? []);
      if (streams?.isPartial?.(name, stream) === true) this.#partial.push(path);
    } catch (error) {
      if (!(error instanceof CfsError)) throw error;
      this.#report('stream-read-failed', path, error.message);
    }
    return this.#problems.length === before;
  }

  #reportSums(path: string, sums: Iterable<ToldSum>): void {
    for (const told of sums) {
      const { what, sum, object, head } = told;
      // What is known already is only looked up.
      const actual = this.#wrongSums.get(this.#sums?.add(object, head, sum) ?? 0);
      if (actual === undefined) continue;
      this.#told.push(told);
      this.#report('stream-read-failed', path, `corrupted ${what} ${sum}: its object ${object} gives ${actual}`);
    }
  }

  #image(name: string, id: ObjectId): boolean {
    const path = `images/${name}`;
    const named = name === id;
    if (!named) this.#report('image-invalid', path, `linked to objects/${objectPath(id)}`);
    let image: Buffer;
    try {
      image = readObject(this.#repository, id);
    } catch (error) {
      this.#report(
        hasCode(error, 'CHECKSUM') ? 'image-read-failed' : 'image-open-failed',
        path,
        (error as Error).message,
      );
      return false;
    }
    try {
      for (const object of imageObjects(image)) this.#present('image-missing-object', path, object);
    } catch (error) {
      if (!(error instanceof CfsError)) throw error;
      this.#report('image-invalid', path, error.message);
      return false;
    }
    return named;
  }
}

function singular(kind: LinkKind): 'stream' | 'image' {
  return kind === 'streams' ? 'stream' : 'image';
}
