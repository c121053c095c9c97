/**
 * XZ compression by the system's liblzma, synchronously and in pieces: for worker threads. The package manager of every
 * distribution needs that library, so it is there.
 */
import { createRequire } from 'node:module';
import { CfsError, UnsupportedError } from '../../bytes/errors.ts';
import { struct, u32, u64, viewOf } from '../../bytes/struct.ts';

const LIBRARY = 'liblzma.so.5';
/** What libostree uses. The dictionary is 32 MiB. */
const PRESET = 8;
const MIN_DICTIONARY = 4096;

/** `lzma_stream` on 64-bit Linux. */
const lzmaStream = struct('lzma_stream', 136, {
  next_in: [0, u64],
  avail_in: [8, u64],
  next_out: [24, u64],
  avail_out: [32, u64],
});
/** `lzma_options_lzma`; its other fields are what the preset says. */
const lzmaOptions = struct('lzma_options_lzma', 112, { dict_size: [0, u32] });
/** Two entries of `lzma_filter`: the filter, and the end of the chain. */
const lzmaFilters = struct('lzma_filter', 32, { id: [0, u64], options: [8, u64], end: [16, u64] });

const LZMA_FILTER_LZMA2 = 0x21n;
const LZMA_VLI_UNKNOWN = 2n ** 64n - 1n;
const LZMA_CHECK_CRC64 = 4;
const LZMA_RUN = 0;
const LZMA_FINISH = 3;
const LZMA_OK = 0;
const LZMA_STREAM_END = 1;
const LZMA_MEM_ERROR = 5;
const OUTPUT_SIZE = 256 * 1024;
/** Bytes that are compressed by one call: many small pieces at once, but calls cannot be interrupted. */
const INPUT_SIZE = 256 * 1024;

interface Liblzma {
  address(bytes: Uint8Array): bigint;
  /** `lzma_lzma_preset` */
  preset(options: bigint, preset: number): number;
  /** `lzma_stream_encoder` */
  encoder(stream: bigint, filters: bigint, check: number): number;
  /** `lzma_code` */
  code(stream: bigint, action: number): number;
  /** `lzma_end` */
  end(stream: bigint): void;
}

// Addresses are of arrays past the 64 bytes below which the collector may move them.
let library: Liblzma | undefined;

/** @throws UnsupportedError where there is no liblzma. */
export function loadLiblzma(): Liblzma {
  if (library !== undefined) return library;
  const koffi = createRequire(import.meta.url)('koffi') as typeof import('koffi');
  try {
    const lzma = koffi.load(LIBRARY);
    library = {
      address: (bytes) => koffi.address(bytes),
      preset: lzma.func('unsigned char lzma_lzma_preset(size_t, uint32_t)'),
      encoder: lzma.func('int lzma_stream_encoder(size_t, size_t, int)'),
      code: lzma.func('int lzma_code(size_t, int)'),
      end: lzma.func('void lzma_end(size_t)'),
    };
    return library;
  } catch (cause) {
    throw new UnsupportedError(
      `Cannot compress: ${LIBRARY} is missing; install liblzma5, xz-libs or what your distribution calls it`,
      { library: LIBRARY },
      cause,
    );
  }
}

/**
 * Compresses `input`, of `size` bytes, to an `.xz` stream; each chunk of it lives until the next is asked for.
 * @param size bounds the dictionary, and with it the memory: eleven times as much.
 * @throws UnsupportedError; CfsError SYSTEM where memory is short.
 */
export function* compressXz(input: Iterable<Uint8Array>, size: number): Generator<Uint8Array, void, undefined> {
  const lzma = loadLiblzma();
  const stream = Buffer.allocUnsafeSlow(lzmaStream.size).fill(0);
  const streamAt = lzma.address(stream);
  const view = viewOf(stream);
  const output = Buffer.allocUnsafeSlow(OUTPUT_SIZE);
  const outputAt = lzma.address(output);
  const staged = Buffer.allocUnsafeSlow(INPUT_SIZE);
  const stagedAt = lzma.address(staged);
  const options = Buffer.allocUnsafeSlow(2 * lzmaOptions.size).fill(0);
  lzma.preset(lzma.address(options), PRESET);
  const optionsView = viewOf(options);
  const { dict_size } = lzmaOptions.read(optionsView);
  lzmaOptions.write(optionsView, 0, { dict_size: Math.max(MIN_DICTIONARY, Math.min(dict_size, size)) });
  const filters = Buffer.allocUnsafeSlow(4 * lzmaFilters.size).fill(0);
  lzmaFilters.write(viewOf(filters), 0, {
    id: LZMA_FILTER_LZMA2,
    options: lzma.address(options),
    end: LZMA_VLI_UNKNOWN,
  });
  try {
    check(lzma.encoder(streamAt, lzma.address(filters), LZMA_CHECK_CRC64));
    lzmaStream.write(view, 0, { next_out: outputAt, avail_out: BigInt(OUTPUT_SIZE) });
    const drain = (): Uint8Array => {
      const used = OUTPUT_SIZE - Number(lzmaStream.read(view).avail_out);
      lzmaStream.write(view, 0, { next_out: outputAt, avail_out: BigInt(OUTPUT_SIZE) });
      return output.subarray(0, used);
    };
    for (const length of gather(input, staged)) {
      lzmaStream.write(view, 0, { next_in: stagedAt, avail_in: BigInt(length) });
      while (lzmaStream.read(view).avail_in > 0n) {
        check(lzma.code(streamAt, LZMA_RUN));
        if (lzmaStream.read(view).avail_out === 0n) yield drain();
      }
    }
    for (;;) {
      const result = lzma.code(streamAt, LZMA_FINISH);
      yield drain();
      if (result === LZMA_STREAM_END) return;
      check(result);
    }
  } finally {
    lzma.end(streamAt);
  }
}

/** Fills `buffer` with what comes; gives how many bytes are in it each time that it is full, and at the end. */
function* gather(input: Iterable<Uint8Array>, buffer: Uint8Array): Generator<number, void, undefined> {
  let filled = 0;
  for (const chunk of input) {
    for (let at = 0; at < chunk.length;) {
      const part = chunk.subarray(at, at + buffer.length - filled);
      buffer.set(part, filled);
      at += part.length;
      filled += part.length;
      if (filled < buffer.length) continue;
      yield filled;
      filled = 0;
    }
  }
  if (filled > 0) yield filled;
}

function check(result: number): void {
  if (result === LZMA_OK) return;
  const why = result === LZMA_MEM_ERROR ? 'not enough memory' : `liblzma answered ${result}`;
  throw new CfsError('SYSTEM', `Cannot compress: ${why}`);
}
