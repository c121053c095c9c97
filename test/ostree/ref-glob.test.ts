import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { isRefGlob, refGlob } from '../../ostree/ref-glob.ts';
import { fuzzRuns } from '../fuzz-runs.ts';

const rows: readonly (readonly [pattern: string, matching: readonly string[], others: readonly string[]])[] = [
  ['a/b', ['a/b'], ['a/b/c', 'a', 'a/c']],
  ['fedora/*/iot', ['fedora/x86_64/iot'], ['fedora/iot', 'fedora/stable/x86_64/iot', 'xfedora/x86_64/iot']],
  ['*', ['a', 'é'], ['a/b']],
  ['a*c/?', ['ac/x', 'abbc/é', 'acbc/🙂'], ['ab/x', 'ac/', 'ac/xy', 'ac']],
  ['**', ['a', 'a/b/c'], []],
  ['a/**', ['a', 'a/b', 'a/b/c'], ['b', 'ab']],
  ['**/iot', ['iot', 'a/b/iot', 'iot/iot'], ['iot/a', 'aiot']],
  ['a/**/c/*', ['a/c/x', 'a/b/c/c/c', 'a/c/c'], ['a/c', 'a/c/b/b']],
  ['a/x**', ['a/xyz'], ['a/x/y']],
];
for (const [pattern, matching, others] of rows) {
  test(`refGlob('${pattern}') matches whole names`, () => {
    const match = refGlob(pattern);
    for (const name of matching) assert(match(name), `${name} should match`);
    for (const name of others) assert(!match(name), `${name} should not match`);
  });
}

test('refGlob() agrees with a regular expression', () => {
  const text = fc.array(fc.constantFrom('a', 'b', '/', '*', '?'), { maxLength: 8 }).map((parts) => parts.join(''));
  const name = fc.array(fc.constantFrom('a', 'b', '/'), { maxLength: 8 }).map((parts) => parts.join(''));
  fc.assert(
    fc.property(text, name, (pattern, ref) => {
      const fragments = pattern.split('/').map((fragment) => {
        if (fragment === '**') return '(?:/[^/]*)*';
        return `/${fragment.replaceAll(/\*+/g, '[^/]*').replaceAll('?', '[^/]')}`;
      });
      assert.equal(refGlob(pattern)(ref), new RegExp(`^${fragments.join('')}$`).test(`/${ref}`), `${pattern} ${ref}`);
    }),
    { numRuns: fuzzRuns },
  );
});

test('refGlob() takes no time for a hostile name', () => {
  const start = performance.now();
  assert(!refGlob('*a*a*a*a*b')('a'.repeat(20_000)));
  assert(!refGlob('**/a*/**/a*/**/b')('a/'.repeat(5_000)));
  assert(performance.now() - start < 2_000);
});

test('isRefGlob() tells patterns from names', () => {
  assert(isRefGlob('a/*') && isRefGlob('a?') && !isRefGlob('a/b'));
});
