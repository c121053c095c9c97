import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { CfsError } from '../../bytes/errors.ts';
import type { ImageVersion } from '../../src/erofs/format.ts';
import { planImage } from '../../src/erofs/plan.ts';
import type { Dialect, ImageOptions } from '../../src/erofs/rules.ts';
import { imageChunks, writeImage } from '../../src/erofs/write.ts';
import { parseDump } from '../../src/tree/dumpfile-parse.ts';
import { verityDigest } from '../../src/verity/digest.ts';
import { randomTree } from './random-tree.ts';

const fixture = (path: string): Buffer => readFileSync(new URL(`../../fixtures/${path}`, import.meta.url));
const dump = (name: string): Buffer => fixture(`dumps/${name}.dump`);
const image = (text: string | Uint8Array, options: ImageOptions): Uint8Array =>
  writeImage(parseDump(typeof text === 'string' ? Buffer.from(text, 'latin1') : text), options);
const digest = (text: string | Uint8Array, options: ImageOptions): string =>
  verityDigest('sha256', image(text, options));

interface Expected {
  mkcomposefs: Record<string, Record<string, { fsverity_sha256: string; sha256: string; size: number }>>;
  images: Record<string, { sha256: Record<string, string> }>;
  dir: { cfsctl: { sha256: Record<string, string> }; mkcomposefs: Record<string, string> };
}
const expected = JSON.parse(fixture('expected.json').toString()) as Expected;

for (const [name, versions] of Object.entries(expected.mkcomposefs)) {
  for (const version of [0, 1] as const) {
    test(`writeImage() makes the image of mkcomposefs of the dump ${name}, version ${version}`, () => {
      const bytes = image(dump(name), { version });
      const { fsverity_sha256, sha256, size } = versions[`v${version}`]!;
      assert.equal(bytes.length, size);
      assert.equal(createHash('sha256').update(bytes).digest('hex'), sha256);
      assert.equal(verityDigest('sha256', bytes), fsverity_sha256);
    });
  }
}

for (const [name, { sha256 }] of Object.entries(expected.images)) {
  for (const version of [0, 1, 2] as const) {
    for (const dialect of ['c', 'composefs-rs'] as const) {
      test(`writeImage() makes the image of cfsctl of the dump ${name}, version ${version}, dialect ${dialect}`, () => {
        assert.equal(digest(dump(name), { version, dialect }), sha256[`v${version}`]);
      });
    }
  }
}

for (const name of ['1.v1', '2.v1', '3.v1', 'plain.v1', 'plain.v2', 'single.v1', 'single.v2', 'empty.v1', 'empty.v2']) {
  test(`writeImage() makes images/${name}.erofs byte for byte`, () => {
    const [of, version] = name.split('.v');
    assert.ok(fixture(`images/${name}.erofs`).equals(image(dump(of!), { version: Number(version) as ImageVersion })));
  });
}

test('writeImage() makes the image of cfsctl of a directory with every file type', () => {
  for (const version of [0, 1, 2] as const) {
    const options = { version, dialect: 'composefs-rs' } as const;
    assert.equal(digest(dump('dir.cfsctl'), options), expected.dir.cfsctl.sha256[`v${version}`]);
  }
});

test('writeImage() makes the image of mkcomposefs of a directory with every file type', () => {
  // The dump is of a version 1 image, and shows the markers that this version adds.
  const text = dump('dir.mkcomposefs').toString('latin1');
  const markers = ' trusted.overlay.opaque=x user.overlay.opaque=x';
  assert.equal(digest(text.replaceAll(markers, ''), { version: 0 }), expected.dir.mkcomposefs['v0']);
  assert.equal(digest(text.replaceAll(markers, ''), { version: 1 }), expected.dir.mkcomposefs['v1']);
  assert.equal(digest(text, { version: 1 }), expected.dir.mkcomposefs['v1']);
});

const A = '/ 0 40755 2 0 0 0 0.0 - - -\n';
const B = `${A}/f 3 100644 1 0 0 0 0.0 - abc -\n`;
const D = `${A}/d 0 40755 2 0 0 0 0.0 - - -\n/d/w 0 20644 1 0 0 0 0.0 - - -\n`;
const vectors: readonly (readonly [name: string, dump: string, ids: readonly [string, string, string]])[] = [
  [
    'an empty root',
    A,
    [
      '8f589e8f57ecb88823736b0d857ddca1e1068a23e264fad164b28f7038eb3682',
      '14a26c957c84f6eb774b91205476adc13196c7c33b9dd97d08d43725ecb90b63',
      '086b702a519b57d6ef5aea6f8b3f2be24355cd1fb835cd80fb4e3d388b24d5a5',
    ],
  ],
  [
    'an inline file',
    B,
    [
      '806abff7dc17ec41f8434e520e50da798ee3fa4931edddc0cd491f8af9c3f43a',
      'fff491ca207c2981cd6bbe3de197380e52f85531180e1d2bc9f088df6f381b47',
      '6660e6083e6cbb497d0f96106be180198011d677468371e6e16b50db469365a9',
    ],
  ],
  [
    'a whiteout',
    D,
    [
      '96d3379930a17202edca1d64f7a5453be07add0a1d28675568f1d125ab875ac5',
      'b48278c1d18c734e27769a6660f90910b63cec2d3d8826447bde5193ea1e2144',
      '19074f5eff2d00d9494a1e4cb933f2eca4190f2c5fcb281dca413e45d8966913',
    ],
  ],
];
for (const [name, text, ids] of vectors) {
  for (const version of [0, 1, 2] as const) {
    test(`writeImage() of ${name}, version ${version}`, () => assert.equal(digest(text, { version }), ids[version]));
  }
}

test('writeImage() with maxVersion 1 chooses version 1 only when there are whiteouts', () => {
  assert.equal(digest(D, { version: 0, maxVersion: 1 }), digest(D, { version: 1 }));
  assert.equal(digest(B, { version: 0, maxVersion: 1 }), digest(B, { version: 0 }));
});

test('imageChunks() gives the image of writeImage() whatever the size of the chunks', () => {
  for (let seed = 1; seed < 12; seed++) {
    const tree = randomTree({ seed, inodes: 150, forRust: false, whiteouts: true, oddXattrs: false });
    for (const version of [0, 1, 2] as const) {
      const whole = smallEnough(tree, { version });
      if (whole === undefined) continue;
      for (const size of [1, 5000, 1 << 20]) {
        assert.ok(Buffer.concat([...imageChunks(planImage(tree, { version }), size)]).equals(whole));
      }
    }
  }
});

/** Version 2 cannot hold the longest contents. */
function smallEnough(tree: ReturnType<typeof randomTree>, options: ImageOptions): Uint8Array | undefined {
  try {
    return writeImage(tree, options);
  } catch (error) {
    if (options.version === 2 && error instanceof CfsError && error.code === 'LIMIT') return undefined;
    throw error;
  }
}

const file = (rest: string): string => `${A}/f ${rest}\n`;
const limits: readonly (readonly [
  name: string,
  dump: string,
  dialect: Dialect,
  version: ImageVersion,
  message: RegExp,
])[] = [
  ['a file of more than 2^53 bytes', file('9500000000000000 100644 1 0 0 0 0.0 a/b - -'), 'c', 1, /File too large/],
  [
    'inline content of a block in version 2',
    file(`4096 100644 1 0 0 0 0.0 - ${'x'.repeat(4096)} -`),
    'c',
    2,
    /inline content/,
  ],
  [
    'a whiteout over a longer marker',
    `${A}/f 0 20644 1 0 0 0 0.0 - - - trusted.overlay.whiteout=long user.a=b\n`,
    'c',
    1,
    /out of range/,
  ],
  [
    'a hard-linked whiteout, in Rust',
    `${A}/f 0 20644 2 0 0 0 0.0 - - -\n/g 0 @20644 2 0 0 0 0.0 /f - -\n`,
    'composefs-rs',
    1,
    /nlink > 1/,
  ],
];
for (const [name, text, dialect, version, message] of limits) {
  test(`writeImage() refuses ${name}`, () => {
    assert.throws(
      () => image(text, { version, dialect }),
      (error) => error instanceof CfsError && message.test(error.message),
    );
  });
}

test('writeImage() refuses a directory with two entries', () => {
  const tree = parseDump(Buffer.from(D));
  const [child] = tree.entries.values();
  tree.entries.set('e' as never, child!);
  assert.throws(() => writeImage(tree, { version: 1 }), /two entries/);
});
