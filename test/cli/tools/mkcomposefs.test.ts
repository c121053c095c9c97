/** mkcomposefs beside what C mkcomposefs made (fixtures) and beside that of composefs-rs. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { runTool } from '../../../src/cli/tools/mkcomposefs.ts';
import { verityDigest } from '../../../src/verity/digest.ts';
import { goldenIds, unpackGoldenDirectory } from '../../directory/golden-directory.ts';
import { makeRandomDirectory } from '../../directory/random-directory.ts';
import { fuzzRuns } from '../../fuzz-runs.ts';
import { needs, toolPath } from '../../needs.ts';
import { expected, fixture } from '../../pull/support.ts';
import { captured, type Run } from '../run.ts';

const base = mkdtempSync(join(tmpdir(), 'mkcomposefs-'));
after(() => rmSync(base, { recursive: true, force: true }));
const dumps = join(import.meta.dirname, '../../../fixtures/dumps');

const mkcomposefs = (...args: string[]): Promise<Run> => captured(() => runTool('mkcomposefs', args));

async function digestOf(...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await mkcomposefs('--print-digest-only', ...args);
  assert.equal(code, 0, stderr);
  return stdout.trimEnd();
}

/** That of composefs-rs. */
function theirs(...args: string[]): string {
  const run = spawnSync(toolPath('cfsctl')!, ['mkcomposefs', ...args], { encoding: 'utf8' });
  assert.equal(run.status, 0, run.stderr);
  return run.stdout.trimEnd();
}

/** Relative paths of all files below a directory, with content and mode. */
function filesOf(path: string): Map<string, string> {
  const entries = readdirSync(path, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  const describeFile = (file: string): string =>
    `${(statSync(file).mode & 0o7777).toString(8)} ${readFileSync(file).toString('base64')}`;
  return new Map(
    entries
      .map(({ parentPath, name }) => join(parentPath, name))
      .sort()
      .map((file) => [file.slice(path.length), describeFile(file)]),
  );
}

describe('mkcomposefs --from-file', () => {
  for (const [name, versions] of Object.entries(expected.mkcomposefs)) {
    test(`makes the images of C mkcomposefs of the golden dump ${name}`, async () => {
      const dump = join(dumps, `${name}.dump`);
      for (const version of [0, 1] as const) {
        const image = join(base, `${name}.${version}`);
        const options = [`--min-version=${version}`, '--print-digest', '--from-file'];
        const { code, stdout } = await mkcomposefs(...options, dump, image);
        assert.deepEqual([code, stdout], [0, `${versions[`v${version}`]!.fsverity_sha256}\n`]);
        const bytes = readFileSync(image);
        assert.equal(verityDigest('sha256', bytes), stdout.trimEnd());
        if (version === 1) assert.ok(bytes.equals(readFileSync(fixture(`images/${name}.v1.erofs`))));
      }
    });
  }

  test('reads stdin and writes stdout', () => {
    const run = spawnSync(
      join(import.meta.dirname, '../../../cfs'),
      ['mkcomposefs', '--from-file', '--min-version=1', '-', '-'],
      {
        input: readFileSync(join(dumps, 'plain.dump')),
      },
    );
    assert.equal(run.status, 0, run.stderr.toString());
    assert.ok(run.stdout.equals(readFileSync(fixture('images/plain.v1.erofs'))));
  });

  test('chooses version 1 for whiteouts unless that is forbidden', async () => {
    const dump = join(base, 'whiteout.dump');
    writeFileSync(dump, '/ 0 40755 2 0 0 0 0.0 - - -\n/d 0 40755 2 0 0 0 0.0 - - -\n/d/w 0 20644 1 0 0 0 0.0 - - -\n');
    const zero = '96d3379930a17202edca1d64f7a5453be07add0a1d28675568f1d125ab875ac5';
    const one = 'b48278c1d18c734e27769a6660f90910b63cec2d3d8826447bde5193ea1e2144';
    for (const [options, digest] of [
      [[], one],
      [['--min-version=1'], one],
      [['--min-version=0'], zero],
      [['--max-version=0'], zero],
      [['--max-version=1'], one],
      [['--min-version=0', '--max-version=1'], one],
    ] as const) {
      assert.equal(await digestOf('--from-file', ...options, dump), digest, options.join(' '));
    }
  });

  /** The messages are those of C. */
  const invalid: readonly (readonly [line: string, message: string])[] = [
    ['/d 0 @40555 1 0 0 0 0.0 / - -', "Directories can't be hardlinked"],
    ['/. 0 40755 1 0 0 0 0.0 - - -', 'Invalid . or .. in path: /.'],
    ['/.. 0 40755 1 0 0 0 0.0 - - -', 'Invalid . or .. in path: /..'],
    ['/l 0 120777 1 0 0 0 0.0 - - -', 'Invalid symlink'],
    [`/l 0 120777 1 0 0 0 0.0 ${'x'.repeat(7248)} - -`, 'Invalid symlink'],
    ['// 0 40755 1 0 0 0 0.0 - - -', "Can't add child"],
    ['/f 0 100644 1 0 0 0 0.0 - - - =somevalue', "Can't set xattr"],
    [`/f 0 100644 1 0 0 0 0.0 - - - ${'k'.repeat(123_216)}=v`, 'Too many xattrs'],
    ['/f 0 644 1 0 0 0 0.0 - - -', 'Invalid mode 644'],
    ['/f 0 0 1 0 0 0 0.0 - - -', 'Invalid mode 0'],
    [`/f 5004 100644 1 0 0 0 0.0 - ${'x'.repeat(5004)} -`, 'Inline content size 5004 exceeds maximum 5000'],
    ['/f 4 100644 1 0 0 0 0.0 - abc -', 'Invalid content size 3, must match size 4'],
    ['/f x 100644 1 0 0 0 0.0 - - -', 'Invalid integer x'],
    ['/a/b 0 40755 1 0 0 0 0.0 - - -', 'Parent directory missing for /a/b'],
    ['/ 0 40755 1 0 0 0 0.0 - - -', "Can't have multiple roots"],
    ['/h 0 @100644 1 0 0 0 0.0 /h - -', 'Self-referential hardlink /h'],
    ['/h 0 @100644 1 0 0 0 0.0 /none - -', 'No target at /none for hardlink'],
    ['/f\\q 0 100644 1 0 0 0 0.0 - - -', 'Unsupported escape type q'],
    ['', 'Invalid empty path'],
  ];
  for (const [line, message] of invalid) {
    test(`refuses '${line.slice(0, 60)}' with C's words`, async () => {
      const dump = join(base, 'invalid.dump');
      writeFileSync(dump, `/ 0 40755 2 0 0 0 0.0 - - -\n${line}\n`);
      const { code, stdout, stderr } = await mkcomposefs('--from-file', '--print-digest-only', dump);
      assert.deepEqual([code, stdout], [1, '']);
      assert.equal(stderr, `mkcomposefs: ${message}\nin line 2 of ${dump}\n`);
    });
  }

  test('refuses an empty dump, a file that is too large, and what cannot be read', async () => {
    const dump = join(base, 'other.dump');
    const problem = async (text: string): Promise<string> => {
      writeFileSync(dump, text);
      return (await mkcomposefs('--from-file', '--print-digest-only', dump)).stderr;
    };
    assert.equal(await problem(''), 'mkcomposefs: No files in dump file\n');
    assert.match(
      await problem('/ 0 40755 2 0 0 0 0.0 - - -\n/f 9500000000000000 100644 1 0 0 0 0.0 a/b - -\n'),
      /^mkcomposefs: cannot write file: .*File too large\n$/,
    );
    const none = join(base, 'none');
    assert.equal(
      (await mkcomposefs('--from-file', '--print-digest-only', none)).stderr,
      `mkcomposefs: open \`${none}\`: No such file or directory\n`,
    );
    assert.equal(
      (await mkcomposefs('--from-file', '--print-digest-only', base)).stderr,
      'mkcomposefs: Is a directory\n',
    );
  });
});

describe('mkcomposefs of a directory', () => {
  test('makes the images of C mkcomposefs of the golden directory', { skip: needs('root') }, async () => {
    const golden = join(base, 'golden');
    unpackGoldenDirectory(golden);
    for (const version of [0, 1] as const) {
      const wanted = goldenIds.mkcomposefs[`v${version}`];
      for (const threads of [1, 3]) {
        assert.equal(await digestOf(`--min-version=${version}`, `--threads=${threads}`, golden), wanted);
      }
    }
  });

  const options: readonly (readonly string[])[] = [
    [],
    ['--use-epoch'],
    ['--skip-devices'],
    ['--skip-xattrs'],
    ['--user-xattrs'],
    ['--hardlinks'],
    ['--use-epoch', '--skip-xattrs', '--skip-devices'],
  ];
  const rounds = Math.min(fuzzRuns, 5);
  for (let seed = 1; seed <= rounds; seed++) {
    test(
      `makes the images and stores of composefs-rs of the random directory ${seed}`,
      { skip: needs('cfsctl') },
      async () => {
        const path = join(base, `random-${seed}`);
        await makeRandomDirectory(path, { seed, files: 150, odd: false, whiteouts: seed % 2 === 0 });
        for (const version of [0, 1] as const) {
          for (const each of options) {
            // A whiteout that is hard-linked is an error to them; C knows none.
            const args = [...each, `--min-version=${version}`];
            assert.equal(await digestOf(...args, path), theirs('--print-digest-only', ...args, path), args.join(' '));
          }
        }
        const [ours, other] = [join(base, `ours-${seed}`), join(base, `theirs-${seed}`)];
        await digestOf(`--digest-store=${ours}`, `--threads=${1 + (seed % 3)}`, path);
        theirs('--print-digest-only', `--digest-store=${other}`, path);
        assert.deepEqual(filesOf(ours), filesOf(other));
        assert.ok(readdirSync(ours).every((name) => name.length === 2));
      },
    );
  }

  test('names that are no UTF-8 and times before 1970 come to the image as they are', async () => {
    const path = join(base, 'odd');
    await makeRandomDirectory(path, { seed: 77, files: 60, odd: true, whiteouts: false });
    const image = join(base, 'odd.cfs');
    assert.equal((await mkcomposefs(path, image)).code, 0);
    assert.ok(readFileSync(image).includes(Buffer.from('\xe9\xff\x01', 'latin1')));
  });

  test('keeps the objects that a store has, and replaces one that is cut short', async () => {
    const [path, store] = [join(base, 'again'), join(base, 'again-store')];
    mkdirSync(path);
    for (const [name, size] of [
      ['a', 100],
      ['b', 5000],
      ['c', 700_000],
    ] as const) {
      writeFileSync(join(path, name), Buffer.alloc(size, name));
    }
    const digest = await digestOf('--digest-store', store, path);
    const objects = [...filesOf(store).keys()].map((name) => join(store, name));
    assert.equal(objects.length, 3);
    const inodes = objects.map((file) => statSync(file).ino);
    truncateSync(objects[0]!, 10);
    assert.equal(await digestOf('--digest-store', store, path), digest);
    assert.deepEqual(
      objects.slice(1).map((file) => statSync(file).ino),
      inodes.slice(1),
    );
    for (const file of objects) {
      assert.equal(verityDigest('sha256', readFileSync(file)), file.slice(store.length).replaceAll('/', ''));
    }
  });

  test('makes missing parents of the store, and says why it cannot', async () => {
    const path = join(base, 'again');
    const store = join(base, 'x/y/store');
    await digestOf('--digest-store', store, path);
    assert.equal(filesOf(store).size, 3);
    for (const [where, why] of [
      [`${dumps}/plain.dump/x`, 'Not a directory'],
      ['/proc/none/x', 'No such file or directory'],
    ]) {
      const { code, stderr } = await mkcomposefs('--print-digest-only', `--digest-store=${where}`, path);
      assert.deepEqual([code, stderr], [1, `mkcomposefs: cannot fill store: ${why}\n`]);
    }
  });
});

describe('the command line of mkcomposefs', () => {
  const rows: readonly (readonly [args: readonly string[], stderr: RegExp])[] = [
    [[], /^No source path specified\nusage: mkcomposefs /],
    [['a'], /^No destination path specified\nusage: /],
    [['a', 'b', 'c'], /^Too many arguments\nusage: /],
    [['--print-digest-only', 'a', 'b'], /^Cannot specify destination path with --print-digest-only\nusage: /],
    [['', 'b'], /^mkcomposefs: Empty source path specified\n$/],
    [['--threads'], /^option needs a value\n$/],
    [['--threads=x', 'a', 'b'], /^Invalid threads count x\n$/],
    [['--threads=0', 'a', 'b'], /^Invalid threads count 0\n$/],
    [['--min-version=x', 'a', 'b'], /^Invalid min version x\n$/],
    [['--max-version=', 'a', 'b'], /^Invalid max version \n$/],
    [['-h'], /^usage: mkcomposefs /],
    [['--nothing'], /^usage: mkcomposefs /],
    [['--print', 'a', 'b'], /^usage: mkcomposefs /],
    [['--print-digest-only', '/none'], /^mkcomposefs: error accessing \/none: No such file or directory\n$/],
    [['--print-digest-only', '/etc/passwd'], /^mkcomposefs: cannot write file: Not a directory\n$/],
    [
      ['--print-digest-only', '--skip-x', '--user-x', '/etc'],
      /^mkcomposefs: error accessing \/etc: Invalid argument\n$/,
    ],
    [
      ['--from-file', '/dev/null', '/none/image'],
      /^mkcomposefs: failed to open output file: No such file or directory\n$/,
    ],
    [
      ['--from-file', '--print-digest-only', '--min-version=2', join(dumps, 'empty.dump')],
      /^mkcomposefs: cannot write file: Invalid argument\n$/,
    ],
    [
      ['--from-file', '--print-digest-only', '--max-version=-1', join(dumps, 'empty.dump')],
      /^mkcomposefs: cannot write file: Invalid argument\n$/,
    ],
  ];
  for (const [args, message] of rows) {
    test(`'${args.join(' ').slice(0, 60)}' says what is wrong and fails with 1`, async () => {
      const { code, stdout, stderr } = await mkcomposefs(...args);
      assert.deepEqual([code, stdout], [1, '']);
      assert.match(stderr, message);
    });
  }

  test('--help is on stdout', async () => {
    const { code, stdout, stderr } = await mkcomposefs('--help');
    assert.deepEqual([code, stderr], [0, '']);
    assert.match(stdout, /^usage: mkcomposefs \[OPTIONS\] SOURCE IMAGE\n/);
  });

  test('an image takes the place of an older one only when it is complete, and keeps its mode', async () => {
    const image = join(base, 'place.cfs');
    writeFileSync(image, 'older');
    chmodSync(image, 0o600);
    const link = join(base, 'link.cfs');
    symlinkSync('place.cfs', link);
    assert.equal((await mkcomposefs('--from-file', '/dev/null', image)).code, 1);
    assert.equal(readFileSync(image, 'utf8'), 'older');
    assert.equal((await mkcomposefs('--from-file', join(dumps, 'plain.dump'), link)).code, 0);
    assert.ok(lstatSync(link).isSymbolicLink());
    assert.equal(statSync(image).mode & 0o777, 0o600);
    assert.ok(readFileSync(image).length > 50_000);
    assert.deepEqual(
      readdirSync(base).filter((name) => name.startsWith('.')),
      [],
    );
  });

  test('a device is written to as it is', async () => {
    assert.equal((await mkcomposefs('--from-file', join(dumps, 'plain.dump'), '/dev/null')).code, 0);
    assert.ok(existsSync('/dev/null') && statSync('/dev/null').isCharacterDevice());
  });
});
