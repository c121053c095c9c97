/** The one error class of this package: bytes, type strings, texts and values that are not GVariant. */

const shown = (text: string): string => (text.length > 64 ? `${text.slice(0, 61)}…` : text);

/**
 * Something that does not follow the GVariant format. The facts are fields, so that callers never parse the message.
 *
 * `type` is the type string of the innermost value at fault (empty where a text has not shown one), `offset` counts bytes from the start of the outermost value
 * (for type strings and texts: characters), and `problem` says what is wrong with it.
 */
export class GVariantError extends Error {
  override readonly name = 'GVariantError';
  readonly type: string;
  readonly problem: string;
  readonly offset: number | undefined;

  constructor(type: string, problem: string, offset?: number, attempt = 'Invalid GVariant') {
    const subject = type === '' ? '' : ` '${shown(type)}'`;
    super(`${attempt}${subject}${offset === undefined ? '' : ` at ${offset}`}: ${problem}`);
    this.type = type;
    this.problem = problem;
    this.offset = offset;
  }
}
