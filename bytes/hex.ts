/** Lower-case hexadecimal text, the form in which every digest is written. */

/** `bytes` as lower-case hex. */
export function toHex(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('hex');
}

/** The bytes of lower-case hex text; the caller has checked the text with `isHex`. */
export function fromHex(text: string): Uint8Array {
  return Buffer.from(text, 'hex');
}

const lowerHex = /^[0-9a-f]*$/;

/** True for exactly `byteLength` bytes of lower-case hex. */
export function isHex(text: string, byteLength: number): boolean {
  return text.length === 2 * byteLength && lowerHex.test(text);
}
