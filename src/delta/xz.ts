/** XZ compression by the system's liblzma, synchronously and in pieces: for worker threads. */
import { CfsError, UnsupportedError } from '../../bytes/errors.ts';
import { struct, u32, u64, viewOf } from '../../bytes/struct.ts';
import { LIBLZMA, liblzma, LzmaAction, LzmaResult, lzmaStream, type Liblzma } from '../linux/liblzma.ts';

/** What libostree uses. The dictionary is 32 MiB. */
const PRESET = 8;
const MIN_DICTIONARY = 4096;

/** `lzma_options_lzma`; its other fields are what the preset says. */
const lzmaOptions = struct('lzma_options_lzma', 112, { dict_size: [0, u32] });
/** Two entries of `lzma_filter`: the filter, and the end of the chain. */
const lzmaFilters = struct('lzma_filter', 32, { id: [0, u64], options: [8, u64], end: [16, u64] });

const LZMA_FILTER_LZMA2 = 0x21n;
const LZMA_VLI_UNKNOWN = 2n ** 64n - 1n;
const LZMA_CHECK_CRC64 = 4;
const OUTPUT_SIZE = 256 * 1024;
/** Bytes that are compressed by one call: many small pieces at once, but calls cannot be interrupted. */
const INPUT_SIZE = 256 * 1024;

/** @throws UnsupportedError where there is no liblzma. */
export function requireLiblzma(): Liblzma {
  const library = liblzma();
  if (library !== undefined) return library;
  throw new UnsupportedError(
    `Cannot compress: ${LIBLZMA} is missing; install liblzma5, xz-libs or what your distribution calls it`,
    { library: LIBLZMA },
  );
}

/**
 * Compresses `input`, of `size` bytes, to an `.xz` stream; each chunk of it lives until the next is asked for.
 * @param size bounds the dictionary, and with it the memory: eleven times as much.
 * @throws UnsupportedError; CfsError SYSTEM where memory is short.
 */
export function* compressXz(input: Iterable<Uint8Array>, size: number): Generator<Uint8Array, void, undefined> {
  const lzma = requireLiblzma();
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
        check(lzma.code(streamAt, LzmaAction.run));
        if (lzmaStream.read(view).avail_out === 0n) yield drain();
      }
    }
    for (;;) {
      const result = lzma.code(streamAt, LzmaAction.finish);
      yield drain();
      if (result === LzmaResult.streamEnd) return;
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
  if (result === LzmaResult.ok) return;
  const why = result === LzmaResult.memoryError ? 'not enough memory' : `liblzma answered ${result}`;
  throw new CfsError('SYSTEM', `Cannot compress: ${why}`);
}
