/** Directories that are hostile or change while they are read. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import {
  appendFileSync,
  closeSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { CfsError } from '../../bytes/errors.ts';
import { ContentFiles, type ContentTask } from '../../src/directory/content-file.ts';
import { ContentRing, ringMemory } from '../../src/directory/content-ring.ts';
import { digestStoreTask } from '../../src/directory/digest-store.ts';
import { readDirectory, type ReadDirectory, type ReadOptions } from '../../src/directory/read.ts';
import { openAt } from '../../src/linux/at.ts';
import { formatDump } from '../../src/tree/dumpfile-format.ts';
import { verityDigest } from '../../src/verity/digest.ts';
import { needs } from '../needs.ts';

const base = mkdtempSync(join(tmpdir(), 'cfs-read-'));
// Node's own removal stops at paths that are too long.
after(() => spawnSync('rm', ['-rf', base]));

const digests: ContentTask = { algorithm: 'sha256', writer: undefined, batch: 0 };

function read(path: string, options: Partial<ReadOptions> = {}): Promise<ReadDirectory> {
  return readDirectory(path, { content: digests, threads: 2, hardLinks: true, ...options });
}

let count = 0;
function folder(): string {
  const path = join(base, String(++count));
  mkdirSync(path);
  return path;
}

describe('readDirectory()', () => {
  test('follows no symlink, neither in the tree nor as its root', async () => {
    const path = folder();
    symlinkSync('/etc', join(path, 'etc'));
    symlinkSync('/etc/passwd', join(path, 'passwd'));
    const { root } = await read(path);
    assert.deepEqual(
      [...root.entries.values()].map(({ kind, payload }) => [kind, payload]),
      [
        ['symlink', '/etc'],
        ['symlink', '/etc/passwd'],
      ],
    );
    await assert.rejects(read(join(path, 'etc')), { name: 'ReadFailure', code: 'SYSTEM', path: join(path, 'etc') });
  });

  test('joins hard links on demand, those of empty files and symlinks too', async () => {
    const path = folder();
    writeFileSync(join(path, 'a'), 'x'.repeat(1000));
    writeFileSync(join(path, 'empty'), '');
    symlinkSync('target', join(path, 'link'));
    for (const name of ['a', 'empty', 'link']) linkSync(join(path, name), join(path, `${name}2`));
    linkSync(join(path, 'a'), join(base, `outside-${count}`));
    const { root } = await read(path);
    assert.equal(root.entries.size, 6);
    assert.equal(new Set(root.entries.values()).size, 3);
    assert.deepEqual(
      [...root.entries.values()].map(({ nlink }) => nlink),
      [2, 2, 2, 2, 2, 2],
    );
    const apart = await read(path, { hardLinks: false });
    assert.equal(new Set(apart.root.entries.values()).size, 6);
    assert.deepEqual(
      [...apart.root.entries.values()].map(({ nlink }) => nlink),
      [1, 1, 1, 1, 1, 1],
    );
  });

  test('gives the same with any number of threads, for more files than may be open at a time', async () => {
    const path = folder();
    for (let i = 0; i < 1200; i++) writeFileSync(join(path, `file${i}`), Buffer.alloc(65 + (i % 700), i));
    writeFileSync(join(path, 'large'), Buffer.alloc(3_000_000, 'large'));
    const texts = [];
    for (const threads of [1, 2, 5]) texts.push(formatDump((await read(path, { threads })).root));
    assert.equal(texts[1], texts[0]);
    assert.equal(texts[2], texts[0]);
    const { root, bytes } = await read(path);
    for (const [i, name] of ['file7', 'file700'].entries()) {
      const size = 65 + ([7, 700][i]! % 700);
      const node = root.entries.get(name as never)!;
      assert.equal(node.digest, verityDigest('sha256', Buffer.alloc(size, [7, 700][i])));
    }
    assert.equal(bytes, Array.from({ length: 1200 }, (_, i) => 65 + (i % 700)).reduce((a, b) => a + b) + 3_000_000);
  });

  test('names a directory that is mounted below itself', { skip: needs('root') }, async () => {
    const path = folder();
    mkdirSync(join(path, 'a/b'), { recursive: true });
    assert.equal(spawnSync('mount', ['--bind', path, join(path, 'a/b')]).status, 0);
    try {
      await assert.rejects(read(path), {
        code: 'UNSUPPORTED',
        message: /a\/b: it is also one of the directories above it/,
      });
    } finally {
      spawnSync('umount', [join(path, 'a/b')]);
    }
  });

  test('refuses directories that are too deep, without running out of anything', async () => {
    const path = folder();
    let fd = openSync(path, 'r');
    for (let i = 0; i < 2060; i++) {
      mkdirSync(`/proc/self/fd/${fd}/d`);
      const next = openAt(fd, 'd', 0);
      closeSync(fd);
      fd = next;
    }
    closeSync(fd);
    await assert.rejects(read(path), { code: 'LIMIT', message: /deeper than 2048 levels$/ });
  });

  test('says which file may not be read', { skip: needs('root', 'setpriv') }, () => {
    const path = folder();
    writeFileSync(join(path, 'secret'), 'x'.repeat(100), { mode: 0 });
    spawnSync('chmod', ['755', base]);
    const nobody = ['--reuid=65534', '--regid=65534', '--clear-groups', '--bounding-set=-all', '--inh-caps=-all'];
    const child = [process.execPath, join(import.meta.dirname, 'read-child.ts'), path];
    const { stdout } = spawnSync('setpriv', [...nobody, ...child], { encoding: 'utf8' });
    assert.equal(stdout, `begun\nCannot read ${path}/secret: EACCES: permission denied, openat 'secret'\n`);
  });

  test('ends soon when it is told to', async () => {
    const path = folder();
    for (let i = 0; i < 20; i++) makeSparse(join(path, `sparse${i}`), 1 << 30);
    const controller = new AbortController();
    setTimeout(() => controller.abort(new Error('enough')), 100);
    const begun = performance.now();
    await assert.rejects(read(path, { signal: controller.signal }), /enough/);
    assert.ok(performance.now() - begun < 20_000);
  });

  test('keeps no descriptor, whether it ends well or not', async () => {
    const path = folder();
    for (let i = 0; i < 300; i++) writeFileSync(join(path, `file${i}`), 'x'.repeat(100 + i));
    const open = (): number => readdirSync('/proc/self/fd').length;
    await read(path);
    const before = open();
    await read(path);
    await assert.rejects(read(path, { content: blockedStore() }), {
      code: 'SYSTEM',
      message: /file\d+: cannot store its content: ENOTDIR/,
    });
    assert.equal(open(), before);
  });
});

function makeSparse(path: string, size: number): void {
  writeFileSync(path, '');
  truncateSync(path, size);
}

/** A store where no object can get its name. */
function blockedStore(): ContentTask {
  const path = folder();
  for (let i = 0; i < 256; i++) writeFileSync(join(path, i.toString(16).padStart(2, '0')), '');
  return digestStoreTask(path);
}

describe('ContentFiles', () => {
  const content = Buffer.alloc(700_000, 'content');

  const processFile = async (path: string, size: number, change: () => void, task = digests): Promise<string> => {
    using files = new ContentFiles(task, new ContentRing(ringMemory(), 'sha256'));
    let isFirst = true;
    return files.process(openSync(path, 'r'), size, () => {
      if (isFirst) change();
      isFirst = false;
      return undefined;
    });
  };

  const changes: readonly (readonly [string, (path: string) => void])[] = [
    ['is cut short', (path) => truncateSync(path, 300_000)],
    ['grows', (path) => appendFileSync(path, 'more')],
    ['is written to', (path) => writeFileSync(path, 'other', { flag: 'r+' })],
  ];
  for (const [what, change] of changes) {
    test(`refuses a file that ${what} while it is read, and stores nothing`, async () => {
      const path = join(folder(), 'file');
      const store = join(base, `store-${count}`);
      for (const task of [digests, digestStoreTask(store)]) {
        writeFileSync(path, content);
        // Clocks of file systems are coarse.
        await new Promise((resolve) => {
          setTimeout(resolve, 20);
        });
        await assert.rejects(
          processFile(path, content.length, () => change(path), task),
          (error) =>
            error instanceof CfsError && error.code === 'CORRUPT' && /changed while it was read/.test(error.message),
        );
      }
      assert.deepEqual(readdirSync(store), []);
    });
  }

  test('gives the digest of a file that nobody touches', async () => {
    const path = join(folder(), 'file');
    writeFileSync(path, content);
    assert.equal(await processFile(path, content.length, () => undefined), verityDigest('sha256', content));
  });

  test('refuses a file whose size is not the one it had', async () => {
    const path = join(folder(), 'file');
    writeFileSync(path, content);
    await assert.rejects(
      processFile(path, content.length + 1, () => undefined),
      /had 700001 bytes, and now has 700000/,
    );
  });
});
