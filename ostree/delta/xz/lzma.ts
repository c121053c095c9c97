/**
 * LZMA as the chunks of LZMA2 hold it: a range coder with adaptive probabilities, literals and matches of what came before. Works on
 * 32-bit integers throughout, which the engine keeps unboxed; comparisons that are unsigned flip the top bit.
 */
import { XzError } from '../decompressor.ts';
import type { Dictionary } from './dictionary.ts';

const STATES = 12;
const POSITION_STATES = 16;
/** States below this one follow a literal. */
const LITERAL_STATES = 7;
const PROBABILITY_BITS = 11;
const HALF = 1 << (PROBABILITY_BITS - 1);
const MOVE_BITS = 5;
const TOP = 1 << 24;
const SIGN = 1 << 31;
const MIN_MATCH = 2;

/** Where each kind of probability lies. */
const IS_MATCH = 0;
const IS_REP = IS_MATCH + STATES * POSITION_STATES;
const IS_REP_G0 = IS_REP + STATES;
const IS_REP_G1 = IS_REP_G0 + STATES;
const IS_REP_G2 = IS_REP_G1 + STATES;
const IS_REP0_LONG = IS_REP_G2 + STATES;
const SLOTS = IS_REP0_LONG + STATES * POSITION_STATES;
const SPECIAL = SLOTS + 4 * 64;
const ALIGN = SPECIAL + 1 + 128 - 14;
const MATCH_LENGTH = ALIGN + 16;
const CHOICE = 0;
const CHOICE2 = 1;
const LOW = 2;
const MIDDLE = LOW + POSITION_STATES * 8;
const HIGH = MIDDLE + POSITION_STATES * 8;
const REP_LENGTH = MATCH_LENGTH + HIGH + 256;
const LITERAL = REP_LENGTH + HIGH + 256;
const LITERAL_CODER = 0x300;
/** `lc + lp` of LZMA2. */
const MAX_LITERAL_BITS = 4;

const corrupt = (): XzError => new XzError('Data is corrupt');

export class LzmaDecoder {
  readonly #probabilities = new Uint16Array(LITERAL + (LITERAL_CODER << MAX_LITERAL_BITS));
  #literalContext = 0;
  #literalPositions = 0;
  #positions = 0;
  #state = 0;
  #rep0 = 0;
  #rep1 = 0;
  #rep2 = 0;
  #rep3 = 0;
  #input: Uint8Array = new Uint8Array(0);
  #at = 0;
  #range = 0;
  #code = 0;

  /** Sets `lc`, `lp` and `pb`, and resets. */
  setProperties(byte: number): void {
    const lc = byte % 9;
    const lp = Math.floor(byte / 9) % 5;
    const pb = Math.floor(byte / 45);
    if (pb > 4 || lc + lp > MAX_LITERAL_BITS) throw corrupt();
    this.#literalContext = lc;
    this.#literalPositions = (1 << lp) - 1;
    this.#positions = (1 << pb) - 1;
    this.reset();
  }

  reset(): void {
    this.#probabilities.fill(HALF);
    this.#state = 0;
    this.#rep0 = this.#rep1 = this.#rep2 = this.#rep3 = 0;
  }

  /** Decodes a chunk, all of `input`, into `size` bytes of the dictionary. @throws XzError */
  decode(input: Uint8Array, dictionary: Dictionary, size: number): void {
    if (input.length < 5 || input[0] !== 0) throw corrupt();
    this.#input = input;
    this.#at = 5;
    this.#range = -1;
    this.#code = (input[1]! << 24) | (input[2]! << 16) | (input[3]! << 8) | input[4]!;
    const end = dictionary.position + size;
    while (dictionary.position < end) this.#symbol(dictionary, end);
    this.#normalize();
    if (this.#at !== input.length || this.#code !== 0) throw corrupt();
  }

  #symbol(dictionary: Dictionary, end: number): void {
    const state = this.#state;
    const position = dictionary.position & this.#positions;
    if (this.#bit(IS_MATCH + state * POSITION_STATES + position) === 0) {
      this.#literal(dictionary);
      return;
    }
    const after = state < LITERAL_STATES;
    let length: number;
    if (this.#bit(IS_REP + state) === 0) {
      this.#rep3 = this.#rep2;
      this.#rep2 = this.#rep1;
      this.#rep1 = this.#rep0;
      length = this.#length(MATCH_LENGTH, position);
      this.#rep0 = this.#distance(length);
      this.#state = after ? 7 : 10;
    } else if (this.#bit(IS_REP_G0 + state) === 1) {
      this.#rotate(state);
      length = this.#length(REP_LENGTH, position);
      this.#state = after ? 8 : 11;
    } else if (this.#bit(IS_REP0_LONG + state * POSITION_STATES + position) === 1) {
      length = this.#length(REP_LENGTH, position);
      this.#state = after ? 8 : 11;
    } else {
      length = 1;
      this.#state = after ? 9 : 11;
    }
    if (dictionary.position + length > end) throw corrupt();
    dictionary.copy(this.#rep0 >>> 0, length);
  }

  #literal(dictionary: Dictionary): void {
    const { position, last } = dictionary;
    const context = this.#literalContext;
    const high = (position & this.#literalPositions) << context;
    const coder = LITERAL + LITERAL_CODER * (high + (last >>> (8 - context)));
    const state = this.#state;
    let symbol = 1;
    if (state >= LITERAL_STATES) {
      let match = dictionary.byte(this.#rep0 >>> 0) << 1;
      for (let offset = 0x100; symbol < 0x100; match <<= 1) {
        const bit = this.#bit(coder + offset + (match & offset) + symbol);
        symbol = (symbol << 1) | bit;
        offset &= bit === 1 ? match : ~match;
      }
    } else {
      while (symbol < 0x100) symbol = (symbol << 1) | this.#bit(coder + symbol);
    }
    dictionary.put(symbol & 0xff);
    this.#state = state < 4 ? 0 : state < 10 ? state - 3 : state - 6;
  }

  /** Brings one of the older distances to the front. */
  #rotate(state: number): void {
    let distance = this.#rep1;
    if (this.#bit(IS_REP_G1 + state) === 1) {
      distance = this.#rep2;
      if (this.#bit(IS_REP_G2 + state) === 1) {
        distance = this.#rep3;
        this.#rep3 = this.#rep2;
      }
      this.#rep2 = this.#rep1;
    }
    this.#rep1 = this.#rep0;
    this.#rep0 = distance;
  }

  #length(coder: number, position: number): number {
    if (this.#bit(coder + CHOICE) === 0) return MIN_MATCH + this.#tree(coder + LOW + position * 8, 3);
    if (this.#bit(coder + CHOICE2) === 0) return MIN_MATCH + 8 + this.#tree(coder + MIDDLE + position * 8, 3);
    return MIN_MATCH + 16 + this.#tree(coder + HIGH, 8);
  }

  #distance(length: number): number {
    const slot = this.#tree(SLOTS + Math.min(length - MIN_MATCH, 3) * 64, 6);
    if (slot < 4) return slot;
    const bits = (slot >>> 1) - 1;
    const base = (2 | (slot & 1)) << bits;
    if (slot < 14) return base + this.#reverseTree(SPECIAL + base - slot, bits);
    return (base + (this.#direct(bits - 4) << 4) + this.#reverseTree(ALIGN, 4)) | 0;
  }

  #tree(at: number, bits: number): number {
    let symbol = 1;
    for (let i = 0; i < bits; i++) symbol = (symbol << 1) | this.#bit(at + symbol);
    return symbol - (1 << bits);
  }

  #reverseTree(at: number, bits: number): number {
    let symbol = 1;
    let value = 0;
    for (let i = 0; i < bits; i++) {
      const bit = this.#bit(at + symbol);
      symbol = (symbol << 1) | bit;
      value |= bit << i;
    }
    return value;
  }

  #direct(bits: number): number {
    let value = 0;
    for (let i = 0; i < bits; i++) {
      this.#normalize();
      this.#range >>>= 1;
      const below = (this.#code ^ SIGN) < (this.#range ^ SIGN);
      if (!below) this.#code = (this.#code - this.#range) | 0;
      value = (value << 1) | Number(!below);
    }
    return value;
  }

  #bit(index: number): number {
    this.#normalize();
    const probability = this.#probabilities[index]!;
    const bound = Math.imul(this.#range >>> PROBABILITY_BITS, probability);
    if ((this.#code ^ SIGN) < (bound ^ SIGN)) {
      this.#range = bound;
      this.#probabilities[index] = probability + (((1 << PROBABILITY_BITS) - probability) >>> MOVE_BITS);
      return 0;
    }
    this.#range = (this.#range - bound) | 0;
    this.#code = (this.#code - bound) | 0;
    this.#probabilities[index] = probability - (probability >>> MOVE_BITS);
    return 1;
  }

  #normalize(): void {
    if (this.#range >>> 0 >= TOP) return;
    if (this.#at >= this.#input.length) throw corrupt();
    this.#range <<= 8;
    this.#code = (this.#code << 8) | this.#input[this.#at++]!;
  }
}
