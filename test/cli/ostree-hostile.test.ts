/** What strangers write, remote configurations and summaries, through the command line: an answer, or an error of ours, on a safe line. */
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import fc from 'fast-check';
import { encodeSummary } from '../../ostree/summary-write.ts';
import { fuzzRuns } from '../fuzz-runs.ts';
import { FaultyServer } from '../ostree/http/faulty-server.ts';
import { run, type Run } from './run.ts';

const fixtures = join(import.meta.dirname, '../../fixtures');
const top = mkdtempSync(join(tmpdir(), 'cfs-hostile-'));
const folder = join(top, 'remotes.d');
const files = new Map<string, Uint8Array>();
/** Each case is a command line. */
const numRuns = Math.min(100, Math.ceil(fuzzRuns / 20));

let server: FaultyServer;
before(async () => {
  mkdirSync(folder);
  server = await FaultyServer.start({ files });
});
after(async () => {
  await server[Symbol.asyncDispose]();
  rmSync(top, { recursive: true });
});

/** 1 to 4 are said of a problem that is understood; what nobody expected has a stack. */
function assertCivil({ code, stdout, stderr }: Run): void {
  assert([0, 1, 2, 3, 4, 6].includes(code), `${code}: ${stderr}`);
  assert.equal(code === 0, !/^Error:/m.test(stderr), stderr);
  assert.doesNotMatch(stderr, /^ {4}at /m);
  // oxlint-disable-next-line no-control-regex -- what a terminal would obey
  assert.doesNotMatch(stdout + stderr, /[\u0000-\u0009\u000b-\u001f\u007f-\u009f]/);
}

const cfs = (...args: readonly string[]): Promise<Run> => run('--repo', join(top, 'repo'), '--hash', 'sha256', ...args);
const list = () => cfs('ostree', 'remote', 'list', '--remotes-dir', folder);
const show = () => cfs('ostree', 'remote', 'show', '--remotes-dir', folder, 'os');
const pull = (...refs: string[]) =>
  cfs('ostree', 'pull', '--remotes-dir', folder, '--network-retries', '0', 'os', ...refs);

describe('a hostile configuration of a remote', () => {
  const keys = [
    ['url', 'contenturl', 'metalink', 'branches', 'gpg-verify', 'gpgkeypath', 'sign-verify', 'sign-verify-summary'],
    ['verification-ed25519-key', 'collection-id', 'tls-permissive', 'tls-ca-path', 'tls-client-cert-path', 'http2'],
    ['tls-client-key-path', 'unconfigured-state', 'custom-backend', 'x[de]', '\u001b]0;x\u0007'],
  ].flat();
  const value = fc.oneof(
    fc.string({ unit: 'binary', maxLength: 40 }),
    fc.constantFrom(
      'true',
      'false',
      '',
      ';',
      'a;b;',
      String.raw`\s\t\x`,
      '\u001b[2J',
      'file:///nowhere',
      'http://[',
      '%00',
    ),
  );
  const line = fc.oneof(
    { weight: 8, arbitrary: fc.tuple(fc.constantFrom(...keys), value).map((pair) => pair.join('=')) },
    { weight: 1, arbitrary: fc.constantFrom('[remote "os"]', '[remote "\u001b[31m"]', '[remote "../x"]', '[core]') },
    { weight: 1, arbitrary: value },
  );

  it('is listed, shown and pulled from, or refused', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(line, { maxLength: 6 }), async (lines) => {
        const head = ['[remote "os"]', `url=${server.url}`, 'gpg-verify=false'];
        writeFileSync(join(folder, 'x.conf'), [...head, ...lines].join('\n'));
        for (const command of [list, show, () => pull('x')]) assertCivil(await command());
      }),
      { numRuns },
    );
  });

  it('of another kind than a file is an error that names it', async () => {
    rmSync(join(folder, 'x.conf'), { force: true });
    mkdirSync(join(folder, 'x.conf'));
    const { code, stderr } = await list();
    rmSync(join(folder, 'x.conf'), { recursive: true });
    assert.equal(code, 1);
    assert.match(stderr, /x\.conf/);
  });
});

describe('a hostile summary', () => {
  const golden = readFileSync(join(fixtures, 'ostree-repo/summary'));
  const index = readFileSync(join(fixtures, 'flatpak-repo/summary.idx'));
  before(() => {
    writeFileSync(join(folder, 'x.conf'), `[remote "os"]\nurl=${server.url}\ngpg-verify=false\n`);
    files.set('config', Buffer.from('[core]\nrepo_version=1\nmode=archive-z2\n'));
  });

  /** Bytes with some replaced, and perhaps the end missing. */
  const damaged = (good: Buffer): fc.Arbitrary<Buffer> =>
    fc
      .tuple(
        fc.array(fc.tuple(fc.nat(good.length - 1), fc.nat(255)), { maxLength: 8 }),
        fc.oneof(fc.constant(good.length), fc.nat(good.length)),
      )
      .map(([changes, length]) => {
        const bytes = Buffer.from(good.subarray(0, length));
        for (const [at, byte] of changes) if (at < length) bytes[at] = byte;
        return bytes;
      });

  for (const [name, good] of [
    ['summary', golden],
    ['summary.idx', index],
  ] as const) {
    it(`as ${name} is listed and asked, or refused`, async () => {
      await fc.assert(
        fc.asyncProperty(damaged(good), async (bytes) => {
          files.delete('summary');
          files.set(name, bytes);
          assertCivil(await cfs('ostree', 'list-refs', server.url));
          assertCivil(await pull('golden/single'));
          assertCivil(await pull('**'));
        }),
        { numRuns },
      );
      files.delete(name);
    });
  }

  it('of 150,000 refs is a table', async () => {
    const commit = 'ab'.repeat(32) as never;
    const refs = Array.from({ length: 150_000 }, (_, i) => ({ ref: `r/${i}`, commit, commitSize: 0n, metadata: [] }));
    files.set('summary', Buffer.from(encodeSummary(refs, [])));
    const { code, stdout, stderr } = await cfs('ostree', 'list-refs', server.url);
    assert.equal(code, 0, stderr);
    assert.equal(stdout.match(/\n/g)?.length, 150_001);
  });
});
