/** Part files on their way in: a caller can let others run, and stop, however much is made of few bytes. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { checksumOf } from '../../../ostree/checksum.ts';
import { ListedObjects } from '../../../ostree/delta/listed-objects.ts';
import { Compression } from '../../../ostree/delta/format.ts';
import { readPart } from '../../../ostree/delta/part-file.ts';

test('readPart() pauses between small pieces of one large chunk, and ends when the pause throws', async () => {
  const file = Buffer.alloc(256 * 1024, Compression.xz);
  const part = {
    digest: checksumOf(file),
    size: file.length,
    unpackedSize: 2 ** 30,
    objects: new ListedObjects(new Uint8Array(0), 'test', 'objects'),
  };
  const pushed: number[] = [];
  let pauses = 0;
  const services = {
    decompressor: () => ({
      step: 4096,
      push: (input: Uint8Array) => void pushed.push(input.length),
      end: () => undefined,
      [Symbol.dispose]: () => undefined,
    }),
    temporary: { open: () => assert.fail(), close: () => assert.fail() },
    room: () => 2 ** 40,
    pause: () => {
      if (++pauses === 3) throw new Error('stopped');
      return Promise.resolve();
    },
  };
  await assert.rejects(
    readPart(part, 'test', async (sink) => sink.write(file), services),
    /stopped/,
  );
  assert.deepEqual(pushed, [4096, 4096, 4096]);
});
