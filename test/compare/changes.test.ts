import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { treeChanges } from '../../src/compare/changes.ts';
import { NOT_FETCHED, type FieldName } from '../../src/compare/fields.ts';
import { summarizeChanges } from '../../src/compare/summary.ts';
import { byteString } from '../../src/tree/byte-string.ts';
import { parseDump } from '../../src/tree/dumpfile-parse.ts';
import type { Directory } from '../../src/tree/tree.ts';
import { verityDigest } from '../../src/verity/digest.ts';
import { fuzzRuns } from '../fuzz-runs.ts';

const digest = (digit: string): string => digit.repeat(64);

/** A tree of dump lines without the fields that the test does not name. */
function tree(...lines: readonly string[]): Directory {
  return parseDump(Buffer.from([`/ 0 40755 2 0 0 0 0.0 - - -`, ...lines].map((line) => `${line}\n`).join('')));
}

const file = (path: string, rest: Partial<Record<string, string>> = {}): string => {
  const { mode = '100644', uid = '0', gid = '0', links = '1', mtime = '0.0', content = 'abc', xattrs = '' } = rest;
  return `${path} ${content.length} ${mode} ${links} ${uid} ${gid} 0 ${mtime} - ${content} -${xattrs}`;
};
const external = (path: string, size: number, id: string): string =>
  `${path} ${size} 100644 1 0 0 0 0.0 ${id.slice(0, 2)}/${id.slice(2)} - ${id}`;
const folder = (path: string, mode = '40755'): string => `${path} 0 ${mode} 2 0 0 0 0.0 - - -`;
const link = (path: string, target: string): string => `${path} ${target.length} 120777 1 0 0 0 0.0 ${target} - -`;
const node = (path: string, mode: string, rdev: string): string => `${path} 0 ${mode} 1 0 0 ${rdev} 0.0 - - -`;

/** `M /path field: before -> after`, and what became of the directory above. */
function told(a: Directory, b: Directory, ...ignore: readonly FieldName[]): string[] {
  return [...treeChanges(a, b, new Set(ignore))].flatMap(({ path, kind, fields, below }) => {
    if (kind !== 'modified') return [`${kind} ${path}${below === undefined ? '' : ` (${below})`}`];
    return fields.map(({ field, name, before, after }) => `${path} ${field}${name ?? ''}: ${before} -> ${after}`);
  });
}

describe('treeChanges()', () => {
  const rows: readonly (readonly [string, readonly string[], readonly string[], readonly string[]])[] = [
    ['the same', [file('/a')], [file('/a')], []],
    ['mode', [file('/a')], [file('/a', { mode: '104755' })], ['/a mode: 0644 -> 04755']],
    ['owner', [file('/a')], [file('/a', { uid: '1', gid: '2' })], ['/a uid: 0 -> 1', '/a gid: 0 -> 2']],
    ['mtime', [file('/a')], [file('/a', { mtime: '7.5' })], ['/a mtime: 0 -> 7.000000005']],
    ['links', [file('/a')], [file('/a', { links: '2' })], ['/a links: 1 -> 2']],
    ['target', [link('/a', 'x')], [link('/a', 'y')], ['/a target: x -> y']],
    ['device', [node('/a', '20600', '1281')], [node('/a', '20600', '1282')], ['/a device: 5:1 -> 5:2']],
    ['root', [], [], []],
    [
      'xattrs',
      [file('/a', { xattrs: String.raw` user.a=x user.b=\x00\x01` })],
      [file('/a', { xattrs: ' user.a=y user.c=z' })],
      ['/a xattruser.a: "x" -> "y"', '/a xattruser.b: 0x0001 -> undefined', '/a xattruser.c: undefined -> "z"'],
    ],
    [
      'content of an object',
      [external('/a', 5000, digest('1'))],
      [external('/a', 5001, digest('2'))],
      ['/a size: 5000 -> 5001', `/a content: ${digest('1')} -> ${digest('2')}`],
    ],
    [
      'digests of other algorithms, which tell nothing',
      [external('/a', 5000, digest('1'))],
      [external('/a', 5000, digest('22'))],
      [],
    ],
    ['file to link', [file('/a')], [link('/a', 'x')], ['/a type: file -> symlink', '/a mode: 0644 -> 0777']],
    [
      'file to directory',
      [file('/a')],
      [folder('/a'), file('/a/b')],
      ['/a type: file -> directory', '/a mode: 0644 -> 0755', 'added /a/b (replaced)'],
    ],
    [
      'directory to file',
      [folder('/a'), folder('/a/b'), file('/a/b/c')],
      [file('/a')],
      ['/a type: directory -> file', '/a mode: 0755 -> 0644', 'removed /a/b (replaced)', 'removed /a/b/c (replaced)'],
    ],
    [
      'added and removed',
      [folder('/a'), file('/a/x'), file('/z')],
      [folder('/b'), folder('/b/c'), file('/b/c/d'), file('/b/x'), file('/y')],
      [
        'removed /z',
        'removed /a',
        'removed /a/x (removed)',
        'added /y',
        'added /b',
        'added /b/x (added)',
        'added /b/c (added)',
        'added /b/c/d (added)',
      ],
    ],
    [
      'a directory itself',
      [folder('/a'), file('/a/b')],
      [folder('/a', '40700'), file('/a/b')],
      ['/a mode: 0755 -> 0700'],
    ],
  ];
  for (const [name, a, b, changes] of rows) {
    it(`tells of ${name}`, () => assert.deepEqual(told(tree(...a), tree(...b)), changes));
  }

  it('does not compare fields that are ignored', () => {
    const [a, b] = [tree(file('/a')), tree(file('/a', { links: '2', mode: '100600' }))];
    assert.deepEqual(told(a, b, 'links'), ['/a mode: 0644 -> 0600']);
  });

  it('finds the same content inline and as an object', () => {
    const content = 'x'.repeat(100);
    const id = verityDigest('sha256', Buffer.from(content));
    assert.deepEqual(told(tree(file('/a', { content })), tree(external('/a', 100, id))), [
      `/a storage: inline -> ${id.slice(0, 2)}/${id.slice(2)}`,
    ]);
  });

  it('says only that of a file that is not here', () => {
    const b = tree(file('/a'));
    (b.entries.get(byteString('a')) as { digest: unknown }).digest = NOT_FETCHED;
    assert.deepEqual(told(tree(file('/a', { mode: '100600' })), b), ['/a object: file -> not fetched']);
  });

  it('tells of exactly the paths that one side lacks, and of nothing between equal trees', () => {
    const name = fc.constantFrom('a', 'b', 'c');
    const paths = fc.uniqueArray(fc.array(name, { minLength: 1, maxLength: 3 }).map((names) => `/${names.join('/')}`));
    const grow = (wanted: readonly string[]): { directory: Directory; paths: Set<string> } => {
      const all = new Set(
        wanted.flatMap((path) =>
          path
            .split('/')
            .slice(1)
            .map((_, i, names) => `/${names.slice(0, i + 1).join('/')}`),
        ),
      );
      return { directory: tree(...[...all].toSorted().map((path) => folder(path))), paths: all };
    };
    fc.assert(
      fc.property(paths, paths, (one, two) => {
        const [a, b] = [grow(one), grow(two)];
        const of = (kind: string): string[] =>
          [...treeChanges(a.directory, b.directory, new Set())]
            .filter((change) => change.kind === kind)
            .map(({ path }) => path)
            .toSorted();
        assert.deepEqual(of('removed'), [...a.paths.difference(b.paths)].toSorted());
        assert.deepEqual(of('added'), [...b.paths.difference(a.paths)].toSorted());
        assert.deepEqual(of('modified'), []);
      }),
      { numRuns: Math.ceil(fuzzRuns / 10) },
    );
  });
});

describe('summarizeChanges()', () => {
  it('counts changes, and bytes of contents that came and went', () => {
    const a = tree(file('/a'), file('/gone', { content: 'four' }), file('/mode'));
    const b = tree(
      file('/a', { content: 'a_longer_one' }),
      file('/mode', { mode: '100600' }),
      file('/new', { content: 'x' }),
    );
    assert.deepEqual(summarizeChanges([...treeChanges(a, b, new Set())]), {
      modified: 2,
      removed: 1,
      added: 1,
      bytesRemoved: 7,
      bytesAdded: 13,
    });
  });
});
