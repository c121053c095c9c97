import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { checksumOf, type OstreeChecksum } from '../../../../ostree/checksum.ts';
import type { DirTree } from '../../../../ostree/dirtree.ts';
import { newFiles, pairByName, type Tree } from '../../../../ostree/delta/make/pair.ts';

interface Folder {
  readonly [name: string]: string | Folder;
}

const sum = (text: string): OstreeChecksum => checksumOf(Buffer.from(text));

/** A tree of folders and of files, which are texts; `back` is filled with the text of each checksum. */
function tree(folder: Folder, back: Map<OstreeChecksum, string>): Tree {
  const dirtrees = new Map<OstreeChecksum, DirTree>();
  const add = (at: Folder): OstreeChecksum => {
    const files: DirTree['files'][number][] = [];
    const directories: DirTree['directories'][number][] = [];
    for (const [name, what] of Object.entries(at).sort(([a], [b]) => (a < b ? -1 : 1))) {
      if (typeof what !== 'string') {
        directories.push({ name, tree: add(what), meta: sum('meta') });
        continue;
      }
      back.set(sum(what), what);
      files.push({ name, checksum: sum(what) });
    }
    const checksum = sum(JSON.stringify([files, directories]));
    dirtrees.set(checksum, { files, directories });
    return checksum;
  };
  return { root: add(folder), dirtrees };
}

/** Path of each new file, and the text of the old one that it is paired with, `-` for none. */
function pairs(from: Folder | undefined, to: Folder): Record<string, string> {
  const texts = new Map<OstreeChecksum, string>();
  const old = from === undefined ? undefined : tree(from, texts);
  const files = newFiles(tree(to, texts), old);
  const unpaired = files.filter(({ source }) => source === undefined);
  const named = old === undefined ? undefined : pairByName(unpaired, old, (checksum) => texts.get(checksum)!.length);
  return Object.fromEntries(
    files.map(({ path, checksum, source }) => [path, texts.get((source ?? named?.get(checksum))!) ?? '-']),
  );
}

describe('newFiles() and pairByName()', () => {
  const table: Readonly<Record<string, [Folder | undefined, Folder, Record<string, string>]>> = {
    'everything is new to nothing': [undefined, { a: 'A', d: { b: 'B' } }, { '/a': '-', '/d/b': '-' }],
    'nothing is new in the same tree': [{ a: 'A', d: { b: 'B' } }, { a: 'A', d: { b: 'B' } }, {}],
    'a file that moved is not new': [{ a: 'A' }, { d: { z: 'A' } }, {}],
    'the file at the same path': [{ d: { a: 'old' }, a: 'other' }, { d: { a: 'new' }, a: 'other' }, { '/d/a': 'old' }],
    'a file of the same name elsewhere': [{ x: { a: 'old' } }, { y: { a: 'new' } }, { '/y/a': 'old' }],
    'another version in the name': [
      { lib: { 'libfoo.so.1.9': 'old', 'libbar.so.1.9': 'bar' } },
      { lib: { 'libfoo.so.1.10': 'new', 'libbar.so.1.9': 'bar' } },
      { '/lib/libfoo.so.1.10': 'old' },
    ],
    'another version in a folder, the path that is most alike first': [
      { modules: { '6.1.0-1': { net: { 'a.ko': 'net' }, fs: { 'a.ko': 'fs' } } } },
      { modules: { '6.1.0-2': { net: { 'a.ko': 'net2' }, fs: { 'a.ko': 'fs2' } } } },
      { '/modules/6.1.0-2/fs/a.ko': 'fs', '/modules/6.1.0-2/net/a.ko': 'net' },
    ],
    'of two that are alike, the nearest in size': [
      { a: { f: 'x'.repeat(10) }, b: { f: 'y'.repeat(100) } },
      { c: { f: 'z'.repeat(90) } },
      { '/c/f': 'y'.repeat(100) },
    ],
    'no file of another name': [{ a: 'old' }, { b: 'new' }, { '/b': '-' }],
    'a file instead of a folder': [{ a: { b: 'old' } }, { a: 'new' }, { '/a': '-' }],
  };
  for (const [name, [from, to, expected]] of Object.entries(table)) {
    test(name, () => assert.deepEqual(pairs(from, to), expected));
  }

  test('names a file once that the tree has twice, with the source that either path has', () => {
    const found = pairs({ z: 'old' }, { a: 'new', z: 'new' });
    assert.deepEqual(found, { '/a': 'old' });
  });

  test('is quick in a tree that shares its folders', () => {
    let from: Folder = { f: 'old' };
    let to: Folder = { f: 'new' };
    for (let i = 0; i < 16; i++) {
      from = { a: from, b: from };
      to = { a: to, b: to };
    }
    const found = pairs(from, to);
    assert.deepEqual(Object.values(found), ['old']);
  });
});
