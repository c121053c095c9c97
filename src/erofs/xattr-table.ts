/**
 * The xattrs of an image: each distinct (name, value) once, how often it is used, and which inodes have the same set.
 * A pair that more than one inode has is stored once, in the shared area.
 */
import { CfsError } from '../../bytes/errors.ts';
import { byteStringFrom, type ByteString } from '../tree/byte-string.ts';
import type { Xattr } from '../tree/tree.ts';
import type { ObjectId } from '../verity/object-id.ts';
import {
  ESCAPED_PREFIX,
  OVERLAY_PREFIX,
  roundUp,
  XATTR_FILTER_SEED,
  XATTR_METACOPY,
  XATTR_PREFIXES,
  XATTR_REDIRECT,
} from './format.ts';
import type { Rules } from './rules.ts';
import { xxh32 } from './xxh32.ts';

export interface XattrName {
  readonly name: ByteString;
  readonly index: number;
  readonly suffix: ByteString;
  /** The bit that this name clears in the name filter. */
  readonly filterBit: number;
  readonly pairs: Map<string, XattrPair>;
}

/** What `text` of a pair stands for: the value's bytes, a digest as hex in a metacopy record, or a path that a slash precedes. */
export type ValueForm = 'bytes' | 'metacopy' | 'redirect';

export interface XattrPair {
  readonly name: XattrName;
  readonly form: ValueForm;
  readonly text: string;
  readonly valueSize: number;
  /** Size of the entry with its fill. */
  readonly entrySize: number;
  /** How many inodes have it. */
  uses: number;
  /** Position in the shared area, -1 for a pair that is not shared. */
  offset: number;
}

/** The xattrs of one or more inodes, in the order in which they are stored. */
export interface XattrSet {
  readonly pairs: readonly XattrPair[];
  readonly filter: number;
  /** How many inodes have exactly this set object. */
  uses: number;
  /** Known after `XattrTable.finish`: references to shared pairs, and the size of the xattr body. */
  refs: number;
  bodySize: number;
}

const METACOPY_PREFIX_SIZE = 4;

/** What the fields of an entry hold: the length of the suffix in a u8, the size of the value in a u16. */
const MAX_SUFFIX = 0xff;
const MAX_VALUE = 0xffff;
/** What the count in an inode, a u16 of 4 bytes each after the first, can say. */
const MAX_BODY = 12 + 4 * (0xffff - 1);

/** The pairs by which overlayfs finds the object of a digest. */
interface ObjectPairs {
  metacopy: XattrPair | undefined;
  redirect: XattrPair | undefined;
}

/** A path as that of an object, in either hash. */
const objectPathForm = /^[0-9a-f]{2}\/(?:[0-9a-f]{62}|[0-9a-f]{126})$/;

export class XattrTable {
  readonly #rules: Rules;
  readonly #names = new Map<ByteString, XattrName>();
  /** By digest: one look-up for both, as most files have a digest of their own. */
  readonly #objects = new Map<string, ObjectPairs>();
  readonly #metacopy: XattrName;
  readonly #redirect: XattrName;
  readonly #sets: XattrSet[] = [];
  /** Shared pairs in the order of the shared area. */
  shared: readonly XattrPair[] = [];
  sharedSize = 0;

  constructor(rules: Rules) {
    this.#rules = rules;
    this.#metacopy = this.name(XATTR_METACOPY);
    this.#redirect = this.name(XATTR_REDIRECT);
  }

  /** The pairs of an external file. @throws CfsError LIMIT */
  external(digest: ObjectId | undefined, path: string | undefined): XattrPair[] {
    if (digest === undefined) {
      const metacopy = this.pair(this.#metacopy, '');
      return path === undefined ? [metacopy] : [metacopy, this.#redirectTo(path)];
    }
    const object = this.#objectPairs(digest);
    const metacopy = (object.metacopy ??= newPair(this.#metacopy, digest, 'metacopy'));
    if (path === undefined) return [metacopy];
    if (!isObjectPath(path, digest)) return [metacopy, this.#redirectTo(path)];
    return [metacopy, (object.redirect ??= newPair(this.#redirect, path, 'redirect'))];
  }

  #redirectTo(path: string): XattrPair {
    if (!objectPathForm.test(path)) return this.pair(this.#redirect, path, 'redirect');
    const object = this.#objectPairs(path.slice(0, 2) + path.slice(3));
    return (object.redirect ??= newPair(this.#redirect, path, 'redirect'));
  }

  #objectPairs(digest: string): ObjectPairs {
    let object = this.#objects.get(digest);
    if (object === undefined) this.#objects.set(digest, (object = { metacopy: undefined, redirect: undefined }));
    return object;
  }

  /** @throws CfsError LIMIT */
  name(name: ByteString): XattrName {
    let known = this.#names.get(name);
    if (known === undefined) {
      const { index, suffix } = split(name, this.#rules.e2);
      if (suffix.length > MAX_SUFFIX) throw limit(`the name of an xattr has ${name.length} bytes`);
      const filterBit = (1 << (xxh32(suffix, (XATTR_FILTER_SEED + index) >>> 0) & 31)) >>> 0;
      known = { name, index, suffix, filterBit, pairs: new Map() };
      this.#names.set(name, known);
    }
    return known;
  }

  /** @throws CfsError LIMIT */
  pair(name: XattrName, text: string, form: ValueForm = 'bytes'): XattrPair {
    let known = name.pairs.get(text);
    if (known === undefined) name.pairs.set(text, (known = newPair(name, text, form)));
    return known;
  }

  /** The tree's own xattrs of an inode, in byte order of their original names. */
  own(xattrs: readonly Xattr[]): XattrPair[] {
    return xattrs.map(({ name, value }) => this.pair(this.name(escapeName(name)), byteStringFrom(value)));
  }

  /** A set with these pairs: in E1 in order of the names (of one that is there twice, of the values), in E2 as given. */
  set(pairs: XattrPair[]): XattrSet {
    if (!this.#rules.e2) {
      for (let i = 1; i < pairs.length; i++) {
        if (descending(pairs[i - 1]!, pairs[i]!) < 0) {
          pairs.sort((a, b) => descending(b, a));
          break;
        }
      }
    }
    let filter = 0xffffffff;
    for (const pair of pairs) filter &= ~pair.name.filterBit;
    const set: XattrSet = { pairs, filter: filter >>> 0, uses: 0, refs: 0, bodySize: 0 };
    this.#sets.push(set);
    return set;
  }

  /** Decides what is shared and lays out the shared area. All sets and their `uses` are known by now. @throws CfsError LIMIT */
  finish(): void {
    for (const set of this.#sets) for (const pair of set.pairs) pair.uses += set.uses;
    const shared: XattrPair[] = [];
    for (const name of this.#names.values()) {
      for (const pair of name.pairs.values()) if (pair.uses > 1) shared.push(pair);
    }
    for (const { metacopy, redirect } of this.#objects.values()) {
      if (metacopy !== undefined && metacopy.uses > 1) shared.push(metacopy);
      if (redirect !== undefined && redirect.uses > 1) shared.push(redirect);
    }
    // Everything is in a set or shared by now.
    this.#objects.clear();
    shared.sort(this.#rules.e2 ? ascending : descending);
    let offset = 0;
    for (const pair of shared) {
      pair.offset = offset;
      offset += pair.entrySize;
    }
    this.shared = shared;
    this.sharedSize = offset;
    for (const set of this.#sets) {
      if (set.pairs.length === 0) continue;
      let size = 12;
      for (const pair of set.pairs) {
        if (pair.offset >= 0 && set.refs < this.#rules.maxSharedRefs) {
          set.refs++;
          size += 4;
        } else {
          size += pair.entrySize;
        }
      }
      if (size > MAX_BODY) throw limit(`the xattrs of an inode have ${size} bytes, the most is ${MAX_BODY}`);
      set.bodySize = size;
    }
  }
}

function newPair(name: XattrName, text: string, form: ValueForm): XattrPair {
  const valueSize =
    form === 'bytes' ? text.length : form === 'redirect' ? text.length + 1 : METACOPY_PREFIX_SIZE + text.length / 2;
  if (valueSize > MAX_VALUE) throw limit(`the value of xattr ${name.name} has ${valueSize} bytes`);
  const entrySize = roundUp(4 + name.suffix.length + valueSize, 4);
  return { name, form, text, valueSize, entrySize, uses: 0, offset: -1 };
}

/** True for `objectPath(digest)`. */
function isObjectPath(path: string, digest: string): boolean {
  return (
    path.length === digest.length + 1 &&
    path.charCodeAt(2) === 0x2f &&
    digest.startsWith(path.slice(0, 2)) &&
    path.endsWith(digest.slice(2))
  );
}

function limit(problem: string): CfsError {
  return new CfsError('LIMIT', `Cannot write an image: ${problem}`);
}

function escapeName(name: ByteString): ByteString {
  return name.startsWith(OVERLAY_PREFIX) ? ((ESCAPED_PREFIX + name.slice(OVERLAY_PREFIX.length)) as ByteString) : name;
}

/** The prefix number and the rest of a name. */
function split(name: ByteString, e2: boolean): { index: number; suffix: ByteString } {
  for (const [key, prefix] of Object.entries(XATTR_PREFIXES)) {
    const index = Number(key);
    if (index === 0 || (index === 5 && !e2)) continue;
    if (name.startsWith(prefix)) return { index, suffix: name.slice(prefix.length) as ByteString };
  }
  return { index: 0, suffix: name };
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** E1: by full name, then size of the value, then its bytes, largest first. */
function descending(a: XattrPair, b: XattrPair): number {
  return compare(b.name.name, a.name.name) || b.valueSize - a.valueSize || compare(b.text, a.text);
}

/** E2: by prefix number, suffix, bytes of the value. */
function ascending(a: XattrPair, b: XattrPair): number {
  return a.name.index - b.name.index || compare(a.name.suffix, b.name.suffix) || compare(a.text, b.text);
}
