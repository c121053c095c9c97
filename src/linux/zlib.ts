/** The zlib that Node itself carries, called through koffi: streams (RFC 1951, without a wrapper) that live as long as their thread. */
import { createRequire } from 'node:module';
import { UnsupportedError } from '../../bytes/errors.ts';
import { struct, u32, u64 } from '../../bytes/struct.ts';

/** `z_stream` of zlib.h on 64-bit Linux. */
export const zStream = struct('z_stream', 112, {
  next_in: [0, u64],
  avail_in: [8, u32],
  next_out: [24, u64],
  avail_out: [32, u32],
});

export const Z_OK = 0;
export const Z_STREAM_END = 1;
export const Z_BUF_ERROR = -5;
export const Z_NO_FLUSH = 0;
export const Z_FINISH = 4;
const Z_DEFLATED = 8;
const Z_DEFAULT_STRATEGY = 0;
const MEMORY_LEVEL = 8;
/** Negative: no zlib or gzip wrapper around the stream. */
const RAW_WINDOW_BITS = -15;

export interface ZlibStream {
  /** The `z_stream`. */
  readonly stream: Buffer;
  /** `inflate` or `deflate` */
  readonly run: (stream: Uint8Array, flush: number) => number;
  /** `inflateReset` or `deflateReset` */
  readonly reset: (stream: Uint8Array) => number;
  /** Of an array past the 64 bytes below which the collector may move it. It has to be held while zlib knows the address. */
  readonly addressOf: (array: Uint8Array) => bigint;
}

/** @throws UnsupportedError where Node hides its zlib */
export function inflateStream(): ZlibStream {
  return open('inflate', 'int inflateInit2_(void *, int, const char *, int)', [RAW_WINDOW_BITS]);
}

/** @param level 1 to 9 @throws UnsupportedError where Node hides its zlib */
export function deflateStream(level: number): ZlibStream {
  const settings = [level, Z_DEFLATED, RAW_WINDOW_BITS, MEMORY_LEVEL, Z_DEFAULT_STRATEGY];
  return open('deflate', 'int deflateInit2_(void *, int, int, int, int, int, const char *, int)', settings);
}

function open(name: 'inflate' | 'deflate', prototype: string, settings: readonly number[]): ZlibStream {
  const koffi = createRequire(import.meta.url)('koffi') as typeof import('koffi');
  const node = koffi.load(null);
  const stream = Buffer.allocUnsafeSlow(zStream.size).fill(0);
  const version = process.versions['zlib'];
  let init;
  let run;
  let reset;
  try {
    init = node.func(prototype);
    run = node.func(`int ${name}(void *, int)`);
    reset = node.func(`int ${name}Reset(void *)`);
  } catch (cause) {
    const problem = `This Node (${process.execPath}) does not offer its zlib; use the Node that cfs ships`;
    throw new UnsupportedError(problem, {}, cause);
  }
  if (init(stream, ...settings, version, zStream.size) !== Z_OK) {
    throw new UnsupportedError(`zlib ${version} of this Node cannot be started with ${settings.join(', ')}`);
  }
  return { stream, run, reset, addressOf: (array) => koffi.address(array) };
}
