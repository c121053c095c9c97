/**
 * Key files as GLib's GKeyFile defines them: `[group]`, `key=value`, `#` comments; the syntax of a repository's `config` and of
 * `remotes.d/*.conf`.
 *
 * A file is kept line by line, so that writing back what was read gives the same text with comments and order kept. When a key
 * occurs more than once the last one counts; groups with the same name are one group.
 */
import { FormatError } from '../bytes/errors.ts';

type Line =
  | { readonly kind: 'other'; readonly text: string }
  | { readonly kind: 'group'; readonly text: string; readonly group: string }
  | { readonly kind: 'key'; text: string; readonly group: string; readonly key: string; value: string };

const escapes: Readonly<Record<string, string>> = { s: ' ', t: '\t', n: '\n', r: '\r', '\\': '\\' };

export class KeyFile {
  /** What the file is, in messages. */
  readonly format: string;
  readonly #lines: Line[] = [];
  readonly #groups = new Map<string, Map<string, Line & { kind: 'key' }>>();

  constructor(format = 'key file') {
    this.format = format;
  }

  /** Parses the whole text; `FormatError` whose field is `line N`. */
  static parse(text: string, format?: string): KeyFile {
    const file = new KeyFile(format);
    let group: string | undefined;
    const lines = text.split('\n');
    if (lines.at(-1) === '') lines.pop();
    for (const [i, raw] of lines.entries()) {
      const line = raw.replace(/\r$/, '').replace(/^[ \t\v\f]+/, '');
      const field = `line ${i + 1}`;
      if (line === '' || line.startsWith('#')) {
        file.#lines.push({ kind: 'other', text: raw });
      } else if (line.startsWith('[')) {
        group = parseGroup(line, file.format, field);
        file.#lines.push({ kind: 'group', text: raw, group });
        file.#group(group);
      } else {
        if (group === undefined) throw new FormatError(file.format, field, 'the file does not start with a group');
        const { key, value } = parsePair(line, file.format, field);
        file.#append({ kind: 'key', text: raw, group, key, value });
      }
    }
    return file;
  }

  #group(name: string): Map<string, Line & { kind: 'key' }> {
    const known = this.#groups.get(name);
    if (known !== undefined) return known;
    const fresh = new Map<string, Line & { kind: 'key' }>();
    this.#groups.set(name, fresh);
    return fresh;
  }

  #append(line: Line & { kind: 'key' }): void {
    this.#lines.push(line);
    this.#group(line.group).set(line.key, line);
  }

  /** The text, each line ended by a newline. */
  toString(): string {
    return this.#lines.map((line) => `${line.text}\n`).join('');
  }

  /** Group names in order of their first appearance. */
  groups(): string[] {
    return [...this.#groups.keys()];
  }

  keys(group: string): string[] {
    return [...(this.#groups.get(group)?.keys() ?? [])];
  }

  has(group: string, key?: string): boolean {
    const keys = this.#groups.get(group);
    return key === undefined ? keys !== undefined : (keys?.has(key) ?? false);
  }

  /** The value as it is written, escapes and all. */
  raw(group: string, key: string): string | undefined {
    return this.#groups.get(group)?.get(key)?.value;
  }

  /** The value with escapes replaced; `FormatError` for an unknown escape. */
  string(group: string, key: string): string | undefined {
    const raw = this.raw(group, key);
    return raw === undefined ? undefined : this.#unescape(group, key, raw, false)[0];
  }

  /** `true`, `false`, `1` or `0`; `FormatError` for anything else. */
  boolean(group: string, key: string): boolean | undefined {
    const raw = this.raw(group, key)?.trimEnd();
    if (raw === undefined) return undefined;
    if (raw === 'true' || raw === '1') return true;
    if (raw === 'false' || raw === '0') return false;
    throw this.#invalid(group, key, `'${raw}' is not a boolean`);
  }

  /** A non-negative decimal integer of at most 2^53 - 1; `FormatError` for anything else. */
  integer(group: string, key: string): number | undefined {
    const raw = this.raw(group, key)?.trim();
    if (raw === undefined) return undefined;
    const value = /^\d+$/.test(raw) ? Number(raw) : Number.NaN;
    if (!Number.isSafeInteger(value)) throw this.#invalid(group, key, `'${raw}' is not a non-negative integer`);
    return value;
  }

  /** Elements separated by `;`, a last `;` being optional; `FormatError` for an unknown escape. */
  list(group: string, key: string): string[] | undefined {
    const raw = this.raw(group, key);
    return raw === undefined ? undefined : this.#unescape(group, key, raw, true);
  }

  /** Sets a text value, in place of the last one or at the end of its group (a new group at the end of the file). */
  set(group: string, key: string, value: string): void {
    this.setRaw(group, key, escapeText(value));
  }

  setList(group: string, key: string, values: readonly string[]): void {
    this.setRaw(group, key, values.map((value) => `${escapeText(value).replaceAll(';', String.raw`\;`)};`).join(''));
  }

  /** Sets a value that is already escaped. */
  setRaw(group: string, key: string, value: string): void {
    if (/[\n\r]/.test(group + key + value)) throw new FormatError(this.format, `${group}.${key}`, 'line break');
    const known = this.#groups.get(group)?.get(key);
    if (known !== undefined) {
      known.value = value;
      known.text = `${key}=${value}`;
      return;
    }
    parseGroup(`[${group}]`, this.format, 'group');
    if (/^[#[]/.test(key) || parsePair(`${key}=`, this.format, 'key').key !== key) {
      throw new FormatError(this.format, 'key', `invalid key name ${quote(key)}`);
    }
    const line = { kind: 'key' as const, text: `${key}=${value}`, group, key, value };
    const last = this.#lines.findLastIndex((other) => other.kind !== 'other' && other.group === group);
    if (last === -1) {
      if (this.#lines.length > 0) this.#lines.push({ kind: 'other', text: '' });
      this.#lines.push({ kind: 'group', text: `[${group}]`, group });
      this.#lines.push(line);
    } else {
      this.#lines.splice(last + 1, 0, line);
    }
    this.#group(group).set(key, line);
  }

  /** Removes a group with everything in it, comments included, or one key of it. */
  remove(group: string, key?: string): void {
    let current: string | undefined;
    const kept = this.#lines.filter((line) => {
      if (line.kind === 'group') current = line.group;
      return current !== group || (key !== undefined && !(line.kind === 'key' && line.key === key));
    });
    this.#lines.splice(0, this.#lines.length, ...kept);
    if (key === undefined) this.#groups.delete(group);
    else this.#groups.get(group)?.delete(key);
  }

  #invalid(group: string, key: string, problem: string): FormatError {
    return new FormatError(this.format, `${group}.${key}`, problem);
  }

  /** Replaces escapes; a list is split at `;`, otherwise there is one element. */
  #unescape(group: string, key: string, raw: string, list: boolean): [string, ...string[]] | string[] {
    const parts: string[] = [];
    let part = '';
    for (let i = 0; i < raw.length; i++) {
      const char = raw.charAt(i);
      if (char === '\\') {
        const next = raw.charAt(++i);
        const meaning = list && next === ';' ? ';' : escapes[next];
        if (meaning === undefined) throw this.#invalid(group, key, `invalid escape sequence '\\${next}'`);
        part += meaning;
      } else if (list && char === ';') {
        parts.push(part);
        part = '';
      } else {
        part += char;
      }
    }
    if (!list || part !== '') parts.push(part);
    return parts;
  }
}

function parseGroup(line: string, format: string, field: string): string {
  const name = /^\[([^[\]\p{Cc}]+)\][ \t]*$/u.exec(line)?.[1];
  if (name === undefined) throw new FormatError(format, field, `invalid group line ${quote(line)}`);
  return name;
}

function parsePair(line: string, format: string, field: string): { key: string; value: string } {
  const equals = line.indexOf('=');
  if (equals === -1) {
    throw new FormatError(format, field, `${quote(line)} is not a key-value pair, group, or comment`);
  }
  const key = line.slice(0, equals).trimEnd();
  const bracket = key.indexOf('[');
  const name = bracket === -1 ? key : key.slice(0, bracket);
  const locale = bracket === -1 ? '' : key.slice(bracket);
  if (name === '' || name.includes(']') || name.trim() !== name || (bracket !== -1 && !localePattern.test(locale))) {
    throw new FormatError(format, field, `invalid key name ${quote(key)}`);
  }
  return { key, value: line.slice(equals + 1).trimStart() };
}

const localePattern = /^\[[-._@\p{L}\p{N}]*\]$/u;

function quote(text: string): string {
  return JSON.stringify(text.length > 80 ? `${text.slice(0, 80)}…` : text);
}

/** Escapes what would not survive reading: backslashes, line breaks, tabs, and spaces at the beginning. */
function escapeText(value: string): string {
  const escaped = value
    .replaceAll('\\', '\\\\')
    .replaceAll('\n', String.raw`\n`)
    .replaceAll('\r', String.raw`\r`)
    .replaceAll('\t', String.raw`\t`);
  return escaped.replace(/^ +/, (spaces) => String.raw`\s`.repeat(spaces.length));
}
