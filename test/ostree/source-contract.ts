/**
 * What every source of OSTree objects promises, as tests: a repository on disk in any mode, and one over HTTP.
 */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import { inflateRawSync } from 'node:zlib';
import type { OstreeChecksum } from '../../ostree/checksum.ts';
import { decodeCommit } from '../../ostree/commit.ts';
import { decodeDirMeta } from '../../ostree/dirmeta.ts';
import { decodeDirTree } from '../../ostree/dirtree.ts';
import { decodeHashedHeader } from '../../ostree/file-header.ts';
import type { HashedMetadataType } from '../../ostree/object-type.ts';
import { verifyMetadataObject } from '../../ostree/object-verify.ts';
import type { FileObject, Source, SourceDescription } from '../../ostree/source.ts';

export interface SourceContract {
  readonly name: string;
  /** Why the tests cannot run here, or false. */
  readonly skip: string | false;
  /** Opens the source, which may mean making it first. Called once. */
  open(): Source | Promise<Source>;
  reopen(description: SourceDescription): Source | Promise<Source>;
  /** Frees what `open` made. */
  cleanUp(): void | Promise<void>;
  /** Refs that the source must have, and all of whose objects it holds. */
  readonly refs: readonly string[];
  /** A commit that has a parent, by ref, and the parent, where the source has both. */
  readonly parent?: readonly [ref: string, parent: string];
}

/** All of a file object's content. */
export function contentOf({ content }: FileObject): Buffer {
  if (content.kind === 'none') return Buffer.alloc(0);
  const stored = Buffer.alloc(content.storedSize);
  stored.set(content.head);
  let length = content.head.length;
  while (length < stored.length) {
    const count = readSync(content.fd, stored, length, stored.length - length, content.offset + length);
    assert(count > 0, 'the file ends before its stored size');
    length += count;
  }
  return content.deflated ? inflateRawSync(stored) : stored;
}

/** Reads everything that a commit reaches, verifying each object; gives how many there are. */
export async function verifyCommit(
  source: Source,
  commit: OstreeChecksum,
): Promise<{ metadata: number; files: number }> {
  const seen = new Map<string, string>();
  const read = async (type: HashedMetadataType, checksum: OstreeChecksum): Promise<Uint8Array | undefined> => {
    const name = `${checksum}.${type}`;
    if (seen.has(name)) return undefined;
    seen.set(name, type);
    const bytes = await source.readObject(type, checksum);
    verifyMetadataObject(type, checksum, bytes);
    return bytes;
  };
  const files = new Set<OstreeChecksum>();
  const visit = async (tree: OstreeChecksum, meta: OstreeChecksum): Promise<void> => {
    const metaBytes = await read('dirmeta', meta);
    if (metaBytes !== undefined) decodeDirMeta(metaBytes, meta);
    const treeBytes = await read('dirtree', tree);
    if (treeBytes === undefined) return;
    const decoded = decodeDirTree(treeBytes, tree);
    for (const { checksum } of decoded.files) files.add(checksum);
    for (const child of decoded.directories) await visit(child.tree, child.meta);
  };
  const { rootTree, rootMeta } = decodeCommit((await read('commit', commit))!, commit);
  await visit(rootTree, rootMeta);
  for (const checksum of files) {
    using file = await source.openFile(checksum);
    const content = contentOf(file);
    assert.equal(content.length, file.size);
    assert.equal(createHash('sha256').update(file.hashedHeader).update(content).digest('hex'), checksum);
    assert.deepEqual(decodeHashedHeader(file.hashedHeader), file.header);
    if (file.content.kind === 'file')
      assert.equal(file.content.complete, file.content.head.length === file.content.storedSize);
    file.close();
  }
  return { metadata: seen.size, files: files.size };
}

const absent = 'ab'.repeat(32) as OstreeChecksum;

/** Declares the tests of one source. */
export function testSource(contract: SourceContract): void {
  describe(`the source ${contract.name}`, { skip: contract.skip }, () => {
    let source: Source;
    before(async () => {
      source = await contract.open();
    });
    after(async () => {
      // Not there if opening failed, and then that is the error to see.
      (source as Source | undefined)?.close();
      await contract.cleanUp();
    });

    test('listRefs() names refs that resolveRef() takes', async () => {
      const refs = await source.listRefs();
      for (const ref of contract.refs) assert(refs.has(ref), `${ref} is missing`);
      for (const [ref, commit] of refs) assert.equal(await source.resolveRef(ref), commit);
    });

    test('resolveRef() takes checksums as they are', async () => {
      assert.equal(await source.resolveRef(absent), absent);
    });

    if (contract.parent !== undefined) {
      const [ref, parent] = contract.parent;
      test('resolveRef() takes ^ for the parent', async () => {
        assert.equal(await source.resolveRef(`${ref}^`), parent);
        assert.equal(await source.resolveRef(`${await source.resolveRef(ref)}^`), parent);
      });
    }

    test('resolveRef() names a ref that is not there, and the source', async () => {
      await assert.rejects(source.resolveRef('no/such-ref'), (error: Error & { code?: string }) => {
        assert.equal(error.code, 'NOT_FOUND');
        assert.match(error.message, /'no\/such-ref'/);
        assert(error.message.includes(source.location));
        return true;
      });
    });

    for (const name of ['', '^', '../heads/x', 'a//b', '-x', 'a b']) {
      test(`resolveRef() refuses ${JSON.stringify(name)}`, async () => {
        await assert.rejects(source.resolveRef(name), { code: 'FORMAT' });
      });
    }

    for (const type of ['commit', 'dirtree', 'dirmeta', 'commitmeta'] as const) {
      test(`readObject() names a ${type} that is not there, and the source`, async () => {
        await assert.rejects(
          async () => source.readObject(type, absent),
          (error: Error & { code?: string }) => {
            assert.equal(error.code, 'NOT_FOUND');
            assert(
              error.message.includes(`${absent}.${type}`) && error.message.includes(source.location),
              error.message,
            );
            return true;
          },
        );
      });
    }

    test('openFile() names a file that is not there, and the source', async () => {
      await assert.rejects(
        async () => source.openFile(absent),
        (error: Error & { code?: string }) => {
          assert.equal(error.code, 'NOT_FOUND');
          assert(error.message.includes(absent) && error.message.includes(source.location), error.message);
          return true;
        },
      );
    });

    for (const ref of contract.refs) {
      test(`every object of ${ref} has the checksum it is named by`, async () => {
        const { metadata } = await verifyCommit(source, await source.resolveRef(ref));
        assert(metadata >= 3);
      });
    }

    test('describe() is plain data from which the same source is opened', async () => {
      const [ref] = contract.refs;
      using again = await contract.reopen(structuredClone(source.describe()));
      assert.equal(again.location, source.location);
      assert.equal(await again.resolveRef(ref!), await source.resolveRef(ref!));
    });
  });
}
