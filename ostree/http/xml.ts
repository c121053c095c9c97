/**
 * As much XML as a metalink needs: elements, attributes, text, comments, CDATA and the predefined entities. Documents with a
 * `DOCTYPE` are refused, so no entity can be defined, and depth and number of elements are bounded.
 */
import { FormatError } from '../../bytes/errors.ts';

export interface XmlElement {
  /** Without a namespace prefix. */
  readonly name: string;
  readonly attributes: ReadonlyMap<string, string>;
  readonly children: readonly XmlElement[];
  /** The text directly inside, joined. */
  readonly text: string;
}

interface OpenElement extends XmlElement {
  readonly tag: string;
  readonly children: XmlElement[];
  text: string;
}

const MAX_DEPTH = 64;
const MAX_ELEMENTS = 100_000;
const NAME = String.raw`[A-Za-z_:\u0080-\uffff][A-Za-z0-9_:.\-\u0080-\uffff]*`;
const token = new RegExp(
  String.raw`<!--(?<comment>[\s\S]*?)-->|<!\[CDATA\[(?<cdata>[\s\S]*?)\]\]>|<\?[\s\S]*?\?>|` +
    String.raw`<\/(?<close>${NAME})\s*>|<(?<open>${NAME})(?<attributes>(?:\s+${NAME}\s*=\s*(?:"[^"<]*"|'[^'<]*'))*)\s*(?<empty>\/?)>|(?<text>[^<]+)`,
  'y',
);
const attribute = new RegExp(String.raw`(${NAME})\s*=\s*(?:"([^"<]*)"|'([^'<]*)')`, 'g');

/** The root element. @throws FormatError */
export function parseXml(text: string): XmlElement {
  const root: OpenElement = { name: '', tag: '', attributes: new Map(), children: [], text: '' };
  const stack = [root];
  let count = 0;
  token.lastIndex = text.startsWith('\ufeff') ? 1 : 0;
  while (token.lastIndex < text.length) {
    const at = token.lastIndex;
    const found = token.exec(text)?.groups;
    const parent = stack.at(-1) ?? root;
    if (found === undefined) throw new FormatError('XML', 'document', describe(text, at), at);
    if (found['text'] !== undefined || found['cdata'] !== undefined) {
      const value = found['cdata'] ?? unescape(found['text'] ?? '', at);
      if (parent === root && value.trim() !== '')
        throw new FormatError('XML', 'document', 'text outside of the root element', at);
      parent.text += value;
    } else if (found['close'] !== undefined) {
      if (parent === root || parent.tag !== found['close']) {
        throw new FormatError('XML', found['close'], 'end tag without its start tag', at);
      }
      stack.pop();
    } else if (found['open'] !== undefined) {
      if (++count > MAX_ELEMENTS || stack.length > MAX_DEPTH)
        throw new FormatError('XML', 'document', 'too many elements', at);
      if (parent === root && root.children.length > 0)
        throw new FormatError('XML', 'document', 'a second root element', at);
      const element = openElement(found['open'], found['attributes'] ?? '', at);
      parent.children.push(element);
      if (found['empty'] !== '/') stack.push(element);
    }
  }
  const [first] = root.children;
  if (stack.length > 1) throw new FormatError('XML', stack.at(-1)?.tag ?? '', 'no end tag', text.length);
  if (first === undefined) throw new FormatError('XML', 'document', 'no element', text.length);
  return first;
}

function openElement(tag: string, attributes: string, at: number): OpenElement {
  const map = new Map<string, string>();
  for (const [, name = '', double, single] of attributes.matchAll(attribute)) {
    if (map.has(name)) throw new FormatError('XML', `${tag}.${name}`, 'given twice', at);
    map.set(name, unescape(double ?? single ?? '', at));
  }
  return { name: tag.replace(/^.*:/, ''), tag, attributes: map, children: [], text: '' };
}

const entities: ReadonlyMap<string, string> = new Map([
  ['lt', '<'],
  ['gt', '>'],
  ['amp', '&'],
  ['quot', '"'],
  ['apos', "'"],
]);

function unescape(text: string, at: number): string {
  return text.replaceAll(/&(?:#x([0-9a-fA-F]{1,6})|#([0-9]{1,7})|([A-Za-z]+))?(;?)/g, (_, hex, decimal, name, end) => {
    const code = hex === undefined ? Number(decimal ?? NaN) : Number.parseInt(String(hex), 16);
    const named = entities.get(String(name));
    const known = named ?? (code > 0 && code <= 0x10ffff ? String.fromCodePoint(code) : undefined);
    if (known === undefined || end !== ';') throw new FormatError('XML', 'document', 'an unknown entity', at);
    return known;
  });
}

function describe(text: string, at: number): string {
  return text.startsWith('<!DOCTYPE', at)
    ? 'a DOCTYPE is not allowed'
    : `cannot be read: ${JSON.stringify(text.slice(at, at + 20))}`;
}
