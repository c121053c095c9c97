/** The syntax of the text form: text to a tree that does not yet know its types. */
import { GVariantError } from './error.ts';
import { MAX_DEPTH, parseType, scanType, type Type } from './type.ts';

/** One value as written. `at` is where it begins in the text. */
export type Node = { readonly at: number } & (
  | { readonly kind: 'number'; readonly text: string }
  | { readonly kind: 'string'; readonly text: string }
  | { readonly kind: 'bytes'; readonly bytes: Uint8Array }
  | { readonly kind: 'boolean'; readonly value: boolean }
  | { readonly kind: 'nothing' }
  | { readonly kind: 'just' | 'variant'; readonly child: Node }
  | { readonly kind: 'typed'; readonly type: Type; readonly child: Node }
  | { readonly kind: 'array' | 'dict' | 'tuple' | 'entry'; readonly items: readonly Node[] }
);

const keywords: ReadonlyMap<string, string> = new Map([
  ['boolean', 'b'],
  ['byte', 'y'],
  ['int16', 'n'],
  ['uint16', 'q'],
  ['int32', 'i'],
  ['uint32', 'u'],
  ['handle', 'h'],
  ['int64', 'x'],
  ['uint64', 't'],
  ['double', 'd'],
  ['string', 's'],
  ['objectpath', 'o'],
  ['signature', 'g'],
]);

const controls: ReadonlyMap<string, string> = new Map([
  ['a', '\x07'],
  ['b', '\b'],
  ['f', '\f'],
  ['n', '\n'],
  ['r', '\r'],
  ['t', '\t'],
  ['v', '\v'],
  ['\n', ''],
]);

/** Parses all of `text`. @throws GVariantError */
export function parseTree(text: string): Node {
  const reader = new TextReader(text);
  const node = reader.value(0);
  reader.end();
  return node;
}

const utf8 = new TextEncoder();

class TextReader {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  #fail(problem: string, at = this.#at): GVariantError {
    return new GVariantError('', problem, at, 'Invalid GVariant text');
  }

  /** Takes what the sticky `pattern` matches here. */
  #match(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.#at;
    const found = pattern.exec(this.#text)?.[0];
    this.#at += found?.length ?? 0;
    return found;
  }

  #skip(): void {
    this.#match(/[ \t\n\v\f\r]*/y);
  }

  /** Takes `symbol` if it comes next. */
  #take(symbol: string): boolean {
    this.#skip();
    if (!this.#text.startsWith(symbol, this.#at)) return false;
    this.#at += symbol.length;
    return true;
  }

  #expect(symbol: string, where: string): void {
    if (!this.#take(symbol)) throw this.#fail(`expected '${symbol}' ${where}`);
  }

  end(): void {
    this.#skip();
    if (this.#at < this.#text.length) throw this.#fail('expected the end of the text');
  }

  value(level: number): Node {
    this.#skip();
    const at = this.#at;
    // A declaration adds no level to the value, but one here: the limit on values is kept by what builds them.
    if (level > 2 * MAX_DEPTH) throw this.#fail('nested too deep');
    if (this.#take('[')) return { at, kind: 'array', items: this.#list(']', level) };
    if (this.#take('(')) return { at, kind: 'tuple', items: this.#tuple(level) };
    if (this.#take('{')) return this.#braces(at, level);
    if (this.#take('<')) {
      const child = this.value(level + 1);
      this.#expect('>', 'after the value of a variant');
      return { at, kind: 'variant', child };
    }
    if (this.#take('@')) {
      const type = scanType(this.#text, this.#at);
      this.#at += type.text.length;
      return { at, kind: 'typed', type, child: this.value(level + 1) };
    }
    const quote = this.#match(/b?['"]/y);
    if (quote !== undefined) {
      if (quote.length === 2) return { at, kind: 'bytes', bytes: this.#bytes(at, quote.slice(1)) };
      return { at, kind: 'string', text: this.#string(at, quote) };
    }
    const number = this.#match(/(?:[+-]?[0-9.][0-9A-Za-z.+-]*|[+-]?(?:inf|nan)(?![0-9A-Za-z]))/y);
    if (number !== undefined) return { at, kind: 'number', text: number };
    return this.#keyword(at, level);
  }

  #keyword(at: number, level: number): Node {
    const word = this.#match(/[0-9A-Za-z_]+/y);
    if (word === undefined) throw this.#fail('expected a value');
    if (word === 'true' || word === 'false') return { at, kind: 'boolean', value: word === 'true' };
    if (word === 'nothing') return { at, kind: 'nothing' };
    if (word === 'just') return { at, kind: 'just', child: this.value(level + 1) };
    const letter = keywords.get(word);
    if (letter === undefined) throw this.#fail(`unknown keyword '${word}'`, at);
    return { at, kind: 'typed', type: parseType(letter), child: this.value(level + 1) };
  }

  #list(close: string, level: number): Node[] {
    const items: Node[] = [];
    if (this.#take(close)) return items;
    do items.push(this.value(level + 1));
    while (this.#take(','));
    this.#expect(close, `or ','`);
    return items;
  }

  #tuple(level: number): Node[] {
    if (this.#take(')')) return [];
    const first = this.value(level + 1);
    this.#expect(',', 'after the first member of a tuple');
    // Only after a lone member may nothing follow the comma.
    return [first, ...this.#list(')', level)];
  }

  #braces(at: number, level: number): Node {
    if (this.#take('}')) return { at, kind: 'dict', items: [] };
    const key = this.value(level + 1);
    if (this.#take(',')) {
      const value = this.value(level + 1);
      this.#expect('}', 'at the end of a dict entry');
      return { at, kind: 'entry', items: [key, value] };
    }
    const items: Node[] = [];
    for (let next = key; ; next = this.value(level + 1)) {
      this.#expect(':', 'after the key of a dict');
      items.push({ at: next.at, kind: 'entry', items: [next, this.value(level + 1)] });
      if (!this.#take(',')) break;
    }
    this.#expect('}', `or ','`);
    return { at, kind: 'dict', items };
  }

  /** Takes the next character of a quoted text; undefined for its closing quote. */
  #character(start: number, quote: string): string | undefined {
    const code = this.#text.codePointAt(this.#at);
    if (code === undefined) throw this.#fail('quote is not closed', start);
    const character = String.fromCodePoint(code);
    this.#at += character.length;
    return character === quote ? undefined : character;
  }

  #escaped(start: number): string {
    const character = this.#character(start, '');
    return controls.get(character ?? '') ?? character ?? '';
  }

  #string(start: number, quote: string): string {
    let text = '';
    for (let next = this.#character(start, quote); next !== undefined; next = this.#character(start, quote)) {
      if (next !== '\\') text += next;
      else if (/[uU]/.test(this.#text.charAt(this.#at))) text += this.#codePoint();
      else text += this.#escaped(start);
    }
    return text;
  }

  #codePoint(): string {
    const at = this.#at;
    const code = Number.parseInt(this.#match(/u[0-9A-Fa-f]{4}|U[0-9A-Fa-f]{8}/y)?.slice(1) ?? '', 16);
    if (!(code > 0 && code <= 0x10ffff)) throw this.#fail('invalid unicode escape', at);
    return String.fromCodePoint(code);
  }

  #bytes(start: number, quote: string): Uint8Array {
    const bytes: number[] = [];
    for (let next = this.#character(start, quote); next !== undefined; next = this.#character(start, quote)) {
      const octal = next === '\\' ? this.#match(/[0-3]?[0-7]{1,2}/y) : undefined;
      if (octal === undefined) bytes.push(...utf8.encode(next === '\\' ? this.#escaped(start) : next));
      else bytes.push(Number.parseInt(octal, 8));
    }
    if (bytes.includes(0)) throw this.#fail('NUL inside a byte string', start);
    return Uint8Array.from([...bytes, 0]);
  }
}
