import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { constants, deflateRawSync, inflateRawSync } from 'node:zlib';
import fc from 'fast-check';
import { Inflater } from '../../src/pull/inflate.ts';
import { fuzzRuns } from '../fuzz-runs.ts';

/** Inflates `stored`, given in pieces of these sizes in turn, into pieces of `room` bytes. */
function inflate(
  inflater: Inflater,
  stored: Uint8Array,
  cuts: readonly number[],
  room: number,
  limit = Number.MAX_SAFE_INTEGER,
): Buffer {
  const parts: Buffer[] = [];
  const output = Buffer.alloc(room + 2, 0xee);
  let total = 0;
  let turn = 0;
  inflater.reset();
  for (let offset = 0; offset < stored.length && !inflater.ended;) {
    const length = Math.max(1, cuts[turn++ % cuts.length]!);
    inflater.setInput(stored.subarray(offset, offset + length));
    offset += length;
    for (;;) {
      const count = inflater.read(output, 1, 1 + room);
      assert(count >= 0 && count <= room);
      assert.deepEqual([output[0], output.at(-1)], [0xee, 0xee], 'bytes outside of the room were written');
      parts.push(Buffer.from(output.subarray(1, 1 + count)));
      total += count;
      if (count < room || total > limit) break;
    }
    if (total > limit) break;
  }
  return Buffer.concat(parts);
}

const inflater = new Inflater();

const contents = fc.oneof(
  fc.uint8Array({ maxLength: 3000 }),
  fc
    .tuple(fc.uint8Array({ maxLength: 20 }), fc.nat(2000))
    .map(([unit, times]) => Buffer.concat(Array.from({ length: times }, () => unit))),
);

test('Inflater gives what zlib deflated, however input and output are cut', () => {
  const level = fc.constantFrom(0, 1, 6, 9);
  const strategy = fc.constantFrom(
    constants.Z_DEFAULT_STRATEGY,
    constants.Z_FIXED,
    constants.Z_HUFFMAN_ONLY,
    constants.Z_RLE,
  );
  const cuts = fc.array(
    fc.oneof(fc.integer({ min: 1, max: 3 }), fc.integer({ min: 60, max: 70 }), fc.integer({ min: 1, max: 4000 })),
    { minLength: 1, maxLength: 5 },
  );
  fc.assert(
    fc.property(
      contents,
      level,
      strategy,
      cuts,
      fc.integer({ min: 1, max: 5000 }),
      (content, level, strategy, cuts, room) => {
        const stored = deflateRawSync(content, { level, strategy });
        assert(inflate(inflater, stored, cuts, room).equals(Buffer.from(content)));
        assert(inflater.ended);
      },
    ),
    { numRuns: Math.min(fuzzRuns, 3000) },
  );
});

test('Inflater of random bytes throws a RangeError, or ends, or wants more', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), fc.integer({ min: 1, max: 100 }), (bytes, cut) => {
      let mine: Buffer | undefined;
      try {
        mine = inflate(inflater, bytes, [cut], 500);
      } catch (error) {
        assert(error instanceof RangeError);
      }
      let theirs: Buffer | undefined;
      try {
        theirs = inflateRawSync(bytes);
      } catch {
        // No whole stream: ours throws or does not end.
      }
      if (theirs !== undefined) assert(inflater.ended && mine!.equals(theirs));
      else assert(mine === undefined || !inflater.ended);
    }),
    { numRuns: fuzzRuns },
  );
});

test('Inflater of damaged streams throws a RangeError or gives some bytes', () => {
  const original = deflateRawSync(Buffer.concat([randomBytes(300), Buffer.alloc(3000, 'abc'), randomBytes(100)]));
  fc.assert(
    fc.property(
      fc.nat(original.length - 1),
      fc.integer({ min: 1, max: 255 }),
      fc.integer({ min: 1, max: 600 }),
      (at, change, cut) => {
        const bytes = Buffer.from(original);
        bytes[at]! ^= change;
        try {
          inflate(inflater, bytes, [cut], 4096, 1 << 20);
        } catch (error) {
          assert(error instanceof RangeError);
        }
      },
    ),
    { numRuns: fuzzRuns },
  );
});

test('Inflater works after an error, and after a stream that was given up', () => {
  const content = randomBytes(5000);
  const stored = deflateRawSync(content);
  assert.throws(() => inflate(inflater, Buffer.from([0xff, 0xff]), [2], 10), RangeError);
  assert(inflate(inflater, stored, [5000], 100).equals(content));
  inflate(inflater, stored.subarray(0, 1000), [7], 100);
  assert(!inflater.ended);
  assert(inflate(inflater, stored, [5000], 8192).equals(content));
});

test('Inflater ignores what follows the stream', () => {
  const stored = Buffer.concat([deflateRawSync('content'), randomBytes(200)]);
  for (const cut of [1, 64, 65, 500]) {
    assert.equal(inflate(inflater, stored, [cut], 100).toString(), 'content');
    assert.equal(inflater.read(Buffer.alloc(10), 0, 10), 0);
  }
});

test('read() refuses places outside of the array', () => {
  const output = Buffer.alloc(10);
  inflater.reset();
  inflater.setInput(deflateRawSync('content'));
  for (const [offset, end] of [
    [-1, 5],
    [0, 11],
    [6, 5],
  ] as const) {
    assert.throws(() => inflater.read(output, offset, end), RangeError);
  }
  assert.equal(inflater.read(output, 3, 3), 0);
});

test('Inflater survives the garbage collector moving its input', () => {
  const content = randomBytes(2000);
  const stored = deflateRawSync(content, { level: 0 });
  for (const size of [1, 63, 64, 65, 100]) {
    inflater.reset();
    const output = Buffer.alloc(3000);
    let used = 0;
    for (let offset = 0; offset < stored.length; offset += size) {
      // A new array on the JavaScript heap if it is small, and garbage around it.
      inflater.setInput(Uint8Array.from(stored.subarray(offset, offset + size)));
      void Array.from({ length: 2000 }, (_, i) => new Uint8Array(i % 64));
      used += inflater.read(output, used, output.length);
    }
    assert(output.subarray(0, used).equals(content), `pieces of ${size} bytes`);
  }
});

test('many Inflaters hold their own state', () => {
  const all = Array.from({ length: 20 }, () => ({ inflater: new Inflater(), content: randomBytes(3000) }));
  const stored = all.map(({ content }) => deflateRawSync(content));
  const outputs = all.map(() => Buffer.alloc(3000));
  const used = all.map(() => 0);
  for (let offset = 0; offset < 3200; offset += 100) {
    for (const [i, { inflater: each }] of all.entries()) {
      each.setInput(stored[i]!.subarray(offset, offset + 100));
      used[i]! += each.read(outputs[i]!, used[i]!, 3000);
    }
  }
  for (const [i, { content }] of all.entries()) assert(outputs[i]!.equals(content));
});
