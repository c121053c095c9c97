/**
 * Raw deflate (RFC 1951) compressed synchronously in pieces, by the zlib that Node itself carries, called through koffi: memory
 * does not grow with the file, and nothing is allocated for each of thousands of small ones.
 */
import { viewOf } from '../../bytes/struct.ts';
import type { Deflater } from '../../ostree/local/write-services.ts';
import { deflateStream, Z_BUF_ERROR, Z_FINISH, Z_NO_FLUSH, Z_OK, Z_STREAM_END, zStream } from '../linux/zlib.ts';

const OUTPUT_SIZE = 64 * 1024;
/** Input is copied here piece by piece: small arrays may lie where the collector moves them. */
const INPUT_SIZE = 64 * 1024;

export class ZlibDeflater implements Deflater {
  readonly #stream: Buffer;
  readonly #view: DataView;
  readonly #input = Buffer.allocUnsafeSlow(INPUT_SIZE);
  readonly #output = Buffer.allocUnsafeSlow(OUTPUT_SIZE);
  readonly #inputAddress: bigint;
  readonly #outputAddress: bigint;
  readonly #deflate: (stream: Uint8Array, flush: number) => number;
  readonly #reset: (stream: Uint8Array) => number;

  /** @param level 1 to 9. Lives as long as its thread. */
  constructor(level: number) {
    const zlib = deflateStream(level);
    this.#stream = zlib.stream;
    this.#view = viewOf(zlib.stream);
    this.#deflate = zlib.run;
    this.#reset = zlib.reset;
    this.#inputAddress = zlib.addressOf(this.#input);
    this.#outputAddress = zlib.addressOf(this.#output);
  }

  reset(): void {
    this.#reset(this.#stream);
  }

  push(input: Uint8Array, last: boolean, emit: (output: Uint8Array) => void): void {
    let offset = 0;
    do {
      const piece = input.subarray(offset, offset + INPUT_SIZE);
      offset += piece.length;
      this.#input.set(piece);
      this.#run(piece.length, last && offset >= input.length, emit);
    } while (offset < input.length);
  }

  #run(length: number, last: boolean, emit: (output: Uint8Array) => void): void {
    zStream.write(this.#view, 0, { next_in: this.#inputAddress, avail_in: length });
    for (;;) {
      zStream.write(this.#view, 0, { next_out: this.#outputAddress, avail_out: OUTPUT_SIZE });
      const result = this.#deflate(this.#stream, last ? Z_FINISH : Z_NO_FLUSH);
      if (result !== Z_OK && result !== Z_STREAM_END && result !== Z_BUF_ERROR) throw new Error(`zlib error ${result}`);
      const left = this.#view.getUint32(zStream.at.avail_out, true);
      if (left < OUTPUT_SIZE) emit(this.#output.subarray(0, OUTPUT_SIZE - left));
      // Output that was not filled means that there is no more of it.
      if (last ? result === Z_STREAM_END : left > 0) return;
    }
  }
}
