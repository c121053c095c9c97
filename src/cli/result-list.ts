/** The results of a command that gives one thing, or several of a kind one after the other. */
import type { Context } from './context.ts';
import { writeJson, writeLine } from './output.ts';

/**
 * As text each result is written when it is there, with an empty line between two. As JSON one result is an object; where several may
 * come it is an array of those that did, written at the end.
 */
export class ResultList implements Disposable {
  readonly #context: Context;
  readonly #several: boolean;
  readonly #values: object[] = [];

  constructor(context: Context, several: boolean) {
    this.#context = context;
    this.#several = several;
  }

  add(value: object, lines: readonly string[]): void {
    this.#context.output.end();
    if (!this.#context.json) {
      if (this.#values.length > 0) writeLine('');
      for (const line of lines) writeLine(line);
    } else if (!this.#several) {
      writeJson(value);
    }
    this.#values.push(value);
  }

  /** Also after a failure: what was done before it is told. */
  [Symbol.dispose](): void {
    if (this.#context.json && this.#several) writeJson(this.#values);
  }
}
