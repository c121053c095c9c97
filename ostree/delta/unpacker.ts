/** Unpacks what arrives while more of it does: a decompressor that works on another thread gets all at once that came meanwhile. */
import { FormatError } from '../../bytes/errors.ts';
import { XzError, type Decompressor, type Unpacked } from './decompressor.ts';

/** Compressed bytes that may wait. */
const MOST = 8 * 1024 * 1024;

export class Unpacker implements Disposable {
  readonly #decompressor: Decompressor;
  readonly #unpacked: Unpacked;
  readonly #format: string;
  readonly #pause: (() => Promise<void> | undefined) | undefined;
  #waiting: Uint8Array[] = [];
  #size = 0;
  #working: Promise<void> | undefined;
  #failure: { readonly error: unknown } | undefined;
  #isDisposed = false;

  /**
   * @param format what messages call the file.
   * @param pause is awaited between pieces of work. @throws to end it.
   */
  constructor(
    decompressor: Decompressor,
    unpacked: Unpacked,
    format: string,
    pause: (() => Promise<void> | undefined) | undefined,
  ) {
    this.#decompressor = decompressor;
    this.#unpacked = unpacked;
    this.#format = format;
    this.#pause = pause;
  }

  /**
   * Takes the next bytes. They are used up when this returns, and the next should come when the promise is fulfilled.
   * @throws what was wrong with bytes before: FormatError, whatever `unpacked` and `pause` throw.
   */
  push(bytes: Uint8Array): void | Promise<void> {
    this.#throwFailure();
    this.#waiting.push(new Uint8Array(bytes));
    this.#size += bytes.length;
    this.#working ??= this.#work();
    if (this.#size >= MOST) return this.#working;
  }

  /** Waits until all is unpacked. @throws as `push`; FormatError unless the stream is complete. */
  async end(): Promise<void> {
    await this.#working;
    this.#throwFailure();
    try {
      this.#decompressor.end();
    } catch (error) {
      throw this.#explain(error);
    }
  }

  /** Never fails. */
  async #work(): Promise<void> {
    try {
      while (this.#waiting.length > 0 && !this.#isDisposed) {
        const [first, ...more] = this.#waiting as [Uint8Array, ...Uint8Array[]];
        const input = more.length === 0 ? first : Buffer.concat(this.#waiting);
        this.#waiting = [];
        this.#size = 0;
        const { step } = this.#decompressor;
        for (let at = 0; at < input.length; at += step) {
          await this.#decompressor.push(input.subarray(at, at + step), this.#unpacked);
          await this.#pause?.();
        }
      }
    } catch (error) {
      this.#failure = { error: this.#explain(error) };
      this.#waiting = [];
    }
    this.#working = undefined;
  }

  #throwFailure(): void {
    if (this.#failure !== undefined) throw this.#failure.error;
  }

  #explain(error: unknown): unknown {
    if (!(error instanceof XzError)) return error;
    return new FormatError(this.#format, 'payload', error.message, undefined, error);
  }

  [Symbol.dispose](): void {
    this.#isDisposed = true;
    this.#decompressor[Symbol.dispose]();
  }
}
