/**
 * Framing offsets: the end positions of variable-size children at the tail of a container, unsigned, little-endian in
 * every byte order, all of one width that follows from the container's size.
 */
import { GVariantError } from './error.ts';

export type Width = 0 | 1 | 2 | 4 | 8;

/** One serialised value being read. Positions count from its first byte, as alignment does. */
export class Input {
  readonly bytes: Uint8Array;
  readonly view: DataView;
  readonly little: boolean;

  constructor(bytes: Uint8Array, little: boolean) {
    this.bytes = bytes;
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.little = little;
  }
}

/** Width of the offsets in a container of `size` bytes, the offsets included. */
export function offsetWidth(size: number): Width {
  if (size === 0) return 0;
  if (size <= 0xff) return 1;
  if (size <= 0xffff) return 2;
  return size <= 0xffffffff ? 4 : 8;
}

/** The only width that normal form allows for `count` offsets after `body` bytes. */
export function minimalWidth(body: number, count: number): Exclude<Width, 0> {
  if (body + count <= 0xff) return 1;
  if (body + 2 * count <= 0xffff) return 2;
  return body + 4 * count <= 0xffffffff ? 4 : 8;
}

/** Reads one offset. A value past 2^53 loses precision, but stays larger than any container. */
export function readOffset(view: DataView, position: number, width: Width): number {
  switch (width) {
    case 1:
      return view.getUint8(position);
    case 2:
      return view.getUint16(position, true);
    case 4:
      return view.getUint32(position, true);
    case 0:
      return 0;
    default:
      return view.getUint32(position, true) + view.getUint32(position + 4, true) * 2 ** 32;
  }
}

/** Distance from `position` to the next multiple of `alignment` (a power of two; positions past 2^31 are fine). */
export const padding = (position: number, alignment: number): number => -position & (alignment - 1);

/** @throws GVariantError unless all bytes from `start` to `end` are zero. */
export function checkPadding(input: Input, type: string, start: number, end: number): void {
  for (let at = start; at < end; at++) {
    if (input.bytes[at] !== 0) throw new GVariantError(type, 'padding byte is not zero', at);
  }
}
