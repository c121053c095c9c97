/**
 * Which xattrs each inode of an image has: the tree's own, and those by which overlayfs finds external content, sees through
 * whiteouts and stops at the root.
 */
import { CfsError } from '../../bytes/errors.ts';
import { algorithmNumber, objectPath } from '../verity/object-id.ts';
import type { ByteString } from '../tree/byte-string.ts';
import { isWhiteout, type Inode, type RegularFile, type Xattr } from '../tree/tree.ts';
import {
  ACL_NAMES,
  XATTR_ESCAPED_OPAQUE,
  XATTR_ESCAPED_WHITEOUT,
  XATTR_ESCAPED_WHITEOUTS,
  XATTR_OPAQUE,
  XATTR_USER_OPAQUE,
  XATTR_USER_WHITEOUT,
  XATTR_USER_WHITEOUTS,
  type ImageVersion,
} from './format.ts';
import type { Rules } from './rules.ts';
import type { Walk } from './walk.ts';
import { XattrTable, type XattrPair, type XattrSet } from './xattr-table.ts';

/** Sum of costs above which C refuses to set one more xattr. */
const MAX_SET_COST = 32767;

/** True for a regular file that is stored without its content. */
export function isExternal(node: Inode, rules: Rules): boolean {
  if (node.kind !== 'file' || node.content !== undefined) return false;
  return node.size > 0 || (rules.emptyExternalFiles && (node.digest !== undefined || node.payload !== undefined));
}

export interface InodeXattrs {
  readonly table: XattrTable;
  /** By inode number; undefined for none. */
  readonly sets: readonly (XattrSet | undefined)[];
  readonly hasAcl: boolean;
}

interface Own {
  readonly pairs: XattrPair[];
  set: XattrSet | undefined;
}

/** The xattrs of all inodes. @throws CfsError when C would not let one be set */
export function planXattrs(walk: Walk, version: ImageVersion, rules: Rules): InodeXattrs {
  const table = new XattrTable(rules);
  const known = new Map<readonly Xattr[], Own>();
  const sets: (XattrSet | undefined)[] = [];
  let last: readonly Xattr[] | undefined;
  let own: Own = { pairs: [], set: undefined };
  let directory = 0;
  for (const node of walk.list.inodes) {
    const { xattrs } = node.stat;
    if (xattrs !== last) {
      last = xattrs;
      own = ownOf(known, table, xattrs);
    }
    let set: XattrSet | undefined;
    if (node.kind === 'file' && isExternal(node, rules)) {
      const external = table.external(node.digest, redirectPath(node, rules));
      // `concat` makes an array without room for more, of which there may be millions.
      set = table.set(
        own.pairs.length === 0 ? external : rules.e2 ? external.concat(own.pairs) : own.pairs.concat(external),
      );
    } else if (node.kind === 'directory') {
      const markers = rules.e2
        ? []
        : directoryMarkers(node === walk.list.inodes[0], walk.directories[directory]!.hasWhiteouts, version);
      directory++;
      if (markers.length > 0) set = withMarkers(table, own.pairs, markers, rules);
    } else if (!rules.e2 && isWhiteout(node) && !walk.stubs.has(node)) {
      set = withMarkers(
        table,
        own.pairs,
        [
          [XATTR_ESCAPED_WHITEOUT, ''],
          [XATTR_USER_WHITEOUT, ''],
        ],
        rules,
      );
    }
    if (set === undefined && own.pairs.length > 0) set = own.set ??= table.set(own.pairs);
    if (set !== undefined) set.uses++;
    sets.push(set);
  }
  table.finish();
  return {
    table,
    sets,
    hasAcl: !rules.e2 && [...known.keys()].some((xattrs) => xattrs.some((each) => isAcl(each, rules))),
  };
}

function ownOf(known: Map<readonly Xattr[], Own>, table: XattrTable, xattrs: readonly Xattr[]): Own {
  let own = known.get(xattrs);
  if (own === undefined) {
    own = { pairs: table.own(xattrs), set: undefined };
    known.set(xattrs, own);
  }
  return own;
}

function isAcl({ name }: Xattr, rules: Rules): boolean {
  return ACL_NAMES.some((acl) => (rules.aclByPrefix ? name.startsWith(acl) : name === acl));
}

function redirectPath({ digest, payload }: RegularFile, rules: Rules): string | undefined {
  return rules.redirectFromDigest && digest !== undefined ? objectPath(digest) : payload;
}

/** The algorithm number of the record around a digest. */
export function metacopyAlgorithm(digestHex: string): number {
  return algorithmNumber(digestHex.length === 64 ? 'sha256' : 'sha512');
}

type Marker = readonly [name: ByteString, value: string];

function directoryMarkers(isRoot: boolean, hasWhiteouts: boolean, version: ImageVersion): readonly Marker[] {
  const markers: Marker[] = [];
  if (hasWhiteouts) {
    markers.push([XATTR_ESCAPED_WHITEOUTS, ''], [XATTR_USER_WHITEOUTS, '']);
    if (version >= 1) markers.push([XATTR_ESCAPED_OPAQUE, 'x'], [XATTR_USER_OPAQUE, 'x']);
  }
  if (isRoot) markers.push([XATTR_OPAQUE, 'y']);
  return markers;
}

/**
 * Own xattrs with markers set, one after the other. C keeps a sum per inode that starts at 0 whatever xattrs there are, so
 * replacing a longer value takes it below 0, which C sees as an enormous number and refuses.
 */
function withMarkers(table: XattrTable, own: readonly XattrPair[], markers: readonly Marker[], rules: Rules): XattrSet {
  const pairs = [...own];
  let cost = 0;
  for (const [name, value] of markers) {
    const pair = table.pair(table.name(name), value);
    if (!rules.appendMarkers) {
      const at = pairs.findIndex((each) => each.name === pair.name);
      if (at >= 0) {
        const [old] = pairs.splice(at, 1);
        cost = pairs.length === 0 ? 0 : cost - (7 + name.length + old!.valueSize);
      }
      const added = 7 + name.length + value.length + (pairs.length === 0 ? 12 : 0);
      if (cost + added < 0 || cost + added > MAX_SET_COST) {
        throw new CfsError('LIMIT', `Cannot set xattr ${name}: Numerical result out of range`);
      }
      cost += added;
    }
    pairs.push(pair);
  }
  return table.set(pairs);
}
