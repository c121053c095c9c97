import assert from 'node:assert/strict';
import { afterEach, test } from 'node:test';
import { needs, toolPath } from './needs.ts';

const before = process.env['CFS_NO_SKIP'];
afterEach(() => {
  if (before === undefined) delete process.env['CFS_NO_SKIP'];
  else process.env['CFS_NO_SKIP'] = before;
});

test('needs() names what is missing', () => {
  delete process.env['CFS_NO_SKIP'];
  assert.equal(needs('sh', 'no-such-tool', 'nor-this'), 'needs no-such-tool, nor-this');
  assert.equal(needs('sh'), false);
});

test('needs() throws with CFS_NO_SKIP=1 for what could be there', () => {
  process.env['CFS_NO_SKIP'] = '1';
  assert.throws(() => needs('no-such-tool'), /A test needs no-such-tool, and CFS_NO_SKIP forbids skipping it/);
  assert.equal(needs('sh'), false);
});

test('toolPath() finds programs by name', () => {
  assert.match(toolPath('sh') ?? '', /\/sh$/);
  assert.equal(toolPath('no-such-tool'), undefined);
});
