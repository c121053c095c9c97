/** Random pairs of files that are like an old and a new version. */
import fc from 'fast-check';

export interface FilePair {
  readonly source: Uint8Array;
  readonly target: Uint8Array;
}

/** Bytes that look random and depend on the seed only. */
export function noise(length: number, seed = 1): Uint8Array {
  const out = new Uint8Array(length);
  let state = seed | 1;
  for (let i = 0; i < length; i++) {
    state = Math.imul(state ^ (state >>> 15), 0x2c1b3c6d) + 0x9e3779b9;
    out[i] = state >>> 24;
  }
  return out;
}

const base = fc.oneof(
  fc.uint8Array({ maxLength: 600 }),
  fc.tuple(fc.nat(5000), fc.nat()).map(([length, seed]) => noise(length, seed)),
  // Repetitive: few different bytes, short periods.
  fc
    .tuple(fc.uint8Array({ minLength: 1, maxLength: 40, max: 3 }), fc.integer({ min: 1, max: 100 }))
    .map(([period, times]) => new Uint8Array(Buffer.concat(Array.from({ length: times }, () => period)))),
);

interface Edit {
  readonly kind: 'insert' | 'remove' | 'change' | 'move' | 'repeat';
  readonly at: number;
  readonly to: number;
  readonly bytes: Uint8Array;
}

const edit: fc.Arbitrary<Edit> = fc.record({
  kind: fc.constantFrom<Edit['kind'][]>('insert', 'remove', 'change', 'move', 'repeat'),
  at: fc.double({ min: 0, max: 1, noNaN: true }),
  to: fc.double({ min: 0, max: 1, noNaN: true }),
  bytes: fc.uint8Array({ minLength: 1, maxLength: 60 }),
});

function applyEdit(bytes: Uint8Array, { kind, at, to, bytes: news }: Edit): Uint8Array {
  const start = Math.floor(at * bytes.length);
  const other = Math.floor(to * bytes.length);
  const [low, high] = [Math.min(start, other), Math.max(start, other)];
  const pieces = {
    insert: [bytes.subarray(0, start), news, bytes.subarray(start)],
    remove: [bytes.subarray(0, low), bytes.subarray(high)],
    change: [bytes.subarray(0, start), news.subarray(0, bytes.length - start), bytes.subarray(start + news.length)],
    move: [bytes.subarray(0, low), bytes.subarray(high), bytes.subarray(low, high)],
    repeat: [bytes.subarray(0, high), bytes.subarray(low)],
  }[kind];
  return new Uint8Array(Buffer.concat(pieces));
}

export const filePair: fc.Arbitrary<FilePair> = fc.oneof(
  {
    weight: 5,
    arbitrary: fc
      .tuple(base, fc.array(edit, { maxLength: 8 }))
      .map(([source, edits]) => ({ source, target: edits.reduce(applyEdit, source) })),
  },
  { weight: 1, arbitrary: fc.record({ source: base, target: base }) },
);
