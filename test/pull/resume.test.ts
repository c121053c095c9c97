/** Pulls over HTTP that are killed, or run out of space: the next one fetches what is missing, and next to nothing twice. */
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { openHttpSource } from '../../ostree/http/source.ts';
import type { OstreeChecksum } from '../../ostree/checksum.ts';
import { decodeCommit } from '../../ostree/commit.ts';
import { readCommit, resolveCommit, untagCommit } from '../../src/commit/stored.ts';
import { collectGarbage } from '../../src/repository/gc.ts';
import { Repository } from '../../src/repository/repository.ts';
import { run } from '../cli/run.ts';
import { needs } from '../needs.ts';
import { noise } from '../ostree/http/open-transport.ts';
import { cfsctl, freshRepository, skipWithoutCfsctl } from '../repository/support.ts';
import { HandmadeCommits } from './handmade-commit.ts';
import { assertClean, objectNames, pull, visible } from './support.ts';

/** Kills; FUZZ_KILLS gives another number. */
const kills = Number(process.env['FUZZ_KILLS'] ?? 2);

/** Gives out a folder, each file after a while, and counts the bytes that go out; each client has a folder of its own in the URL. */
class SlowServer implements AsyncDisposable {
  readonly #server: Server;
  /** By client, then path. */
  readonly #sent = new Map<string, Map<string, number>>();

  /** @param onSent is told how many files went out to a client. */
  private constructor(folder: string, delay: number, onSent?: (client: string, files: number) => void) {
    this.#server = createServer((request, response) => {
      const [client = '', ...rest] = (request.url ?? '').slice(1).split('/');
      const path = rest.join('/');
      let body: Buffer;
      try {
        body = readFileSync(join(folder, path));
      } catch {
        response.writeHead(404).end();
        return;
      }
      setTimeout(() => {
        if (response.destroyed) return;
        const sent = this.sentTo(client);
        sent.set(path, (sent.get(path) ?? 0) + body.length);
        response.end(body);
        onSent?.(client, sent.size);
      }, delay);
    });
  }

  static async start(folder: string, delay = 0, onSent?: (client: string, files: number) => void): Promise<SlowServer> {
    const server = new SlowServer(folder, delay, onSent);
    await new Promise<void>((resolve) => server.#server.listen(0, '127.0.0.1', resolve));
    return server;
  }

  url(client: string): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/${client}`;
  }

  sentTo(client: string): Map<string, number> {
    const sent = this.#sent.get(client) ?? new Map<string, number>();
    this.#sent.set(client, sent);
    return sent;
  }

  /** Objects that went out to a client, with the bytes of each. */
  objectsSentTo(client: string): [path: string, bytes: number][] {
    return Array.from(this.sentTo(client)).filter(([path]) => path.startsWith('objects/'));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

/** A commit of so many directories with so many files each. */
function commitTree(source: HandmadeCommits, directories: number, files: number): OstreeChecksum {
  const entries = Array.from({ length: directories }, (_, d) => {
    const own = Array.from({ length: files }, (_, f) => {
      return [`f${f + 1000}`, source.file(noise(40 + 20 * f, files * d + f))] as const;
    });
    return [`d${d + 10}`, source.dirTree(own), source.meta] as const;
  });
  return source.commitOf(source.dirTree([], entries));
}

describe('a pull over HTTP that is killed', () => {
  /** What is on its way is the same 64 objects for any commit: this one has so many that they are less than 1 %. */
  const [directories, files] = [40, 200];
  let source: HandmadeCommits;
  let commit: OstreeChecksum;
  before(() => {
    source = new HandmadeCommits();
    commit = commitTree(source, directories, files);
  });
  after(() => source[Symbol.dispose]());

  test(`fetches less than 2 % twice, and gives the same image: ${kills} kills`, async (t) => {
    const whole = await pull(freshRepository(), source.path, commit);
    const moments = new Map<string, { readonly files: number; readonly kill: () => void }>();
    await using slow = await SlowServer.start(source.path, 60, (client, sent) => {
      const moment = moments.get(client)!;
      if (sent >= moment.files) moment.kill();
    });
    await using fast = await SlowServer.start(source.path);
    let fetched = 0;
    let twice = 0;
    const one = async (n: number): Promise<void> => {
      const path = freshRepository();
      const client = `client${n}`;
      const args = [join(import.meta.dirname, 'pull-child.ts'), path, slow.url(client), commit, String(1 + (n % 2))];
      const child = spawn(process.execPath, args, { stdio: ['ignore', 'ignore', 'inherit'] });
      const moment = directories + Math.floor(Math.random() * directories * (files - 1));
      moments.set(client, { files: moment, kill: () => void child.kill('SIGKILL') });
      assert.deepEqual(await once(child, 'exit'), [null, 'SIGKILL']);
      const before = slow.sentTo(client);
      const result = await pull(path, openHttpSource(fast.url(client)), commit);
      assert.deepEqual([result.image, result.stream], [whole.image, whole.stream]);
      let again = 0;
      for (const [file, bytes] of fast.objectsSentTo(client)) {
        if (before.has(file)) again += bytes;
        else fetched += bytes;
      }
      for (const [, bytes] of slow.objectsSentTo(client)) fetched += bytes;
      twice += again;
      t.diagnostic(`killed after ${moment} objects, ${before.size} were sent: ${again} bytes were fetched twice`);
      using repository = await Repository.open(path);
      await assertClean(repository);
    };
    // They mostly wait: two at a time.
    for (let n = 0; n < kills; n += 2) {
      await Promise.all(Array.from({ length: Math.min(2, kills - n) }, (_, i) => one(n + i)));
    }
    t.diagnostic(`${twice} of ${fetched} bytes were fetched twice`);
    assert(twice < 0.02 * fetched, `${twice} of ${fetched} bytes`);
  });
});

/** The root dirtree of a commit that was written by hand. */
function rootOf(source: HandmadeCommits, commit: OstreeChecksum): OstreeChecksum {
  const bytes = readFileSync(join(source.path, 'objects', commit.slice(0, 2), `${commit.slice(2)}.commit`));
  return decodeCommit(bytes, commit).rootTree;
}

describe('a pull over HTTP after others', () => {
  test('finds its objects again by content where the index is gone', async () => {
    using source = new HandmadeCommits();
    const commit = commitTree(source, 4, 50);
    await using server = await SlowServer.start(source.path);
    const path = freshRepository();
    await pull(path, openHttpSource(server.url('a')), commit);
    for (const name of readdirSync(path).filter((each) => each.startsWith('.cfs-index'))) rmSync(join(path, name));
    // The stored commit is entered anew; its stream is asked first, so another commit of the same files is pulled.
    const other = source.commitOf(source.dirTree([], [['all', rootOf(source, commit), source.meta]]));
    const result = await pull(path, openHttpSource(server.url('b')), other);
    assert.equal(result.filesFetched, 0);
    assert.equal(result.metadataFetched, 2);
    using repository = await Repository.open(path);
    await assertClean(repository);
  });

  test('fetches only what is new, though the commit that has the rest is 30 commits back and has no name', async () => {
    using source = new HandmadeCommits();
    const shared = Array.from({ length: 30 }, (_, f) => [`f${f + 10}`, source.file(noise(500, f))] as const);
    await using server = await SlowServer.start(source.path);
    const path = freshRepository();
    await pull(path, openHttpSource(server.url('a')), source.commitFiles(...shared));
    for (let n = 0; n < 30; n++) {
      await pull(path, openHttpSource(server.url('b')), source.commitFiles(['n', source.file(noise(200, 1000 + n))]));
    }
    const last = source.commitFiles(...shared, ['g', source.file(noise(300, 5000))]);
    const result = await pull(path, openHttpSource(server.url('c')), last);
    assert.equal(result.filesFetched, 1);
    assert.equal(result.filesReused, 30);
    assert.equal(server.objectsSentTo('c').length, 3);
    using repository = await Repository.open(path);
    await assertClean(repository);
  });

  test('forgets what garbage collection removes, and fetches it again', async () => {
    using source = new HandmadeCommits();
    const files = Array.from({ length: 30 }, (_, f) => [`f${f + 10}`, source.file(noise(500, f))] as const);
    const [first, second] = [source.commitFiles(...files), source.commitFiles(...files.slice(5), ['g', files[0]![1]])];
    source.ref('first', first);
    source.ref('keep', source.commitFiles(...files.slice(0, 10)));
    await using server = await SlowServer.start(source.path);
    const path = freshRepository();
    await pull(path, openHttpSource(server.url('a')), 'first');
    await pull(path, openHttpSource(server.url('a')), 'keep');
    using repository = await Repository.open(path);
    untagCommit(repository, 'first');
    const report = await collectGarbage(repository);
    assert.deepEqual(report.warnings, []);
    assert(report.objectsRemoved > 0);
    const result = await pull(path, openHttpSource(server.url('a')), second);
    assert.deepEqual([result.filesFetched, result.filesReused], [20, 6]);
    await assertClean(repository);
  });

  test('shares the index with another that runs at the same time', async () => {
    using source = new HandmadeCommits();
    const files = Array.from({ length: 200 }, (_, f) => [`f${f + 100}`, source.file(noise(500, f))] as const);
    const commits = [source.commitFiles(...files.slice(0, 150)), source.commitFiles(...files.slice(50))];
    await using server = await SlowServer.start(source.path, 2);
    const path = freshRepository();
    const results = await Promise.all(
      commits.map((commit, i) => pull(path, openHttpSource(server.url(`client${i}`)), commit)),
    );
    for (const [i, commit] of commits.entries()) {
      assert.equal(results[i]!.image, (await pull(freshRepository(), source.path, commit)).image);
    }
    const third = await pull(path, openHttpSource(server.url('third')), source.commitFiles(...files));
    assert.equal(third.filesFetched, 0);
    using repository = await Repository.open(path);
    await assertClean(repository);
  });

  test('leaves an index that cfsctl ignores', { skip: skipWithoutCfsctl }, async () => {
    using source = new HandmadeCommits();
    source.ref('os', source.commitFiles(['f', source.file(noise(500))]));
    await using server = await SlowServer.start(source.path);
    const path = freshRepository();
    await pull(path, openHttpSource(server.url('a')), 'os');
    using repository = await Repository.open(path);
    const before = visible(repository);
    const index = readFileSync(join(path, '.cfs-index'));
    repository.close();
    for (const command of ['fsck', 'gc']) {
      const { status, stdout, stderr } = spawnSync(cfsctl!, ['--insecure', '--repo', path, command], {
        encoding: 'utf8',
      });
      assert.equal(status, 0, stdout + stderr);
    }
    assert.deepEqual(readFileSync(join(path, '.cfs-index')), index);
    using again = await Repository.open(path);
    assert.deepEqual(visible(again), before);
  });
});

function command(name: string, ...args: readonly string[]): string {
  const { status, stdout, stderr } = spawnSync(name, args, { encoding: 'utf8' });
  assert.equal(status, 0, `${name} ${args.join(' ')}: ${stderr}`);
  return stdout;
}

describe(
  'a pull over HTTP that fills the file system',
  { skip: needs('root', 'mkfs.ext4', 'resize2fs', 'e2fsck', 'loop devices') },
  () => {
    test('says how much is missing, and the next one fetches nothing that was finished', async () => {
      const folder = mkdtempSync(join(tmpdir(), 'cfs-full-'));
      const [image, mount] = [join(folder, 'image'), join(folder, 'mount')];
      mkdirSync(mount);
      writeFileSync(image, '');
      truncateSync(image, 24 * 2 ** 20);
      command('mkfs.ext4', '-q', '-m', '0', image);
      command('mount', '-o', 'loop', image, mount);
      try {
        using source = new HandmadeCommits();
        const files = Array.from({ length: 300 }, (_, f) => [`f${f + 100}`, source.file(noise(100_000, f))] as const);
        source.ref('os', source.commitFiles(...files));
        await using server = await SlowServer.start(source.path);
        const path = join(mount, 'repository');
        Repository.init(path, { algorithm: 'sha256', insecure: true });
        const args = ['--repo', path, '--json', 'ostree', 'pull', '--min-free-space', '0'];
        const full = await run(...args, server.url('a'), 'os');
        assert.equal(full.code, 7, full.stderr);
        const { error } = JSON.parse(full.stderr.trim().split('\n').at(-1)!) as { error: Record<string, unknown> };
        assert.equal(error['code'], 'NO_SPACE');
        assert(Number(error['lacking']) > 0, full.stderr);
        const first = new Map(server.sentTo('a'));
        assert(first.size > 100 && first.size < 290, `${first.size} files were sent`);

        const objects = new Set(objectNames(path).map((name) => name.replace('/', '')));
        command('umount', mount);
        truncateSync(image, 80 * 2 ** 20);
        command('e2fsck', '-f', '-p', image);
        command('resize2fs', image);
        command('mount', '-o', 'loop', image, mount);
        const rest = await run(...args, server.url('b'), 'os');
        assert.equal(rest.code, 0, rest.stderr);
        const again = server.objectsSentTo('b').filter(([file]) => first.has(file));
        using repository = await Repository.open(path);
        const { content } = readCommit(repository, resolveCommit(repository, 'os'));
        // What was on its way when the first one ended was not finished.
        const finished = again.filter(([file]) => {
          const stored = content.get(file.replace(/^objects|\/|\.\w+$/g, '') as OstreeChecksum)!;
          return stored.object === undefined || objects.has(stored.object);
        });
        assert.deepEqual(finished, []);
        const { image: id } = JSON.parse(rest.stdout) as { image: string };
        assert.equal(id, (await pull(freshRepository(), source.path, 'os')).image);
        await assertClean(repository);
      } finally {
        spawnSync('umount', [mount]);
        rmSync(folder, { recursive: true, force: true });
      }
    });
  },
);
