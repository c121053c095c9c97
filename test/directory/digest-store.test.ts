/** Digest stores whose writer is killed at any moment. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { digestStoreTask } from '../../src/directory/digest-store.ts';
import { readDirectory } from '../../src/directory/read.ts';
import { verityDigest } from '../../src/verity/digest.ts';

const base = mkdtempSync(join(tmpdir(), 'cfs-store-'));
after(() => rmSync(base, { recursive: true, force: true }));

/** How often; a long run is asked for by the environment. */
const kills = Number(process.env['KILL_RUNS'] ?? 6);

function objectsOf(store: string): string[] {
  const entries = readdirSync(store, { recursive: true, withFileTypes: true });
  return entries.filter((entry) => entry.isFile()).map(({ parentPath, name }) => join(parentPath, name));
}

test('every object of a store is whole, whenever its writer is killed; the next one completes it', async () => {
  const [path, store] = [join(base, 'tree'), join(base, 'store')];
  mkdirSync(path);
  for (let i = 0; i < 600; i++) writeFileSync(join(path, `file${i}`), Buffer.alloc(100 + 97 * i, `${i} `));
  for (let i = 0; i < kills; i++) {
    const child = spawn(process.execPath, [join(import.meta.dirname, 'read-child.ts'), path, store], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const exited = once(child, 'exit');
    await Promise.race([once(child.stdout, 'data'), exited]);
    await setTimeout((i * 200) / kills);
    child.kill('SIGKILL');
    await exited;
    for (const file of objectsOf(store)) {
      assert.equal(verityDigest('sha256', readFileSync(file)), file.slice(store.length).replaceAll('/', ''));
    }
  }
  const { objects } = await readDirectory(path, { content: digestStoreTask(store), threads: 2, hardLinks: false });
  assert.equal(objects.stored + objects.reflinked + objects.present, 600);
  assert.equal(objectsOf(store).length, 600);
});
