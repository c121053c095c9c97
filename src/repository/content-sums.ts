/**
 * What other formats say of the contents of objects: SHA-256 sums of a content with a head in front of it, such as the checksums of
 * OSTree file objects. They are computed in the same reading as the digest of the object. All of them lie in one block of memory that
 * threads share, those of one object as a list:
 *
 * | offset | size | what                                              |
 * |--------|------|---------------------------------------------------|
 * | 0      | 8    | position of the object's next entry, 0 for none   |
 * | 8      | 32   | the sum                                           |
 * | 40     | 8    | length of the head                                |
 * | 48     | …    | the head, then zeros up to a multiple of 8        |
 *
 * Numbers are f64, of the machine's byte order. Nothing lies at position 0.
 */
import { findObject, objectCount, type ObjectTable } from './object-table.ts';
import type { ObjectId } from '../verity/object-id.ts';

const SUM_AT = 8;
const LENGTH_AT = 40;
const HEAD_AT = 48;
const FIRST_SIZE = 1024 * 1024;

/** Plain data and shared memory. */
export interface ContentSums {
  /** For each object of the table, the position of its first entry, 0 for none. */
  readonly first: SharedArrayBuffer;
  readonly entries: SharedArrayBuffer;
}

export interface ContentSum {
  /** Says which it is. */
  readonly position: number;
  /** 64 hex digits. */
  readonly sum: string;
  readonly head: Uint8Array;
}

export function* sumsOf({ first, entries }: ContentSums, index: number): Generator<ContentSum, void, undefined> {
  const numbers = new Float64Array(entries);
  const bytes = Buffer.from(entries);
  for (let at = new Float64Array(first)[index]!; at > 0; at = numbers[at / 8]!) {
    const length = numbers[(at + LENGTH_AT) / 8]!;
    const sum = bytes.toString('hex', at + SUM_AT, at + LENGTH_AT);
    yield { position: at, sum, head: bytes.subarray(at + HEAD_AT, at + HEAD_AT + length) };
  }
}

/** Collects the sums for the objects of a table; one that many tell is kept once. */
export class ContentSumsBuilder {
  readonly #table: ObjectTable;
  readonly #first: SharedArrayBuffer;
  #entries = new SharedArrayBuffer(FIRST_SIZE);
  #used = 8;
  /** The first 48 bits of all sums, which spares most a look at the object's list. */
  readonly #known = new Set<number>();

  constructor(table: ObjectTable) {
    this.#table = table;
    this.#first = new SharedArrayBuffer(8 * objectCount(table));
  }

  /**
   * @param sum 64 hex digits.
   * @returns where it lies; undefined if the object is not in the table.
   */
  add(object: ObjectId, head: Uint8Array, sum: string): number | undefined {
    const index = findObject(this.#table, object);
    if (index === undefined) return undefined;
    const prefix = Number.parseInt(sum.slice(0, 12), 16);
    if (this.#known.has(prefix)) {
      for (const each of sumsOf(this.finish(), index)) {
        if (each.sum === sum && Buffer.compare(each.head, head) === 0) return each.position;
      }
    }
    this.#known.add(prefix);
    return this.#append(index, head, sum);
  }

  #append(index: number, head: Uint8Array, sum: string): number {
    const position = this.#used;
    this.#used += HEAD_AT + 8 * Math.ceil(head.length / 8);
    if (this.#used > this.#entries.byteLength) {
      const larger = new SharedArrayBuffer(Math.max(this.#used, 2 * this.#entries.byteLength));
      new Uint8Array(larger).set(new Uint8Array(this.#entries));
      this.#entries = larger;
    }
    const first = new Float64Array(this.#first);
    const numbers = new Float64Array(this.#entries);
    const bytes = Buffer.from(this.#entries);
    numbers[position / 8] = first[index]!;
    numbers[(position + LENGTH_AT) / 8] = head.length;
    bytes.write(sum, position + SUM_AT, 'hex');
    bytes.set(head, position + HEAD_AT);
    first[index] = position;
    return position;
  }

  finish(): ContentSums {
    return { first: this.#first, entries: this.#entries };
  }
}
