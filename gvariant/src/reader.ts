/**
 * Turns a type into a function that reads its values, once per type.
 *
 * The same functions build values or only check them (`keep`), so both have one idea of normal form. Callers of a
 * function for a fixed-size type make sure that the slice has that size.
 */
import { GVariantArray } from './array.ts';
import { GVariantError } from './error.ts';
import { checkPadding, minimalWidth, offsetWidth, readOffset, type Input, type Width } from './frame.ts';
import { checkString, readString, stringProblem } from './strings.ts';
import { MAX_DEPTH, parseType, type BasicType, type ElementType, type TupleType, type Type } from './type.ts';
import { Just, Variant } from './value.ts';

/** Reads the value in bytes `start` to `end`, which is `depth` containers deep. */
export type Read = (input: Input, start: number, end: number, depth: number) => unknown;

const building = new WeakMap<Type, Read>();
const checking = new WeakMap<Type, Read>();

/** The reader of a type; with `keep` false it checks everything and gives back nothing of use. */
function readerOf(type: Type, keep: boolean): Read {
  const cache = keep ? building : checking;
  let read = cache.get(type);
  if (read === undefined) {
    read = makeReader(type, keep);
    cache.set(type, read);
  }
  return read;
}

/** Reads a value whose slice came from elsewhere: checks depth, and the size of a fixed-size type. */
export function readChild(type: Type, keep: boolean, input: Input, start: number, end: number, depth: number): unknown {
  if (depth + type.depth > MAX_DEPTH) {
    throw new GVariantError(type.text, `nested deeper than ${MAX_DEPTH} levels`, start);
  }
  checkFixedSize(type, start, end);
  return readerOf(type, keep)(input, start, end, depth);
}

function checkFixedSize(type: Type, start: number, end: number): void {
  if (type.fixedSize > 0 && end - start !== type.fixedSize) {
    throw new GVariantError(type.text, `expected ${type.fixedSize} bytes, got ${end - start}`, start);
  }
}

function makeReader(type: Type, keep: boolean): Read {
  switch (type.kind) {
    case 'variant':
      return variantReader(keep);
    case 'maybe':
      return maybeReader(type, keep);
    case 'array':
      return arrayReader(type, keep);
    case 'tuple':
    case 'entry':
      return tupleReader(type, keep);
    default:
      return basicReader(type, keep);
  }
}

function readBoolean({ bytes }: Input, start: number): boolean {
  const byte = bytes[start] ?? 0;
  if (byte > 1) throw new GVariantError('b', `boolean is ${byte}`, start);
  return byte === 1;
}

function basicReader(type: BasicType, keep: boolean): Read {
  switch (type.kind) {
    case 'boolean':
      return readBoolean;
    case 'byte':
      return ({ bytes }, start) => bytes[start];
    case 'int16':
      return ({ view, little }, start) => view.getInt16(start, little);
    case 'uint16':
      return ({ view, little }, start) => view.getUint16(start, little);
    case 'int32':
    case 'handle':
      return ({ view, little }, start) => view.getInt32(start, little);
    case 'uint32':
      return ({ view, little }, start) => view.getUint32(start, little);
    case 'int64':
      return ({ view, little }, start) => (keep ? view.getBigInt64(start, little) : undefined);
    case 'uint64':
      return ({ view, little }, start) => (keep ? view.getBigUint64(start, little) : undefined);
    case 'double':
      return ({ view, little }, start) => view.getFloat64(start, little);
    case 'string':
      return keep
        ? (input, start, end) => readString(input, 's', start, end)
        : (input, start, end) => checkString(input, 's', start, end);
    default:
      return (input, start, end) => {
        const text = readString(input, type.text, start, end);
        const problem = stringProblem(type.kind, text);
        if (problem !== undefined) throw new GVariantError(type.text, problem, start);
        return text;
      };
  }
}

function variantReader(keep: boolean): Read {
  return (input, start, end, depth) => {
    const { bytes } = input;
    let nul = end - 1;
    while (nul >= start && bytes[nul] !== 0) nul--;
    if (nul < start) throw new GVariantError('v', 'no NUL in front of the type string', start);
    let text = '';
    for (let at = nul + 1; at < end; at++) text += String.fromCharCode(bytes[at] ?? 0);
    let type: Type;
    try {
      type = parseType(text);
    } catch (error) {
      if (error instanceof GVariantError) throw new GVariantError('v', `type string: ${error.problem}`, nul + 1);
      throw error;
    }
    const value = readChild(type, keep, input, start, nul, depth + 1);
    return keep ? new Variant(type.text, value) : undefined;
  };
}

function maybeReader({ text, element }: ElementType, keep: boolean): Read {
  const read = readerOf(element, keep);
  const wrap = keep && element.kind === 'maybe';
  return (input, start, end, depth) => {
    if (end === start) return null;
    let last = end;
    if (element.fixedSize > 0) checkFixedSize(element, start, end);
    else if (input.bytes[--last] !== 0) throw new GVariantError(text, 'no zero byte after the value of a maybe', last);
    const value = read(input, start, last, depth + 1);
    return wrap ? new Just(value) : value;
  };
}

function arrayReader({ text, element }: ElementType, keep: boolean): Read {
  if (element.kind === 'byte') {
    if (!keep) return () => undefined;
    return ({ bytes }, start, end) => new Uint8Array(bytes.buffer, bytes.byteOffset + start, end - start);
  }
  const read = readerOf(element, keep);
  const { fixedSize } = element;
  if (!keep || fixedSize === 0 || element.kind === 'tuple' || element.kind === 'entry') {
    return (input, start, end, depth) => {
      const array = new GVariantArray(input, element, read, start, end, depth);
      if (keep) return array;
      return array.check();
    };
  }
  return (input, start, end, depth) => {
    if ((end - start) % fixedSize !== 0) {
      throw new GVariantError(text, `${end - start} bytes are not a multiple of ${fixedSize}`, start);
    }
    const values: unknown[] = [];
    for (let at = start; at < end; at += fixedSize) values.push(read(input, at, at + fixedSize, depth + 1));
    return values;
  };
}

function tupleReader({ text, members, fixedSize }: TupleType, keep: boolean): Read {
  const lastIndex = members.length - 1;
  const steps = members.map((member, index) => ({
    read: readerOf(member, keep),
    mask: member.alignment - 1,
    size: member.fixedSize,
    framed: member.fixedSize === 0 && index < lastIndex,
  }));
  const framed = steps.filter((step) => step.framed).length;
  return (input, start, end, depth) => {
    let width: Width = 0;
    let table = end;
    if (framed > 0) {
      width = offsetWidth(end - start);
      table = end - framed * width;
      if (width === 0) throw new GVariantError(text, 'no bytes for its offsets', start);
      if (table < start) throw new GVariantError(text, 'too short for its offsets', start);
      if (width > 1 && minimalWidth(table - start, framed) !== width) {
        throw new GVariantError(text, 'offsets are wider than needed', table);
      }
    }
    const values: unknown[] | undefined = keep ? [] : undefined;
    let position = start;
    let entry = end;
    for (const { read, mask, size, framed } of steps) {
      const from = position + (-position & mask);
      let to = table;
      if (size > 0) to = from + size;
      else if (framed) {
        entry -= width;
        to = start + readOffset(input.view, entry, width);
      }
      if (to > table || to < from) {
        throw new GVariantError(
          text,
          framed ? 'offset is out of order' : 'too short for its members',
          framed ? entry : position,
        );
      }
      if (from !== position) checkPadding(input, text, position, from);
      const value = read(input, from, to, depth + 1);
      if (values !== undefined) values.push(value);
      position = to;
    }
    if (fixedSize > 0) checkPadding(input, text, position, end);
    else if (position !== table) throw new GVariantError(text, 'unused bytes after the last member', position);
    return values;
  };
}
