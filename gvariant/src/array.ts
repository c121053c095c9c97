/** Arrays that are read element by element, where they lie. */
import { GVariantError } from './error.ts';
import { checkPadding, minimalWidth, offsetWidth, padding, readOffset, type Input, type Width } from './frame.ts';
import type { Read } from './reader.ts';
import type { Type } from './type.ts';
import { Just, Variant } from './value.ts';

/**
 * The decoded form of an array whose elements vary in size or are tuples: nothing of it is read until it is asked for,
 * so that one entry of a huge array costs only that entry. It keeps the bytes it was decoded from.
 *
 * The size of the offset table is checked at once; each element, its two offsets and the padding in front of it are
 * checked when it is read, and reading all elements leaves no byte unchecked.
 */
export class GVariantArray<Value> implements Iterable<Value> {
  readonly length: number;
  /** Type string of the elements. */
  readonly elementType: string;
  readonly #input: Input;
  readonly #element: Type;
  readonly #read: Read;
  readonly #start: number;
  readonly #depth: number;
  readonly #width: Width;
  /** Where the last element ends and the offsets begin. */
  readonly #table: number;

  /** For `decode`: an array of `element`s in bytes `start` to `end`, itself `depth` levels deep. */
  constructor(input: Input, element: Type, read: Read, start: number, end: number, depth: number) {
    this.elementType = element.text;
    this.#input = input;
    this.#element = element;
    this.#read = read;
    this.#start = start;
    this.#depth = depth;
    const size = end - start;
    if (element.fixedSize > 0 || size === 0) {
      this.#width = 0;
      this.#table = end;
      this.length = size === 0 ? 0 : size / element.fixedSize;
      if (!Number.isInteger(this.length)) {
        throw new GVariantError(`a${element.text}`, `${size} bytes are not a multiple of ${element.fixedSize}`, start);
      }
      return;
    }
    const width = offsetWidth(size);
    const body = readOffset(input.view, end - width, width);
    const count = (size - body) / width;
    if (count < 1 || !Number.isInteger(count)) {
      throw new GVariantError(`a${element.text}`, `last offset ${body} does not fit ${size} bytes`, end - width);
    }
    if (minimalWidth(body, count) !== width) {
      throw new GVariantError(`a${element.text}`, 'offsets are wider than needed', end - width);
    }
    this.#width = width;
    this.#table = start + body;
    this.length = count;
  }

  /** End of element `index`, taken from the table but not yet checked. */
  #end(index: number): number {
    return this.#start + readOffset(this.#input.view, this.#table + index * this.#width, this.#width);
  }

  /** Position of element `index`, for which the one before ends at `previous`; checks offsets and padding. */
  #begin(index: number, previous: number, end: number): number {
    const start = previous + padding(previous, this.#element.alignment);
    if (end < start || end > this.#table) {
      const at = this.#table + index * this.#width;
      throw new GVariantError(`a${this.elementType}`, `offset of element ${index} is out of order`, at);
    }
    checkPadding(this.#input, `a${this.elementType}`, previous, start);
    return start;
  }

  #bounds(index: number): [start: number, end: number] {
    if (!Number.isInteger(index) || index < 0 || index >= this.length) {
      throw new RangeError(`index ${index} is outside an array of ${this.length}`);
    }
    if (this.#width === 0) {
      const start = this.#start + index * this.#element.fixedSize;
      return [start, start + this.#element.fixedSize];
    }
    const end = this.#end(index);
    return [this.#begin(index, index === 0 ? this.#start : this.#end(index - 1), end), end];
  }

  /**
   * Reads one element.
   *
   * @throws GVariantError when its bytes are not in normal form
   * @throws RangeError unless 0 <= index < length.
   */
  at(index: number): Value {
    const [start, end] = this.#bounds(index);
    return this.#read(this.#input, start, end, this.#depth + 1) as Value;
  }

  /** The bytes of one element, as a view. Their content is not checked. */
  bytesAt(index: number): Uint8Array {
    const [start, end] = this.#bounds(index);
    const { bytes } = this.#input;
    return new Uint8Array(bytes.buffer, bytes.byteOffset + start, end - start);
  }

  /** Reads every element in order and hands it to `visit`; `undefined` elements when only checking. */
  #each(visit: (value: Value, index: number) => void): void {
    let previous = this.#start;
    for (let index = 0; index < this.length; index++) {
      const end = this.#width === 0 ? previous + this.#element.fixedSize : this.#end(index);
      const start = this.#width === 0 ? previous : this.#begin(index, previous, end);
      visit(this.#read(this.#input, start, end, this.#depth + 1) as Value, index);
      previous = end;
    }
  }

  /** Reads every element and keeps none. */
  check(): void {
    this.#each(() => {});
  }

  /** All elements, read now; arrays inside them stay as they are (see {@link materialize}). */
  toArray(): Value[] {
    const values: Value[] = [];
    this.#each((value) => values.push(value));
    return values;
  }

  *[Symbol.iterator](): Generator<Value, void, undefined> {
    let previous = this.#start;
    for (let index = 0; index < this.length; index++) {
      const end = this.#width === 0 ? previous + this.#element.fixedSize : this.#end(index);
      const start = this.#width === 0 ? previous : this.#begin(index, previous, end);
      yield this.#read(this.#input, start, end, this.#depth + 1) as Value;
      previous = end;
    }
  }
}

/**
 * Binary search in a sorted array: reads about log2(length) elements. `compare` says how an element lies to what is
 * sought: negative before it, positive after it, 0 found.
 */
export function bisect<Value>(
  array: Pick<GVariantArray<Value>, 'length' | 'at'>,
  compare: (element: Value) => number,
): Value | undefined {
  let low = 0;
  let high = array.length;
  while (low < high) {
    const middle = Math.floor((low + high) / 2);
    const element = array.at(middle);
    const order = compare(element);
    if (order === 0) return element;
    if (order < 0) low = middle + 1;
    else high = middle;
  }
  return undefined;
}

/** A copy of a decoded value with a plain array in place of every {@link GVariantArray}, at any depth. */
export function materialize(value: unknown): unknown {
  if (value instanceof GVariantArray) return value.toArray().map(materialize);
  if (Array.isArray(value)) return value.map(materialize);
  if (value instanceof Variant) return new Variant(value.type, materialize(value.value));
  if (value instanceof Just) return new Just(materialize(value.value));
  return value;
}
