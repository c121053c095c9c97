/** libostree as a source of objects, beside our own reading of the same repositories. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import { decode } from '../../../gvariant/src/decode.ts';
import { isNormal } from '../../../gvariant/src/normal.ts';
import { parse } from '../../../gvariant/src/parse.ts';
import { print } from '../../../gvariant/src/print.ts';
import { encode } from '../../../gvariant/src/encode.ts';
import { LibostreeSource } from '../../../ostree/gi/source.ts';
import { isMetadataType, objectNumbers, type MetadataType } from '../../../ostree/object-type.ts';
import { openSource } from '../../../ostree/open-source.ts';
import { openLocalSource } from '../../../src/pull/source.ts';
import { needs } from '../../needs.ts';
import { objectsOf } from '../golden.ts';
import {
  goldenRefs,
  makeRepositories,
  ostree,
  repositoryNeeds,
  userOnlyRefs,
  type Repositories,
} from '../real-ostree.ts';
import { contentOf, testSource } from '../source-contract.ts';

const skip = needs(...repositoryNeeds, 'libostree for Node');
/** Another repository whose every object is compared; a walk over 25,000 takes about half a minute. */
const further = process.env['CFS_LIBOSTREE_REPO'];
const modes = ['archive', 'bare', 'bareUser', 'bareUserOnly', 'bareSplitXattrs'] as const;

describe('LibostreeSource', { skip }, () => {
  let repositories: Repositories;
  before(() => {
    repositories = makeRepositories();
  });
  after(() => repositories[Symbol.dispose]());

  for (const mode of modes) {
    testSource({
      name: `of libostree for a ${mode} repository`,
      skip: false,
      open: () => LibostreeSource.open({ path: repositories[mode] }),
      reopen: (description) => openSource(description),
      cleanUp: () => {},
      refs: mode === 'bareUserOnly' ? userOnlyRefs : goldenRefs,
    });
  }

  test('refuses a commit whose tree is not all there', async () => {
    const path = `${repositories.root}/partial`;
    ostree('init', `--repo=${path}`, '--mode=bare-user');
    ostree('remote', 'add', `--repo=${path}`, '--no-gpg-verify', 'origin', `file://${repositories.archive}`);
    ostree('pull', `--repo=${path}`, '--commit-metadata-only', 'origin', 'golden/plain');
    using source = await LibostreeSource.open({ path });
    const commit = await source.resolveRef('origin:golden/plain');
    await assert.rejects(source.readObject('commit', commit), { code: 'PARTIAL', message: /is only partly in/ });
    // Only refs of this repository itself are found without their remote.
    await assert.rejects(source.resolveRef('golden/plain'), { code: 'NOT_FOUND' });
  });

  const walks = [...modes, ...(further === undefined ? [] : ['further' as const])];
  for (const mode of walks) {
    test(`reads every object of ${mode === 'further' ? further : `the ${mode} repository`} as we do`, async (t) => {
      const path = mode === 'further' ? further! : repositories[mode];
      const counts = await compareObjects(path);
      t.diagnostic(JSON.stringify(counts));
      assert(counts.metadata > 0 && counts.files > 0);
    });
  }
});

interface Counts {
  metadata: number;
  files: number;
  bytes: number;
  /** Resident MiB of libostree's process, and its open descriptors, at the end. */
  memory: number;
  descriptors: number;
}

/** Compares each object's bytes, header and checksum, and what GLib says of its variant; gives how many there were. */
async function compareObjects(path: string): Promise<Counts> {
  const ours = openLocalSource(path);
  using theirs = await LibostreeSource.open({ path });
  const objects = objectsOf(path).filter(({ type }) => type === 'file' || isMetadataType(type));
  const counts: Counts = { metadata: 0, files: 0, bytes: 0, memory: 0, descriptors: 0 };
  const { result: count } = await theirs.libostree.call('count', {});
  assert.equal(count, objects.filter(({ type }) => type !== 'commitmeta').length);
  const { pid } = theirs.libostree;
  let baseline = 0;
  for (const [i, { type, checksum }] of objects.entries()) {
    if (isMetadataType(type)) {
      const bytes = ours.readObject(type, checksum);
      assert.deepEqual(Buffer.from(await theirs.readObject(type, checksum)), Buffer.from(bytes));
      await compareVariant(theirs, type, checksum, bytes);
      counts.metadata++;
    } else {
      using own = ours.openFile(checksum);
      using other = await theirs.openFile(checksum);
      assert.deepEqual([other.header, other.size], [own.header, own.size]);
      assert.deepEqual(Buffer.from(other.hashedHeader), Buffer.from(own.hashedHeader));
      const content = contentOf(other);
      assert(content.equals(contentOf(own)), `the content of ${checksum}`);
      assert.equal(createHash('sha256').update(other.hashedHeader).update(content).digest('hex'), checksum);
      counts.files++;
      counts.bytes += content.length;
    }
    if (i === 2000) baseline = residentMiB(pid);
  }
  counts.memory = residentMiB(pid);
  counts.descriptors = readdirSync(`/proc/${pid}/fd`).length;
  assert(counts.descriptors < 60);
  if (baseline > 0) assert(counts.memory < baseline + 64, `memory grew from ${baseline} to ${counts.memory} MiB`);
  return counts;
}

const types: Readonly<Record<MetadataType, string>> = {
  commit: '(a{sv}aya(say)sstayay)',
  dirtree: '(a(say)a(sayay))',
  dirmeta: '(uuua(ayay))',
  commitmeta: 'a{sv}',
  'tombstone-commit': 'a{sv}',
};

async function compareVariant(
  { libostree }: LibostreeSource,
  type: MetadataType,
  checksum: string,
  bytes: Uint8Array,
): Promise<void> {
  if (type === 'commitmeta') return;
  const { result } = await libostree.call('variant', { type: objectNumbers[type], checksum });
  assert.deepEqual([result.type, result.normal], [types[type], isNormal(types[type], bytes)]);
  assert.equal(print(types[type], decode(types[type], bytes)), result.text);
  const parsed = parse(result.text, types[type]);
  assert.deepEqual(Buffer.from(encode(types[type], parsed.value)), Buffer.from(bytes));
}

function residentMiB(pid: number): number {
  const [, kilobytes] = /^VmRSS:\s*(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))!;
  return Math.round(Number(kilobytes) / 1024);
}
