/**
 * XZ streams through the system's liblzma, twice as fast as anything in JavaScript, where the system has it. Its memory is bounded by
 * what it is told, and it works in pieces.
 */
import { createRequire } from 'node:module';
import { struct, u64, viewOf } from '../../bytes/struct.ts';
import { XzError, type Decompressor, type OpenDecompressor } from '../../ostree/delta/decompressor.ts';

const LIBRARY = 'liblzma.so.5';

/** `lzma_stream` of lzma/base.h on 64-bit Linux. */
const lzmaStream = struct('lzma_stream', 136, {
  next_in: [0, u64],
  avail_in: [8, u64],
  next_out: [24, u64],
  avail_out: [32, u64],
});

const LZMA_OK = 0;
const LZMA_STREAM_END = 1;
const LZMA_BUF_ERROR = 10;
const LZMA_RUN = 0;

/** In the words of the `xz` program. */
const problems: Readonly<Record<number, string>> = {
  5: 'Not enough memory',
  6: 'Exceeded memory limit',
  7: 'File format not recognized',
  8: 'Unsupported compression options',
  9: 'Data is corrupt',
};

const PIECE_SIZE = 256 * 1024;
/** Arrays of 64 bytes and less may lie on the JavaScript heap, where the collector moves them; so short ones are copied. */
const COPY_BELOW = 4096;

interface Library {
  readonly start: (stream: Uint8Array, memoryLimit: bigint, flags: number) => number;
  readonly code: (stream: Uint8Array, action: number) => number;
  readonly end: (stream: Uint8Array) => void;
  readonly addressOf: (array: Uint8Array) => bigint;
}

/** Undefined where the system has no liblzma. */
export function liblzma(): OpenDecompressor | undefined {
  const library = load();
  return library && ((memoryLimit) => new LzmaStream(library, memoryLimit));
}

function load(): Library | undefined {
  try {
    const koffi = createRequire(import.meta.url)('koffi') as typeof import('koffi');
    const library = koffi.load(LIBRARY);
    return {
      start: library.func('int lzma_stream_decoder(void *, uint64_t, uint32_t)') as Library['start'],
      code: library.func('int lzma_code(void *, int)') as Library['code'],
      end: library.func('void lzma_end(void *)') as Library['end'],
      addressOf: (array) => koffi.address(array),
    };
  } catch {
    return undefined;
  }
}

class LzmaStream implements Decompressor {
  readonly #library: Library;
  readonly #stream = Buffer.allocUnsafeSlow(lzmaStream.size).fill(0);
  readonly #view = viewOf(this.#stream);
  readonly #output = Buffer.allocUnsafeSlow(PIECE_SIZE);
  readonly #short = Buffer.allocUnsafeSlow(COPY_BELOW);
  #ended = false;

  constructor(library: Library, memoryLimit: number) {
    this.#library = library;
    const result = library.start(this.#stream, BigInt(memoryLimit), 0);
    if (result !== LZMA_OK) throw new XzError(problems[result] ?? `liblzma error ${result}`);
  }

  push(input: Uint8Array, write: (piece: Uint8Array) => void): void {
    if (input.length === 0) return;
    if (this.#ended) throw new XzError('Data behind the end of the stream');
    let from = input;
    if (input.length <= COPY_BELOW) {
      this.#short.set(input);
      from = this.#short;
    }
    lzmaStream.write(this.#view, 0, { next_in: this.#library.addressOf(from), avail_in: BigInt(input.length) });
    for (let room = 0; room === 0;) {
      const next_out = this.#library.addressOf(this.#output);
      lzmaStream.write(this.#view, 0, { next_out, avail_out: BigInt(PIECE_SIZE) });
      const result = this.#library.code(this.#stream, LZMA_RUN);
      room = Number(this.#view.getBigUint64(32, true));
      if (room < PIECE_SIZE) write(this.#output.subarray(0, PIECE_SIZE - room));
      if (result === LZMA_STREAM_END) {
        this.#ended = true;
        if (this.#view.getBigUint64(8, true) > 0n) throw new XzError('Data behind the end of the stream');
        return;
      }
      if (result !== LZMA_OK && result !== LZMA_BUF_ERROR)
        throw new XzError(problems[result] ?? `liblzma error ${result}`);
    }
  }

  end(): void {
    if (!this.#ended) throw new XzError('Input buffer too small: the stream is cut short');
  }

  [Symbol.dispose](): void {
    this.#library.end(this.#stream);
  }
}
