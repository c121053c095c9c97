import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { pathNames, selectDirectory, selectPaths, selectsFile, type Selection } from '../../src/commit/subpaths.ts';
import { fuzzRuns } from '../fuzz-runs.ts';

test('pathNames() takes absolute paths, with any slashes', () => {
  assert.deepEqual(pathNames('/'), []);
  assert.deepEqual(pathNames('//usr//share/'), ['usr', 'share']);
});

for (const path of ['', 'usr', './usr', '/usr/../etc', '/.', '/usr/.']) {
  test(`pathNames() rejects '${path}'`, () => {
    assert.throws(() => pathNames(path), { code: 'USAGE' });
  });
}

/** True if a file or directory at the path is selected, by following the names. */
function selects(selection: Selection, names: readonly string[], kind: 'file' | 'directory'): boolean {
  let at: Selection | undefined = selection;
  for (const name of names.slice(0, -1)) at = at && selectDirectory(at, name);
  const last = names.at(-1);
  if (at === undefined) return false;
  if (last === undefined) return kind === 'directory';
  return kind === 'file' ? selectsFile(at, last) : selectDirectory(at, last) !== undefined;
}

test('selectPaths() selects what is at and below the paths, and the directories above them', () => {
  const names = fc.array(fc.constantFrom('a', 'b', 'c'), { maxLength: 4 });
  fc.assert(
    fc.property(fc.array(names, { maxLength: 4 }), names, (paths, probe) => {
      const selection = selectPaths(paths.map((path) => `/${path.join('/')}`));
      const begins = (long: readonly string[], short: readonly string[]): boolean =>
        short.every((name, i) => long[i] === name);
      const within = paths.some((path) => begins(probe, path));
      const above = paths.some((path) => begins(path, probe));
      if (probe.length > 0) assert.equal(selects(selection, probe, 'file'), within);
      assert.equal(selects(selection, probe, 'directory'), within || above || probe.length === 0);
    }),
    { numRuns: fuzzRuns },
  );
});
