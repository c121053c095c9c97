import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { needs } from './needs.ts';

const root = join(import.meta.dirname, '..');
const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string };
const top = mkdtempSync(join(tmpdir(), 'cfs-package-'));
after(() => rmSync(top, { recursive: true }));

/** What npm and the compiler say goes to standard error, where a failure can be read. */
function npm(...args: string[]): void {
  const quiet = ['--loglevel=error', '--no-audit', '--no-fund'];
  execFileSync('npm', [...args, ...quiet], { cwd: root, stdio: ['ignore', 2, 2] });
}

test('the packed package, installed globally, runs from dist/', { skip: needs('npm') }, () => {
  const prefix = join(top, 'prefix');
  npm('pack', '--pack-destination', top);
  npm('install', '--global', '--prefer-offline', '--prefix', prefix, join(top, `composefs-${version}.tgz`));
  const installed = join(prefix, 'lib/node_modules/composefs');
  for (const file of ['LICENSE-MIT', 'LICENSE-APACHE']) assert.ok(readdirSync(installed).includes(file), file);
  for (const left of ['src', 'test', 'bench', 'fixtures']) assert.ok(!readdirSync(installed).includes(left), left);

  assert.ok(readdirSync(join(installed, 'man')).includes('cfs-fsck.1'));
  const env = { PATH: '/usr/bin:/bin', HOME: top };
  const backend = ['--repo', join(top, 'none'), 'ostree', 'pull-local', '--backend=libostree', top, 'main'];
  assert.throws(
    () => execFileSync(join(prefix, 'bin/cfs'), backend, { env, encoding: 'utf8', stdio: 'pipe' }),
    /npm run setup:libostree/,
  );
  assert.match(
    execFileSync(join(prefix, 'bin/cfs'), ['--version'], { env, encoding: 'utf8' }),
    new RegExp(`\\b${version}\\b`),
  );
});
