/**
 * The text form of values, character for character as `g_variant_print` writes it.
 *
 * With annotations every value says its type, unless the type is what a reader would take it for anyway (boolean,
 * int32, double, string) or the first element of the same array has said it. The value inside `<…>` is annotated always.
 */
import { bytestring, double, quoted } from './print-text.ts';
import { parseType, type Type } from './type.ts';
import { Just, Variant } from './value.ts';
import type { Encodable } from './value.ts';

export interface PrintOptions {
  /** Write type annotations, so that `parse` can read the text without being told the type; default true. */
  readonly annotate?: boolean;
}

/** Formats a decoded value (or anything else that `encode` would take for the type) on one line. */
export function print<const Text extends string>(
  type: Text | Type<Text>,
  value: Encodable<Text>,
  options: PrintOptions = {},
): string {
  return printed(parseType(type), value, options.annotate ?? true);
}

function printed(type: Type, value: unknown, annotate: boolean): string {
  const prefix = (keyword: string): string => (annotate ? `${keyword} ` : '');
  switch (type.kind) {
    case 'boolean':
    case 'int32':
      return String(value);
    case 'byte':
      return `${prefix('byte')}0x${Number(value).toString(16).padStart(2, '0')}`;
    case 'int16':
    case 'uint16':
    case 'uint32':
    case 'handle':
    case 'int64':
    case 'uint64':
      return prefix(type.kind) + String(value);
    case 'double':
      return double(value as number);
    case 'string':
      return quoted(value as string);
    case 'objectpath':
    case 'signature':
      return `${prefix(type.kind)}'${value as string}'`;
    case 'variant': {
      const { type: text, value: inner } = value as Variant;
      return `<${printed(parseType(text), inner, true)}>`;
    }
    case 'maybe':
      return prefix(`@${type.text}`) + printedMaybe(type.element, value);
    case 'array':
      return printedArray(type.element, value, annotate);
    case 'entry':
      return `{${printedMembers(type.members, value, annotate).join(', ')}}`;
    default: {
      const members = printedMembers(type.members, value, annotate);
      return members.length === 1 ? `(${members.join('')},)` : `(${members.join(', ')})`;
    }
  }
}

/** The word `just` stands only where null alone would say something else: in front of an inner `nothing`. */
function printedMaybe(element: Type, value: unknown): string {
  let justs = '';
  let child = element;
  let inner = value;
  while (inner !== null && child.kind === 'maybe') {
    justs += 'just ';
    inner = (inner as Just).value;
    child = child.element;
  }
  return inner === null ? `${justs}nothing` : printed(child, inner, false);
}

function printedArray(element: Type, value: unknown, annotate: boolean): string {
  if (element.kind === 'byte') {
    const text = bytestring(value as Uint8Array);
    if (text !== undefined) return text;
  }
  const items: string[] = [];
  for (const item of value as Iterable<unknown>) {
    // Only the first element carries the annotation for all of them.
    const first = annotate && items.length === 0;
    if (element.kind === 'entry') items.push(printedMembers(element.members, item, first).join(': '));
    else items.push(printed(element, item, first));
  }
  const empty = annotate && items.length === 0 ? `@a${element.text} ` : '';
  const [open, close] = element.kind === 'entry' ? '{}' : '[]';
  return `${empty}${open}${items.join(', ')}${close}`;
}

function printedMembers(members: readonly Type[], value: unknown, annotate: boolean): string[] {
  const values = value as readonly unknown[];
  return members.map((member, index) => printed(member, values[index], annotate));
}
