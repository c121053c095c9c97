import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { CfsError } from '../../../bytes/errors.ts';
import { checksumOf } from '../../../ostree/checksum.ts';
import { BoundedFetch } from '../../../ostree/http/bounded-fetch.ts';
import { openHttpSource } from '../../../ostree/http/source.ts';
import { HandmadeCommits } from '../../pull/handmade-commit.ts';
import { FaultyServer } from './faulty-server.ts';
import { quick } from './open-transport.ts';

describe('BoundedFetch', () => {
  test('fetches small objects at the same time, and large ones one after the other', async () => {
    const bounded = new BoundedFetch();
    const running = { small: 0, large: 0 };
    const most = { small: 0, large: 0 };
    const fetch =
      (size: number) =>
      async (limit = Infinity): Promise<Uint8Array> => {
        const kind = limit === Infinity ? 'large' : 'small';
        most[kind] = Math.max(most[kind], ++running[kind]);
        await sleep(2);
        running[kind]--;
        if (size > limit) throw new CfsError('LIMIT', 'too large', { limit });
        return new Uint8Array(size);
      };
    const sizes = [10, 2_000_000, 20, 3_000_000, 4_000_000];
    const all = await Promise.all(sizes.map((size) => bounded.run(fetch(size))));
    assert.deepEqual(
      all.map((bytes) => (bytes as Uint8Array).length),
      sizes,
    );
    assert.deepEqual(most, { small: 5, large: 1 });
  });

  test('lets the next large one go on after one that fails, and passes other limits on', async () => {
    const bounded = new BoundedFetch();
    const large = async (limit?: number): Promise<Uint8Array> => {
      throw new CfsError('LIMIT', 'too large', { limit: limit ?? 5 });
    };
    await assert.rejects(bounded.run(large), { code: 'LIMIT', facts: { limit: 5 } });
    assert.deepEqual(await bounded.run(async () => new Uint8Array(1)), new Uint8Array(1));
  });

  test('makes no difference to what a source gives', async () => {
    using source = new HandmadeCommits();
    const file = source.file(Buffer.from('x'));
    const names = Array.from({ length: 30_000 }, (_, i) => [`file${i + 100_000}`, file] as const);
    const tree = source.dirTree(names);
    await using server = await FaultyServer.start({ files: source.path });
    using http = openHttpSource(server.url, quick);
    const [one, two] = await Promise.all([http.readObject('dirtree', tree), http.readObject('dirtree', tree)]);
    assert(one.length > 1024 * 1024);
    assert.deepEqual([checksumOf(one), checksumOf(two)], [tree, tree]);
  });
});
