import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import fc from 'fast-check';
import { FormatError } from '../../bytes/errors.ts';
import { formatDump } from '../../src/tree/dumpfile-format.ts';
import { DumpParser, parseDump } from '../../src/tree/dumpfile-parse.ts';
import { randomTree } from '../erofs/random-tree.ts';
import { fuzzRuns } from '../fuzz-runs.ts';
import { onlyCfsErrors } from '../only-cfs-errors.ts';

const ROOT = '/ 0 40755 2 0 0 0 0.0 - - -\n';
const DIGEST = 'ab'.repeat(32);
const dump = (name: string): Buffer => readFileSync(new URL(`../../fixtures/dumps/${name}.dump`, import.meta.url));
const parse = (text: string): string => formatDump(parseDump(Buffer.from(text, 'latin1')));

for (const name of ['1', '2', '3', 'plain', 'single', 'empty', 'dir.cfsctl']) {
  test(`formatDump() writes the dump ${name} as parseDump() read it`, () => {
    const text = dump(name);
    assert.equal(formatDump(parseDump(text)), text.toString('latin1'));
  });
}

test('DumpParser takes pieces of any size', () => {
  const text = dump('3');
  for (const size of [1, 7, 100, 4096]) {
    const parser = new DumpParser();
    for (let at = 0; at < text.length; at += size) {
      const piece = Buffer.from(text.subarray(at, at + size));
      parser.push(piece);
      piece.fill(0);
    }
    assert.equal(formatDump(parser.finish()), text.toString('latin1'));
  }
});

const accepted: readonly (readonly [name: string, input: string, canonical: string])[] = [
  ['a last line without line feed', `${ROOT}/f 0 100644 1 0 0 0 0.0 - - -`, `${ROOT}/f 0 100644 1 0 0 0 0.0 - - -\n`],
  ['a trailing space', `${ROOT}/f 0 100644 1 0 0 0 0.0 - - - \n`, `${ROOT}/f 0 100644 1 0 0 0 0.0 - - -\n`],
  [
    'repeated and missing slashes',
    `${ROOT}//d 0 40755 2 0 0 0 0.0 - - -\nd//f 0 100644 1 0 0 0 0.0 - - -\n`,
    `/ 0 40755 3 0 0 0 0.0 - - -\n/d 0 40755 2 0 0 0 0.0 - - -\n/d/f 0 100644 1 0 0 0 0.0 - - -\n`,
  ],
  [
    'an escaped slash as a separator',
    `${ROOT}/d 0 40755 2 0 0 0 0.0 - - -\n/d\\x2ff 0 100644 1 0 0 0 0.0 - - -\n`,
    `/ 0 40755 3 0 0 0 0.0 - - -\n/d 0 40755 2 0 0 0 0.0 - - -\n/d/f 0 100644 1 0 0 0 0.0 - - -\n`,
  ],
  [
    'a link before its target',
    `${ROOT}/a 0 @120000 - - - - 0.0 /b - -\n/b 1 100644 2 0 0 0 0.0 - x -\n`,
    `${ROOT}/a 1 100644 2 0 0 0 0.0 - x -\n/b 0 @120000 - - - - 0.0 /a - -\n`,
  ],
  [
    'a chain of links',
    `${ROOT}/a 0 @100644 - - - - 0.0 /b - -\n/b 0 @100644 - - - - 0.0 /c - -\n/c 1 100644 3 0 0 0 0.0 - x -\n`,
    `${ROOT}/a 1 100644 3 0 0 0 0.0 - x -\n/b 0 @120000 - - - - 0.0 /a - -\n/c 0 @120000 - - - - 0.0 /a - -\n`,
  ],
  [
    'numbers as strtoull reads them',
    `${ROOT}/f +07 100644 4294967297 -1 0 0 -5.1 - - -\n`,
    `${ROOT}/f 7 100644 1 4294967295 0 0 -5.1 - - -\n`,
  ],
  ['content beside a payload', `${ROOT}/f 1 100644 1 0 0 0 0.0 aa/bb x -\n`, `${ROOT}/f 1 100644 1 0 0 0 0.0 - x -\n`],
  [
    'a digest without payload',
    `${ROOT}/f 9 100644 1 0 0 0 0.0 - - ${DIGEST}\n`,
    `${ROOT}/f 9 100644 1 0 0 0 0.0 - - ${DIGEST}\n`,
  ],
  [
    'the last of equal xattr keys',
    `${ROOT}/f 0 100644 1 0 0 0 0.0 - - - user.b= user.a=1 user.a=2\n`,
    `${ROOT}/f 0 100644 1 0 0 0 0.0 - - - user.a=2 user.b=\n`,
  ],
  [
    'escapes of every kind',
    `${ROOT}/f\\x20\\\\\\n 2 100644 1 0 0 0 0.0 - \\x2D\\t -\n`,
    `${ROOT}/f\\x20\\\\\\n 2 100644 1 0 0 0 0.0 - -\\t -\n`,
  ],
];
for (const [name, input, canonical] of accepted) {
  test(`parseDump() accepts ${name}`, () => assert.equal(parse(input), canonical));
}

const file = (rest: string): string => `${ROOT}/f ${rest}\n`;
const rejected: readonly (readonly [name: string, input: string, problem: string])[] = [
  ['an empty file', '', 'No files in dump file'],
  ['a blank line', `${ROOT}\n`, 'line 2: Invalid empty path'],
  ['a NUL', `${ROOT}/a\0 0`, 'line 2: Invalid embedded NUL character at position 2'],
  [
    'big-inline',
    file(`5004 100644 1 0 0 0 0.0 - ${'x'.repeat(5004)} -`),
    'Inline content size 5004 exceeds maximum 5000',
  ],
  ['dir-hardlink', `${ROOT}/d 0 @40555 1 0 0 0 0.0 / - -\n`, "line 2: Directories can't be hardlinked"],
  [
    'a link to a directory',
    `${ROOT}/d 0 40755 2 0 0 0 0.0 - - -\n/e 0 @100644 1 0 0 0 0.0 /d - -\n`,
    'to the directory /d',
  ],
  ['dot-name', `${ROOT}/. 0 100644 1 0 0 0 0.0 - - -\n`, 'Invalid . or .. in path: /.'],
  ['dotdot-name', `${ROOT}/.. 0 100644 1 0 0 0 0.0 - - -\n`, 'Invalid . or .. in path: /..'],
  ['empty-link-name', file('0 120777 1 0 0 0 0.0 - - -'), 'Invalid symlink'],
  ['empty-name', `${ROOT}// 0 100644 1 0 0 0 0.0 - - -\n`, "Can't add child"],
  ['a trailing slash', `${ROOT}/a/ 0 100644 1 0 0 0 0.0 - - -\n`, 'Parent directory missing for /a/'],
  ['empty-xattr-key', file('0 100644 1 0 0 0 0.0 - - - =somevalue'), "Can't set xattr"],
  ['long-link', file(`0 120777 1 0 0 0 0.0 ${'x'.repeat(7248)} - -`), 'Invalid symlink'],
  ['long-xattr-key', file(`0 100644 1 0 0 0 0.0 - - - ${'k'.repeat(123216)}=v`), 'Too many xattrs'],
  ['a key of 256 bytes', file(`0 100644 1 0 0 0 0.0 - - - ${'k'.repeat(256)}=v`), "Can't set xattr"],
  [
    'xattrs of more than 32767 bytes',
    file(`0 100644 1 0 0 0 0.0 - - - user.a=${'v'.repeat(32743)}`),
    "Can't set xattr",
  ],
  ['long-xattr-value', file(`0 644 1 0 0 0 0.0 - - - user=${'v'.repeat(70000)}`), 'Invalid mode 644'],
  ['no-ftype', file('0 0 1 0 0 0 0.0 - - -'), 'Invalid mode 0'],
  ['self-hardlink', `${ROOT}/s 0 @100644 1 0 0 0 0.0 /s - -\n`, 'line 2: Self-referential hardlink /s'],
  [
    'a cycle of links',
    `${ROOT}/a 0 @100644 1 0 0 0 0.0 /b - -\n/b 0 @100644 1 0 0 0 0.0 /a - -\n`,
    'Too many levels of hard links',
  ],
  ['a link to nothing', `${ROOT}/a 0 @100644 1 0 0 0 0.0 /b - -\n`, 'No target at /b for hardlink'],
  ['a link without target', `${ROOT}/a 0 @100644 1 0 0 0 0.0 - - -\n`, 'No target path for the hardlink'],
  ['two roots', ROOT + ROOT, "line 2: Can't have multiple roots"],
  ['no root', '/a 0 100644 1 0 0 0 0.0 - - -\n', 'Root node not present'],
  ['a file as root', '/ 0 100644 1 0 0 0 0.0 - - -\n', 'Root must be a directory'],
  ['an unknown parent', `${ROOT}/a/b 0 100644 1 0 0 0 0.0 - - -\n`, 'Parent directory missing for /a/b'],
  [
    'a file as parent',
    `${file('0 100644 1 0 0 0 0.0 - - -')}/f/b 0 100644 1 0 0 0 0.0 - - -\n`,
    'line 3: Parent must be a directory for /f/b',
  ],
  ['a duplicate', `${file('0 100644 1 0 0 0 0.0 - - -')}/f 0 100644 1 0 0 0 0.0 - - -\n`, "line 3: Can't add child"],
  ['a name of 256 bytes', `${ROOT}/${'n'.repeat(256)} 0 100644 1 0 0 0 0.0 - - -\n`, "Can't add child"],
  ['a size that is no number', file('x 100644 1 0 0 0 0.0 - - -'), 'Invalid integer x'],
  ['missing fields', `${ROOT}/f 0 100644\n`, 'Invalid integer '],
  ['a time without point', file('0 100644 1 0 0 0 0 - - -'), 'Invalid integer '],
  ['a wrong content size', file('4 100644 1 0 0 0 0.0 - abc -'), 'Invalid content size 3, must match size 4'],
  ['a long payload', file(`4 100644 1 0 0 0 0.0 ${'p'.repeat(4096)} - -`), 'Invalid payload'],
  ['a short digest', file(`4 100644 1 0 0 0 0.0 - - ${DIGEST.slice(1)}`), 'Invalid digest ab'.slice(0, 15)],
  ['an xattr without =', file('0 100644 1 0 0 0 0.0 - - - user.a'), 'Missing = in xattr'],
  ['a doubled space before xattrs', file('0 100644 1 0 0 0 0.0 - - -  a=b'), 'Missing = in xattr'],
  ['a lone backslash', file('0 100644 1 0 0 0 0.0 a\\ - -'), 'No character after escape'],
  ['half a hex escape', file('0 100644 1 0 0 0 0.0 a\\x1 - -'), 'No hex characters after hex escape'],
  ['a bad hex escape', file('0 100644 1 0 0 0 0.0 a\\xzz - -'), 'Invalid hex characters after hex escape'],
  ['an unknown escape', file('0 100644 1 0 0 0 0.0 a\\q - -'), 'Unsupported escape type q'],
];
for (const [name, input, problem] of rejected) {
  test(`parseDump() rejects ${name}`, () => {
    assert.throws(
      () => parseDump(Buffer.from(input, 'latin1')),
      (error) => error instanceof FormatError && error.message.includes(problem),
    );
  });
}

test('parseDump() gives random trees back that formatDump() wrote', () => {
  for (let seed = 0; seed < 20; seed++) {
    const text = formatDump(randomTree({ seed, inodes: 60, forRust: false, whiteouts: true, oddXattrs: true }));
    assert.equal(parse(text), text);
  }
});

test('parseDump() of random bytes throws nothing but CfsError', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) =>
      onlyCfsErrors(() => parseDump(Buffer.concat([Buffer.from(ROOT), bytes]))),
    ),
    { numRuns: fuzzRuns },
  );
});

test('parseDump() of damaged dumps throws nothing but CfsError, and what it accepts is stable', () => {
  const lines = dump('3').toString('latin1').split('\n').slice(0, 60).join('\n');
  const damage = fc.array(
    fc.tuple(fc.nat(lines.length - 1), fc.constantFrom(...' \n\\/@-=0x9\0\xff'.split('')), fc.nat(3)),
    {
      minLength: 1,
      maxLength: 4,
    },
  );
  fc.assert(
    fc.property(damage, (edits) => {
      let text = lines;
      for (const [at, byte, removed] of edits) text = text.slice(0, at) + byte + text.slice(at + removed);
      onlyCfsErrors(() => {
        const once = parse(text);
        assert.equal(parse(once), once);
      });
    }),
    { numRuns: Math.min(fuzzRuns, 2000) },
  );
});
