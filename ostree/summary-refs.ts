/** One list of refs in a summary: GVariant `a(s(taya{sv}))`, sorted by the bytes of the names; read ref by ref. */
import { FormatError } from '../bytes/errors.ts';
import type { GVariantArray } from '../gvariant/src/array.ts';
import { checksumFromBytes, type OstreeChecksum } from './checksum.ts';
import { checkMetadata, type Metadata } from './metadata.ts';
import { bisectNamed, nameBytes, scanNamed } from './named-array.ts';
import { isRefName } from './ref.ts';
import { decodeNormal, normalForm } from './variant.ts';

export interface SummaryRef {
  readonly ref: string;
  readonly commit: OstreeChecksum;
  /** Bytes of the commit object, in the byte order of the machine that wrote it, read as little-endian. */
  readonly commitSize: bigint;
  readonly metadata: Metadata;
}

/** What is given out is checked: normal form, name, checksum. The rest of the list is left alone. */
export class SummaryRefs {
  readonly #array: GVariantArray<unknown>;
  readonly #format: string;
  readonly #field: string;

  /** `field` is the list's place in the file `format`, for messages. */
  constructor(array: GVariantArray<unknown>, format: string, field: string) {
    this.#array = array;
    this.#format = format;
    this.#field = field;
  }

  get length(): number {
    return this.#array.length;
  }

  /**
   * One ref, by binary search. Only where that fails, and the list may thus be out of order, every name is compared.
   * @throws FormatError for a damaged entry, and for a name that is there twice where this looked.
   */
  find(ref: string): SummaryRef | undefined {
    return normalForm(this.#format, this.#field, () => {
      let index = bisectNamed(this.#array, ref);
      if (index === undefined) {
        index = scanNamed(this.#array, ref);
        if (index !== undefined && scanNamed(this.#array, ref, index + 1) !== undefined) throw this.#twice(ref, index);
      } else if (this.#isNamed(index - 1, ref) || this.#isNamed(index + 1, ref)) {
        throw this.#twice(ref, index);
      }
      return index === undefined ? undefined : this.#decode(index);
    });
  }

  #isNamed(index: number, ref: string): boolean {
    return index >= 0 && index < this.length && Buffer.from(ref).equals(nameBytes(this.#array, index));
  }

  #twice(ref: string, index: number): FormatError {
    return new FormatError(this.#format, `${this.#field}[${index}]`, `the ref ${ref} is listed twice`);
  }

  #decode(index: number): SummaryRef {
    const field = `${this.#field}[${index}]`;
    const bytes = this.#array.bytesAt(index);
    const [ref, [commitSize, commit, entries]] = decodeNormal('(s(taya{sv}))', bytes, this.#format, field);
    if (!isRefName(ref)) throw new FormatError(this.#format, `${field}.ref`, `Invalid ref name ${ref.slice(0, 256)}`);
    return {
      ref,
      commit: checksumFromBytes(commit, this.#format, `${field}.commit`),
      commitSize,
      metadata: checkMetadata(entries, this.#format, `${field}.metadata`),
    };
  }

  /** The refs that `match` says yes to, in the order of the file, each decoded when it is asked for. @throws FormatError */
  *list(match: (ref: string) => boolean = () => true): Generator<SummaryRef, void, undefined> {
    for (let index = 0; index < this.length; index++) {
      const found = normalForm(this.#format, this.#field, () => {
        const name = Buffer.from(nameBytes(this.#array, index)).toString();
        return match(name) ? this.#decode(index) : undefined;
      });
      if (found !== undefined) yield found;
    }
  }

  /** Reads everything and keeps nothing. @throws FormatError also for a name that is there twice; order is not required. */
  check(): void {
    const seen = new Set<string>();
    for (const { ref } of this.list()) {
      if (seen.has(ref)) throw this.#twice(ref, seen.size);
      seen.add(ref);
    }
  }
}
