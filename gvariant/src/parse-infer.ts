/**
 * The type of a text that does not (fully) declare one, as `g_variant_parse` infers it: numbers are int32, or double
 * when written like one; texts are strings; elements of an array agree on one type.
 */
import { GVariantError } from './error.ts';
import type { Node } from './parse-tree.ts';

/**
 * What is known of a type. `loose` means that the value may also stand for a maybe around itself, as everything does
 * whose type is not declared: `[1, nothing]` is an array of maybes.
 */
type Pattern = { readonly loose: boolean } & (
  | { readonly kind: 'any' | 'number' | 'text' }
  | { readonly kind: 'letter'; readonly letter: string }
  | { readonly kind: 'maybe' | 'array'; readonly element: Pattern }
  | { readonly kind: 'tuple' | 'entry'; readonly members: readonly Pattern[] }
);

const any: Pattern = { kind: 'any', loose: false };

/** Type string of a value as written. @throws GVariantError when it does not follow from the text. */
export function inferType(node: Node): string {
  return typeText(patternOf(node), node.at);
}

/** True for a number that only `d` can hold. */
const isDouble = (text: string): boolean => !/^[+-]?0x/i.test(text) && /[.eE]|inf|nan/.test(text);

function patternOf(node: Node): Pattern {
  switch (node.kind) {
    case 'typed':
      return patternOfType(node.type.text).pattern;
    case 'nothing':
      return { kind: 'maybe', loose: false, element: any };
    case 'just':
      return { kind: 'maybe', loose: false, element: patternOf(node.child) };
    case 'number':
      return isDouble(node.text) ? { kind: 'letter', letter: 'd', loose: true } : { kind: 'number', loose: true };
    case 'string':
      return { kind: 'text', loose: true };
    case 'bytes':
      return { kind: 'array', loose: true, element: { kind: 'letter', letter: 'y', loose: false } };
    case 'boolean':
      return { kind: 'letter', letter: 'b', loose: true };
    case 'variant':
      return { kind: 'letter', letter: 'v', loose: true };
    case 'tuple':
      return { kind: 'tuple', loose: true, members: node.items.map(patternOf) };
    case 'entry':
      return { kind: 'entry', loose: true, members: node.items.map(patternOf) };
    default: {
      const start: Pattern = node.kind === 'dict' ? { kind: 'entry', loose: false, members: [any, any] } : any;
      let element = start;
      for (const item of node.items) {
        const unified = unify(element, patternOf(item));
        if (unified === undefined) throw failure('elements have no type in common', item.at);
        element = unified;
      }
      return { kind: 'array', loose: true, element };
    }
  }
}

/** The exact pattern of the type that begins at `at`, and where it ends. */
function patternOfType(text: string, at = 0): { pattern: Pattern; end: number } {
  const letter = text.charAt(at);
  if (letter === 'a' || letter === 'm') {
    const { pattern: element, end } = patternOfType(text, at + 1);
    return { pattern: { kind: letter === 'a' ? 'array' : 'maybe', loose: false, element }, end };
  }
  if (letter !== '(' && letter !== '{') return { pattern: { kind: 'letter', letter, loose: false }, end: at + 1 };
  const members: Pattern[] = [];
  let next = at + 1;
  while (!')}'.includes(text.charAt(next))) {
    const { pattern, end } = patternOfType(text, next);
    members.push(pattern);
    next = end;
  }
  return { pattern: { kind: letter === '(' ? 'tuple' : 'entry', loose: false, members }, end: next + 1 };
}

/** The pattern of what fits both, or undefined. */
function unify(a: Pattern, b: Pattern): Pattern | undefined {
  if (a.kind === 'any') return b;
  if (b.kind === 'any') return a;
  if (a.kind !== 'maybe' && b.kind === 'maybe') return unify(b, a);
  if (a.kind === 'maybe' && b.kind !== 'maybe' && !b.loose) return undefined;
  const loose = a.loose && b.loose;
  if (a.kind === 'maybe' || a.kind === 'array') {
    if (a.kind === 'array' && b.kind !== 'array') return undefined;
    // A loose value that meets a maybe stands for what is inside.
    const element = unify(a.element, 'element' in b && a.kind === b.kind ? b.element : b);
    return element && { kind: a.kind, loose, element };
  }
  if (a.kind === 'tuple' || a.kind === 'entry') {
    if (a.kind !== b.kind || a.members.length !== b.members.length) return undefined;
    const members: Pattern[] = [];
    for (const [index, member] of a.members.entries()) {
      const unified = unify(member, b.members[index] ?? any);
      if (unified === undefined) return undefined;
      members.push(unified);
    }
    return { kind: a.kind, loose, members };
  }
  if (a.kind === 'letter' && b.kind !== 'letter') return unify(b, a);
  if (a.kind === b.kind && (a.kind !== 'letter' || (b.kind === 'letter' && a.letter === b.letter)))
    return { ...a, loose };
  const choices = a.kind === 'number' ? 'ynqiuhxtd' : a.kind === 'text' ? 'sog' : '';
  return b.kind === 'letter' && choices.includes(b.letter) ? { ...b, loose } : undefined;
}

function typeText(pattern: Pattern, at: number): string {
  switch (pattern.kind) {
    case 'any':
      throw failure('the type does not follow from the text: declare it', at);
    case 'number':
      return 'i';
    case 'text':
      return 's';
    case 'letter':
      return pattern.letter;
    case 'maybe':
      return `m${typeText(pattern.element, at)}`;
    case 'array':
      return `a${typeText(pattern.element, at)}`;
    default: {
      const members = pattern.members.map((member) => typeText(member, at)).join('');
      return pattern.kind === 'tuple' ? `(${members})` : `{${members}}`;
    }
  }
}

const failure = (problem: string, at: number): GVariantError =>
  new GVariantError('', problem, at, 'Invalid GVariant text');
