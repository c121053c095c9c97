import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { encode } from '../../../gvariant/src/encode.ts';
import { checksumOf, type OstreeChecksum } from '../../../ostree/checksum.ts';
import { encodeCommit } from '../../../ostree/commit.ts';
import { deltaFolder, deltaIndexPath, SIGNED_TYPE } from '../../../ostree/delta/format.ts';
import { decodeDeltaIndex } from '../../../ostree/delta/delta-index.ts';
import { decodeSuperblock } from '../../../ostree/delta/superblock.ts';
import { decodeSummary } from '../../../ostree/summary.ts';
import { swap64 } from '../../../ostree/variant.ts';
import { holdsForAnyBytes, rejects, type CorruptRow } from '../codec-checks.ts';
import { goldenPath } from '../golden.ts';
import { encodeHandmadeSuperblock, plainPart, type DeltaFacts } from './handmade-delta.ts';

const sum = (text: string): OstreeChecksum => checksumOf(Buffer.from(text));
const commitOf = (subject: string): Uint8Array =>
  encodeCommit({
    metadata: [],
    parent: undefined,
    related: [],
    subject,
    body: '',
    timestamp: 0n,
    rootTree: sum('tree'),
    rootMeta: sum('meta'),
  });
const commit = commitOf('good');
const to = checksumOf(commit);
const from = sum('from');
const part = { file: plainPart({ operations: new Uint8Array(0) }), objects: [['file', sum('a')]] as const };
const good: DeltaFacts = { from, to, commit, parts: [part, { ...part, inline: true }] };
const goodBytes = encodeHandmadeSuperblock(good);
const bad = (facts: Partial<DeltaFacts>): Uint8Array => encodeHandmadeSuperblock({ ...good, ...facts });
const badPart = (facts: object): Uint8Array => bad({ parts: [{ ...part, ...facts }] });

const rows: readonly CorruptRow[] = [
  ['nothing', new Uint8Array(0), 'framing offsets', /Not normal form/],
  ['a short FROM', bad({ from: new Uint8Array(31) }), 'from', /Invalid checksum of length 31 expected 32/],
  ['another FROM', bad({ from: sum('other') }), 'from', /but .* was asked for/],
  ['no FROM', bad({ from: undefined }), 'from', /nothing, but/],
  ['a short TO', bad({ to: new Uint8Array(0) }), 'to', /Invalid checksum of length 0/],
  ['another TO', bad({ to: sum('other') }), 'to', /was asked for/],
  ['half a prerequisite', bad({ prerequisites: new Uint8Array(63) }), 'prerequisites', /63 bytes/],
  ['a part of another version', badPart({ version: 1 }), 'parts[0].version', /too new version 1/],
  ['a short digest of a part', badPart({ digest: new Uint8Array(20) }), 'parts[0].checksum', /length 20/],
  ['half an object', badPart({ objects: new Uint8Array(40) }), 'parts[0].objects', /Invalid checksum array length 40/],
  [
    'an object of no type',
    badPart({ objects: Buffer.alloc(66, 0x09).fill(1, 0, 1) }),
    'parts[0].objects[1].type',
    /Invalid object type '9'/,
  ],
  [
    'an inline part of another type',
    bad({ metadata: [[`${deltaFolder(from, to)}/0`, { type: 's', value: 'x' }]] }),
    `metadata.${deltaFolder(from, to)}/0`,
    /has type s/,
  ],
  [
    'detached metadata of another type',
    bad({ metadata: [[`${deltaFolder(from, to)}/commitmeta`, { type: 'ay', value: new Uint8Array(1) }]] }),
    `metadata.${deltaFolder(from, to)}/commitmeta`,
    /has type ay/,
  ],
  ['an empty metadata key', bad({ metadata: [['', { type: 's', value: 'x' }]] }), 'metadata[2]', /Empty metadata key/],
  [
    'a fallback of no type',
    bad({ fallbacks: [[6, Buffer.alloc(32), 1n, 1n]] }),
    'fallbacks[0].type',
    /Invalid object type '6'/,
  ],
  [
    'a fallback with a short checksum',
    bad({ fallbacks: [[1, Buffer.alloc(3), 1n, 1n]] }),
    'fallbacks[0].checksum',
    /length 3/,
  ],
  [
    'a fallback without an end',
    bad({ fallbacks: [[1, Buffer.alloc(32), 2n ** 60n, 1n]] }),
    'fallbacks[0].size',
    /more than 2\^53/,
  ],
  [
    'a superblock in an envelope that is cut short',
    encode(SIGNED_TYPE, [swap64(0x4f535453474e4454n), goodBytes, []]).subarray(0, -3),
    'signed superblock',
    /Not normal form/,
  ],
];

describe('decodeSuperblock()', () => {
  rejects('decodeSuperblock', (bytes) => decodeSuperblock(bytes, { from, to }), rows);

  test('refuses a commit object that is not TO', () => {
    const other = commitOf('other');
    assert.throws(() => decodeSuperblock(bad({ commit: other })), {
      code: 'CHECKSUM',
      message: new RegExp(`Corrupted commit object: checksum expected ${to}`),
    });
  });

  const crowds: readonly (readonly [string, Partial<DeltaFacts>, RegExp])[] = [
    [
      'parts',
      { parts: Array.from({ length: 65_537 }, () => ({ ...part, objects: [], digest: new Uint8Array(32) })) },
      /65537 parts, the most is 65536/,
    ],
    [
      'fallbacks',
      { fallbacks: Array.from({ length: 262_145 }, () => [1, new Uint8Array(32), 1n, 1n] as const) },
      /262145 fallbacks, the most is 262144/,
    ],
    [
      'entries of metadata',
      { metadata: Array.from({ length: 131_073 }, (_, i) => [`${i}`, { type: 'y', value: 1 }] as const) },
      /metadata .*: more than 131072 entries/,
    ],
  ];
  for (const [name, facts, message] of crowds) {
    test(`refuses more ${name} than memory is for`, () => {
      assert.throws(() => decodeSuperblock(bad(facts)), { code: 'LIMIT', message });
    });
  }

  test('takes the envelope off a signed one', () => {
    const signatures = [['ostree.sign.dummy', { type: 'aay', value: [Buffer.from('x')] }]] as const;
    const bytes = encode(SIGNED_TYPE, [swap64(0x4f535453474e4454n), goodBytes, signatures as never]);
    assert.deepEqual(
      decodeSuperblock(bytes, { from, to }).signatures?.map(([key]) => key),
      ['ostree.sign.dummy'],
    );
    assert.equal(decodeSuperblock(goodBytes).signatures, undefined);
  });

  test('gives the bytes of an inline part as the file has them', () => {
    const [first, second] = decodeSuperblock(goodBytes).parts;
    assert.equal(first!.inline, undefined);
    assert.deepEqual(Buffer.from(second!.inline!), part.file);
  });

  const orders = [
    ['little-endian, which says so', { marker: 0x6c }, 'little'],
    ['big-endian, which says so', { marker: 0x42, big: true }, 'big'],
    ['of a marker that nobody knows', { marker: 0x3f }, 'little'],
    ['that does not say', { marker: null }, 'little'],
    ['that does not say, with parts longer than what they make', { marker: null, big: true }, 'big'],
  ] as const;
  for (const [name, facts, order] of orders) {
    test(`reads the sizes of one ${name}`, () => {
      const bytes = encodeHandmadeSuperblock({ ...good, ...facts, parts: [{ ...part, size: 300, unpackedSize: 515 }] });
      const { byteOrder, parts } = decodeSuperblock(bytes);
      assert.equal(byteOrder, order);
      assert.deepEqual([parts[0]!.size, parts[0]!.unpackedSize], [300, 515]);
    });
  }

  const folders = ['+P', 'if', 'nm'].flatMap((prefix) =>
    readdirSync(join(goldenPath, 'deltas', prefix)).map((name) => join(goldenPath, 'deltas', prefix, name)),
  );
  test('reads those that ostree made', () => {
    for (const folder of folders) {
      const { name, parts, commitMeta } = decodeSuperblock(readFileSync(join(folder, 'superblock')));
      assert(folder.endsWith(deltaFolder(...pairOf(name)).slice(10)));
      for (const { digest, inline, index } of parts) {
        assert.equal(checksumOf(inline ?? readFileSync(join(folder, `${index}`))), digest);
      }
      assert.notEqual(commitMeta, undefined);
    }
  });

  holdsForAnyBytes(
    'decodeSuperblock',
    (bytes) => decodeSuperblock(bytes),
    (_, bytes) => bytes,
    [goodBytes, encodeHandmadeSuperblock({ ...good, from: undefined, parts: [] })],
  );
});

function pairOf(name: string): [OstreeChecksum | undefined, OstreeChecksum] {
  const [first, second] = name.split('-') as [OstreeChecksum, OstreeChecksum | undefined];
  return second === undefined ? [undefined, first] : [first, second];
}

describe('decodeDeltaIndex()', () => {
  const summary = decodeSummary(readFileSync(join(goldenPath, 'summary')));
  const commits = [...new Set(Array.from(summary.staticDeltas(), (delta) => delta.to))];

  test('lists what the summary lists', () => {
    assert(commits.length > 1);
    const key = ({ from: start }: { readonly from: string | undefined }): string => start ?? '';
    for (const each of commits) {
      const index = decodeDeltaIndex(readFileSync(join(goldenPath, deltaIndexPath(each))), each);
      const listed = Array.from(summary.staticDeltas(each));
      assert.deepEqual(
        index.toSorted((a, b) => key(a).localeCompare(key(b))),
        listed.toSorted((a, b) => key(a).localeCompare(key(b))),
      );
    }
  });

  test('leaves out what leads elsewhere', () => {
    const index = readFileSync(join(goldenPath, deltaIndexPath(commits[0]!)));
    assert.deepEqual(decodeDeltaIndex(index, sum('elsewhere')), []);
  });

  const deltas = (entries: readonly (readonly [string, unknown])[]): Uint8Array =>
    encode('a{sv}', [['ostree.static-deltas', { type: 'a{sv}', value: entries as never }]]);
  rejects('decodeDeltaIndex', (bytes) => decodeDeltaIndex(bytes, to), [
    ['what is no dictionary', Uint8Array.of(1, 2, 3), 'a{sv}', /Not normal form/],
    [
      'a name that is none',
      deltas([['x', { type: 'ay', value: new Uint8Array(32) }]]),
      'ostree.static-deltas[0]',
      /'x'/,
    ],
    ['a short digest', deltas([[to, { type: 'ay', value: new Uint8Array(3) }]]), 'ostree.static-deltas[0]', /length 3/],
    ['a digest of another type', deltas([[to, { type: 's', value: 'x' }]]), 'ostree.static-deltas[0]', /type s/],
  ]);

  holdsForAnyBytes(
    'decodeDeltaIndex',
    (bytes) => decodeDeltaIndex(bytes, to),
    (_, bytes) => bytes,
    [readFileSync(join(goldenPath, deltaIndexPath(commits[0]!)))],
  );
});
