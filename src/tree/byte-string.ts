/**
 * Byte strings: file names, xattr names, symlink targets and payload paths are arbitrary bytes on Linux. They are JS
 * strings with one character (0x00..0xff) per byte: cheap to keep, to use as map keys and to compare, and `<` on them is
 * the byte order in which every format here sorts.
 */
declare const byteStringBrand: unique symbol;

export type ByteString = string & { readonly [byteStringBrand]: true };

// oxlint-disable-next-line no-control-regex -- ASCII includes the control characters
const ascii = /^[\x00-\x7f]*$/;

/** The UTF-8 bytes of `text`. */
export function byteString(text: string): ByteString {
  return (ascii.test(text) ? text : Buffer.from(text, 'utf8').toString('latin1')) as ByteString;
}

/** The text whose UTF-8 bytes these are; bytes that are no UTF-8 become U+FFFD (see `isUtf8`). */
export function toUtf8(bytes: ByteString): string {
  return ascii.test(bytes) ? bytes : Buffer.from(bytes, 'latin1').toString('utf8');
}

/** True when `toUtf8` loses nothing. */
export function isUtf8(bytes: ByteString): boolean {
  return ascii.test(bytes) || byteString(toUtf8(bytes)) === bytes;
}

/** One character per byte. */
export function byteStringFrom(bytes: Uint8Array): ByteString {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1') as ByteString;
}
