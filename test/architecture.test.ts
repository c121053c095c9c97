import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { suite, test } from 'node:test';
import {
  cycles,
  deadImports,
  heavyImports,
  importsOf,
  longFiles,
  maxLines,
  type Sources,
  wrongArrows,
  wrongPackages,
} from './architecture.ts';

const root = join(import.meta.dirname, '..');
const paths = globSync('{bytes,gvariant,splitstream,ostree,containers,src,test,bench}/**/*.ts', {
  cwd: root,
  exclude: (path) => /(^|\/)(node_modules|dist)$/.test(path),
});
// The made-up examples of this file read like imports, so it is left out.
const own = 'test/architecture.test.ts';
const sources: Sources = new Map(
  paths.filter((path) => path !== own).map((path) => [path, readFileSync(join(root, path), 'utf8')]),
);

function example(...files: [path: string, text: string][]): Sources {
  return new Map(files);
}

suite('the sources', () => {
  test('are found', () => assert.ok(sources.has('bytes/errors.ts') && sources.has('test/architecture.ts')));
  test('import only along the arrows', () => assert.deepEqual(wrongArrows(sources), []));
  test('use npm packages, and Node for I/O, only where that is meant', () =>
    assert.deepEqual(wrongPackages(sources), []));
  test('load nothing that makes each start slow', () => assert.deepEqual(heavyImports(sources), []));
  test('import only files that are there', () => assert.deepEqual(deadImports(sources), []));
  test('have no import cycles', () => assert.deepEqual(cycles(sources), []));
  test(`have at most ${maxLines} lines a file`, () => assert.deepEqual(longFiles(sources), []));
});

suite('each rule can fail:', () => {
  const forms: [name: string, text: string][] = [
    ['an import', "import { a } from '../src/b.ts';"],
    ['an import over several lines', "import {\n  a,\n  b,\n} from '../src/b.ts';"],
    ['an import of types', "import type { A } from '../src/b.ts';"],
    ['an import for its effect', "import '../src/b.ts';"],
    ['an export from', "export * from '../src/b.ts';"],
    ['a dynamic import', "const b = await import('../src/b.ts');"],
    ['a required file', "createRequire(import.meta.url)('../src/b.ts')"],
    ['a worker', "new Worker(new URL('../src/b.ts', import.meta.url));"],
  ];
  for (const [name, text] of forms) {
    test(`importsOf() sees ${name}`, () => {
      const found = importsOf(example(['ostree/a.ts', text])).map(({ to }) => to);
      assert.deepEqual(found, ['src/b.ts']);
    });
  }

  const arrowRows: [from: string, to: string, allowed: boolean][] = [
    ['ostree/a.ts', '../src/verity/object-id.ts', false],
    ['ostree/mode/a.ts', '../../splitstream/read.ts', false],
    ['splitstream/a.ts', '../src/index.ts', false],
    ['splitstream/a.ts', '../ostree/checksum.ts', false],
    ['gvariant/src/a.ts', '../../bytes/hex.ts', false],
    ['bytes/a.ts', '../gvariant/src/decode.ts', false],
    ['src/repository/a.ts', '../commit/b.ts', false],
    ['src/pull/a.ts', '../cli/output.ts', false],
    ['src/erofs/a.ts', '../linux/mount.ts', false],
    ['src/cli/a.ts', '../../test/fuzz-runs.ts', false],
    ['src/cli/a.ts', '../../nowhere/a.ts', false],
    ['ostree/a.ts', '../gvariant/src/decode.ts', true],
    ['gvariant/src/a.ts', './b.ts', true],
    ['src/repository/a.ts', '../../bytes/errors.ts', true],
    ['src/cli/a.ts', '../../ostree/checksum.ts', true],
    ['src/index.ts', './pull/pull.ts', true],
  ];
  for (const [from, to, allowed] of arrowRows) {
    test(`wrongArrows() ${allowed ? 'allows' : 'rejects'} ${to} in ${from}`, () => {
      assert.equal(wrongArrows(example([from, `import { a } from '${to}';`])).length, allowed ? 0 : 1);
    });
  }
  test('wrongArrows() rejects a file in no room', () => {
    assert.deepEqual(wrongArrows(example(['utils/a.ts', ''])), ['utils/a.ts is in no room']);
  });

  const packageRows: [from: string, to: string, allowed: boolean][] = [
    ['src/repository/a.ts', 'commander', false],
    ['src/cli/a.ts', 'left-pad', false],
    ['src/cli/a.ts', 'undici/lib/core/connect.js', false],
    ['splitstream/a.ts', 'node:fs', false],
    ['splitstream/a.ts', 'node:zlib', true],
    ['ostree/a.ts', 'node:fs/promises', true],
    ['src/cli/a.ts', 'commander', true],
    ['ostree/a.ts', 'undici/lib/core/connect.js', true],
  ];
  for (const [from, to, allowed] of packageRows) {
    test(`wrongPackages() ${allowed ? 'allows' : 'rejects'} ${to} in ${from}`, () => {
      assert.equal(wrongPackages(example([from, `import a from '${to}';`])).length, allowed ? 0 : 1);
    });
  }

  test('heavyImports() rejects HTTP of Node, but for its types', () => {
    assert.equal(heavyImports(example(['ostree/a.ts', "import { STATUS_CODES } from 'node:http';"])).length, 1);
    assert.deepEqual(heavyImports(example(['ostree/a.ts', "import type { Agent } from 'node:http';"])), []);
  });
  test('deadImports() rejects a file that is not there', () => {
    const dead = example(['bytes/a.ts', "import './b.ts';"]);
    assert.deepEqual(deadImports(dead), ['bytes/a.ts imports bytes/b.ts, which is not there']);
  });
  test('cycles() finds a cycle of three files and takes a diamond for none', () => {
    const one = (to: string): string => `import { x } from './${to}.ts';\n`;
    const ring = example(['bytes/a.ts', one('b')], ['bytes/b.ts', one('c')], ['bytes/c.ts', one('a')]);
    assert.deepEqual(cycles(ring), ['bytes/a.ts -> bytes/b.ts -> bytes/c.ts -> bytes/a.ts']);
    const diamond = example(['bytes/a.ts', one('b') + one('c')], ['bytes/b.ts', one('d')], ['bytes/c.ts', one('d')]);
    assert.deepEqual(cycles(diamond), []);
  });
  test('cycles() lets types refer to each other', () => {
    const types = example(
      ['bytes/a.ts', "import { b } from './b.ts';"],
      ['bytes/b.ts', "import type { A } from './a.ts';"],
    );
    assert.deepEqual(cycles(types), []);
  });
  test('longFiles() rejects a file of one line too many', () => {
    assert.equal(longFiles(example(['bytes/a.ts', '\n'.repeat(maxLines + 1)])).length, 1);
    assert.equal(longFiles(example(['bytes/a.ts', '\n'.repeat(maxLines)])).length, 0);
  });
});
