/** Random trees with everything that decides how an image is laid out, from a seed. */
import type { ByteString } from '../../src/tree/byte-string.ts';
import {
  directory,
  externalFile,
  inlineFile,
  objectFile,
  special,
  symlink,
  type Directory,
  type Inode,
  type Stat,
  type Xattr,
} from '../../src/tree/tree.ts';
import type { ObjectId } from '../../src/verity/object-id.ts';

export interface RandomTreeOptions {
  readonly seed: number;
  readonly inodes: number;
  /** Leave out what composefs-rs refuses to read: times before 1970, hard-linked whiteouts, names that are no UTF-8. */
  readonly forRust: boolean;
  readonly whiteouts: boolean;
  /** Use xattr names that the writer uses, and those that C and Rust treat differently. */
  readonly oddXattrs: boolean;
}

export class Random {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  /** 0 <= number < bound */
  below(bound: number): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let t = this.#state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return Math.floor((((t ^ (t >>> 14)) >>> 0) / 2 ** 32) * bound);
  }

  pick<T>(values: readonly T[]): T {
    return values[this.below(values.length)]!;
  }

  bytes(length: number): Uint8Array {
    return Uint8Array.from({ length }, () => this.below(256));
  }

  text(length: number, alphabet = 'abcdefghijklmnopqrstuvwxyz0123456789._-+ ~!=\\'): string {
    return Array.from({ length }, () => alphabet[this.below(alphabet.length)]!).join('');
  }

  hex(length: number): string {
    return this.text(length, '0123456789abcdef');
  }
}

const SIZES = [
  1,
  64,
  65,
  4095,
  4096,
  4097,
  65536,
  2 ** 31,
  2 ** 32 - 1,
  2 ** 32,
  2 ** 40,
  2 ** 43,
  2 ** 43 + 1,
  2 ** 45,
  2 ** 50,
];

export function randomTree(options: RandomTreeOptions): Directory {
  const random = new Random(options.seed);
  const sharedXattrs = Array.from({ length: 6 }, () => randomXattrs(random, options));
  const baseTime = BigInt(random.pick([0, 0, 1_600_000_000, 4_000_000_000]));
  const stat = (): Stat => ({
    mode: random.pick([0o644, 0o755, 0o4755, 0o1777, 0, 0o7777]),
    uid: random.pick([0, 0, 1000, 65535, 65536, 4_000_000_000]),
    gid: random.pick([0, 0, 1000, 65535, 65536]),
    mtimeSec: random.below(3) > 0 ? baseTime : BigInt(random.below(2 ** 31)) - (options.forRust ? 0n : 2n ** 30n),
    mtimeNsec: random.pick([0, 0, 1, 999_999_999]),
    xattrs: random.below(3) > 0 ? random.pick(sharedXattrs) : randomXattrs(random, options),
  });
  const root = directory(stat());
  const directories = [root];
  const linkable: Inode[] = [];
  const digests = Array.from({ length: 5 }, () => random.hex(64) as ObjectId);
  const crowded = random.below(4) === 0;
  for (let i = 0; i < options.inodes; i++) {
    const parent = crowded ? root : random.pick(directories);
    const name = randomName(random, options);
    if (parent.entries.has(name) || name === '.' || name === '..') continue;
    if (linkable.length > 0 && random.below(8) === 0) {
      const target = random.pick(linkable);
      target.nlink++;
      parent.entries.set(name, target);
      continue;
    }
    const node = randomInode(random, stat(), digests, options);
    parent.entries.set(name, node);
    if (node.kind === 'directory') directories.push(node);
    else if (!(node.kind === 'chardev' && node.rdev === 0)) linkable.push(node);
  }
  return root;
}

function randomName(random: Random, { forRust }: RandomTreeOptions): ByteString {
  const length = random.pick([1, 2, 3, 8, 12, 20, 60, 255]);
  const prefix = random.pick(['', '', '', '!', '-', '.', '..', '.-', '0']);
  const high = forRust ? '' : '\xe9\xff\x01';
  const name = (prefix + random.text(length) + high).slice(0, 255);
  return (name.trim() === '' ? 'x' : name) as ByteString;
}

function randomInode(random: Random, stat: Stat, digests: readonly ObjectId[], options: RandomTreeOptions): Inode {
  switch (random.below(12)) {
    case 0:
      return symlink(
        stat,
        random.text(random.pick([1, 10, 100, 1000, options.forRust ? 1024 : 4095]), 'abc/.') as ByteString,
      );
    case 1:
      return special('fifo', stat);
    case 2:
      return special('socket', stat);
    case 3:
      return special('blockdev', stat, random.pick([1, 0x801, 0xffffffff]));
    case 4:
      return special('chardev', stat, options.whiteouts ? random.pick([0, 0, 0x501]) : 0x501);
    case 5:
    case 6:
      return directory(stat);
    case 7:
      return inlineFile(stat, new Uint8Array(0));
    case 8:
    case 9:
      return inlineFile(stat, random.bytes(random.pick([1, 2, 31, 32, 33, 63, 64, 500, options.forRust ? 512 : 4999])));
    case 10:
      if (!options.forRust)
        return externalFile(stat, random.pick(SIZES), undefined, random.pick([undefined, 'a/b' as ByteString]));
      return objectFile(stat, random.pick(SIZES), random.pick(digests));
    default:
      return objectFile(
        stat,
        random.pick(SIZES),
        random.below(2) === 0 ? random.pick(digests) : (random.hex(64) as ObjectId),
      );
  }
}

function randomXattrs(random: Random, { oddXattrs }: RandomTreeOptions): readonly Xattr[] {
  const plain = [
    'security.selinux',
    'user.a',
    'user.b',
    'user.ab',
    'trusted.x',
    'security.capability',
    'lustre.l',
    'weird',
    'trusted.overlay.metacopy',
    'trusted.overlay.redirect',
    'trusted.overlay.x',
    'trusted.overlay.overlay.y',
    'system.posix_acl_access',
    'system.posix_acl_default',
  ];
  const odd = [
    'user.overlay.whiteout',
    'user.overlay.whiteouts',
    'user.overlay.opaque',
    'trusted.overlay.whiteout',
    'trusted.overlay.opaque',
    'system.posix_acl_accessory',
  ];
  const count = random.pick([0, 0, 1, 2, 3, 8]);
  const values = new Map<string, Uint8Array>();
  for (let i = 0; i < count; i++) {
    const name = random.pick(oddXattrs ? [...plain, ...odd] : plain);
    values.set(
      name,
      random.pick([Buffer.from('same'), Buffer.from(''), random.bytes(3), random.bytes(random.pick([20, 300]))]),
    );
  }
  return [...values.keys()].sort().map((name) => ({ name: name as ByteString, value: values.get(name)! }));
}
