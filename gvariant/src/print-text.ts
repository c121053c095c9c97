/** Doubles, strings and byte strings as `g_variant_print` writes them. */

const controls: ReadonlyMap<string, string> = new Map([
  ['\x07', '\\a'],
  ['\b', '\\b'],
  ['\f', '\\f'],
  ['\n', '\\n'],
  ['\r', '\\r'],
  ['\t', '\\t'],
  ['\v', '\\v'],
]);

/** `toExponential(16)`, but a number halfway between two goes to the even digit, as in C, and not up. */
function exponential(value: number): string {
  // Only a number of exactly 18 digits can lie halfway; no double comes close enough to look so in 60 digits.
  // oxlint-disable-next-line oxc/number-arg-out-of-range -- the limit is 100 since ES2018
  const [, kept, power] = /^(.{17}[02468])50{43}(e.*)$/.exec(value.toExponential(60)) ?? [];
  return kept === undefined ? value.toExponential(16) : `${kept}${power}`;
}

/** C's `%.17g`, with `.0` where the result would read as an integer. */
export function double(value: number): string {
  if (Number.isNaN(value)) return 'nan';
  if (!Number.isFinite(value)) return value < 0 ? '-inf' : 'inf';
  const sign = value < 0 || Object.is(value, -0) ? '-' : '';
  const [mantissa = '', power = ''] = exponential(Math.abs(value)).split('e');
  const exponent = Number(power);
  const digits = mantissa.replace('.', '').replace(/0+$/, '') || '0';
  if (exponent < -4 || exponent >= 17) {
    const fraction = digits.length > 1 ? `.${digits.slice(1)}` : '';
    const shift = String(Math.abs(exponent)).padStart(2, '0');
    return `${sign}${digits.slice(0, 1)}${fraction}e${exponent < 0 ? '-' : '+'}${shift}`;
  }
  if (exponent < 0) return `${sign}0.${'0'.repeat(-exponent - 1)}${digits}`;
  const whole = digits.slice(0, exponent + 1).padEnd(exponent + 1, '0');
  return `${sign}${whole}.${digits.slice(exponent + 1) || '0'}`;
}

/** Single quotes, unless the text has one itself; printable characters of any script stay as they are. */
export function quoted(text: string): string {
  const quote = text.includes("'") ? '"' : "'";
  const escaped = text.replaceAll(/['"\\]|[\p{Cc}\p{Cf}\p{Cn}]/gu, (character) => {
    if (character === '\\' || character === quote) return `\\${character}`;
    if (character === "'" || character === '"') return character;
    const code = (character.codePointAt(0) ?? 0).toString(16);
    return controls.get(character) ?? (code.length > 4 ? `\\U${code.padStart(8, '0')}` : `\\u${code.padStart(4, '0')}`);
  });
  return `${quote}${escaped}${quote}`;
}

/** `b'…'` for bytes whose only NUL is the last one; undefined for all others. */
export function bytestring(bytes: Uint8Array): string | undefined {
  if (bytes.length === 0 || bytes.indexOf(0) !== bytes.length - 1) return undefined;
  const quote = bytes.includes(0x27) ? '"' : "'";
  let text = '';
  for (const byte of bytes.subarray(0, -1)) {
    const character = String.fromCharCode(byte);
    if (character === '\\' || character === '"') text += `\\${character}`;
    else if (byte >= 0x20 && byte < 0x7f) text += character;
    else {
      const short = byte === 0x07 ? undefined : controls.get(character);
      text += short ?? `\\${byte.toString(8).padStart(3, '0')}`;
    }
  }
  return `b${quote}${text}${quote}`;
}
