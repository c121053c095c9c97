/** The escapes of composefs-dump(5), decoded: `\\ \n \r \t \xHH`. Messages are those of C `mkcomposefs`. */

const simple: Readonly<Record<string, string>> = { '\\': '\\', n: '\n', r: '\r', t: '\t' };

/**
 * The bytes that escaped text stands for; `fail` makes the error to throw from C's message.
 */
export function unescapeField(text: string, fail: (problem: string) => Error): string {
  let at = text.indexOf('\\');
  if (at < 0) return text;
  let out = '';
  let from = 0;
  while (at >= 0) {
    out += text.slice(from, at);
    const type = text.charAt(at + 1);
    if (type === '') throw fail('No character after escape');
    if (type === 'x') {
      const digits = text.slice(at + 2, at + 4);
      if (digits.length < 2) throw fail('No hex characters after hex escape');
      if (!/^[0-9a-fA-F]{2}$/.test(digits)) throw fail('Invalid hex characters after hex escape');
      out += String.fromCharCode(Number.parseInt(digits, 16));
      from = at + 4;
    } else {
      const byte = simple[type];
      if (byte === undefined) throw fail(`Unsupported escape type ${type}`);
      out += byte;
      from = at + 2;
    }
    at = text.indexOf('\\', from);
  }
  return out + text.slice(from);
}

/** The text up to a NUL: C strings end there. */
export function upToNul(text: string): string {
  const nul = text.indexOf('\0');
  return nul < 0 ? text : text.slice(0, nul);
}
