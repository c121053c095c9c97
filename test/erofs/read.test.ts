import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import fc from 'fast-check';
import { CfsError, FormatError } from '../../bytes/errors.ts';
import { imageObjects } from '../../src/erofs/objects.ts';
import { readImage } from '../../src/erofs/read.ts';
import { readImageHeader } from '../../src/erofs/read-header.ts';
import { writeImage } from '../../src/erofs/write.ts';
import { formatDump } from '../../src/tree/dumpfile-format.ts';
import { parseDump } from '../../src/tree/dumpfile-parse.ts';
import { fuzzRuns } from '../fuzz-runs.ts';
import { onlyCfsErrors } from '../only-cfs-errors.ts';
import { randomTree } from './random-tree.ts';

const fixture = (path: string): Buffer => readFileSync(new URL(`../../fixtures/${path}`, import.meta.url));
const ROOT = '/ 0 40755 2 0 0 0 0.0 - - -\n';

for (const name of ['1.v1', '2.v1', '3.v1', 'plain.v1', 'plain.v2', 'single.v1', 'single.v2', 'empty.v1', 'empty.v2']) {
  test(`readImage() finds in images/${name}.erofs the tree of its dump`, () => {
    const dump = fixture(`dumps/${name.slice(0, -3)}.dump`).toString('latin1');
    assert.equal(formatDump(readImage(fixture(`images/${name}.erofs`))), dump);
  });
}

for (const name of ['1', '2', '3', 'plain', 'single', 'empty', 'dir.cfsctl']) {
  test(`readImage() gives the dump ${name} back`, () => {
    const text = fixture(`dumps/${name}.dump`);
    for (const version of [0, 1] as const) {
      assert.equal(formatDump(readImage(writeImage(parseDump(text), { version }))), text.toString('latin1'));
    }
  });
}

test('readImage() gives random trees back', () => {
  for (let seed = 1; seed < 30; seed++) {
    const tree = randomTree({ seed, inodes: 120, forRust: false, whiteouts: true, oddXattrs: false });
    for (const version of [0, 1] as const) {
      assert.equal(formatDump(readImage(writeImage(tree, { version }))), formatDump(tree));
    }
  }
});

test('readImage() keeps whiteouts in the root that are named like stubs', () => {
  const text = `${ROOT}/aa 0 20600 1 0 0 0 0.0 - - -\n/ab 1 100644 1 0 0 0 0.0 - x -\n`;
  assert.equal(formatDump(readImage(writeImage(parseDump(Buffer.from(text)), { version: 1 }))), text);
});

test('imageObjects() finds objects by digest and by payload', () => {
  const [a, b] = ['aa'.repeat(32), `bb${'c'.repeat(62)}`];
  const text = `${ROOT}/f 9 100644 1 0 0 0 0.0 aa/${a.slice(2)} - ${a}\n/g 9 100644 1 0 0 0 0.0 bb/${b.slice(2)} - -\n/h 9 100644 1 0 0 0 0.0 else/where - -\n`;
  const image = writeImage(parseDump(Buffer.from(text)), { version: 1 });
  assert.deepEqual([...imageObjects(image)].toSorted(), [a, b]);
});

test('readImageHeader() tells the version and whether there are ACLs', () => {
  const text = `${ROOT}/f 0 100644 1 0 0 0 0.0 - - - system.posix_acl_access=x\n`;
  const image = writeImage(parseDump(Buffer.from(text)), { version: 1 });
  const { version, hasAcl } = readImageHeader(image);
  assert.deepEqual({ version, hasAcl }, { version: 1, hasAcl: true });
});

const empty = fixture('images/empty.v2.erofs');
const corrupt: readonly (readonly [name: string, offset: number, value: number, message: RegExp])[] = [
  ['a wrong magic', 0, 0, /composefs header/],
  ['an unknown version', 12, 3, /version 3/],
  ['a wrong EROFS magic', 1024, 0, /EROFS superblock/],
  ['compression', 1024 + 80, 1, /Unsupported EROFS/],
  ['a root outside', 1024 + 14, 0xff, /nid|inode/],
  ['a root that is a file', 1152 + 5, 0x81, /root|inode/],
  ['an unknown layout', 1152, 7, /inode.format/],
];
for (const [name, offset, value, message] of corrupt) {
  test(`readImage() rejects ${name}`, () => {
    const image = Buffer.from(empty);
    image[offset] = value;
    assert.throws(
      () => readImage(image),
      (error) => error instanceof CfsError && message.test(error.message),
    );
  });
}

test('readImage() rejects a directory inside itself', () => {
  const image = Buffer.from(
    writeImage(parseDump(Buffer.from(`${ROOT}/d 0 40755 2 0 0 0 0.0 - - -\n`)), { version: 2 }),
  );
  // The third entry of the root (at 1152, its data after 64 bytes) now leads to the root.
  image.copy(image, 1152 + 64 + 24, 1152 + 64, 1152 + 64 + 8);
  assert.throws(
    () => readImage(image),
    (error) => error instanceof FormatError && error.message.includes('has an entry already'),
  );
});

test('readImage() rejects more than 1 GiB and less than a block', () => {
  assert.throws(() => readImage({ length: 2 ** 30 + 1 } as Uint8Array), /1073741825 bytes/);
  assert.throws(() => readImage(new Uint8Array(100)), FormatError);
});

/** Mostly no cut. */
const cutAt = (length: number): fc.Arbitrary<number> =>
  fc.oneof({ weight: 9, arbitrary: fc.constant(length) }, { weight: 1, arbitrary: fc.nat(length) });

test('readImage() of random bytes behind valid headers throws nothing but CfsError', () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 1, maxLength: 600 }), fc.nat(100), (bytes, at) => {
      const image = Buffer.from(empty);
      image.set(bytes, 1152 + at);
      onlyCfsErrors(() => readImage(image));
    }),
    { numRuns: fuzzRuns },
  );
});

for (const name of ['plain.v1', 'plain.v2', '3.v1']) {
  test(`readImage() of a damaged images/${name}.erofs throws nothing but CfsError`, () => {
    const golden = fixture(`images/${name}.erofs`);
    const edit = fc.tuple(fc.integer({ min: 1024, max: golden.length - 1 }), fc.nat(255));
    fc.assert(
      fc.property(fc.array(edit, { minLength: 1, maxLength: 8 }), cutAt(golden.length), (edits, cut) => {
        const image = Buffer.from(golden.subarray(0, cut));
        for (const [at, value] of edits) if (at < image.length) image[at] = value;
        onlyCfsErrors(() => formatDump(readImage(image)));
      }),
      { numRuns: Math.min(fuzzRuns, 1000) },
    );
  });
}
