/** Values to bytes in normal form: the one serialisation that each value has per byte order. */
import type { CodecOptions } from './decode.ts';
import { GVariantError } from './error.ts';
import { Output } from './output.ts';
import { stringProblem } from './strings.ts';
import { MAX_DEPTH, parseType, type BasicType, type ElementType, type TupleType, type Type } from './type.ts';
import { Just, type Encodable } from './value.ts';

/** Appends a value; the output is already aligned for it. */
type Write = (out: Output, value: unknown, depth: number) => void;

/**
 * Encodes a value: what `decode` gives for the type, or any iterable in place of an array (a Map for a dictionary) and
 * any `{ type, value }` in place of a Variant.
 *
 * @throws GVariantError when the type string is invalid or the value does not fit it; the message holds the path.
 */
export function encode<const Text extends string>(
  type: Text | Type<Text>,
  value: Encodable<Text>,
  options: CodecOptions = {},
): Uint8Array<ArrayBuffer> {
  const parsed: Type = parseType(type);
  const out = new Output(options.byteOrder !== 'big');
  if (parsed.depth > MAX_DEPTH) throw fail(out, parsed.text, `nested deeper than ${MAX_DEPTH} levels`);
  writerOf(parsed)(out, value, 0);
  return out.finish();
}

function fail(out: Output, type: string, problem: string): GVariantError {
  const path = out.path.map((index) => `[${index}]`).join('');
  return new GVariantError(type, problem, undefined, path === '' ? 'Cannot encode' : `Cannot encode ${path} as`);
}

const describe = (value: unknown): string => {
  if (typeof value === 'string') return `the string '${value.length > 32 ? `${value.slice(0, 32)}…` : value}'`;
  if (typeof value === 'number' || typeof value === 'bigint') return `the ${typeof value} ${value}`;
  if (typeof value === 'object' && value !== null) return `an object (${value.constructor?.name ?? 'no class'})`;
  return String(value);
};

const writers = new WeakMap<Type, Write>();

function writerOf(type: Type): Write {
  let write = writers.get(type);
  if (write === undefined) {
    write = makeWriter(type);
    writers.set(type, write);
  }
  return write;
}

function makeWriter(type: Type): Write {
  switch (type.kind) {
    case 'variant':
      return writeVariant;
    case 'maybe':
      return maybeWriter(type);
    case 'array':
      return arrayWriter(type);
    case 'tuple':
    case 'entry':
      return tupleWriter(type);
    default:
      return basicWriter(type);
  }
}

function integerWriter(text: string, size: 1 | 2 | 4, min: number, max: number): Write {
  return (out, value) => {
    if (typeof value !== 'number' || !Number.isInteger(value) || value < min || value > max) {
      throw fail(out, text, `expected an integer from ${min} to ${max}, got ${describe(value)}`);
    }
    // Not inside the call: the view is replaced when the buffer grows.
    const at = out.advance(size);
    // The unsigned setters store the same bits for a negative number.
    if (size === 1) out.view.setUint8(at, value);
    else if (size === 2) out.view.setUint16(at, value, out.little);
    else out.view.setUint32(at, value, out.little);
  };
}

function bigWriter(text: string, min: bigint, max: bigint): Write {
  return (out, value) => {
    if (typeof value !== 'bigint' || value < min || value > max) {
      throw fail(out, text, `expected a bigint from ${min} to ${max}, got ${describe(value)}`);
    }
    const at = out.advance(8);
    out.view.setBigUint64(at, BigInt.asUintN(64, value), out.little);
  };
}

function basicWriter({ text, kind }: BasicType): Write {
  switch (kind) {
    case 'boolean':
      return (out, value) => {
        if (typeof value !== 'boolean') throw fail(out, text, `expected a boolean, got ${describe(value)}`);
        const at = out.advance(1);
        out.view.setUint8(at, value ? 1 : 0);
      };
    case 'byte':
      return integerWriter(text, 1, 0, 0xff);
    case 'int16':
      return integerWriter(text, 2, -0x8000, 0x7fff);
    case 'uint16':
      return integerWriter(text, 2, 0, 0xffff);
    case 'int32':
    case 'handle':
      return integerWriter(text, 4, -0x80000000, 0x7fffffff);
    case 'uint32':
      return integerWriter(text, 4, 0, 0xffffffff);
    case 'int64':
      return bigWriter(text, -(2n ** 63n), 2n ** 63n - 1n);
    case 'uint64':
      return bigWriter(text, 0n, 2n ** 64n - 1n);
    case 'double':
      return (out, value) => {
        if (typeof value !== 'number') throw fail(out, text, `expected a number, got ${describe(value)}`);
        const at = out.advance(8);
        out.view.setFloat64(at, value, out.little);
      };
    default:
      return (out, value) => {
        if (typeof value !== 'string') throw fail(out, text, `expected a string, got ${describe(value)}`);
        const problem = value.isWellFormed() ? stringProblem(kind, value) : 'string with half of a surrogate pair';
        if (problem !== undefined) throw fail(out, text, problem);
        out.text(value);
        out.advance(1);
      };
  }
}

function writeVariant(out: Output, value: unknown, depth: number): void {
  if (typeof value !== 'object' || value === null || !('type' in value && 'value' in value)) {
    throw fail(out, 'v', `expected { type, value }, got ${describe(value)}`);
  }
  if (typeof value.type !== 'string') throw fail(out, 'v', `expected a type string, got ${describe(value.type)}`);
  const type = parseType(value.type);
  if (depth + 1 + type.depth > MAX_DEPTH) throw fail(out, 'v', `nested deeper than ${MAX_DEPTH} levels`);
  writerOf(type)(out, value.value, depth + 1);
  out.advance(1);
  out.text(type.text);
}

function maybeWriter({ text, element }: ElementType): Write {
  const write = writerOf(element);
  return (out, value, depth) => {
    if (value === null) return;
    if (element.kind === 'maybe') {
      if (!(value instanceof Just)) throw fail(out, text, `expected null or a Just, got ${describe(value)}`);
      write(out, value.value, depth + 1);
    } else write(out, value, depth + 1);
    if (element.fixedSize === 0) out.advance(1);
  };
}

function arrayWriter({ text, element }: ElementType): Write {
  if (element.kind === 'byte') {
    return (out, value) => {
      if (!(value instanceof Uint8Array)) throw fail(out, text, `expected a Uint8Array, got ${describe(value)}`);
      out.append(value);
    };
  }
  const write = writerOf(element);
  return (out, value, depth) => {
    if (typeof value !== 'object' || value === null || !(Symbol.iterator in value)) {
      throw fail(out, text, `expected an array or another iterable, got ${describe(value)}`);
    }
    const start = out.length;
    const ends: number[] = [];
    const level = out.path.push(0) - 1;
    let index = 0;
    for (const item of value as Iterable<unknown>) {
      out.path[level] = index++;
      out.align(element.alignment);
      write(out, item, depth + 1);
      if (element.fixedSize === 0) ends.push(out.length - start);
    }
    out.path.length = level;
    out.offsets(start, ends);
  };
}

function tupleWriter({ text, kind, members, fixedSize, alignment }: TupleType): Write {
  const steps = members.map((member) => ({ write: writerOf(member), type: member }));
  return (out, value, depth) => {
    if (!Array.isArray(value) || value.length !== steps.length) {
      const got = Array.isArray(value) ? `an array of ${value.length}` : describe(value);
      throw fail(
        out,
        text,
        `expected an array of ${steps.length} for a ${kind === 'entry' ? 'dict entry' : kind}, got ${got}`,
      );
    }
    const items: readonly unknown[] = value;
    const start = out.length;
    const ends: number[] = [];
    const level = out.path.push(0) - 1;
    for (const [index, { write, type }] of steps.entries()) {
      out.path[level] = index;
      out.align(type.alignment);
      write(out, items[index], depth + 1);
      if (type.fixedSize === 0 && index < steps.length - 1) ends.push(out.length - start);
    }
    out.path.length = level;
    // Only the empty tuple has a size without having members.
    if (fixedSize > 0) out.align(alignment);
    if (steps.length === 0) out.advance(1);
    out.offsets(start, ends.reverse());
  };
}
