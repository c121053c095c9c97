/** Compressed bytes that arrive in pieces, for a decoder that is written as if they were there: it waits by `yield`. */

/** Bytes of a decoder that waits for more. */
export type Waiting<T> = Generator<void, T, void>;

export class Input {
  #pieces: Uint8Array = new Uint8Array(0);
  #at = 0;
  /** Bytes taken since the stream began. */
  taken = 0;

  /** The next bytes; they are used up before this is called again. */
  push(piece: Uint8Array): void {
    const rest = this.#pieces.subarray(this.#at);
    this.#pieces = rest.length === 0 ? piece : Buffer.concat([rest, piece]);
    this.#at = 0;
  }

  /** Keeps what is not taken in memory of its own. */
  settle(): void {
    this.#pieces = Uint8Array.from(this.#pieces.subarray(this.#at));
    this.#at = 0;
  }

  /** Bytes that came and were not taken. */
  get left(): number {
    return this.#pieces.length - this.#at;
  }

  /** A view of the next bytes, which lives until the next wait. */
  *take(length: number): Waiting<Uint8Array> {
    while (this.left < length) yield;
    const bytes = this.#pieces.subarray(this.#at, this.#at + length);
    this.#at += length;
    this.taken += length;
    return bytes;
  }

  *byte(): Waiting<number> {
    return (yield* this.take(1))[0]!;
  }
}
