/**
 * Type strings, parsed once into a tree that knows sizes and alignments.
 *
 * Only definite types: the letters `*`, `?`, `r` and a bare `a` or `m` never describe bytes. A type may be 128 levels
 * deep: one level for each container around a letter.
 */
import { GVariantError } from './error.ts';

export type BasicKind =
  | 'boolean'
  | 'byte'
  | 'int16'
  | 'uint16'
  | 'int32'
  | 'uint32'
  | 'handle'
  | 'int64'
  | 'uint64'
  | 'double'
  | 'string'
  | 'objectpath'
  | 'signature';

interface Common<Text extends string> {
  /** The type string itself. */
  readonly text: Text;
  /** 1, 2, 4 or 8; counted from the start of the outermost value. */
  readonly alignment: number;
  /** Size in bytes of every value of a fixed-size type; 0 for a type whose values vary in size. */
  readonly fixedSize: number;
  /** Levels of nesting: 1 for a letter, one more than the deepest child for a container. */
  readonly depth: number;
}

export interface BasicType<Text extends string = string> extends Common<Text> {
  readonly kind: BasicKind;
}
export interface VariantType<Text extends string = string> extends Common<Text> {
  readonly kind: 'variant';
}
export interface ElementType<Text extends string = string> extends Common<Text> {
  readonly kind: 'array' | 'maybe';
  readonly element: Type;
}
export interface TupleType<Text extends string = string> extends Common<Text> {
  /** `entry` is a dict entry: exactly two members, the first of them basic. */
  readonly kind: 'tuple' | 'entry';
  readonly members: readonly Type[];
}

/** A parsed type string. `Type<'(su)'>` remembers its text, so that values decoded with it are typed. */
export type Type<Text extends string = string> =
  | BasicType<Text>
  | VariantType<Text>
  | ElementType<Text>
  | TupleType<Text>;

/** No value and no type string nests deeper than this. */
export const MAX_DEPTH = 128;

const basic = (text: string, kind: BasicKind, fixedSize: number): [string, Type] => [
  text,
  { text, kind, alignment: Math.max(fixedSize, 1), fixedSize, depth: 1 },
];

const letters: ReadonlyMap<string, Type> = new Map<string, Type>([
  basic('b', 'boolean', 1),
  basic('y', 'byte', 1),
  basic('n', 'int16', 2),
  basic('q', 'uint16', 2),
  basic('i', 'int32', 4),
  basic('u', 'uint32', 4),
  basic('h', 'handle', 4),
  basic('x', 'int64', 8),
  basic('t', 'uint64', 8),
  basic('d', 'double', 8),
  basic('s', 'string', 0),
  basic('o', 'objectpath', 0),
  basic('g', 'signature', 0),
  ['v', { text: 'v', kind: 'variant', alignment: 8, fixedSize: 0, depth: 1 }],
]);

/** True for the types that may be the key of a dict entry. */
export const isBasic = (type: Type): type is BasicType =>
  type.kind !== 'variant' && !('element' in type) && !('members' in type);

function tupleType(text: string, kind: 'tuple' | 'entry', members: readonly Type[]): Type {
  let alignment = 1;
  let depth = 0;
  let size = 0;
  let fixed = true;
  for (const member of members) {
    alignment = Math.max(alignment, member.alignment);
    depth = Math.max(depth, member.depth);
    fixed &&= member.fixedSize > 0;
    size += (-size & (member.alignment - 1)) + member.fixedSize;
  }
  size += -size & (alignment - 1);
  const fixedSize = fixed ? Math.max(size, 1) : 0;
  return { text, kind, alignment, fixedSize, depth: depth + 1, members };
}

/** Reads the one complete type that begins at `start` of `text`; its end is `start + result.text.length`. */
export function scanType(text: string, start: number, level = 1): Type {
  const letter = text[start];
  if (letter === undefined) throw new GVariantError(text, 'incomplete type string', start, 'Invalid type');
  const known = letters.get(letter);
  if (known !== undefined) return known;
  if (level > MAX_DEPTH) throw new GVariantError(text, `nested deeper than ${MAX_DEPTH} levels`, start, 'Invalid type');
  if (letter === 'a' || letter === 'm') {
    const element = scanType(text, start + 1, level + 1);
    const { alignment, depth } = element;
    const kind = letter === 'a' ? 'array' : 'maybe';
    return { text: letter + element.text, kind, alignment, fixedSize: 0, depth: depth + 1, element };
  }
  if (letter !== '(' && letter !== '{') {
    const problem = '*?r'.includes(letter) ? `indefinite type '${letter}'` : `unknown letter '${letter}'`;
    throw new GVariantError(text, problem, start, 'Invalid type');
  }
  const close = letter === '(' ? ')' : '}';
  const members: Type[] = [];
  let position = start + 1;
  while (text[position] !== close) {
    const member = scanType(text, position, level + 1);
    members.push(member);
    position += member.text.length;
  }
  const whole = text.slice(start, position + 1);
  if (letter === '(') return tupleType(whole, 'tuple', members);
  const key = members[0];
  if (members.length !== 2 || key === undefined) {
    throw new GVariantError(text, `a dict entry has two members, not ${members.length}`, start, 'Invalid type');
  }
  if (!isBasic(key)) {
    throw new GVariantError(text, `a dict entry's key is a basic type, not '${key.text}'`, start, 'Invalid type');
  }
  return tupleType(whole, 'entry', members);
}

const CACHED_TYPES = 512;
const CACHED_LENGTH = 256;
const cache = new Map<string, Type>();

/**
 * Parses a complete, definite type string; the tree of a text seen before is returned again.
 *
 * @throws GVariantError when the text is not exactly one such type.
 */
export function parseType<Text extends string>(text: Text | Type<Text>): Type<Text> {
  if (typeof text !== 'string') return text;
  let type = letters.get(text) ?? cache.get(text);
  if (type === undefined) {
    type = scanType(text, 0);
    if (type.text.length !== text.length) {
      throw new GVariantError(text, 'text after a complete type', type.text.length, 'Invalid type');
    }
    if (text.length <= CACHED_LENGTH) {
      // Texts come from untrusted bytes too: the oldest makes room, so the cache never grows past its limit.
      if (cache.size >= CACHED_TYPES)
        for (const oldest of cache.keys()) {
          cache.delete(oldest);
          break;
        }
      cache.set(text, type);
    }
  }
  return type as Type<Text>;
}
