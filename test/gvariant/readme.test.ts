/** The examples of the package's README print what the README says. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { pathToFileURL } from 'node:url';

const gvariant = join(import.meta.dirname, '../../gvariant');
const readme = readFileSync(join(gvariant, 'README.md'), 'utf8');
const examples = [...readme.matchAll(/```ts\n(.*?)```\n\n```text\n(.*?)```/gs)];

test('README.md of gvariant-ts shows examples that run as written', () => {
  assert.equal(examples.length, readme.match(/```ts/g)?.length);
  const entry = pathToFileURL(join(gvariant, 'src/index.ts')).href;
  for (const [, code = '', output] of examples) {
    const input = code.replaceAll(`'gvariant-ts'`, `'${entry}'`);
    const run = spawnSync(process.execPath, ['--input-type=module-typescript', '-'], { input, encoding: 'utf8' });
    assert.equal(run.stdout, output, run.stderr);
  }
});
