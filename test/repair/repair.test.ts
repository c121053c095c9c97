/** Damage of every kind, mended from sources of every kind and from none. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { openHttpSource } from '../../ostree/http/source.ts';
import { streamName } from '../../src/commit/commit-stream.ts';
import { commitRef, readCommit } from '../../src/commit/stored.ts';
import { formatProblem, isClean } from '../../src/repository/fsck-report.ts';
import { openRepairRepository, repairSource, type RepairSource } from '../../src/repair/sources.ts';
import { repairRepository, type RepairReport } from '../../src/repair/repair.ts';
import { collectGarbage } from '../../src/repository/gc.ts';
import { Repository } from '../../src/repository/repository.ts';
import { objectPath, type ObjectId } from '../../src/verity/object-id.ts';
import { needs } from '../needs.ts';
import { goldenPath } from '../ostree/golden.ts';
import { quick } from '../ostree/http/open-transport.ts';
import { FaultyServer } from '../ostree/http/faulty-server.ts';
import { makeRepositories, repositoryNeeds, type Repositories } from '../ostree/real-ostree.ts';
import { cfsctl, freshPath, freshRepository } from '../repository/support.ts';
import { commit, copyPristine, externals, flip, good, os, pristine, restream, stored } from '../pull/damage.ts';
import { pull, visible } from '../pull/support.ts';

async function repair(path: string, ...sources: RepairSource[]): Promise<RepairReport> {
  try {
    using repository = await Repository.open(path);
    return await repairRepository(repository, { sources });
  } finally {
    for (const source of sources) source[Symbol.dispose]();
  }
}

/** What cfsctl says must be what we say. */
function assertCfsctlAgrees(path: string): void {
  if (cfsctl === undefined) return;
  const { stdout, stderr } = spawnSync(cfsctl, ['--repo', path, 'fsck'], { encoding: 'utf8' });
  assert.match(stdout, /status: ok/, stderr);
}

function problems({ after: left }: RepairReport): string[] {
  return left.problems.map(formatProblem);
}

/** Who opens it waits for a writer. */
function toPipe(file: string): void {
  rmSync(file);
  spawnSync('mkfifo', [file]);
}

interface Damage {
  readonly name: string;
  readonly damage: (file: (id: ObjectId) => string, path: string) => void | Promise<void>;
  /** What becomes of the commit where there is no source. */
  readonly alone: 'whole' | 'partial' | 'left';
  /** What has a copy afterwards, if anything was replaced. */
  readonly kept: boolean;
}

/** A commit stream in which two files have changed places. */
function swapFiles(path: string): Promise<void> {
  return restream(path, [], (objects) => {
    const files = [...objects].filter(([, { object }]) => object !== undefined);
    const [[a, first], [b, second]] = [files[0]!, files.find(([, { object }]) => object !== files[0]![1].object)!];
    objects.set(a, { ...first, object: second.object });
    objects.set(b, { ...second, object: first.object });
  });
}

const damages: readonly Damage[] = [
  { name: 'an object with a flipped bit', damage: (file) => flip(file(externals[0]!)), alone: 'partial', kept: true },
  {
    name: 'an object that is cut',
    damage: (file) => truncateSync(file(externals[0]!), 3),
    alone: 'partial',
    kept: true,
  },
  { name: 'a missing object', damage: (file) => rmSync(file(externals[0]!)), alone: 'partial', kept: false },
  {
    name: 'a directory in the place of an object',
    damage(file) {
      rmSync(file(externals[0]!));
      mkdirSync(file(externals[0]!));
    },
    alone: 'partial',
    kept: true,
  },
  {
    name: 'a named pipe in the place of an object',
    damage: (file) => toPipe(file(externals[0]!)),
    alone: 'partial',
    kept: true,
  },
  {
    name: 'named pipes in the places of the commit stream and the image',
    damage: (file) => [good.stream, good.image].forEach((id) => toPipe(file(id))),
    alone: 'left',
    kept: true,
  },
  {
    name: 'a symlink in the place of an object',
    damage(file) {
      rmSync(file(externals[0]!));
      symlinkSync('/etc/passwd', file(externals[0]!));
    },
    alone: 'partial',
    kept: true,
  },
  {
    name: 'objects that have changed places',
    damage(file) {
      const [a, b] = externals.map(file);
      const bytes = readFileSync(a!);
      writeFileSync(a!, readFileSync(b!));
      writeFileSync(b!, bytes);
    },
    alone: 'whole',
    kept: true,
  },
  {
    name: 'all objects missing',
    damage: (file) => externals.forEach((id) => rmSync(file(id))),
    alone: 'partial',
    kept: false,
  },
  { name: 'a commit stream that mixes files up', damage: (_, path) => swapFiles(path), alone: 'partial', kept: true },
  {
    name: 'a commit stream with a flipped bit',
    damage: (file) => flip(file(good.stream)),
    alone: 'partial',
    kept: true,
  },
  {
    name: 'a commit stream whose magic is gone',
    damage: (file) => flip(file(good.stream), 0),
    alone: 'left',
    kept: true,
  },
  { name: 'an empty commit stream', damage: (file) => truncateSync(file(good.stream)), alone: 'left', kept: true },
  { name: 'a missing commit stream', damage: (file) => rmSync(file(good.stream)), alone: 'left', kept: false },
  {
    name: 'a missing link to the commit stream',
    damage: (_, path) => rmSync(join(path, 'streams', streamName(commit))),
    alone: 'left',
    kept: false,
  },
  {
    name: 'a link to the commit stream that leads elsewhere',
    damage(_, path) {
      rmSync(join(path, 'streams', streamName(commit)));
      symlinkSync(`../objects/${objectPath(externals[0]!)}`, join(path, 'streams', streamName(commit)));
    },
    alone: 'left',
    kept: true,
  },
  { name: 'an image with a flipped bit', damage: (file) => flip(file(good.image)), alone: 'whole', kept: true },
  { name: 'an image that is cut', damage: (file) => truncateSync(file(good.image), 4096), alone: 'whole', kept: true },
  { name: 'a missing image', damage: (file) => rmSync(file(good.image)), alone: 'whole', kept: false },
  {
    name: 'everything',
    damage: (file) => [...externals, good.image, good.stream].forEach((id) => flip(file(id))),
    alone: 'partial',
    kept: true,
  },
];

/** Tried with every source, the others with one. */
const everywhere: ReadonlySet<string> = new Set([
  'an object with a flipped bit',
  'a commit stream that mixes files up',
  'a missing commit stream',
  'everything',
]);

describe('repairRepository()', () => {
  let server: FaultyServer;
  let repositories: Repositories | undefined;
  let composefs: string;
  let otherHash: string;
  before(async () => {
    server = await FaultyServer.start({ files: goldenPath });
    composefs = freshRepository();
    otherHash = freshRepository('sha512');
    for (const path of [composefs, otherHash]) await pull(path, goldenPath, os);
    if (needs(...repositoryNeeds) === false) repositories = makeRepositories();
  });
  after(async () => {
    await server[Symbol.asyncDispose]();
    repositories?.[Symbol.dispose]();
  });

  const sources: readonly (readonly [string, false | string, () => Promise<RepairSource>])[] = [
    ['an archive repository', false, () => openRepairRepository(goldenPath)],
    ['a bare-user repository', needs(...repositoryNeeds), () => openRepairRepository(repositories!.bareUser)],
    ['a server', false, async () => repairSource(openHttpSource(server.url, quick))],
    ['a composefs repository', false, () => openRepairRepository(composefs)],
    ['a composefs repository of the other hash', false, () => openRepairRepository(otherHash)],
  ];

  for (const { name, damage, alone, kept } of damages) {
    for (const [from, skip, open] of sources) {
      if (!everywhere.has(name) && from !== 'an archive repository') continue;
      test(`mends ${name} from ${from}`, { skip }, async () => {
        const path = copyPristine();
        await damage((id) => join(path, 'objects', objectPath(id)), path);
        const report = await repair(path, await open());
        assert.deepEqual(problems(report), []);
        assert(!isClean(report.before), 'the damage was not found');
        assert.deepEqual([report.commits.map(({ state }) => state), report.failed], [['whole'], []]);
        assert.equal(report.lostFound !== undefined, kept);
        using repository = await Repository.open(path);
        using undamaged = await Repository.open(pristine);
        assert.deepEqual(visible(repository), visible(undamaged));
        assertCfsctlAgrees(path);
        const again = await repairRepository(repository);
        assert.deepEqual([again.commits, again.lostFound], [[], undefined]);
      });
    }

    test(`without a source, ${name}: the commit is ${alone}`, async () => {
      const path = copyPristine();
      await damage((id) => join(path, 'objects', objectPath(id)), path);
      const report = await repair(path);
      using repository = await Repository.open(path);
      if (alone === 'left') {
        assert(problems(report).length > 0);
        assert.deepEqual(
          report.failed.map((each) => each.commit),
          [commit],
        );
        assert(problems(report).length <= report.before.problems.length, problems(report).join('\n'));
        return;
      }
      assert.deepEqual(problems(report), []);
      assert.deepEqual(
        report.commits.map(({ state }) => state),
        [alone],
      );
      assert.deepEqual(report.after.partial, alone === 'partial' ? [`streams/${streamName(commit)}`] : []);
      assert.equal(readCommit(repository, commit).content.partial, alone === 'partial');
      assertCfsctlAgrees(path);
      // Garbage collection leaves the copies alone, and a pull completes the commit.
      await collectGarbage(repository);
      assert.equal(report.lostFound === undefined || existsSync(report.lostFound), true);
      const complete = await pull(path, goldenPath, os);
      assert.deepEqual([complete.image, complete.stream], [good.image, good.stream]);
      assert.deepEqual((await repairRepository(repository)).commits, []);
    });
  }

  test('keeps a copy of what was damaged, under its path', async () => {
    const path = copyPristine();
    const [id] = externals;
    const file = join('objects', objectPath(id!));
    flip(join(path, file));
    const damaged = readFileSync(join(path, file));
    const { lostFound } = await repair(path, await openRepairRepository(goldenPath));
    assert(lostFound !== undefined);
    assert(lostFound.startsWith(join(path, 'lost+found/')));
    assert.deepEqual(readFileSync(join(lostFound, file)), damaged);
    assert.notDeepEqual(readFileSync(join(path, file)), damaged);
  });

  test('takes each object from the first source that has it', async () => {
    const path = copyPristine();
    const files = [...stored.content.entries()].filter(([, { object }]) => object !== undefined);
    for (const id of externals) rmSync(join(path, 'objects', objectPath(id)));
    const half = freshPath();
    cpSync(goldenPath, half, { recursive: true });
    for (const [i, [checksum]] of files.entries()) {
      const object = join(half, 'objects', checksum.slice(0, 2), `${checksum.slice(2)}.filez`);
      if (i % 2 === 0) rmSync(object);
      else if (i % 4 === 1) writeFileSync(object, 'no file object');
    }
    await using incomplete = await FaultyServer.start({ files: half });
    const first = repairSource(openHttpSource(incomplete.url, quick));
    const report = await repair(path, first, await openRepairRepository(goldenPath));
    assert.deepEqual(problems(report), []);
    assert.deepEqual(
      report.commits.map(({ fetched }) => fetched.size),
      [2],
    );
  });

  test('goes on without a server that does not answer', async () => {
    const path = copyPristine();
    rmSync(join(path, 'objects', objectPath(externals[0]!)));
    const dead = repairSource(openHttpSource('http://127.0.0.1:1/', { ...quick, retries: 0 }));
    const report = await repair(path, dead, await openRepairRepository(goldenPath));
    assert.deepEqual(problems(report), []);
  });

  test('rebuilds the stream of a commit from the object index', async () => {
    const path = freshRepository();
    const before = await pull(path, openHttpSource(server.url, quick), os);
    rmSync(join(path, 'objects', objectPath(before.stream)));
    const report = await repair(path);
    assert.deepEqual(problems(report), []);
    using repository = await Repository.open(path);
    assert.deepEqual([report.commits[0]?.state, readCommit(repository, commit).image], ['whole', before.image]);
  });

  test('leaves broken refs, and images that a name keeps, to the user', async () => {
    const path = copyPristine();
    symlinkSync('../../gone', join(path, 'streams/refs', 'broken'));
    mkdirSync(join(path, 'images/refs'), { recursive: true });
    symlinkSync(`../${good.image}`, join(path, 'images/refs/mine'));
    const [id] = externals;
    rmSync(join(path, 'objects', objectPath(id!)));
    const report = await repair(path);
    assert.deepEqual(problems(report), [
      'fsck: broken-symlink: streams/refs/broken',
      `fsck: image-missing-object: images/${good.image}: ${id}`,
    ]);
    assert.equal(report.commits[0]?.state, 'partial');
  });

  test('makes an object again whose content lies in a commit stream', async () => {
    const path = freshRepository('sha512');
    await pull(path, goldenPath, os);
    using repository = await Repository.open(path);
    const inline = [...readCommit(repository, commit).content.entries()].flatMap(([checksum, each]) => {
      const other = stored.content.get(checksum)!;
      return each.object === undefined && other.object !== undefined ? [each] : [];
    });
    assert(inline.length > 0, 'no file of 65 to 128 bytes');
    const { SplitstreamWriter } = await import('../../splitstream/write.ts');
    const { decodeSizedHeader } = await import('../../ostree/file-header.ts');
    const { verityDigest } = await import('../../src/verity/digest.ts');
    using transaction = await repository.begin();
    const writer = new SplitstreamWriter({ algorithm: 'sha512', contentType: 7n });
    const content = inline[0]!.data.subarray(decodeSizedHeader(inline[0]!.data, commit).length);
    const id = verityDigest('sha512', content);
    writer.addObjectRef(id);
    transaction.linkStream('other', transaction.storeBytes(writer.finish()));
    await transaction.commit();
    const report = await repairRepository(repository);
    assert.deepEqual([problems(report), report.salvaged], [[], [id]]);
  });

  test('keeps every ref, and adds none', async () => {
    const path = copyPristine();
    rmSync(join(path, 'objects', objectPath(good.stream)));
    await repair(path, await openRepairRepository(goldenPath));
    assert.deepEqual(readdirSync(join(path, 'streams/refs/ostree')), [commitRef(os).replace('ostree/', '')]);
  });
});
