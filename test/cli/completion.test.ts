import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { commands } from '../../src/cli/commands.ts';
import { fixture } from '../pull/support.ts';
import { needs } from '../needs.ts';
import { run } from './run.ts';

const top = mkdtempSync(join(tmpdir(), 'cfs-completion-'));
const repo = join(top, 'repo');
before(async () => {
  await run('--repo', repo, 'ostree', 'pull-local', fixture('ostree-repo'), 'golden/plain');
  await run('--repo', repo, 'ostree', 'create-image', 'golden/plain', 'os');
  symlinkSync(join(import.meta.dirname, '../../cfs'), join(top, 'cfs'));
});
after(() => rmSync(top, { recursive: true, force: true }));

describe('complete', () => {
  const rows: readonly (readonly [words: readonly string[], answer: 'words' | 'paths', ...candidates: string[]])[] = [
    [['ostree', 'pul'], 'words', 'pull-local', 'pull'],
    [['fsck', '--hel'], 'words'],
    [['fsck', '--metadata'], 'words', '--metadata-only'],
    [['--has'], 'words', '--hash'],
    [['--hash', ''], 'words', 'sha256', 'sha512'],
    [['--hash=sha5'], 'words', '--hash=sha512'],
    [['--repo', ''], 'paths'],
    [['--repo', repo, 'ostree', 'dump', ''], 'words', 'golden/plain'],
    [['--repo', repo, 'dump-files', ''], 'paths', 'refs/os'],
    [['--repo', join(top, 'nowhere'), 'ostree', 'dump', ''], 'words'],
    [['ostree', 'pull-local', ''], 'paths'],
    [['list-im'], 'words'],
    [['no-such', ''], 'words'],
  ];
  for (const [words, answer, ...candidates] of rows) {
    it(`${words.slice(-3).join(' ').replace(top, '…')} is ${candidates.join(', ') || answer}`, async () => {
      const { stdout, code } = await run('complete', '--', ...words);
      assert.equal(code, 0);
      const [first, ...lines] = stdout.trimEnd().split('\n');
      assert.equal(first, answer);
      assert.deepEqual(
        lines.map((line) => line.split('\t')[0]),
        candidates,
      );
    });
  }

  it('works from bash, which runs nothing that a word says', { skip: needs('bash') }, () => {
    const evil = join(top, 'evil');
    const script = String.raw`
      source <(cfs completion bash)
      try() { COMP_LINE="$1" COMP_POINT=\${#1}; _cfs 2> /dev/null; echo "\${COMPREPLY[*]}"; }
      try 'cfs --hash=sha'
      try 'cfs ostree pull-local $(touch ${evil}) --base'`
      .replaceAll('\\${', '${')
      .replace('${evil}', evil);
    const env = { ...process.env, PATH: `${top}:${process.env['PATH']}` };
    const { stdout } = spawnSync('bash', ['-c', script], { encoding: 'utf8', env });
    assert.equal(stdout, 'sha256 sha512\n--base-name\n');
    assert.ok(!existsSync(evil));
  });
});

describe('man', () => {
  it('writes a page about each command, with its options and examples', async () => {
    const output = join(top, 'man');
    assert.equal((await run('man', '--output', output)).code, 0);
    const pages = readdirSync(output);
    for (const { words, hidden } of commands) {
      assert.equal(pages.includes(`cfs-${words.replaceAll(' ', '-')}.1`), hidden !== true, words);
    }
    const { stdout } = await run('man', 'fsck');
    assert.match(stdout, /^\.TH "CFS\\-FSCK" 1 /);
    assert.match(stdout, /^\.B \\-\\-metadata\\-only\n/m);
    assert.match(stdout, /^\.SH EXAMPLES\n/m);
  });

  it('refuses an unknown command', async () => {
    const { code, stderr } = await run('man', 'ostree', 'nothing');
    assert.equal(code, 2);
    assert.match(stderr, /There is no command 'ostree nothing'/);
  });
});
