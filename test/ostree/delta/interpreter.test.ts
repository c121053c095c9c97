/** Programs of parts, right and wrong. */
import assert from 'node:assert/strict';
import { createHash, type Hash } from 'node:crypto';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { CfsError, ChecksumError, FormatError } from '../../../bytes/errors.ts';
import { checksumBytes, checksumOf, type OstreeChecksum } from '../../../ostree/checksum.ts';
import type { MakeBytes } from '../../../ostree/delta/bspatch.ts';
import { ByteWindow } from '../../../ostree/delta/byte-window.ts';
import { Op } from '../../../ostree/delta/format.ts';
import { runPart, type DeltaOutput, type OpenReadSource } from '../../../ostree/delta/interpreter.ts';
import { ListedObjects } from '../../../ostree/delta/listed-objects.ts';
import { Payload } from '../../../ostree/delta/payload.ts';
import { encodeDirMeta } from '../../../ostree/dirmeta.ts';
import { encodeHashedHeader } from '../../../ostree/file-header.ts';
import { objectNumbers } from '../../../ostree/object-type.ts';
import { fuzzRuns } from '../../fuzz-runs.ts';
import { encodePayload, op, patchRecord, program, type Listed, type PayloadFacts } from './handmade-delta.ts';

const FORMAT = 'part 7 of delta x';
const header = { uid: 0, gid: 0, mode: 0o100644, symlinkTarget: '', xattrs: [] };

function fileSum(content: Uint8Array): OstreeChecksum {
  return createHash('sha256').update(encodeHashedHeader(header)).update(content).digest('hex') as OstreeChecksum;
}

/** Keeps what is made; the most that one call makes is small, so that pieces are put together. */
class Kept implements DeltaOutput {
  readonly made = new Map<OstreeChecksum, Buffer>();
  readonly #unwanted: ReadonlySet<string>;
  #checksum: OstreeChecksum | undefined;
  #hash: Hash = createHash('sha256');
  #pieces: Buffer[] = [];
  #room: number;
  #size = 0;

  constructor(unwanted: readonly string[] = [], room = 7) {
    this.#unwanted = new Set(unwanted);
    this.#room = room;
  }

  wants({ checksum }: { readonly checksum: OstreeChecksum }): boolean {
    return !this.#unwanted.has(checksum);
  }

  metadata(_: string, checksum: OstreeChecksum, bytes: Uint8Array): void {
    this.made.set(checksum, Buffer.from(bytes));
  }

  begin(checksum: OstreeChecksum, hashedHeader: Uint8Array, size: number): void {
    this.#checksum = checksum;
    this.#hash = createHash('sha256').update(hashedHeader);
    this.#pieces = [];
    this.#size = size;
  }

  write(make: MakeBytes): void {
    const buffer = Buffer.alloc(this.#room + 2);
    const count = make(buffer, 1, this.#room);
    assert(count > 0 && count <= this.#room);
    this.#size -= count;
    assert(this.#size >= 0, 'more than the content size');
    const piece = buffer.subarray(1, 1 + count);
    this.#hash.update(piece);
    this.#pieces.push(piece);
  }

  finish(): void {
    const actual = this.#hash.digest('hex');
    if (actual !== this.#checksum) throw new ChecksumError('file object', this.#checksum!, actual);
    this.made.set(this.#checksum, Buffer.concat(this.#pieces));
  }
}

function listed(objects: readonly Listed[]): ListedObjects {
  const bytes = objects.flatMap(([type, sum]) => [Uint8Array.of(objectNumbers[type]), checksumBytes(sum)]);
  return new ListedObjects(Buffer.concat(bytes), 'test', 'objects');
}

const old = Buffer.from('the old file, of which a new one is made');
const oldSum = fileSum(old);
const openOld: OpenReadSource = (checksum) =>
  checksum === oldSum ? { content: new ByteWindow(old, 0, old.length), [Symbol.dispose]: () => undefined } : undefined;

function run(payload: Uint8Array, objects: readonly Listed[], output = new Kept()): Kept {
  for (const _ of runPart(new Payload(payload, payload.length, FORMAT), listed(objects), output, openOld));
  return output;
}

const meta = encodeDirMeta({ uid: 0, gid: 0, mode: 0o040755, xattrs: [] });
const metaSum = checksumOf(meta);
const text = Buffer.from('new content');
const textSum = fileSum(text);
const blob = Buffer.concat([checksumBytes(oldSum), meta, text]);
const [TEXT, META, OLD] = [32 + meta.length, 32, 0];
const file: Listed = ['file', textSum];

describe('runPart()', () => {
  test('makes metadata, files and symlinks from the blob', () => {
    const link = createHash('sha256')
      .update(encodeHashedHeader({ ...header, mode: 0o120777, symlinkTarget: 'new content' }))
      .digest('hex') as OstreeChecksum;
    const modes = [
      [0, 0, 0o100644],
      [0, 0, 0o120777],
    ] as const;
    const operations = program(
      op(Op.openSpliceClose, meta.length, META),
      op(Op.openSpliceClose, 0, 0, text.length, TEXT),
      op(Op.openSpliceClose, 1, 0, text.length, TEXT),
    );
    const { made } = run(encodePayload({ modes, blob, operations }), [['dirmeta', metaSum], file, ['file', link]]);
    assert.deepEqual(Array.from(made.values()), [Buffer.from(meta), text, Buffer.alloc(0)]);
  });

  test('puts a file together from the blob and from a file of FROM', () => {
    const wanted = Buffer.concat([old.subarray(4, 12), text, old.subarray(0, 3)]);
    const operations = program(
      op(Op.open, 0, 0, wanted.length),
      op(Op.setReadSource, OLD),
      op(Op.write, 8, 4),
      op(Op.unsetReadSource),
      op(Op.write, text.length, TEXT),
      op(Op.setReadSource, OLD),
      op(Op.write, 3, 0),
      op(Op.close),
    );
    const sum = fileSum(wanted);
    assert.deepEqual(run(encodePayload({ blob, operations }), [['file', sum]]).made.get(sum), wanted);
  });

  for (const room of [1, 7, 1000]) {
    test(`patches a file of FROM, ${room} bytes at a time, also beyond its ends`, () => {
      const diff = Buffer.from([1, 2, 255, 4]);
      const first = Buffer.from(diff.map((byte, i) => byte + old[i]!));
      const beyond = Buffer.from([9, 8, 7]);
      const patch = Buffer.concat([
        patchRecord(4n, 2n, BigInt(old.length), Buffer.concat([diff, Buffer.from('ab')])),
        patchRecord(3n, 0n, -10_000n, beyond),
        patchRecord(0n, 0n, 5n),
        patchRecord(2n, 1n, 0n, Buffer.from([5, 6, 7])),
      ]);
      const wanted = Buffer.concat([first, Buffer.from('ab'), beyond, Buffer.from([5, 6, 7])]);
      const sum = fileSum(wanted);
      const all = Buffer.concat([blob, patch]);
      const operations = program(
        op(Op.setReadSource, OLD),
        op(Op.open, 0, 0, wanted.length),
        op(Op.bspatch, blob.length, patch.length),
        op(Op.close),
      );
      const { made } = run(encodePayload({ blob: all, operations }), [['file', sum]], new Kept([], room));
      assert.deepEqual(made.get(sum), wanted);
    });
  }

  test('checks, but does not make, what is there already', () => {
    const operations = program(
      op(Op.open, 0, 0, 3),
      op(Op.setReadSource, OLD),
      op(Op.write, 3, 0),
      op(Op.close),
      op(Op.openSpliceClose, 0, 0, text.length, TEXT),
    );
    const other = fileSum(Buffer.from('other'));
    const { made } = run(encodePayload({ blob, operations }), [['file', other], file], new Kept([other]));
    assert.deepEqual([...made.keys()], [textSum]);
  });

  test('refuses objects with another checksum', () => {
    const wrong = encodePayload({ blob, operations: program(op(Op.openSpliceClose, 0, 0, 3, TEXT)) });
    assert.throws(() => run(wrong, [file]), { code: 'CHECKSUM', message: new RegExp(textSum) });
    const wrongMeta = encodePayload({ blob, operations: program(op(Op.openSpliceClose, 5, META)) });
    assert.throws(() => run(wrongMeta, [['dirmeta', metaSum]]), { code: 'CHECKSUM', message: new RegExp(metaSum) });
  });

  test('says which file of FROM is missing', () => {
    const operations = program(op(Op.setReadSource, 1), op(Op.open, 0, 0, 1), op(Op.write, 1, 0), op(Op.close));
    assert.throws(() => run(encodePayload({ blob, operations }), [file]), /NotFound|Couldn't find file object/);
  });
});

const modes = [
  [0, 0, 0o100644],
  [0, 0, 0o120777],
  [0, 0, 0o040755],
] as const;
const open = op(Op.open, 0, 0, text.length);
const close = op(Op.close);
const write = op(Op.write, text.length, TEXT);
const splice = op(Op.openSpliceClose, 0, 0, text.length, TEXT);
const source = op(Op.setReadSource, OLD);
const patch = (record: Buffer): PayloadFacts => ({
  blob: Buffer.concat([blob, record]),
  operations: program(source, open, op(Op.bspatch, blob.length, record.length), close),
});

const wrong: readonly (readonly [name: string, facts: PayloadFacts, field: string, problem: RegExp])[] = [
  ['an unknown opcode', { operations: program(splice, [90]) }, 'operations[1]', /Unknown opcode 90 at offset 1/],
  [
    'a varint that is cut short',
    { operations: Uint8Array.of(Op.open, 0x80) },
    'operations[0].open.mode',
    /Unexpected EOF reading varint/,
  ],
  [
    'an operand that is missing',
    { operations: Uint8Array.of(Op.write, 1) },
    'operations[0].write.offset',
    /Unexpected EOF/,
  ],
  [
    'more objects than listed',
    { operations: program(splice, splice) },
    'operations[1].open-splice-and-close.object',
    /more objects than the 1/,
  ],
  ['more files than listed', { operations: program(splice, open) }, 'operations[1].open.object', /more objects/],
  ['fewer objects than listed', { operations: program() }, 'operations', /end after 0 of the 1 objects/],
  ['a file that is not closed', { operations: program(open, write) }, 'operations', /end after 0/],
  ['a second open', { operations: program(open, open) }, 'operations[1].open.target', /not closed/],
  [
    'a splice into an open file',
    { operations: program(open, splice) },
    'operations[1].open-splice-and-close.target',
    /not closed/,
  ],
  ['a write without a file', { operations: program(write) }, 'operations[0].write.target', /no file is open/],
  [
    'a patch without a file',
    { operations: program(source, op(Op.bspatch, 0, 1)) },
    'operations[1].bspatch.target',
    /no file/,
  ],
  [
    'a patch without a source',
    { operations: program(open, op(Op.bspatch, 0, 1)) },
    'operations[1].bspatch.source',
    /no read source/,
  ],
  [
    'a patch after the source was dropped',
    { operations: program(source, op(Op.unsetReadSource), open, op(Op.bspatch, 0, 1)) },
    'operations[3].bspatch.source',
    /no read source/,
  ],
  ['a close without a file', { operations: program(close) }, 'operations[0].close.target', /no file is open/],
  [
    'a file that lacks bytes',
    { operations: program(open, op(Op.write, 3, TEXT), close) },
    'operations[2].close.target',
    /8 bytes less/,
  ],
  [
    'a file that has too many',
    { operations: program(open, op(Op.write, text.length + 1, 0)) },
    'operations[1].write.length',
    /only 11 bytes are left/,
  ],
  [
    'a mode that is not in the table',
    { operations: program(op(Op.open, 3, 0, 1)) },
    'operations[0].open.mode',
    /Invalid mode index 3, the table has 3/,
  ],
  [
    'xattrs that are not in the table',
    { operations: program(op(Op.open, 0, 1, 1)) },
    'operations[0].open.xattrs',
    /Invalid xattr index 1/,
  ],
  [
    'a spliced file of no mode',
    { operations: program(op(Op.openSpliceClose, 9, 0, 1, 0)) },
    'operations[0].open-splice-and-close.mode',
    /index 9/,
  ],
  [
    'an opened symlink',
    { operations: program(op(Op.open, 1, 0, 1)) },
    'operations[0].open.mode',
    /120777 is not a regular file/,
  ],
  [
    'a directory',
    { operations: program(op(Op.openSpliceClose, 2, 0, 1, 0)) },
    'operations[0].open-splice-and-close.mode',
    /neither a regular file/,
  ],
  [
    'a splice from outside',
    { operations: program(op(Op.openSpliceClose, 0, 0, 5, blob.length)) },
    'operations[0].open-splice-and-close.offset',
    /Invalid offset\/length/,
  ],
  [
    'a write from outside',
    { operations: program(open, op(Op.write, 11, 2 ** 40)) },
    'operations[1].write.offset',
    /Invalid offset\/length/,
  ],
  [
    'a source name outside',
    { operations: program(op(Op.setReadSource, blob.length - 31)) },
    'operations[0].set-read-source.offset',
    /Invalid offset/,
  ],
  [
    'a patch outside',
    { operations: program(source, open, op(Op.bspatch, blob.length, 1)) },
    'operations[2].bspatch.offset',
    /Invalid offset/,
  ],
  [
    'a read past the end of the source',
    { operations: program(open, source, op(Op.write, 11, old.length - 5)) },
    'operations[2].write.offset',
    /Unexpected EOF reading object/,
  ],
  ['an empty symlink', { operations: program(op(Op.openSpliceClose, 1, 0, 0, 0)) }, 'symlinkTarget', /empty/],
  ['a patch that is empty', patch(Buffer.alloc(0)), 'operations[2].bspatch.patch', /ends after 0 of 11/],
  ['a patch of half a record', patch(Buffer.alloc(23)), 'operations[2].bspatch.patch', /ends after 0 of 11/],
  [
    'a patch with a negative size',
    patch(patchRecord(-1n, 5n, 0n, text)),
    'operations[2].bspatch.patch',
    /negative size -1/,
  ],
  [
    'a patch with negative extra bytes',
    patch(patchRecord(5n, -1n, 0n, text)),
    'operations[2].bspatch.patch',
    /negative size -1/,
  ],
  [
    'a patch past the end of the file',
    patch(patchRecord(12n, 0n, 0n, Buffer.alloc(12))),
    'operations[2].bspatch.patch',
    /only 11 are left/,
  ],
  [
    'a patch of endless size',
    patch(patchRecord(2n ** 62n, 2n ** 62n, 0n)),
    'operations[2].bspatch.patch',
    /only 11 are left/,
  ],
  [
    'a patch that lacks its bytes',
    patch(patchRecord(5n, 6n, 0n, Buffer.alloc(10))),
    'operations[2].bspatch.patch',
    /the patch has 10 left/,
  ],
  [
    'a patch that leads out of this world',
    patch(Buffer.concat([patchRecord(1n, 0n, 2n ** 62n, Buffer.alloc(1)), patchRecord(10n, 0n, 0n, Buffer.alloc(10))])),
    'operations[2].bspatch.patch',
    /position/,
  ],
];

describe('runPart() refuses', () => {
  for (const [name, facts, field, problem] of wrong) {
    test(name, () => {
      assert.throws(
        () => run(encodePayload({ modes, blob, ...facts }), [file]),
        (error) => {
          assert(error instanceof FormatError, String(error));
          assert.equal(error.field, field, error.message);
          assert.match(error.message, problem);
          if (field !== 'symlinkTarget') assert.equal(error.format, FORMAT);
          return true;
        },
      );
    });
  }

  test('metadata that is opened as a file', () => {
    const payload = encodePayload({ blob, operations: program(open) });
    assert.throws(() => run(payload, [['dirmeta', metaSum]]), { field: 'operations[0].open.object' });
  });

  const framing: readonly (readonly [string, Uint8Array, string])[] = [
    ['nothing', new Uint8Array(0), 'framing offsets'],
    ['less than the framing', Uint8Array.of(0, 0), 'framing offsets'],
    ['tables beyond the end', Uint8Array.of(1, 2, 9), 'mode table'],
    ['half a mode', Uint8Array.of(1, 2, 3, 3, 3, 3), 'mode table'],
    ['members in the wrong order', Uint8Array.of(...Buffer.alloc(12), 3, 5, 12), 'xattr table'],
  ];
  for (const [name, payload, field] of framing) {
    test(`a payload with ${name}`, () => {
      assert.throws(() => run(payload, [file]), { code: 'FORMAT', format: FORMAT, field });
    });
  }
});

test('runPart() ends with a CfsError or with every listed object, whatever the program', () => {
  const operand = fc.oneof(fc.nat(40), fc.nat(200), fc.maxSafeNat());
  const operation = fc
    .tuple(fc.constantFrom(...Object.values(Op)), fc.array(operand, { maxLength: 4 }))
    .map(([code, operands]) => op(code, ...operands));
  const good = fc.constantFrom(splice, open, write, close, source, op(Op.unsetReadSource));
  const operations = fc.array(fc.oneof(operation, good), { maxLength: 12 });
  fc.assert(
    fc.property(operations, fc.uint8Array({ maxLength: 60 }), (list, more) => {
      const payload = encodePayload({ modes, blob: Buffer.concat([blob, more]), operations: program(...list) });
      try {
        assert(run(payload, [file, file]).made.has(textSum));
      } catch (error) {
        assert(error instanceof CfsError, String(error));
      }
    }),
    { numRuns: fuzzRuns },
  );
});

test('a payload of any bytes is read or refused with a CfsError', () => {
  const valid = encodePayload({ modes, blob, operations: program(splice) });
  fc.assert(
    fc.property(fc.nat(), fc.nat(255), fc.uint8Array({ maxLength: 80 }), fc.boolean(), (at, value, other, edit) => {
      const bytes = edit ? Uint8Array.from(valid) : other;
      if (edit) bytes[at % bytes.length] = value;
      try {
        run(bytes, [file]);
      } catch (error) {
        assert(error instanceof CfsError, String(error));
      }
    }),
    { numRuns: fuzzRuns },
  );
});
