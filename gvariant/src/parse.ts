/**
 * The text form to values: all that `print` writes with annotations, and what else `g_variant_parse` reads, except
 * for format strings (`%i`) and indefinite types (`@a*`).
 */
import { GVariantError } from './error.ts';
import { inferType } from './parse-infer.ts';
import { parseTree, type Node } from './parse-tree.ts';
import { stringProblem } from './strings.ts';
import { MAX_DEPTH, parseType, type Type } from './type.ts';
import { Just, Variant, type Decoded } from './value.ts';

/**
 * Parses a value. Without `type`, its type is the one declared in the text (`uint32 5`, `@as []`) or else inferred:
 * `5` is int32, `5.0` double, `'a'` string. Arrays come as plain arrays.
 *
 * @throws GVariantError with the offset in the text.
 */
export function parse<const Text extends string = string>(
  text: string,
  type?: Text | Type<Text>,
): Variant<Decoded<Text>> {
  const node = parseTree(text);
  const parsed: Type = parseType(type ?? inferType(node));
  return new Variant(parsed.text, checkedBuild(node, parsed, 0) as Decoded<Text>);
}

const fail = (type: string, problem: string, node: Node): GVariantError =>
  new GVariantError(type, problem, node.at, 'Invalid text of GVariant');

function checkedBuild(node: Node, type: Type, depth: number): unknown {
  if (depth + type.depth > MAX_DEPTH) throw fail(type.text, `nested deeper than ${MAX_DEPTH} levels`, node);
  return build(node, type, depth);
}

function build(node: Node, type: Type, depth: number): unknown {
  if (node.kind === 'typed' && node.type.text === type.text) return build(node.child, type, depth);
  if (type.kind === 'maybe' && node.kind !== 'typed') {
    if (node.kind === 'nothing') return null;
    // The word just may be left out.
    const value = build(node.kind === 'just' ? node.child : node, type.element, depth + 1);
    return type.element.kind === 'maybe' ? new Just(value) : value;
  }
  switch (node.kind) {
    case 'number':
      if (type.kind === 'double') return toDouble(node.text, node);
      return toInteger(node.text, type, node);
    case 'boolean':
      if (type.kind === 'boolean') return node.value;
      break;
    case 'string': {
      if (type.kind !== 'string' && type.kind !== 'objectpath' && type.kind !== 'signature') break;
      const problem = node.text.isWellFormed() ? stringProblem(type.kind, node.text) : 'half of a surrogate pair';
      if (problem !== undefined) throw fail(type.text, problem, node);
      return node.text;
    }
    case 'bytes':
      if (type.text === 'ay') return node.bytes;
      break;
    case 'variant': {
      if (type.kind !== 'variant') break;
      const inner = parseType(inferType(node.child));
      return new Variant(inner.text, checkedBuild(node.child, inner, depth + 1));
    }
    case 'array':
    case 'dict': {
      if (type.kind !== 'array' || (node.kind === 'dict' && type.element.kind !== 'entry')) break;
      const items = node.items.map((item) => build(item, type.element, depth + 1));
      return type.element.kind === 'byte' ? Uint8Array.from(items as number[]) : items;
    }
    case 'tuple':
    case 'entry':
      if (type.kind !== node.kind || type.members.length !== node.items.length) break;
      return type.members.map((member, index) => build(node.items[index] ?? node, member, depth + 1));
    default:
      break;
  }
  throw fail(type.text, `not a value of this type`, node);
}

const ranges: Readonly<Record<string, readonly [min: bigint, max: bigint]>> = {
  y: [0n, 0xffn],
  n: [-0x8000n, 0x7fffn],
  q: [0n, 0xffffn],
  i: [-0x80000000n, 0x7fffffffn],
  u: [0n, 0xffffffffn],
  h: [-0x80000000n, 0x7fffffffn],
  x: [-(2n ** 63n), 2n ** 63n - 1n],
  t: [0n, 2n ** 64n - 1n],
};

function toInteger(text: string, type: Type, node: Node): number | bigint {
  const range = ranges[type.text];
  if (range === undefined) throw fail(type.text, 'not a value of this type', node);
  const [, sign, digits = ''] = /^([+-]?)(0x[0-9a-f]+|0[0-7]*|[1-9][0-9]*)$/i.exec(text) ?? [];
  if (sign === undefined) throw fail(type.text, `'${text}' is not an integer`, node);
  const magnitude = BigInt(/^0[0-7]/.test(digits) ? `0o${digits}` : digits);
  const value = sign === '-' ? -magnitude : magnitude;
  if (value < range[0] || value > range[1]) throw fail(type.text, `${text} is out of range`, node);
  return type.fixedSize === 8 ? value : Number(value);
}

function toDouble(text: string, node: Node): number {
  const [, sign, digits = ''] =
    /^([+-]?)(inf|nan|0x[0-9a-f]+|(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:e[+-]?[0-9]+)?)$/i.exec(text) ?? [];
  if (sign === undefined) throw fail('d', `'${text}' is not a number`, node);
  const magnitude = digits === 'inf' ? Infinity : Number(digits);
  if (magnitude === Infinity && digits !== 'inf') throw fail('d', `${text} is out of range`, node);
  return sign === '-' ? -magnitude : magnitude;
}
