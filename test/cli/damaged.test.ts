/** Whole programs on repositories of which any file is damaged: each ends with a code of its own, and what it stores is good. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync, unlinkSync, writeFileSync } from 'node:fs';
import { extname, join } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import { fuzzRuns } from '../fuzz-runs.ts';
import { goldenPath } from '../ostree/golden.ts';
import { copyPristine, os, pristine } from '../pull/damage.ts';
import { freshPath, freshRepository } from '../repository/support.ts';
import { run } from './run.ts';

/** The paths of all files of a folder, those of the same kind together. */
function filesOf(folder: string): string[][] {
  const groups = new Map<string, string[]>();
  for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
    if (entry.isDirectory()) continue;
    const path = join(entry.parentPath, entry.name).slice(folder.length + 1);
    const kind = path.replace(/\/.*/, '') + extname(path);
    groups.set(kind, [...(groups.get(kind) ?? []), path]);
  }
  return Array.from(groups.values(), (paths) => paths.toSorted());
}

/** Other bytes at a place. */
function overwrite(bytes: Buffer, at: number, length: number): Buffer {
  for (let i = at; i < Math.min(at + length, bytes.length); i++) bytes[i]! ^= 0x41;
  return bytes;
}

const damages: readonly ((file: string, bytes: Buffer, at: number) => void)[] = [
  (file, bytes, at) => writeFileSync(file, overwrite(bytes, at, 1)),
  (file, bytes, at) => writeFileSync(file, overwrite(bytes, at, 8)),
  (file, bytes, at) => writeFileSync(file, bytes.subarray(0, at)),
  (file, bytes, at) => writeFileSync(file, Buffer.concat([bytes.subarray(0, at), bytes])),
  (file) => writeFileSync(file, Buffer.alloc(3000, 'other bytes')),
  () => undefined,
  (file) => mkdirSync(file),
  (file) => symlinkSync('/dev/zero', file),
  (file) => void spawnSync('mkfifo', [file]),
];

interface Choice {
  readonly kind: number;
  readonly file: number;
  readonly damage: number;
  readonly at: number;
  readonly command: number;
}

const choice: fc.Arbitrary<Choice> = fc.record({
  kind: fc.nat(),
  file: fc.nat(),
  damage: fc.nat(),
  at: fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
  command: fc.nat(),
});

const pick = <Value>(values: readonly Value[], index: number): Value => values[index % values.length]!;

/** Damages one file of the folder. */
function damageOne(folder: string, groups: readonly (readonly string[])[], { kind, file, damage, at }: Choice): void {
  const path = join(folder, pick(pick(groups, kind), file));
  const bytes = readFileSync(path);
  unlinkSync(path);
  pick(damages, damage)(path, bytes, Math.floor(at * bytes.length));
}

async function ends(...args: readonly string[]): Promise<void> {
  const begun = performance.now();
  const { code, stderr } = await run(...args);
  const said = `${args.join(' ')}: ${code}: ${stderr}`;
  assert([0, 1, 2, 3, 4].includes(code), said);
  assert.doesNotMatch(stderr, /\n\s+at |Cannot read propert|ERR_|undefined/, said);
  assert(performance.now() - begun < 10_000, said);
}

const options = { numRuns: Math.ceil(Math.min(fuzzRuns, 10_000) / 50), endOnFailure: true };

test('commands on an OSTree repository with a damaged file end with a code, and what they store is good', async () => {
  const groups = filesOf(goldenPath);
  const source = freshPath();
  await fc.assert(
    fc.asyncProperty(choice, async (chosen) => {
      rmSync(source, { recursive: true, force: true });
      spawnSync('cp', ['-a', goldenPath, source]);
      damageOne(source, groups, chosen);
      const repository = freshRepository();
      await ends('--repo', repository, 'ostree', 'pull-local', source, pick([os, 'golden/plain'], chosen.file));
      const commands = [
        ['ostree', 'pull-local', '--require-deltas', source, os],
        ['ostree', 'pull-local', '--depth=-1', source, '*'],
        ['ostree', 'delta', 'list', source],
        ['ostree', 'remote', 'list', '--ostree-repo', source],
      ];
      await ends('--repo', repository, ...pick(commands, chosen.command));
      assert.equal((await run('--repo', repository, 'fsck')).code, 0);
      rmSync(repository, { recursive: true });
    }),
    options,
  );
});

test('commands on a repository with a damaged file end with a code, and do not damage others', async () => {
  const groups = filesOf(pristine);
  const commands = [
    ['fsck'],
    ['fsck', '--repair'],
    ['gc'],
    ['images'],
    ['ostree', 'ls', '-R', os],
    ['ostree', 'create-image', os],
    ['ostree', 'log', os],
    ['diff', os, os],
    ['ostree', 'pull-local', goldenPath, os],
  ];
  await fc.assert(
    fc.asyncProperty(choice, async (chosen) => {
      const path = copyPristine();
      damageOne(path, groups, chosen);
      await ends('--repo', path, ...pick(commands, chosen.command));
      const other = freshRepository('sha512');
      await ends('--repo', other, 'copy', '--from', path, os);
      assert.equal((await run('--repo', other, 'fsck')).code, 0);
      for (const made of [path, other]) rmSync(made, { recursive: true });
    }),
    options,
  );
});
