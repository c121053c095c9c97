import assert from 'node:assert/strict';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { parseStagedName } from '../../../ostree/local/staged-name.ts';
import { Staging } from '../../../ostree/local/staging.ts';
import { syncfs } from '../../../src/linux/files.ts';
import { tryOfdLock } from '../../../src/linux/ofd-lock.ts';

const base = mkdtempSync(join(tmpdir(), 'cfs-staging-test-'));
after(() => rmSync(base, { recursive: true, force: true }));
const services = { syncfs, tryLock: tryOfdLock };

test('Staging removes folders of writers that died, and leaves those of living ones and of others alone', () => {
  const tmp = join(base, 'tmp');
  const abandoned = join(tmp, 'cfs-staging-abcdef');
  mkdirSync(abandoned, { recursive: true });
  writeFileSync(join(abandoned, 'lock'), '');
  writeFileSync(join(abandoned, 'half'), 'x');
  const old = join(tmp, 'cfs-staging-old');
  mkdirSync(old);
  utimesSync(old, 0, 0);
  const fresh = join(tmp, 'cfs-staging-fresh');
  mkdirSync(fresh);
  mkdirSync(join(tmp, 'cache'));
  const living = new Staging(tmp, services);
  assert.deepEqual([existsSync(abandoned), existsSync(old), existsSync(fresh)], [false, false, true]);
  const other = new Staging(tmp, services);
  assert.deepEqual([existsSync(living.path), existsSync(other.path)], [true, true]);
  living[Symbol.dispose]();
  other[Symbol.dispose]();
  assert.deepEqual(readdirSync(tmp), ['cache', 'cfs-staging-fresh']);
});

test('Staging publishes the objects of the types asked for, and keeps what is no object', () => {
  const staging = new Staging(join(base, 'tmp2'), services);
  const objects = join(base, 'objects');
  const sum = 'ab'.repeat(32);
  const names = ['file', 'filez', 'dirtree', 'commit'].map((type) => `${sum}.${type}`);
  for (const name of [...names, 'ref', `${sum}.other`, `${sum.slice(2)}.file`])
    writeFileSync(join(staging.path, name), '');
  staging.publish(objects, ['commit'], true);
  assert.deepEqual(readdirSync(join(objects, 'ab')).toSorted(), [
    `${sum.slice(2)}.dirtree`,
    `${sum.slice(2)}.file`,
    `${sum.slice(2)}.filez`,
  ]);
  staging.publish(objects, ['commit']);
  assert.ok(readdirSync(join(objects, 'ab')).includes(`${sum.slice(2)}.commit`));
  assert.deepEqual(
    readdirSync(staging.path).toSorted(),
    [`${sum.slice(2)}.file`, `${sum}.other`, 'lock', 'ref'].toSorted(),
  );
  staging[Symbol.dispose]();
});

test('parseStagedName() takes names of objects only', () => {
  const sum = '0'.repeat(64);
  assert.deepEqual(parseStagedName(`${sum}.file-xattrs-link`), {
    type: 'file-xattrs-link',
    place: `00/${sum.slice(2)}.file-xattrs-link`,
  });
  assert.deepEqual(parseStagedName(`${sum}.filez`), { type: 'file', place: `00/${sum.slice(2)}.filez` });
  for (const name of [
    '',
    'lock',
    sum,
    `${sum}.`,
    `${sum}.toString`,
    `${sum}.files`,
    `../${sum}.file`,
    `${sum.toUpperCase()}A.file`,
  ]) {
    assert.equal(parseStagedName(name), undefined, name);
  }
});
