import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { toHex } from '../../../../bytes/hex.ts';
import { decode, lookup } from '../../../../gvariant/src/decode.ts';
import { encode } from '../../../../gvariant/src/encode.ts';
import { checkNormal } from '../../../../gvariant/src/normal.ts';
import { Variant } from '../../../../gvariant/src/value.ts';
import { checksumBytes, checksumOf, type OstreeChecksum } from '../../../../ostree/checksum.ts';
import { encodeCommit } from '../../../../ostree/commit.ts';
import { deltaFolder, DeltaKey, SUPERBLOCK_TYPE } from '../../../../ostree/delta/format.ts';
import { encodeSuperblock, type SuperblockParts } from '../../../../ostree/delta/make/superblock.ts';
import { swap64 } from '../../../../ostree/variant.ts';

const sum = (name: string): OstreeChecksum => checksumOf(Buffer.from(name));
const bytes32 = (checksum: OstreeChecksum): Uint8Array => new Uint8Array(checksumBytes(checksum));
const commit = encodeCommit({
  metadata: [['version', new Variant('s', '7.1')]],
  parent: sum('from'),
  related: [],
  subject: 'a subject',
  body: '',
  timestamp: 1_700_000_000n,
  rootTree: sum('tree'),
  rootMeta: sum('meta'),
});
const to = checksumOf(commit);
const delta: SuperblockParts = {
  from: sum('from'),
  to,
  commit,
  time: 1_800_000_000,
  parts: [{ checksum: sum('part'), size: 10, usize: 2 ** 40, objects: Buffer.alloc(66, 1) }],
  fallbacks: [{ checksum: sum('large'), size: 5_000_000, usize: 9_000_000 }],
};

function decoded(parts: SuperblockParts) {
  const bytes = encodeSuperblock(parts);
  checkNormal(SUPERBLOCK_TYPE, bytes);
  return { bytes, fields: decode(SUPERBLOCK_TYPE, bytes) };
}

describe('encodeSuperblock()', () => {
  test('lists what the delta has', () => {
    const { bytes, fields } = decoded(delta);
    const [metadata, time, from, decodedTo, , prerequisites, parts, fallbacks] = fields;
    assert.equal(lookup(metadata, DeltaKey.endianness, 'y'), 'l'.charCodeAt(0));
    assert.equal(swap64(time), 1_800_000_000n);
    assert.deepEqual([toHex(from), toHex(decodedTo)], [sum('from'), to]);
    assert.equal(prerequisites.length, 0);
    assert.deepEqual(Array.from(parts), [[0, bytes32(sum('part')), 10n, 2n ** 40n, new Uint8Array(66).fill(1)]]);
    assert.deepEqual(Array.from(fallbacks), [[1, bytes32(sum('large')), 5_000_000n, 9_000_000n]]);
    // The bytes of the commit themselves.
    assert(Buffer.from(bytes).includes(Buffer.from(commit)));
  });

  test('has no older commit for a delta from nothing', () => {
    const { fields } = decoded({ ...delta, from: undefined });
    assert.equal(fields[2].length, 0);
  });

  test('holds parts and detached metadata under the path of the delta', () => {
    const commitMeta = encode('a{sv}', [['signed', new Variant('b', true)]]);
    const inline = [Buffer.from('xpart'), Buffer.from('xother')];
    const { fields } = decoded({ ...delta, commitMeta, inline });
    const folder = deltaFolder(delta.from, to);
    assert.deepEqual(lookup(fields[0], `${folder}/0`, '(yay)'), [0x78, new Uint8Array(Buffer.from('part'))]);
    assert.deepEqual(lookup(fields[0], `${folder}/1`, '(yay)'), [0x78, new Uint8Array(Buffer.from('other'))]);
    const meta = lookup(fields[0], `${folder}/commitmeta`, 'a{sv}');
    assert.equal(lookup(meta!, 'signed', 'b'), true);
  });

  test('refuses what no reader takes, and a commit that is none', () => {
    const large = { ...delta, inline: [new Uint8Array(128 * 1024 * 1024 + 1)] };
    assert.throws(() => encodeSuperblock(large), { code: 'LIMIT', message: /as a directory/ });
    assert.throws(() => encodeSuperblock({ ...delta, commit: Buffer.from('nothing') }), { code: 'FORMAT' });
  });
});
