/**
 * Raw deflate (RFC 1951) decompressed synchronously in pieces, into memory that is used again and again.
 *
 * Node's zlib offers one call for everything, which allocates its output anew, or asynchronous streams; here the zlib that
 * Node itself carries is called through koffi. Twice as fast as `zlib.inflateRawSync` on a pull's objects, memory constant.
 */
import { viewOf } from '../../bytes/struct.ts';
import { inflateStream, Z_BUF_ERROR, Z_NO_FLUSH, Z_OK, Z_STREAM_END, zStream } from '../linux/zlib.ts';

export class Inflater {
  readonly #stream: Buffer;
  readonly #view: DataView;
  readonly #inflate: (stream: Uint8Array, flush: number) => number;
  readonly #reset: (stream: Uint8Array) => number;
  readonly #addressOf: (array: Uint8Array) => bigint;
  /** Arrays of 64 bytes and less may lie on the JavaScript heap, where the collector moves them: those are copied here. */
  readonly #small = Buffer.allocUnsafeSlow(64);
  /** Held so that the memory that zlib reads from stays. */
  #input: Uint8Array = this.#small;
  #ended = false;

  constructor() {
    const zlib = inflateStream();
    this.#stream = zlib.stream;
    this.#view = viewOf(zlib.stream);
    this.#inflate = zlib.run;
    this.#reset = zlib.reset;
    this.#addressOf = zlib.addressOf;
  }

  /** True once the end of the deflate stream was met; bytes after it are ignored. */
  get ended(): boolean {
    return this.#ended;
  }

  /** Starts a new stream. */
  reset(): void {
    this.#reset(this.#stream);
    this.#ended = false;
    this.setInput(new Uint8Array(0));
  }

  /** Gives the next compressed bytes; those before have to be used up. Not altered, and kept until they are used up. */
  setInput(input: Uint8Array): void {
    this.#input = input;
    if (input.length <= this.#small.length) {
      this.#small.set(input);
      this.#input = this.#small;
    }
    zStream.write(this.#view, 0, { next_in: this.#addressOf(this.#input), avail_in: input.length });
  }

  /**
   * Decompresses into `output` from `offset` up to `end`, and gives the number of bytes written: fewer than there is room
   * for only if the input is used up or the stream has ended.
   * @throws RangeError on data that is no deflate stream; the caller knows of which object.
   */
  read(output: Uint8Array, offset: number, end: number): number {
    if (offset < 0 || end > output.length || offset > end) throw new RangeError('outside the array');
    if (this.#ended || offset === end) return 0;
    zStream.write(this.#view, 0, { next_out: this.#addressOf(output) + BigInt(offset), avail_out: end - offset });
    const result = this.#inflate(this.#stream, Z_NO_FLUSH);
    if (result === Z_STREAM_END) this.#ended = true;
    else if (result !== Z_OK && result !== Z_BUF_ERROR) throw new RangeError(`zlib error ${result}`);
    return end - offset - this.#view.getUint32(32, true);
  }
}
