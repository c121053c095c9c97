import assert from 'node:assert/strict';
import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { copyArchive, makeVersions, type Versions } from '../delta/versions.ts';
import { needs } from '../needs.ts';
import { ostree } from '../ostree/real-ostree.ts';
import { run, type Run } from './run.ts';

const skip = needs('ostree');

let versions: Versions;
before(async () => {
  if (skip === false) versions = await makeVersions();
});
after(() => versions?.[Symbol.dispose]());

const create = (...args: readonly string[]): Promise<Run> =>
  run('--repo', versions.repository, '--progress', 'none', 'ostree', 'delta', 'create', ...args);
let count = 0;
const fresh = (): string => join(versions.root, `delta-${++count}`);

describe('cfs ostree delta create', { skip }, () => {
  test('says what it made', async () => {
    const path = fresh();
    const { code, stdout, stderr } = await create('v1', 'v2', '--output', path);
    assert.equal(code, 0, stderr);
    const { v1, v2 } = versions;
    assert.match(
      stdout,
      new RegExp(
        `^from    ${v1}\nto      ${v2}\ndelta   ${path}\n` +
          String.raw`size    [\d.]+ KiB in 1 parts, for [\d.]+ MiB in \d+ objects\nfiles   \d+ by copies, \d+ by patches, \d+ as a whole\n$`,
      ),
    );
    assert.deepEqual(readdirSync(path).toSorted(), ['0', 'superblock']);
  });

  test('gives all facts as JSON', async () => {
    const path = fresh();
    const { stdout } = await create('--json', '--inline', 'v1', 'v2', '-o', path);
    const result = JSON.parse(stdout);
    assert.equal(result.size, statSync(path).size);
    assert.deepEqual([result.from, result.to, result.path], [versions.v1, versions.v2, path]);
    const [part] = result.parts;
    assert(part.size < part.payload_size && part.payload_size < part.uncompressed_size && part.objects > 10);
    assert.deepEqual(result.files, { copied: 3, patched: 2, whole: 5 });
    assert.deepEqual(result.fallbacks, []);
  });

  test('takes the parent for FROM, or nothing', async () => {
    const fromParent = JSON.parse((await create('--json', 'v2', '-o', fresh())).stdout);
    assert.equal(fromParent.from, versions.v1);
    const fromNothing = JSON.parse((await create('--json', '--empty', 'v2', '-o', fresh())).stdout);
    assert.equal(fromNothing.from, undefined);
    const { code, stderr } = await create('v1', '-o', fresh());
    assert.equal(code, 2);
    assert.match(stderr, /--empty: it has no parent/);
  });

  test('obeys the options that ostree has', async () => {
    const json = async (...options: readonly string[]) =>
      JSON.parse((await create('--json', 'v1', 'v2', '-o', fresh(), ...options)).stdout);
    assert((await json('--max-chunk-size', '0.2')).parts.length > 3);
    assert.equal((await json('--disable-bsdiff')).files.patched, 0);
    assert.equal((await json('--max-bsdiff-size', '0')).files.patched, 0);
    const [fallback] = (await json('--min-fallback-size=0.6')).fallbacks;
    assert.equal(fallback.uncompressed_size, versions.largeSize);
  });

  test('puts it where pulls from a repository find it', async () => {
    const archive = copyArchive(versions, 'served');
    const { stderr } = await create('v1', 'v2', '--ostree-repo', archive);
    assert.match(stderr, /ostree summary --update/);
    const { v1, v2 } = versions;
    assert.equal(ostree('static-delta', 'list', `--repo=${archive}`).trim(), `${v1}-${v2}`);
    const again = await create('v1', 'v2', '--ostree-repo', archive, '--if-not-exists');
    assert.equal(again.stdout, `exists  ${v1}-${v2}\n`);
  });

  test('says of files that are left out that the delta is none for offline use', async () => {
    const { stdout, stderr } = await create('v1', 'v2', '-o', fresh(), '--min-fallback-size', '0.6');
    assert.match(stdout, /\nmissing 1 files/);
    assert.match(stderr, /cannot be applied offline/);
  });

  const wrong: readonly (readonly [string, readonly string[], RegExp])[] = [
    ['no place', ['v1', 'v2'], /either --output PATH or --ostree-repo PATH/],
    ['two places', ['v1', 'v2', '-o', 'a', '--ostree-repo', 'b'], /either --output PATH or --ostree-repo PATH/],
    ['two commits from nothing', ['v1', 'v2', '--empty', '-o', '/nowhere/x'], /--empty takes one commit/],
    ['a commit and itself', ['v1', 'v1', '-o', '/nowhere/x'], /to itself/],
    ['a size that is none', ['v1', 'v2', '-o', 'x', '--max-chunk-size', 'much'], /'much' is no size in megabytes/],
    ['parts of nothing', ['v1', 'v2', '-o', 'x', '--max-chunk-size', '0'], /more than 0/],
    ['no thread', ['v1', 'v2', '-o', 'x', '--threads', '0'], /'0' is no number of threads/],
    ['--if-not-exists for a path', ['v1', 'v2', '-o', 'x', '--if-not-exists'], /is for --ostree-repo/],
  ];
  for (const [name, args, message] of wrong) {
    test(`refuses ${name}`, async () => {
      const { code, stderr } = await create(...args);
      assert.equal(code, 2, stderr);
      assert.match(stderr, message);
    });
  }
});
