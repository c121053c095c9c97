/** The system's liblzma, called by address. Package managers of all distributions need it, so it is nearly always there. */
import { createRequire } from 'node:module';
import { promisify } from 'node:util';
import { struct, u64 } from '../../bytes/struct.ts';

export const LIBLZMA = 'liblzma.so.5';

/** `lzma_stream` of lzma/base.h on 64-bit Linux. */
export const lzmaStream = struct('lzma_stream', 136, {
  next_in: [0, u64],
  avail_in: [8, u64],
  next_out: [24, u64],
  avail_out: [32, u64],
});

/** `lzma_ret` */
export const LzmaResult = {
  ok: 0,
  streamEnd: 1,
  memoryError: 5,
  memoryLimitError: 6,
  formatError: 7,
  optionsError: 8,
  dataError: 9,
  bufferError: 10,
} as const;

/** `lzma_action` */
export const LzmaAction = { run: 0, finish: 3 } as const;

/** Its functions; structures are given by their addresses. */
export interface Liblzma {
  /** Of an array past the 64 bytes below which the collector may move it. It has to be held while liblzma knows the address. */
  address(bytes: Uint8Array): bigint;
  /** `lzma_stream_decoder` */
  decoder(stream: bigint, memoryLimit: bigint, flags: number): number;
  /** `lzma_lzma_preset` */
  preset(options: bigint, preset: number): number;
  /** `lzma_stream_encoder` */
  encoder(stream: bigint, filters: bigint, check: number): number;
  /** `lzma_code` */
  code(stream: bigint, action: number): number;
  /** The same on a thread of the pool. Everything that the stream leads to has to be held, and left alone, until it has ended. */
  codeElsewhere(stream: bigint, action: number): Promise<number>;
  /** `lzma_end` */
  end(stream: bigint): void;
}

/** Undefined if it is missing; null before it was looked for. */
let library: Liblzma | undefined | null = null;

/** Undefined where the system has none. */
export function liblzma(): Liblzma | undefined {
  if (library === null) library = load();
  return library;
}

function load(): Liblzma | undefined {
  try {
    const koffi = createRequire(import.meta.url)('koffi') as typeof import('koffi');
    const lzma = koffi.load(LIBLZMA);
    const code = lzma.func('int lzma_code(size_t, int)');
    return {
      address: (bytes) => koffi.address(bytes),
      decoder: lzma.func('int lzma_stream_decoder(size_t, uint64_t, uint32_t)'),
      preset: lzma.func('unsigned char lzma_lzma_preset(size_t, uint32_t)'),
      encoder: lzma.func('int lzma_stream_encoder(size_t, size_t, int)'),
      code,
      codeElsewhere: promisify(code.async) as Liblzma['codeElsewhere'],
      end: lzma.func('void lzma_end(size_t)'),
    };
  } catch {
    return undefined;
  }
}
