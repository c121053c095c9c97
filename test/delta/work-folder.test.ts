/** Folders that deltas are made in, and those that were left behind. */
import assert from 'node:assert/strict';
import { closeSync, existsSync, mkdirSync, openSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { WorkFolder } from '../../src/delta/work-folder.ts';
import { tryLock } from '../../src/linux/flock.ts';
import { freshPath } from '../repository/support.ts';

function parent(...folders: readonly string[]): string {
  const path = freshPath();
  mkdirSync(path);
  for (const name of folders) {
    mkdirSync(join(path, name));
    writeFileSync(join(path, name, 'part'), 'x');
  }
  return path;
}

test('WorkFolder removes folders that nobody has locked, and nothing else', () => {
  const others = ['.cfs-delta-short', '.cfs-delta-and-much-too-long', 'cfs-delta-AAAAAAAAAAAA', '.other-AAAAAAAAAAAA'];
  const path = parent('.cfs-delta-AAAAAAAAAAAA', '.cfs-delta-BBBBBBBBBBBB', ...others);
  writeFileSync(join(path, '.cfs-delta-CCCCCCCCCCCC'), 'a file');
  symlinkSync(parent('inside'), join(path, '.cfs-delta-DDDDDDDDDDDD'));
  const held = openSync(join(path, '.cfs-delta-BBBBBBBBBBBB'), 'r');
  assert(tryLock(held, 'exclusive'));
  const left = [...others, ...['B', 'C', 'D'].map((letter) => `.cfs-delta-${letter.repeat(12)}`)].toSorted();
  {
    using one = new WorkFolder(path, '.cfs-delta-');
    using two = new WorkFolder(path, '.cfs-delta-');
    writeFileSync(join(one.path, 'part'), 'x');
    assert.notEqual(one.path, two.path);
    assert(existsSync(join(one.path, 'part')));
    assert.equal(readdirSync(path).length, left.length + 2);
  }
  assert.deepEqual(readdirSync(path).toSorted(), left);
  closeSync(held);
});
