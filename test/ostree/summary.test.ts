import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { encode } from '../../gvariant/src/encode.ts';
import { Variant } from '../../gvariant/src/value.ts';
import { checksumOf, parseChecksum, type OstreeChecksum } from '../../ostree/checksum.ts';
import { refGlob } from '../../ostree/ref-glob.ts';
import { decodeSummary, SUMMARY_TYPE, type Summary } from '../../ostree/summary.ts';
import type { SummaryRef } from '../../ostree/summary-refs.ts';
import { metadataValue } from '../../ostree/metadata.ts';
import { encodeSummary, summaryMetadata } from '../../ostree/summary-write.ts';
import { needs } from '../needs.ts';
import { holdsForAnyBytes, rejects } from './codec-checks.ts';
import { goldenPath } from './golden.ts';
import { copyGoldenRepository, ostree } from './real-ostree.ts';

const golden = readFileSync(join(goldenPath, 'summary'));
const headOf = (ref: string): string => readFileSync(join(goldenPath, 'refs/heads', ref), 'utf8').trim();
const refNames = (summary: Summary, collection?: string): string[] =>
  Array.from(summary.list(collection === undefined ? {} : { collection }), ({ ref }) => ref);

const third = 'f8f33ca04dc7bf93bb13af65045c8ffa0927716514b182803eb1b5bf67c6bf77' as OstreeChecksum;

test('decodeSummary() reads the golden summary as `ostree summary -v` shows it', () => {
  const summary = decodeSummary(golden);
  summary.check();
  assert.deepEqual(refNames(summary), [
    'golden/empty',
    'golden/plain',
    'golden/single',
    'golden/x86_64/os',
    'ostree-metadata',
  ]);
  const os = summary.find('golden/x86_64/os')!;
  assert.equal(os.commit, third);
  assert.equal(os.commitSize, 316n);
  assert.equal(metadataValue(os.metadata, 'ostree.commit.version', 's'), '3.0');
  assert.equal(summary.mode, 'archive-z2');
  assert.equal(summary.lastModified, BigInt(Date.UTC(2026, 10, 21, 8, 29, 4) / 1000));
  assert.equal(summary.expires, undefined);
  assert.equal(summary.tombstoneCommits, false);
  assert.equal(summary.indexedDeltas, true);
  assert.equal(summary.collectionId, 'org.example.Golden');
  assert.deepEqual(summary.collections(), []);
});

test('Summary.find() takes the main list for its own collection and knows no other', () => {
  const summary = decodeSummary(golden);
  for (const ref of ['golden/empty', 'golden/plain', 'golden/single', 'golden/x86_64/os']) {
    assert.equal(summary.find(ref)?.commit, headOf(ref));
    assert.equal(summary.find(ref, 'org.example.Golden')?.commit, headOf(ref));
    assert.equal(summary.find(ref, 'org.example.Other'), undefined);
  }
  for (const ref of ['golden', 'golden/plain2', '', 'z', 'golden/plain\0']) {
    assert.equal(summary.find(ref), undefined);
  }
  assert.deepEqual([...summary.list({ collection: 'org.example.Other' })], []);
});

test('Summary.list() takes a pattern', () => {
  const found = [...decodeSummary(golden).list({ match: refGlob('golden/*') })].map(({ ref }) => ref);
  assert.deepEqual(found, ['golden/empty', 'golden/plain', 'golden/single']);
});

test('Summary.staticDeltas() lists names and digests, all or those to one commit', () => {
  const summary = decodeSummary(golden);
  const superblock = (name: string): string => checksumOf(readFileSync(join(goldenPath, 'deltas', name, 'superblock')));
  const second = '9e66836a721c83ccd4b6c2dfb1afd92b7b5d148435a37a095180ca7c4afae863';
  assert(summary.listsStaticDeltas);
  assert.equal([...summary.staticDeltas()].length, 3);
  assert.deepEqual(
    [...summary.staticDeltas(third)],
    [
      {
        from: second,
        to: third,
        superblock: superblock(
          'nm/aDanIcg8zUtsLfsa_ZK3tdFIQ1o3oJUYDKfEr66GM-+PM8oE3Hv5O7E69lBFyP+gkncWUUsYKAPrG1v2fGv3c',
        ),
      },
      { from: undefined, to: third, superblock: superblock('+P/M8oE3Hv5O7E69lBFyP+gkncWUUsYKAPrG1v2fGv3c') },
    ],
  );
});

test('encodeSummary() and summaryMetadata() make the bytes of the golden summary', () => {
  const summary = decodeSummary(golden);
  assert.deepEqual(Buffer.from(encodeSummary([...summary.list()].toReversed(), summary.metadata())), golden);
  const facts = {
    mode: 'archive-z2',
    lastModified: summary.lastModified!,
    tombstoneCommits: false,
    staticDeltas: [...summary.staticDeltas()],
    indexedDeltas: true,
    collectionId: 'org.example.Golden',
  };
  assert.deepEqual(Buffer.from(encodeSummary(summary.list(), summaryMetadata(facts))), golden);
});

test(
  'decodeSummary() reads what `ostree summary -u` makes of many refs and a mirrored collection',
  {
    skip: needs('ostree'),
  },
  () => {
    const root = mkdtempSync(join(tmpdir(), 'cfs-summary-'));
    try {
      const repository = join(root, 'repo');
      copyGoldenRepository(repository);
      const names = Array.from({ length: 300 }, (_, i) => `many/${(i * 7919) % 1000}/r${i}`);
      names.push('a', 'a.b', 'a-b', 'a_b', 'A', 'z/é', 'z/e', 'z/\u{1d400}', 'z/\u{ff41}', 'z/z');
      for (const name of names) writeRef(repository, `heads/${name}`, headOf('golden/plain'));
      const mirrored = Array.from({ length: 20 }, (_, i) => `m/${i}`);
      for (const name of mirrored) writeRef(repository, `mirrors/org.example.Other/${name}`, third);
      writeRef(repository, 'mirrors/org.example.Another/x', headOf('golden/single'));
      ostree('summary', '--update', `--repo=${repository}`);

      const summary = decodeSummary(readFileSync(join(repository, 'summary')));
      summary.check();
      const golden = ['golden/empty', 'golden/plain', 'golden/single', 'golden/x86_64/os', 'ostree-metadata'];
      const sorted = [...names, ...golden].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
      assert.deepEqual(refNames(summary), sorted);
      for (const name of names) assert.equal(summary.find(name)?.commit, headOf('golden/plain'), name);
      assert.deepEqual(summary.collections(), ['org.example.Another', 'org.example.Other']);
      assert.deepEqual(refNames(summary, 'org.example.Other').sort(), mirrored.sort());
      for (const name of mirrored) assert.equal(summary.find(name, 'org.example.Other')?.commit, third);
      assert.equal(summary.find('x', 'org.example.Another')?.commit, headOf('golden/single'));
      assert.equal(summary.find('x'), undefined);
      assert.equal(summary.find('m/1'), undefined);
      assert.deepEqual(
        Buffer.from(encodeSummary(summary.list(), summary.metadata())),
        readFileSync(join(repository, 'summary')),
      );
    } finally {
      rmSync(root, { recursive: true });
    }
  },
);

function writeRef(repository: string, name: string, commit: string): void {
  const path = join(repository, 'refs', name);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, `${commit}\n`);
}

test('`ostree` reads what encodeSummary() makes', { skip: needs('ostree') }, () => {
  const root = mkdtempSync(join(tmpdir(), 'cfs-summary-'));
  try {
    const repository = join(root, 'repo');
    copyGoldenRepository(repository);
    const metadata = summaryMetadata({
      mode: 'archive-z2',
      expires: 1_700_000_000n,
      collectionId: 'org.example.Golden',
      collections: new Map([
        ['org.example.Z', [refOf('z/b'), refOf('z/a')]],
        ['org.example.Y', [refOf('y')]],
      ]),
    });
    writeFileSync(join(repository, 'summary'), encodeSummary([refOf('b'), refOf('a/c')], metadata));
    const shown = ostree('summary', '--view', `--repo=${repository}`);
    const refs = Array.from(shown.matchAll(/^\* \((.*), (.*)\)$/gm), ([, collection, ref]) => `${collection}:${ref}`);
    assert.deepEqual(refs, [
      'org.example.Golden:a/c',
      'org.example.Golden:b',
      'org.example.Y:y',
      'org.example.Z:z/a',
      'org.example.Z:z/b',
    ]);
    assert.match(shown, /Expires .*2023-11-14T22:13:20/);
  } finally {
    rmSync(root, { recursive: true });
  }
});

function refOf(ref: string, commit: string = third): SummaryRef {
  return { ref, commit: parseChecksum(commit), commitSize: 316n, metadata: [] };
}

const sum = new Uint8Array(32).fill(7);
/** A list of refs in just this order. */
const entries = (...refs: readonly string[]) => refs.map((ref) => [ref, [1n, sum, []]] as const);
const raw = (refs: readonly string[], metadata: readonly (readonly [string, Variant])[] = []): Uint8Array =>
  encode(SUMMARY_TYPE, [entries(...refs), metadata]);

test('Summary.find() finds refs in a list that is out of order', () => {
  const names = ['d', 'b', 'z', 'a', 'c', 'aa'];
  const map = new Variant('a{sa(s(taya{sv}))}', [
    ['org.b.B', entries('y', 'x')],
    ['org.a.A', entries('w')],
  ]);
  const summary = decodeSummary(raw(names, [['ostree.summary.collection-map', map]]));
  summary.check();
  for (const name of names) assert.equal(summary.find(name)?.ref, name);
  assert.equal(summary.find('e'), undefined);
  assert.equal(summary.find('x', 'org.b.B')?.ref, 'x');
  assert.equal(summary.find('w', 'org.a.A')?.ref, 'w');
});

test('Summary.find() leaves other entries unread, and reads no damaged one', () => {
  const bytes = encode(SUMMARY_TYPE, [
    [
      ['a', [1n, sum, []]],
      ['b', [1n, sum.subarray(1), []]],
      ['c', [1n, sum, []]],
    ],
    [],
  ]);
  const summary = decodeSummary(bytes);
  assert.equal(summary.find('a')?.ref, 'a');
  assert.equal(summary.find('c')?.ref, 'c');
  assert.throws(() => summary.find('b'), { code: 'FORMAT', field: 'refs[1].commit' });
});

test('decodeSummary() finds one of 100,000 refs at once', () => {
  const count = 100_000;
  const names = Array.from({ length: count }, (_, i) => `app/a${String(i).padStart(6, '0')}/x86_64`);
  const bytes = raw(names);
  const start = performance.now();
  const found = decodeSummary(bytes).find(names[77_777]!);
  const elapsed = performance.now() - start;
  assert.equal(found?.ref, names[77_777]);
  // It takes about a millisecond; decoding all of the list takes half a second.
  assert(elapsed < 100, `${elapsed} ms`);
});

const check = (bytes: Uint8Array): Summary => {
  const summary = decodeSummary(bytes);
  summary.check();
  return summary;
};
const meta = (key: string, type: string, value: unknown): Uint8Array => raw(['a'], [[key, new Variant(type, value)]]);
const map = (value: unknown): Uint8Array => meta('ostree.summary.collection-map', 'a{sa(s(taya{sv}))}', value);
const delta = (name: string, type: string, value: unknown): Uint8Array =>
  meta('ostree.static-deltas', 'a{sv}', [[name, new Variant(type, value)]]);

rejects('check', check, [
  ['no bytes', new Uint8Array(0), SUMMARY_TYPE, /Not normal form/],
  ['bytes that are too many', Buffer.concat([golden, Buffer.alloc(1)]), SUMMARY_TYPE, /Not normal form/],
  ['an invalid ref name', raw(['a', '../b']), 'refs[1].ref', /Invalid ref name \.\.\/b/],
  ['a ref like a checksum', raw([third]), 'refs[0].ref', /Invalid ref name/],
  ['an empty ref name', raw(['']), 'refs[0].ref', /Invalid ref name/],
  ['a ref listed twice in order', raw(['a', 'b', 'b']), 'refs[2]', /listed twice/],
  ['a ref listed twice out of order', raw(['b', 'a', 'b']), 'refs[2]', /listed twice/],
  [
    'a checksum of 31 bytes',
    encode(SUMMARY_TYPE, [[['a', [1n, sum.subarray(1), []]]], []]),
    'refs[0].commit',
    /length 31/,
  ],
  [
    'an empty key in a ref',
    encode(SUMMARY_TYPE, [[['a', [1n, sum, [['', new Variant('b', true)]]]]], []]),
    'refs[0].metadata[0]',
    /Empty metadata key/,
  ],
  ['an empty key', meta('', 'b', true), 'metadata[0]', /Empty metadata key/],
  [
    'an invalid collection ID',
    meta('ostree.summary.collection-id', 's', 'a b'),
    'metadata.ostree.summary.collection-id',
    /Invalid collection ID a b/,
  ],
  [
    'an invalid collection ID in the map',
    map([['a', []]]),
    'metadata.ostree.summary.collection-map',
    /Invalid collection ID a/,
  ],
  [
    'an invalid ref of another collection',
    map([['a.b', entries('x', '.y')]]),
    'metadata.ostree.summary.collection-map.a.b[1].ref',
    /Invalid ref name \.y/,
  ],
  ['a delta without a digest', delta(third, 's', 'x'), 'metadata.ostree.static-deltas[0]', /has type s, not ay/],
  ['a delta with a short digest', delta(third, 'ay', sum.subarray(1)), 'metadata.ostree.static-deltas[0]', /length 31/],
  ['a delta with an odd name', delta('x', 'ay', sum), 'metadata.ostree.static-deltas[0]', /not the name of a static/],
  [
    'a delta of three commits',
    delta(`${third}-${third}-${third}`, 'ay', sum),
    'metadata.ostree.static-deltas[0]',
    /not the name of a static/,
  ],
]);

test('Summary.find() refuses to choose between two entries of one name', () => {
  for (const names of [
    ['a', 'b', 'b'],
    ['b', 'b', 'c'],
    ['b', 'c', 'a', 'a'],
    ['a', 'a', '0', '0', '0'],
  ]) {
    const twice = names.find((name, i) => names.indexOf(name) !== i)!;
    assert.throws(() => decodeSummary(raw(names)).find(twice), { code: 'FORMAT', message: /listed twice/ });
  }
});

test('Summary takes a known key of another type for absent', () => {
  const summary = decodeSummary(meta('ostree.summary.mode', 'b', true));
  assert.equal(summary.mode, undefined);
  assert.equal(summary.metadataValue('ostree.summary.mode', 'b'), true);
  assert.equal(decodeSummary(meta('ostree.static-deltas', 's', 'x')).listsStaticDeltas, false);
});

test('decodeSummary() refuses more than 128 MiB', () => {
  assert.throws(() => decodeSummary(new Uint8Array(128 * 1024 * 1024 + 1)), { code: 'LIMIT' });
});

test('encodeSummary() rejects refs that no summary may have', () => {
  assert.throws(() => encodeSummary([refOf('../a')], []), { code: 'FORMAT', message: /Invalid ref name/ });
  assert.throws(() => encodeSummary([refOf('a'), refOf('a')], []), { code: 'FORMAT', message: /listed twice/ });
  assert.throws(() => summaryMetadata({ collectionId: 'x' }), { code: 'FORMAT', message: /Invalid collection ID x/ });
});

const samples = [golden, raw(['b', 'a']), map([['a.b', entries('x', 'y')]]), delta(third, 'ay', sum), raw([])];
holdsForAnyBytes(
  'check',
  check,
  (summary, bytes) => {
    const names = refNames(summary);
    const sorted = names.toSorted((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
    // What is written is sorted, what is read need not be.
    return names.join('\n') === sorted.join('\n') ? encodeSummary(summary.list(), summary.metadata()) : bytes;
  },
  samples,
);
holdsForAnyBytes(
  'find',
  (bytes) => {
    const summary = decodeSummary(bytes);
    for (const ref of ['a', 'golden/plain']) assert.equal(summary.find(ref)?.ref ?? ref, ref);
    summary.find('x', 'a.b');
    void [...summary.staticDeltas(third), summary.lastModified, summary.indexedDeltas];
    return bytes;
  },
  (_, bytes) => bytes,
  samples,
);
