import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { constants, zstdCompressSync } from 'node:zlib';
import fc from 'fast-check';
import { FormatError } from '../../bytes/errors.ts';
import { viewOf } from '../../bytes/struct.ts';
import { ContentType, header, info, MAGIC, oldHeader } from '../../splitstream/format.ts';
import { decodeSplitstream, readChunks, readInlineContent, verifyStreamSize } from '../../splitstream/read.ts';
import { SplitstreamWriter } from '../../splitstream/write.ts';
import { fuzzRuns } from '../fuzz-runs.ts';
import { onlyCfsErrors } from '../only-cfs-errors.ts';

function fixture(path: string): Buffer {
  return readFileSync(new URL(`../../fixtures/${path}`, import.meta.url));
}

const expected = JSON.parse(fixture('expected.json').toString()) as {
  streams: Record<string, { content_sha256: string; content_size: number }>;
  images: Record<string, Record<string, Record<string, string>>>;
};
const A = 'aa'.repeat(32);
const B = 'bb'.repeat(32);
const C = 'cc'.repeat(32);

for (const [name, { content_sha256, content_size }] of Object.entries(expected.streams)) {
  test(`decodeSplitstream() reads ${name}.splitstream as cfsctl wrote it`, () => {
    const file = fixture(`streams/${name}.splitstream`);
    const stream = decodeSplitstream(file, { algorithm: 'sha256', contentType: ContentType.ostreeCommit });
    const content = readInlineContent(stream);
    assert.equal(stream.layout, 'current');
    assert.equal(content.length, content_size);
    assert.equal(stream.streamSize, content_size);
    assert.equal(createHash('sha256').update(content).digest('hex'), content_sha256);
    assert.equal(new Set(stream.objectRefs).size, stream.objectRefs.length);
    for (const [ref, digest] of stream.namedRefs) {
      assert.equal(ref, 'composefs.image');
      assert.ok(stream.streamRefs.includes(digest));
    }
  });

  test(`SplitstreamWriter lays out ${name}.splitstream like cfsctl`, () => {
    const file = fixture(`streams/${name}.splitstream`);
    const stream = decodeSplitstream(file);
    const writer = new SplitstreamWriter(stream);
    for (const [ref, digest] of stream.namedRefs) writer.addNamedRef(ref, digest);
    for (const digest of stream.objectRefs) writer.addObjectRef(digest);
    const content = readInlineContent(stream);
    writer.writeInline(content.subarray(0, 100));
    writer.writeInline(content.subarray(100));
    const ours = writer.finish();
    // Only the compressed sections, and with them the ends of the last two ranges, depend on the encoder.
    const tables = 112 + 32 * (stream.streamRefs.length + stream.objectRefs.length);
    assert.deepEqual(Buffer.from(ours.subarray(0, 64)), file.subarray(0, 64));
    assert.deepEqual(Buffer.from(ours.subarray(96, tables)), file.subarray(96, tables));
    const again = decodeSplitstream(ours);
    assert.deepEqual({ ...again, compressed: 0 }, { ...stream, compressed: 0 });
    assert.deepEqual(Buffer.from(readInlineContent(again)), Buffer.from(content));
  });
}

test('SplitstreamWriter merges inline data, deduplicates digests and counts the stream size', () => {
  const writer = new SplitstreamWriter({ algorithm: 'sha256', contentType: ContentType.ociLayer });
  writer.writeInline(Buffer.alloc(1000));
  writer.writeInline(new Uint8Array(0));
  writer.writeInline(Buffer.alloc(1560));
  assert.equal(writer.writeExternal(A, 65), 0);
  writer.writeInline(Buffer.alloc(1983));
  assert.equal(writer.writeExternal(B, 1024), 1);
  assert.equal(writer.writeExternal(B, 1024), 1);
  writer.writeInline(Buffer.alloc(3072));
  assert.equal(writer.addObjectRef(C), 2);
  const stream = decodeSplitstream(writer.finish());
  assert.deepEqual(
    [...readChunks(stream)].map((chunk) => chunk.inline?.length ?? `X${chunk.external}`),
    [2560, 'X0', 1983, 'X1', 'X1', 3072],
  );
  assert.deepEqual(stream.objectRefs, [A, B, C]);
  assert.equal(stream.streamSize, 2560 + 65 + 1983 + 2048 + 3072);
  const sizes: Record<string, number> = { [A]: 65, [B]: 1024 };
  verifyStreamSize(stream, (digest) => sizes[digest] ?? 0);
  assert.throws(() => verifyStreamSize(stream, () => 1), { name: 'FormatError', field: 'stream_size' });
  assert.throws(() => readInlineContent(stream), { name: 'FormatError', field: 'stream.external' });
});

test('SplitstreamWriter writes an empty stream with two empty frames', () => {
  const file = new SplitstreamWriter({ algorithm: 'sha512', contentType: 0n }).finish();
  assert.equal(Buffer.from(file.subarray(112)).toString('hex'), '28b52ffd2000010000'.repeat(2));
  const stream = decodeSplitstream(file, { algorithm: 'sha512' });
  assert.deepEqual([...readChunks(stream)], []);
  assert.equal(stream.namedRefs.size, 0);
});

test('SplitstreamWriter sorts named refs by bytes, and lets names share a digest', () => {
  const writer = new SplitstreamWriter({ algorithm: 'sha256', contentType: 1n });
  for (const [name, digest] of [
    ['b', A],
    ['\u{1f600}', B],
    ['a:b', A],
    ['\uffee', C],
  ] as const) {
    writer.addNamedRef(name, digest);
  }
  const stream = decodeSplitstream(writer.finish());
  assert.deepEqual([...stream.namedRefs.keys()], ['a:b', 'b', '\uffee', '\u{1f600}']);
  assert.deepEqual(stream.streamRefs, [A, B, C]);
  assert.equal(stream.namedRefs.get('b'), A);
});

test('SplitstreamWriter refuses digests of another algorithm and names with NUL', () => {
  const writer = new SplitstreamWriter({ algorithm: 'sha512', contentType: 1n });
  assert.throws(() => writer.addObjectRef(A), { code: 'USAGE' });
  assert.throws(() => writer.addNamedRef('a\0', A + A), { code: 'USAGE' });
  assert.throws(() => writer.addNamedRef('\ud800', A + A), { code: 'USAGE' });
});

/** A file from parts, each of which can be wrong. Sections lie in the order of the format. */
interface Parts {
  version?: number;
  algorithm?: number;
  lg_blocksize?: number;
  magic?: Uint8Array;
  streamRefs?: string;
  objectRefs?: string;
  named?: Uint8Array;
  stream?: Uint8Array;
  streamSize?: bigint;
  edit?: (view: DataView) => void;
}

function zstd(content: string | Uint8Array): Uint8Array {
  return zstdCompressSync(content);
}

function chunks(...list: (number | string)[]): Uint8Array {
  return Buffer.concat(
    list.map((item) => {
      const data = typeof item === 'string' ? Buffer.from(item) : Buffer.alloc(0);
      const head = Buffer.alloc(8);
      head.writeBigInt64LE(BigInt(typeof item === 'string' ? -data.length : item));
      return Buffer.concat([head, data]);
    }),
  );
}

function build(parts: Parts): Uint8Array {
  const sections = [
    Buffer.from(parts.streamRefs ?? A, 'hex'),
    Buffer.from(parts.objectRefs ?? B, 'hex'),
    parts.named ?? zstd('0:name\0'),
    parts.stream ?? zstd(chunks('hello')),
  ];
  const file = new Uint8Array(112 + sections.reduce((sum, { length }) => sum + length, 0));
  const ends = sections.map(
    (_section, i) => 112 + sections.slice(0, i + 1).reduce((sum, { length }) => sum + length, 0),
  );
  const [a = 0, b = 0, c = 0, d = 0] = ends;
  for (const [i, section] of sections.entries()) file.set(section, (ends[i] ?? 0) - section.length);
  header.write(viewOf(file), 0, {
    magic: parts.magic ?? MAGIC,
    version: parts.version ?? 0,
    flags: 0xff,
    algorithm: parts.algorithm ?? 1,
    lg_blocksize: parts.lg_blocksize ?? 12,
    info_start: 32n,
    info_end: 112n,
  });
  info.write(viewOf(file), 32, {
    stream_refs_start: 112n,
    stream_refs_end: BigInt(a),
    object_refs_start: BigInt(a),
    object_refs_end: BigInt(b),
    named_refs_start: BigInt(b),
    named_refs_end: BigInt(c),
    stream_start: BigInt(c),
    stream_end: BigInt(d),
    content_type: 7n,
    stream_size: parts.streamSize ?? 5n,
  });
  parts.edit?.(viewOf(file));
  return file;
}

function setU64(offset: number, value: bigint): (view: DataView) => void {
  return (view) => view.setBigUint64(offset, value, true);
}

const corrupt: readonly [name: string, parts: Parts, field: string][] = [
  ['no magic', { magic: Buffer.from('splitstream') }, 'magic'],
  ['version 1', { version: 1 }, 'version'],
  ['algorithm 3', { algorithm: 3 }, 'algorithm'],
  ['the algorithm of another repository', { algorithm: 2, streamRefs: A + A, objectRefs: A + A }, 'algorithm'],
  ['64 KiB blocks', { lg_blocksize: 16 }, 'lg_blocksize'],
  ['an info range that ends before it starts', { edit: setU64(24, 31n) }, 'info'],
  ['an info range past the end', { edit: setU64(24, 1n << 63n) }, 'info'],
  ['a short info block', { edit: setU64(24, 111n) }, 'info'],
  ['a table past the end', { edit: setU64(56, 1n << 40n) }, 'object_refs'],
  ['a negative table', { edit: setU64(40, 0n) }, 'stream_refs'],
  ['overlapping sections', { edit: setU64(32, 100n) }, 'stream_refs'],
  ['a stream_refs table of half a digest', { streamRefs: 'aa'.repeat(16) }, 'stream_refs'],
  ['an object_refs table of half a digest', { objectRefs: 'aa'.repeat(48) }, 'object_refs'],
  ['no named refs frame', { named: new Uint8Array(0) }, 'named_refs'],
  ['a named refs frame that is cut', { named: zstd('0:name\0').subarray(0, 12) }, 'named_refs'],
  ['named refs that are not zstd', { named: Buffer.from('0:name\0 and more') }, 'named_refs'],
  ['named refs without the last NUL', { named: zstd('0:name\x000:other') }, 'named_refs'],
  ['a named ref without colon', { named: zstd('0name\0') }, 'named_refs'],
  ['a named ref with a negative index', { named: zstd('-1:name\0') }, 'named_refs'],
  ['a named ref with a large index', { named: zstd('99999999999999999999:name\0') }, 'named_refs'],
  ['a named ref past the table', { named: zstd('1:name\0') }, 'named_refs'],
  ['a named ref that is not UTF-8', { named: zstd(Buffer.from([0x30, 0x3a, 0xff, 0])) }, 'named_refs'],
  ['a stream_size beyond 2^53', { streamSize: 1n << 60n }, 'stream_size'],
  ['a stream_size that is too small', { streamSize: 4n }, 'stream_size'],
  ['a stream_size that is too large', { streamSize: 6n }, 'stream_size'],
  ['no stream frame', { stream: new Uint8Array(0) }, 'stream'],
  ['a stream that is cut', { stream: zstd(chunks('hello')).subarray(0, 15) }, 'stream'],
  ['junk behind the frame', { stream: Buffer.concat([zstd(chunks('hello')), Buffer.from('junk')]) }, 'stream'],
  ['an instruction that is cut', { stream: zstd(Buffer.alloc(7)) }, 'stream.instruction'],
  ['inline data that is cut', { stream: zstd(chunks('hello').subarray(0, 12)) }, 'stream.inline'],
  ['an inline chunk of 2^63 bytes', { stream: zstd(Buffer.from('0000000000000080', 'hex')) }, 'stream.inline'],
  ['an external index past the table', { stream: zstd(chunks(1)) }, 'stream.external'],
  ['more chunks than its size allows', { stream: zstd(Buffer.alloc(1 << 20)) }, 'stream'],
  ['a window of 1 GiB', { stream: wideWindow() }, 'stream'],
];

/** A raw frame with window descriptor 0xa0: 2^30 bytes. */
function wideWindow(): Uint8Array {
  return Buffer.from('28b52ffd00a0010000', 'hex');
}

function readAll(file: Uint8Array): void {
  const stream = decodeSplitstream(file, { algorithm: 'sha256' });
  for (const _ of readChunks(stream, { limit: 1 << 24 }));
}

test('decodeSplitstream() accepts the file that the corrupt ones differ from', () => readAll(build({})));

for (const [name, parts, field] of corrupt) {
  test(`decodeSplitstream() or readChunks() refuses ${name}`, () => {
    assert.throws(
      () => readAll(build(parts)),
      (error) => {
        assert.ok(error instanceof FormatError, String(error));
        assert.equal(error.field, field, error.message);
        return true;
      },
    );
  });
}

test('decodeSplitstream() refuses a file shorter than its header, and another content type', () => {
  assert.throws(() => decodeSplitstream(new Uint8Array(31)), FormatError);
  assert.throws(() => decodeSplitstream(build({}), { contentType: 8n }), { field: 'content_type' });
});

test('readChunks() refuses a bomb before it is in memory', () => {
  const file = build({ stream: zstd(Buffer.alloc(64 << 20)), streamSize: 1n << 40n });
  assert.throws(() => [...readChunks(decodeSplitstream(file), { limit: 1 << 20 })], { code: 'LIMIT' });
  const named = build({ named: zstd(Buffer.alloc(64 << 20)) });
  assert.throws(() => decodeSplitstream(named), { code: 'LIMIT' });
});

test('readChunks() reads concatenated and skippable frames, checksums and any level', () => {
  const content = chunks('hello', 0);
  const frame = (part: Uint8Array): Uint8Array =>
    zstdCompressSync(part, {
      params: { [constants.ZSTD_c_checksumFlag]: 1, [constants.ZSTD_c_compressionLevel]: 19 },
    });
  const skippable = Buffer.from('502a4d180300000001 02 03'.replaceAll(' ', ''), 'hex');
  const parts = [frame(content.subarray(0, 3)), skippable, frame(new Uint8Array(0)), frame(content.subarray(3))];
  const stream = decodeSplitstream(build({ stream: Buffer.concat(parts) }));
  assert.deepEqual(
    [...readChunks(stream)].map((chunk) => chunk.external ?? Buffer.from(chunk.inline).toString()),
    ['hello', 0],
  );
});

test('decodeSplitstream() reads the old header, takes the last of repeated names, and ignores trailing bytes', () => {
  const file = build({ streamRefs: A + C, named: zstd('0:name\x001:name\0') });
  const old = new Uint8Array(file.length + 10);
  old.set(file);
  const fields = header.read(viewOf(file));
  old.fill(0, 0, 32);
  oldHeader.write(viewOf(old), 0, { ...fields, magic: MAGIC });
  const stream = decodeSplitstream(old);
  assert.equal(stream.layout, 'old');
  assert.deepEqual({ ...stream, layout: 'current' }, decodeSplitstream(file));
  assert.equal(stream.namedRefs.get('name'), C);
});

test('decodeSplitstream() and readChunks() throw only CfsError for any mutation', () => {
  const seeds = [fixture('streams/single.splitstream'), fixture('streams/1.splitstream'), Buffer.from(build({}))];
  const mutation = fc.record({
    seed: fc.nat(seeds.length - 1),
    edits: fc.array(fc.tuple(fc.double({ min: 0, max: 1, noNaN: true }), fc.nat(255)), { maxLength: 6 }),
    early: fc.array(fc.tuple(fc.nat(200), fc.nat(255)), { maxLength: 3 }),
    cut: fc.option(fc.double({ min: 0, max: 1, noNaN: true })),
  });
  fc.assert(
    fc.property(mutation, ({ seed, edits, early, cut }) => {
      const original = seeds[seed] ?? Buffer.alloc(0);
      let bytes = Uint8Array.from(original);
      for (const [at, value] of edits) bytes[Math.floor(at * (bytes.length - 1))] = value;
      for (const [at, value] of early) bytes[at] = value;
      if (cut !== null) bytes = bytes.subarray(0, Math.floor(cut * bytes.length));
      onlyCfsErrors(() => readAll(bytes));
    }),
    { numRuns: fuzzRuns },
  );
});

test('decodeSplitstream() throws only CfsError for random tables and chunks', () => {
  const bytes = fc.uint8Array({ maxLength: 300 });
  fc.assert(
    fc.property(bytes, bytes, bytes, fc.bigInt(0n, 1n << 40n), (refs, named, stream, streamSize) => {
      const hex = Buffer.from(refs.subarray(0, refs.length - (refs.length % 32))).toString('hex');
      onlyCfsErrors(() => readAll(build({ streamRefs: hex, named: zstd(named), stream: zstd(stream), streamSize })));
      onlyCfsErrors(() => readAll(Buffer.concat([MAGIC, named, stream])));
    }),
    { numRuns: fuzzRuns },
  );
});

test('decodeSplitstream() gives back what SplitstreamWriter was given', () => {
  const digest = fc.uint8Array({ minLength: 32, maxLength: 32 }).map((bytes) => Buffer.from(bytes).toString('hex'));
  const item = fc.oneof(fc.uint8Array({ maxLength: 50 }), digest);
  const names = fc.dictionary(
    fc.string({ unit: 'grapheme' }).map((name) => name.replaceAll('\0', '')),
    digest,
  );
  fc.assert(
    fc.property(fc.array(item, { maxLength: 20 }), names, (items, refs) => {
      const writer = new SplitstreamWriter({ algorithm: 'sha256', contentType: 7n });
      for (const [name, id] of Object.entries(refs)) writer.addNamedRef(name, id);
      for (const each of items)
        if (typeof each === 'string') writer.writeExternal(each, 3);
        else writer.writeInline(each);
      const stream = decodeSplitstream(writer.finish());
      assert.deepEqual(
        new Map(stream.namedRefs),
        new Map(Object.entries(refs).sort(([a], [b]) => Buffer.compare(Buffer.from(a), Buffer.from(b)))),
      );
      const text = (list: Iterable<string | Uint8Array>): string =>
        [...list].map((each) => (typeof each === 'string' ? `<${each}>` : Buffer.from(each).toString('hex'))).join('');
      const read = [...readChunks(stream)].map((chunk) => chunk.inline ?? stream.objectRefs[chunk.external] ?? '');
      assert.equal(text(read), text(items));
      for (let i = 1; i < read.length; i++) assert.ok(typeof read[i] === 'string' || typeof read[i - 1] === 'string');
    }),
    { numRuns: fuzzRuns },
  );
});

test('SplitstreamWriter takes any number of pieces between two objects', () => {
  const writer = new SplitstreamWriter({ algorithm: 'sha256', contentType: 7n });
  const piece = Uint8Array.of(1);
  for (let i = 0; i < 300_000; i++) writer.writeInline(piece);
  assert.equal(decodeSplitstream(writer.finish()).streamSize, 300_000);
});
