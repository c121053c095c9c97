/** The objects of a part on their way into the repository: files are ingested as any, metadata is kept. */
import { CfsError } from '../../bytes/errors.ts';
import type { OstreeChecksum } from '../../ostree/checksum.ts';
import type { MakeBytes } from '../../ostree/delta/bspatch.ts';
import type { DeltaOutput } from '../../ostree/delta/interpreter.ts';
import type { HashedMetadataType } from '../../ostree/object-type.ts';
import type { FileIngest, IngestedFile } from './file-ingest.ts';
import { takeSpace, type SpaceBudget } from './space.ts';

/** Bytes of metadata that the parts of one thread may make. */
const MAX_METADATA = 1024 * 1024 * 1024;

export class PartOutput implements DeltaOutput {
  readonly #ingest: FileIngest;
  readonly #space: SpaceBudget;
  /** One byte for each object of the part, 1 for those that are there already. */
  readonly #held: Uint8Array;
  readonly #emit: (index: number, object: IngestedFile) => void;
  /** Objects asked for so far. */
  #next = 0;
  #metadataSize = 0;

  /** @param emit is told of each object, by its place in the part. */
  constructor(
    ingest: FileIngest,
    space: SpaceBudget,
    held: Uint8Array,
    emit: (index: number, object: IngestedFile) => void,
  ) {
    this.#ingest = ingest;
    this.#space = space;
    this.#held = held;
    this.#emit = emit;
  }

  wants(): boolean {
    return this.#held[this.#next++] !== 1;
  }

  metadata(type: HashedMetadataType, checksum: OstreeChecksum, data: Uint8Array): void {
    this.#metadataSize += data.length;
    if (this.#metadataSize > MAX_METADATA) {
      throw new CfsError('LIMIT', `More than ${MAX_METADATA} bytes of metadata in one part, at ${type} ${checksum}`);
    }
    this.#emit(this.#next - 1, { data, object: undefined, how: 'inline' });
  }

  begin(checksum: OstreeChecksum, hashedHeader: Uint8Array, size: number): void {
    if (this.#ingest.isExternal(size)) takeSpace(this.#space, checksum, size);
    this.#ingest.start({ checksum, hashedHeader, size, deflated: false });
  }

  write(make: MakeBytes): void {
    this.#ingest.pushRead(make);
  }

  finish(): void {
    this.#emit(this.#next - 1, this.#ingest.finish());
  }
}
