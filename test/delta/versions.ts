/** Two versions of a small system, as commits made by the real `ostree`, in an archive repository and in a composefs repository. */
import { chmodSync, cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, unlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { OstreeChecksum } from '../../ostree/checksum.ts';
import { Repository } from '../../src/repository/repository.ts';
import type { ObjectId } from '../../src/verity/object-id.ts';
import { ostree } from '../ostree/real-ostree.ts';
import { noise } from '../ostree/delta/make/file-pair.ts';
import { pull } from '../pull/support.ts';

export interface Versions extends Disposable {
  /** A folder for whatever a test makes. */
  readonly root: string;
  readonly archive: string;
  /** Path of a composefs repository with both. */
  readonly repository: string;
  /** `v1`, and `v2`, its child. */
  readonly v1: OstreeChecksum;
  readonly v2: OstreeChecksum;
  /** The image of `v2`, as a pull of its objects gives it. */
  readonly image: ObjectId;
  /** Bytes of the one new file that is like no old one; no other file has so many. */
  readonly largeSize: number;
}

type Files = Readonly<Record<string, Uint8Array | string>>;

const LARGE_SIZE = 700_000;

function write(tree: string, files: Files): void {
  for (const [name, content] of Object.entries(files)) {
    mkdirSync(dirname(join(tree, name)), { recursive: true });
    writeFileSync(join(tree, name), content);
  }
}

/** As a program whose functions moved by some bytes: addresses differ everywhere. */
function relocated(code: Uint8Array): Uint8Array {
  return code.map((byte, i) => (i % 24 === 7 ? byte + 16 : byte));
}

const lines = (count: number, from = 0): string =>
  Array.from({ length: count }, (_, i) => `line ${i + from}: ${(i + from) ** 3}\n`).join('');
const code = noise(400_000, 11);
const library = noise(300_000, 12);
const table = noise(150_000, 13);

const oldFiles: Files = {
  'usr/bin/program': code,
  'usr/bin/same': table,
  'usr/bin/gone': noise(5000, 14),
  'usr/lib/libfoo.so.1.9': library,
  'usr/share/text': lines(20_000),
  'usr/share/doc/readme': 'A short text\n',
  'usr/share/data': Buffer.concat([table, code]),
  'etc/secret': lines(3000),
  'etc/empty': '',
};

function upgrade(tree: string): void {
  for (const name of ['usr/bin/gone', 'usr/lib/libfoo.so.1.9']) rmSync(join(tree, name));
  write(tree, {
    'usr/bin/program': Buffer.concat([
      relocated(code.subarray(0, 200_000)),
      noise(50, 15),
      relocated(code.subarray(200_000)),
    ]),
    'usr/lib/libfoo.so.1.10': Buffer.concat([library.subarray(0, 100_000), library.subarray(100_500), noise(700, 16)]),
    'usr/share/text': lines(10_000) + lines(10_100, 9990),
    'usr/share/doc/readme': 'A short text!\n',
    'usr/share/data': Buffer.concat([code, table]),
    'usr/share/large': noise(LARGE_SIZE, 17),
    'usr/share/new': lines(2000, 50_000),
    'etc/secret': lines(3000, 1),
    'etc/one': 'x',
  });
  chmodSync(join(tree, 'usr/bin/same'), 0o755);
  unlinkSync(join(tree, 'usr/lib/libfoo.so'));
  symlinkSync('libfoo.so.1.10', join(tree, 'usr/lib/libfoo.so'));
}

export async function makeVersions(): Promise<Versions> {
  const root = mkdtempSync(join(tmpdir(), 'cfs-delta-'));
  const [tree, archive, repository] = [join(root, 'tree'), join(root, 'archive'), join(root, 'composefs')];
  const commit = (branch: string, ...more: readonly string[]): OstreeChecksum =>
    ostree('commit', `--repo=${archive}`, `--branch=${branch}`, `--tree=dir=${tree}`, ...more).trim() as OstreeChecksum;
  try {
    ostree('init', `--repo=${archive}`, '--mode=archive');
    write(tree, oldFiles);
    symlinkSync('libfoo.so.1.9', join(tree, 'usr/lib/libfoo.so'));
    chmodSync(join(tree, 'etc/secret'), 0o600);
    const v1 = commit('v1');
    upgrade(tree);
    const v2 = commit('v2', `--parent=${v1}`, '--add-detached-metadata-string=signed=yes');
    rmSync(tree, { recursive: true });
    Repository.init(repository, { algorithm: 'sha256', insecure: true });
    await pull(repository, archive, 'v1');
    const { image } = await pull(repository, archive, 'v2');
    return {
      root,
      archive,
      repository,
      v1,
      v2,
      image,
      largeSize: LARGE_SIZE,
      [Symbol.dispose]: () => rmSync(root, { recursive: true }),
    };
  } catch (error) {
    rmSync(root, { recursive: true });
    throw error;
  }
}

/** A copy of its archive repository. */
export function copyArchive({ root, archive }: Versions, name: string): string {
  const to = join(root, name);
  cpSync(archive, to, { recursive: true });
  return to;
}
