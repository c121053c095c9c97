/** Pulls from a repository that the real `flatpak` made, served by the real nginx. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { startNginx, type Nginx } from '../../bench/nginx.ts';
import { needs } from '../needs.ts';
import { ostree } from '../ostree/real-ostree.ts';
import { run } from './run.ts';

const top = mkdtempSync(join(tmpdir(), 'cfs-flatpak-'));
const repo = join(top, 'repo');
const architectures = ['aarch64', 'x86_64'] as const;
const names = ['app/org.example.Hello/ARCH/stable', 'runtime/org.example.Platform/ARCH/1'];
const refs = names.flatMap((name) => architectures.map((each) => name.replace('ARCH', each)));

function flatpak(...args: readonly string[]): void {
  execFileSync('flatpak', args, {
    stdio: 'pipe',
    env: { ...process.env, HOME: top, FLATPAK_USER_DIR: join(top, 'user') },
  });
}

/** An app or a runtime of one small program, only the app in the subset. */
function exportAll(version: string): void {
  for (const architecture of architectures) {
    const platform = `org.example.Platform/${architecture}/1`;
    const app = `[Application]\nname=org.example.Hello\nruntime=${platform}\nsdk=${platform}\ncommand=hello\n`;
    const runtime = `[Runtime]\nname=org.example.Platform\nruntime=${platform}\nsdk=${platform}\n`;
    for (const [name, metadata, content, branch, options] of [
      ['app', app, 'files', 'stable', ['--subset=verified']],
      ['runtime', runtime, 'usr', '1', ['--runtime']],
    ] as const) {
      const folder = join(top, `${name}-${architecture}`);
      mkdirSync(join(folder, content, 'bin'), { recursive: true });
      mkdirSync(join(folder, 'files'), { recursive: true });
      mkdirSync(join(folder, 'export'), { recursive: true });
      writeFileSync(join(folder, 'metadata'), metadata);
      writeFileSync(join(folder, content, 'bin/hello'), `#!/bin/sh\necho ${version}\n`, { mode: 0o755 });
      const exported = [`--arch=${architecture}`, '--disable-sandbox', '--no-update-summary', ...options];
      flatpak('build-export', ...exported, repo, folder, branch);
    }
  }
  flatpak('build-update-repo', '--no-update-appstream', repo);
}

describe('a repository of flatpak', { skip: needs('flatpak', 'ostree', 'nginx', 'root') }, () => {
  let nginx: Nginx;
  const commits = new Map<string, string>();
  before(async () => {
    exportAll('one');
    exportAll('two');
    for (const ref of refs) commits.set(ref, ostree('rev-parse', `--repo=${repo}`, ref).trim());
    nginx = await startNginx({ folder: join(top, 'nginx'), root: repo });
  });
  after(() => {
    nginx[Symbol.dispose]();
    rmSync(top, { recursive: true });
  });

  const listed = async (...args: readonly string[]): Promise<[string, string][]> => {
    const { code, stdout, stderr } = await run('--json', 'ostree', 'list-refs', ...args, nginx.url);
    assert.equal(code, 0, stderr);
    return JSON.parse(stdout).refs.map(({ ref, commit }: { ref: string; commit: string }) => [ref, commit]);
  };
  const expected = (wanted: (ref: string) => boolean): [string, string][] =>
    refs.filter(wanted).map((ref) => [ref, commits.get(ref)!]);
  let made = 0;
  const pull = async (...wanted: readonly string[]): Promise<string[]> => {
    const path = join(top, `cfs${made++}`);
    const cfs = (...args: string[]) => run('--repo', path, '--hash', 'sha256', ...args);
    const { code, stdout, stderr } = await cfs('ostree', 'pull', nginx.url, ...wanted);
    assert.equal(code, 0, stderr);
    assert.match((await cfs('fsck')).stdout, /status: ok/);
    return Array.from(stdout.matchAll(/^commit {2}(.*)$/gm), ([, commit = '']) => commit);
  };

  for (const without of ['nothing', 'summary']) {
    describe(`without ${without}`, () => {
      before(() => rmSync(join(repo, without), { force: true }));

      it('lists its refs, and those of a subset', async () => {
        assert.deepEqual(
          await listed(),
          expected(() => true),
        );
        assert.deepEqual(
          await listed('--subset', 'x86_64'),
          expected((ref) => ref.includes('/x86_64/')),
        );
        assert.deepEqual(
          await listed('--subset', 'verified-aarch64'),
          expected((ref) => ref === 'app/org.example.Hello/aarch64/stable'),
        );
      });

      it('is pulled from by ref, by several, and by pattern', async () => {
        for (const [wanted, matching] of [
          [['app/org.example.Hello/aarch64/stable'], /^app.*aarch64/],
          [['app/org.example.Hello/x86_64/stable', 'runtime/org.example.Platform/x86_64/1'], /x86_64/],
          [['runtime/*/*/?'], /^runtime/],
          [['**'], /^/],
        ] as const) {
          const ids = expected((ref) => matching.test(ref)).map(([, commit]) => commit);
          assert.deepEqual(await pull(...wanted), ids, wanted.join(' '));
        }
      });
    });
  }
});
