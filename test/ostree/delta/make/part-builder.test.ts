import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { decode } from '../../../../gvariant/src/decode.ts';
import { checkNormal } from '../../../../gvariant/src/normal.ts';
import { checksumOf } from '../../../../ostree/checksum.ts';
import { Op, PAYLOAD_TYPE } from '../../../../ostree/delta/format.ts';
import { bytesPiece, PartBuilder, type Part } from '../../../../ostree/delta/make/part-builder.ts';
import type { FileHeader } from '../../../../ostree/file-header.ts';

const checksum = (name: string): ReturnType<typeof checksumOf> => checksumOf(Buffer.from(name));
const header = (more: Partial<FileHeader> = {}): FileHeader => {
  return { uid: 1, gid: 2, mode: 0o100644, symlinkTarget: '', xattrs: [], ...more };
};
const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

interface Decoded {
  readonly modes: readonly string[];
  readonly xattrs: readonly (readonly (readonly [string, string])[])[];
  readonly blob: Buffer;
  readonly operations: readonly number[];
}

function decodePart(part: Part): Decoded {
  const payload = Buffer.concat([...part.payload()]);
  assert.equal(payload.length, part.size);
  checkNormal(PAYLOAD_TYPE, payload);
  const [modes, xattrs, blob, operations] = decode(PAYLOAD_TYPE, payload, { byteOrder: 'big' });
  return {
    modes: Array.from(modes, ([uid, gid, mode]) => `${uid} ${gid} ${mode.toString(8)}`),
    xattrs: Array.from(xattrs, (set) =>
      Array.from(set, ([name, value]) => [Buffer.from(name).toString(), Buffer.from(value).toString()] as const),
    ),
    blob: Buffer.from(blob),
    operations: [...operations],
  };
}

describe('PartBuilder', () => {
  test('gives metadata and whole files as pieces of the blob, modes and xattrs once', () => {
    const builder = new PartBuilder();
    const label = [{ name: 'user.label', value: Buffer.from('x') }];
    builder.addMetadata('dirmeta', checksum('meta'), Buffer.from('META'));
    builder.addMetadata('dirtree', checksum('tree'), Buffer.from('TREE!'));
    builder.addWhole(checksum('a'), header(), bytesPiece(Buffer.from('first')));
    builder.addWhole(checksum('b'), header({ xattrs: label }), bytesPiece(Buffer.from('second')));
    builder.addWhole(checksum('c'), header(), bytesPiece(Buffer.from('')));
    builder.addSymlink(checksum('l'), header({ mode: 0o120777, symlinkTarget: 'to/there' }));
    const part = builder.finish();
    const { modes, xattrs, blob, operations } = decodePart(part);
    assert.deepEqual(modes, ['1 2 100644', '1 2 120777']);
    assert.deepEqual(xattrs, [[], [['user.label\0', 'x']]]);
    assert.equal(blob.toString(), 'METATREE!firstsecondto/there');
    const S = Op.openSpliceClose;
    const files = [S, 0, 0, 5, 9, S, 0, 1, 6, 14, S, 0, 0, 0, 20, S, 1, 0, 8, 20];
    assert.deepEqual(operations, [S, 4, 0, S, 5, 4, ...files]);
    // Symlinks count nothing.
    assert.equal(part.usize, 4 + 5 + 5 + 6);
    assert.equal(part.objectCount, 6);
    const listed = [3, 2, 1, 1, 1, 1].map((number, i) => [number, ['meta', 'tree', 'a', 'b', 'c', 'l'][i]!] as const);
    assert.equal(hex(part.objects), listed.map(([number, name]) => `0${number}${checksum(name)}`).join(''));
  });

  test('writes copies from the source and new bytes from the blob by turns', () => {
    const builder = new PartBuilder();
    const source = checksum('old');
    const target = Buffer.from('..OLD-PART..more old part');
    const copies = [
      { start: 2, length: 8, source: 300 },
      { start: 12, length: 5, source: 0 },
      { start: 17, length: 8, source: 20 },
    ];
    const literal = (start: number, length: number): ReturnType<typeof bytesPiece> =>
      bytesPiece(target.subarray(start, start + length));
    builder.addCopies(checksum('a'), header(), 25, source, copies, literal);
    builder.addCopies(checksum('b'), header(), 4, source, [{ start: 0, length: 4, source: 7 }], literal);
    const part = builder.finish();
    const { blob, operations } = decodePart(part);
    const { open, setReadSource: r, unsetReadSource: R, write: w, close: c } = Op;
    const first = [open, 0, 0, 25, w, 2, 32, r, 0, w, 8, 0xac, 0x02, R, w, 2, 34, r, 0, w, 5, 0, w, 8, 20, c];
    const second = [open, 0, 0, 4, r, 0, w, 4, 7, c];
    assert.deepEqual(operations, [...first, ...second]);
    assert.equal(hex(blob), source + hex(Buffer.from('....')));
    assert.equal(part.usize, 29);
  });

  test('patches the source as a whole', () => {
    const builder = new PartBuilder();
    builder.addPatched(checksum('a'), header(), 200, checksum('old'), Buffer.from('PATCH'));
    const { blob, operations } = decodePart(builder.finish());
    const { open, setReadSource, bspatch, close } = Op;
    assert.deepEqual(operations, [open, 0, 0, 0xc8, 0x01, setReadSource, 0, bspatch, 32, 5, close]);
    assert.equal(blob.subarray(32).toString(), 'PATCH');
  });

  // Around the sizes where framing offsets get wider.
  for (const length of [0, 200, 210, 215, 220, 225, 65_490, 65_500, 65_505, 65_510, 65_520, 70_000]) {
    test(`frames a payload with a blob of ${length} bytes in normal form`, () => {
      const builder = new PartBuilder();
      builder.addWhole(checksum('a'), header(), bytesPiece(Buffer.alloc(length, 'x')));
      assert.equal(decodePart(builder.finish()).blob.length, length);
    });
  }

  test('says before an object is added whether the payload would get too large', () => {
    const builder = new PartBuilder();
    assert.equal(builder.exceeds(1000, 5000), false, 'a part has one object at least');
    builder.addWhole(checksum('a'), header(), bytesPiece(Buffer.alloc(600)));
    assert.equal(builder.exceeds(1000, 100), false);
    assert.equal(builder.exceeds(1000, 400), true);
  });
});
