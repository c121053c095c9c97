import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { CfsError } from '../../bytes/errors.ts';
import { KeyFile } from '../../ostree/key-file.ts';
import { fuzzRuns } from '../fuzz-runs.ts';

const text = String.raw`# a comment

[core]
repo_version=1
mode = bare
mode=archive-z2
  indented=\sspaced\tand\\more
yes=1
no=false
count=42
names=a;b\;c;;d;
name[de]=deutsch

[remote "origin"]
url=https://example.org/a=b
empty=
[core]
late=true
`;

test('KeyFile keeps the text it was parsed from', () => {
  assert.equal(KeyFile.parse(text).toString(), text);
});

test('KeyFile merges groups, and the last of equal keys counts', () => {
  const file = KeyFile.parse(text);
  assert.deepEqual(file.groups(), ['core', 'remote "origin"']);
  assert.equal(file.string('core', 'mode'), 'archive-z2');
  assert.equal(file.boolean('core', 'late'), true);
  assert(file.has('core') && file.has('core', 'late') && !file.has('other') && !file.has('core', 'x'));
  assert.deepEqual(file.keys('remote "origin"'), ['url', 'empty']);
});

test('KeyFile reads texts, booleans, integers and lists', () => {
  const file = KeyFile.parse(text);
  assert.equal(file.string('core', 'indented'), ' spaced\tand\\more');
  assert.equal(file.raw('core', 'indented'), String.raw`\sspaced\tand\\more`);
  assert.equal(file.boolean('core', 'yes'), true);
  assert.equal(file.boolean('core', 'no'), false);
  assert.equal(file.integer('core', 'count'), 42);
  assert.deepEqual(file.list('core', 'names'), ['a', 'b;c', '', 'd']);
  assert.equal(file.string('remote "origin"', 'url'), 'https://example.org/a=b');
  assert.equal(file.string('remote "origin"', 'empty'), '');
  assert.deepEqual(file.list('remote "origin"', 'empty'), []);
  assert.equal(file.string('core', 'absent'), undefined);
  assert.equal(file.boolean('absent', 'absent'), undefined);
  assert.equal(file.list('absent', 'absent'), undefined);
});

const bad: readonly (readonly [string, string, string, RegExp])[] = [
  ['a key before any group', 'a=b\n', 'line 1', /does not start with a group/],
  ['a line that is nothing', '[a]\nhello\n', 'line 2', /"hello" is not a key-value pair, group, or comment/],
  ['a group without its end', '[a\n', 'line 1', /invalid group line/],
  ['a group with a bracket inside', '[a[b]\n', 'line 1', /invalid group line/],
  ['text behind a group', '[a] b\n', 'line 1', /invalid group line/],
  ['a key without a name', '[a]\n=b\n', 'line 2', /invalid key name/],
  ['a key with half a locale', '[a]\nb[c=d\n', 'line 2', /invalid key name/],
];
for (const [name, source, field, message] of bad) {
  test(`KeyFile.parse() rejects ${name}`, () => {
    assert.throws(() => KeyFile.parse(source), { code: 'FORMAT', field, message });
  });
}

test('KeyFile names the key whose value has the wrong type', () => {
  const file = KeyFile.parse('[a]\nb=yes\nc=-1\nd=\\q\ne=1x\nf=\\\n');
  assert.throws(() => file.boolean('a', 'b'), { field: 'a.b', message: /'yes' is not a boolean/ });
  assert.throws(() => file.integer('a', 'c'), { field: 'a.c' });
  assert.throws(() => file.string('a', 'd'), { field: 'a.d', message: /invalid escape sequence/ });
  assert.throws(() => file.integer('a', 'e'), { field: 'a.e' });
  assert.throws(() => file.string('a', 'f'), { field: 'a.f' });
});

test('KeyFile.set() changes one line, and adds to the end of a group', () => {
  const file = KeyFile.parse('# top\n[a]\nb=1\n# c\n\n[d]\ne=2\n');
  file.set('a', 'b', ' x\n\\');
  file.set('a', 'n', 'new');
  file.setList('f', 'g', ['h;', 'i']);
  assert.equal(
    file.toString(),
    String.raw`# top
[a]
b=\sx\n\\
n=new
# c

[d]
e=2

[f]
g=h\;;i;
`,
  );
  assert.equal(file.string('a', 'b'), ' x\n\\');
  assert.deepEqual(file.list('f', 'g'), ['h;', 'i']);
  file.remove('a', 'b');
  file.remove('d');
  assert.equal(file.toString(), '# top\n[a]\nn=new\n# c\n\n[f]\ng=h\\;;i;\n');
  assert(!file.has('d'));
});

test('KeyFile.set() refuses names that would break the file', () => {
  const file = new KeyFile();
  assert.throws(() => file.set('a]', 'b', 'c'), { field: 'group' });
  assert.throws(() => file.set('a', 'b=', 'c'), { code: 'FORMAT' });
  assert.throws(() => file.set('a', 'b\nc', 'c'), { code: 'FORMAT' });
  assert.throws(() => file.set('a', '# b', 'c'), { code: 'FORMAT' });
  assert.equal(file.toString(), '');
});

test('KeyFile.setRaw() refuses line breaks, also in place of a value that is there', () => {
  const file = KeyFile.parse('[a]\nb=c\n');
  for (const key of ['b', 'new']) assert.throws(() => file.setRaw('a', key, 'd\n[e]'), { code: 'FORMAT' });
  assert.equal(file.toString(), '[a]\nb=c\n');
});

test('KeyFile.parse() gives only a CfsError, or a file with the same text', () => {
  const piece = fc.constantFrom('[', ']', '=', '\n', '#', ' ', '\\', ';', 'a', 'key', '[a]\n', 'k=v\n', '\r', '"', 'é');
  fc.assert(
    fc.property(
      fc.array(piece).map((pieces) => pieces.join('')),
      (source) => {
        let file: KeyFile;
        try {
          file = KeyFile.parse(source);
        } catch (error) {
          assert(error instanceof CfsError);
          return;
        }
        assert.equal(file.toString(), source === '' || source.endsWith('\n') ? source : `${source}\n`);
      },
    ),
    { numRuns: fuzzRuns },
  );
});

test('KeyFile.set() and string() are inverse for every text', () => {
  fc.assert(
    fc.property(fc.string(), fc.array(fc.string({ minLength: 1 })), (value, list) => {
      const file = new KeyFile();
      file.set('g', 'text', value);
      file.setList('g', 'list', list);
      const again = KeyFile.parse(file.toString());
      assert.equal(again.string('g', 'text'), value);
      assert.deepEqual(again.list('g', 'list'), list);
    }),
    { numRuns: fuzzRuns },
  );
});
