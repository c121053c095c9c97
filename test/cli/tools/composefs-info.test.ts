import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, test } from 'node:test';
import fc from 'fast-check';
import { runTool } from '../../../src/cli/tools/composefs-info.ts';
import { storedDumpLines } from '../../../src/cli/tools/image-listing.ts';
import { readStoredImage } from '../../../src/erofs/read.ts';
import { writeImage } from '../../../src/erofs/write.ts';
import { CfsError } from '../../../bytes/errors.ts';
import { parseDump } from '../../../src/tree/dumpfile-parse.ts';
import { fuzzRuns } from '../../fuzz-runs.ts';
import { needs } from '../../needs.ts';
import { fixture } from '../../pull/support.ts';
import { cfsctl, skipWithoutCfsctl } from '../../repository/support.ts';
import { captured, type Run } from '../run.ts';

const base = mkdtempSync(join(tmpdir(), 'cfs-composefs-info-'));
after(() => rmSync(base, { recursive: true, force: true }));

const info = (...args: readonly string[]): Promise<Run> => captured(() => runTool('composefs-info', args));

function makeImage(name: string, dump: string | Uint8Array): string {
  const path = join(base, name);
  writeFileSync(path, writeImage(parseDump(Buffer.from(dump)), { version: 1 }));
  return path;
}

const DIGEST = '5c'.repeat(32);
const ROOT = '/ 0 40755 4 0 0 0 0.0 - - -\n';
const small = makeImage(
  'small.cfs',
  `${ROOT}/a 0 40755 2 0 0 0 0.0 - - -\n/a/ext 100 100644 2 0 0 0 0.0 5c/5c - ${DIGEST}\n/a/in 3 100644 1 0 0 0 0.0 - abc -\n` +
    String.raw`/a/l\x20k 5 120777 1 0 0 0 0.0 x\x20\ty\\ - -` +
    '\n/b 0 40755 2 0 0 0 0.0 - - -\n/b/hard 0 @100644 1 0 0 0 0.0 /a/ext - -\n/b/void 0 100644 1 0 0 0 0.0 - - -\n/c 7 100644 1 0 0 0 0.0 no/digest - -\n',
);

test('composefs-info dump of the image of the golden directory is what the C tool dumped', async () => {
  const dump = readFileSync(fixture('dumps/dir.mkcomposefs.dump'), 'latin1');
  const image = makeImage('golden.cfs', dump);
  assert.deepEqual(await info('dump', image), { code: 0, stdout: dump, stderr: '' });
});

test('composefs-info dump repeats the fields of hard links, and takes options anywhere', async () => {
  const { stdout } = await info('dump', small, '--filter=b');
  assert.equal(
    stdout,
    '/ 4096 40755 4 0 0 0 0.0 - - -\n/b 0 40755 2 0 0 0 0.0 - - -\n'.replace(
      '/b 0',
      `/b ${/^\/b (\d+)/m.exec(stdout)?.[1]}`,
    ) + `/b/hard 100 100644 2 0 0 0 0.0 5c/5c - ${DIGEST}\n/b/void 0 100644 1 0 0 0 0.0 - - -\n`,
  );
  const whole = await info('dump', small);
  assert.match(whole.stdout, new RegExp(`^/b/hard 100 @100644 2 0 0 0 0\\.0 /a/ext - ${DIGEST}$`, 'm'));
});

test('composefs-info ls lists what there is', async () => {
  const { code, stdout } = await info('ls', small);
  assert.equal(code, 0);
  assert.equal(
    stdout,
    '/a/\t\n/a/ext\t@ 5c/5c\n/a/in\n/a/l k\t-> x\\x20\\ty\\\\\n/b/\t\n/b/hard\n/b/void\n/c\t@ no/digest\n',
  );
  assert.equal(
    (await info('ls', small, '--filter', 'b', '--filter=nothing')).stdout,
    '/b/\t\n/b/hard\t@ 5c/5c\n/b/void\n',
  );
  assert.equal((await info('--filter=nothing', 'ls', small)).stdout, '');
});

test('composefs-info objects and missing-objects go over all images, once each and in order', async () => {
  const other = makeImage(
    'other.cfs',
    `${ROOT}/x 9 100644 1 0 0 0 0.0 /00/01 - -\n/y 9 100644 1 0 0 0 0.0 no/digest - -\n`,
  );
  assert.equal((await info('objects', small, other)).stdout, '/00/01\n5c/5c\nno/digest\n');
  mkdirSync(join(base, 'objects/5c'), { recursive: true });
  writeFileSync(join(base, 'objects/5c/5c'), '');
  const args = ['missing-objects', small, other];
  assert.equal((await info(...args, `--basedir=${join(base, 'objects')}`)).stdout, '/00/01\nno/digest\n');
  assert.equal((await info(...args)).stdout, '/00/01\n5c/5c\nno/digest\n');
});

test('composefs-info measure-file computes what the kernel would, and for nothing what the C tool does', async () => {
  const hello = join(base, 'hello');
  const empty = join(base, 'empty');
  writeFileSync(hello, 'hello world');
  writeFileSync(empty, '');
  assert.deepEqual(await info('measure-file', hello, empty), {
    code: 0,
    stdout:
      '1e2eaa4202d750a41174ee454970b92c1bc2f925b1e35076d8c7d5f56362ba64\n' +
      'cfc3391077edfd51859f6e5e16e03f82b1da3ee1a35d418b0d0b3b57740b4405\n',
    stderr: '',
  });
});

const failures: readonly (readonly [args: readonly string[], stdout: string, stderr: RegExp])[] = [
  [[], '', /^No command specified\nusage: composefs-info \[--basedir=path\]/],
  [['what', small], '', /^Unknown command 'what'\n\n$/],
  [['ls'], '', /^No image path specified\nusage: /],
  [['measure-file'], '', /^No files specified\nusage: /],
  [['dump', '/nonexistent'], '', /^Failed to open '\/nonexistent': No such file or directory\n$/],
  [['dump', import.meta.filename], '', /^Failed to load '.*': Invalid argument\n/],
  [['dump', base], '', /^Failed to load '.*': Invalid argument\n/],
  [['ls', '--filter=a/b', small], '', /^Filter must be a single name: a\/b: Invalid argument\n$/],
  [
    ['missing-objects', '--basedir=/nonexistent', small],
    '',
    /^Can't open basedir `\/nonexistent`\n: No such file or directory\n$/,
  ],
  [['measure-file', '/nonexistent'], '', /^Failed to open '\/nonexistent': No such file or directory\n$/],
  [['measure-file', base], '', /^failed to measure '.*': Is a directory$/],
  [['--what', 'ls'], 'Def\n', /^composefs-info: unrecognized option '--what'\nusage: /],
  [['ls', '--filter'], 'Def\n', /^composefs-info: option '--filter' requires an argument\nusage: /],
];
for (const [args, stdout, stderr] of failures) {
  test(`composefs-info ${args.map((arg) => arg.replace(dirname(base), '…')).join(' ')} fails as the C tool does`, async () => {
    const run = await info(...args);
    assert.deepEqual([run.code, run.stdout], [1, stdout]);
    assert.match(run.stderr, stderr);
  });
}

test(
  'composefs-info lists as composefs-rs does where that follows the C tool',
  { skip: skipWithoutCfsctl },
  async () => {
    const image = makeImage('rs.cfs', readFileSync(fixture('dumps/1.dump')));
    for (const command of ['ls', 'objects']) {
      const theirs = execFileSync(cfsctl!, ['composefs-info', command, image], { encoding: 'latin1' });
      assert.ok(theirs.length > 1000);
      // The C tool escapes spaces of targets too.
      assert.equal((await info(command, image)).stdout.replaceAll(String.raw`\x20`, ' '), theirs);
    }
  },
);

test('composefs-info is what cfs is when it is called by that name', { skip: needs('ln') }, () => {
  const link = join(base, 'composefs-info');
  execFileSync('ln', ['-sf', join(import.meta.dirname, '../../../cfs'), link]);
  const direct = execFileSync(link, ['objects', small], { encoding: 'utf8' });
  assert.equal(
    direct,
    execFileSync(join(import.meta.dirname, '../../../cfs'), ['composefs-info', 'objects', small], { encoding: 'utf8' }),
  );
  assert.equal(direct, '5c/5c\nno/digest\n');
});

test('readStoredImage() of damaged images answers, or fails with an error of ours', () => {
  const image = readFileSync(small);
  const place = fc.record({ at: fc.nat(image.length - 1), byte: fc.nat(255) });
  fc.assert(
    fc.property(fc.array(place, { minLength: 1, maxLength: 6 }), (places) => {
      const damaged = Buffer.from(image);
      for (const { at, byte } of places) damaged[at] = byte;
      try {
        const { root, directories } = readStoredImage(damaged);
        assert.ok(Array.from(storedDumpLines(root, directories)).length > 0);
      } catch (error) {
        assert.ok(error instanceof CfsError, String(error));
      }
    }),
    { numRuns: fuzzRuns },
  );
});
