/** LZMA2: chunks of LZMA or of plain bytes, each of which says what is reset before it. */
import { XzError } from '../decompressor.ts';
import { Dictionary } from './dictionary.ts';
import type { Input, Waiting } from './input.ts';
import { LzmaDecoder } from './lzma.ts';

/** Control bytes. From `LZMA` on, bits 5 and 6 say what is reset, the lower ones belong to the size. */
const END = 0x00;
const PLAIN_RESET = 0x01;
const PLAIN = 0x02;
const LZMA = 0x80;
const LZMA_RESET_ALL = 0xe0;
const LZMA_PROPERTIES = 0xc0;
const LZMA_RESET = 0xa0;

/** Chunks up to the end mark, each handed to `write`. @param dictionarySize as the block's header has it. */
export function* decodeLzma2(
  input: Input,
  dictionarySize: number,
  memoryLimit: number,
  write: (piece: Uint8Array) => void,
): Waiting<void> {
  const dictionary = new Dictionary(dictionarySize, memoryLimit);
  const lzma = new LzmaDecoder();
  let needsDictionary = true;
  let needsProperties = true;
  let needsReset = true;
  for (;;) {
    const control = yield* input.byte();
    if (control === END) return;
    if (control === PLAIN_RESET || control >= LZMA_RESET_ALL) {
      needsDictionary = false;
      dictionary.reset();
    }
    if (needsDictionary || (control > PLAIN && control < LZMA)) throw new XzError('Data is corrupt');
    const sizes = yield* input.take(control < LZMA ? 2 : 4);
    const low = 1 + (sizes[0]! << 8) + sizes[1]!;
    if (control < LZMA) {
      dictionary.reserve(low);
      dictionary.putAll(yield* input.take(low));
      if (control === PLAIN_RESET) needsReset = true;
    } else {
      const size = ((control & 0x1f) << 16) + low;
      const compressed = 1 + (sizes[2]! << 8) + sizes[3]!;
      if (control >= LZMA_PROPERTIES) {
        lzma.setProperties(yield* input.byte());
        needsProperties = needsReset = false;
      } else if (control >= LZMA_RESET) {
        lzma.reset();
        needsReset = false;
      }
      if (needsProperties || needsReset) throw new XzError('Data is corrupt');
      dictionary.reserve(size);
      lzma.decode(yield* input.take(compressed), dictionary, size);
    }
    write(dictionary.flush());
  }
}
