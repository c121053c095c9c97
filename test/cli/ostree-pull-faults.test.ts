/** `cfs ostree pull` as a process of its own, against servers that fail for good: how it ends, what it says, and what it leaves. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { encodeArchiveHeader } from '../../ostree/file-header.ts';
import { Repository } from '../../src/repository/repository.ts';
import { goldenPath } from '../ostree/golden.ts';
import { FaultyServer, type Fault, type SeenRequest } from '../ostree/http/faulty-server.ts';
import { assertClean, visible } from '../pull/support.ts';
import { freshRepository } from '../repository/support.ts';

const cfs = join(import.meta.dirname, '../../cfs');
const TEN_GIB = 10 * 2 ** 30;
const MOST_MEMORY = 350 * 2 ** 20;

interface Ended {
  readonly code: number;
  readonly stderr: string;
  readonly seconds: number;
  /** The greatest resident set, in bytes. */
  readonly peak: number;
}

async function runCfs(...args: readonly string[]): Promise<Ended> {
  const start = performance.now();
  const child = spawn(cfs, args, { stdio: ['ignore', 'ignore', 'pipe'] });
  let stderr = '';
  child.stderr.on('data', (text: Buffer) => (stderr += text.toString()));
  let peak = 0;
  const timer = setInterval(() => {
    // The kernel keeps the greatest value; it is gone with the process.
    try {
      const status = readFileSync(`/proc/${child.pid}/status`, 'latin1');
      peak = Number(/^VmHWM:\s*(\d+) kB$/m.exec(status)?.[1] ?? peak / 1024) * 1024;
    } catch {}
  }, 10);
  const [code] = (await once(child, 'close')) as [number];
  clearInterval(timer);
  return { code, stderr, seconds: (performance.now() - start) / 1000, peak };
}

type ChooseFault = (request: SeenRequest) => Fault | undefined;

function at(suffix: RegExp, fault: Fault): ChooseFault {
  return ({ path }) => (suffix.test(path) ? fault : undefined);
}

const always =
  (fault: Fault): ChooseFault =>
  () =>
    fault;

describe('cfs ostree pull from a server that fails for good', { concurrency: 4 }, () => {
  /** Ends with this code and message, in which `URL` is the server's; nothing of it is visible. */
  async function fails(url: string, code: number, message: RegExp, options: readonly string[] = []): Promise<Ended> {
    const path = freshRepository();
    using repository = await Repository.open(path);
    const before = visible(repository);
    const args = ['--repo', path, 'ostree', 'pull', '--no-delta', '--network-retries', '1', ...options, url];
    const ended = await runCfs(...args, 'golden/plain');
    const said = ended.stderr.replaceAll(url, 'URL');
    assert.match(said, message);
    assert.equal(ended.code, code, said);
    assert(ended.seconds < 30, `${ended.seconds} s`);
    assert(ended.peak < MOST_MEMORY, `${ended.peak} bytes of memory`);
    assert.deepEqual(visible(repository), before);
    await assertClean(repository);
    return ended;
  }

  const file = String.raw`URL/objects/\w\w/\w+\.filez`;
  const dirTree = String.raw`URL/objects/\w\w/\w+\.dirtree`;
  const noSummary: ChooseFault = at(/^summary/, { kind: 'status', status: 404 });
  const stall = ['--stall-timeout', '0.5'];
  const slow = ['--low-speed-limit-bytes', '1000', '--low-speed-time-seconds', '1', '--jobs', '64'];
  const cases: readonly (readonly [
    name: string,
    fault: ChooseFault,
    code: number,
    message: string,
    options?: readonly string[],
  ])[] = [
    [
      'that answers 500',
      always({ kind: 'status', status: 500 }),
      6,
      String.raw`^Error: Cannot fetch URL/config: Server returned HTTP 500 \(Internal Server Error\) \(2 attempts\)$`,
    ],
    [
      'that answers 503 for files',
      at(/filez$/, { kind: 'status', status: 503 }),
      6,
      String.raw`^Error: Cannot fetch ${file}: Server returned HTTP 503 \(Service Unavailable\) \(2 attempts\)$`,
    ],
    ['that resets', always({ kind: 'reset' }), 6, String.raw`^Error: Cannot fetch URL/config: .+ \(2 attempts\)$`],
    [
      'that resets for files',
      at(/filez$/, { kind: 'reset' }),
      6,
      String.raw`^Error: Cannot fetch ${file}: .+ \(2 attempts\)$`,
    ],
    [
      'that never answers',
      always({ kind: 'stall' }),
      6,
      String.raw`^Error: Cannot fetch URL/config: No progress for 0\.5 s: .* sends nothing$`,
      stall,
    ],
    [
      'that stalls in dirtrees',
      at(/dirtree$/, { kind: 'stall', after: 5 }),
      6,
      `^Error: Cannot fetch ${dirTree}: No progress for 0\\.5 s: `,
      stall,
    ],
    [
      'that stalls in files',
      at(/filez$/, { kind: 'stall', after: 5 }),
      6,
      `^Error: Cannot fetch ${file}: No progress for 0\\.5 s: `,
      stall,
    ],
    [
      'whose files drip',
      at(/filez$/, { kind: 'drip', every: 50 }),
      6,
      `^Error: Cannot fetch ${file}: Too slow: less than 1000 bytes per second for 1 s`,
      slow,
    ],
    [
      'that redirects in a loop',
      ({ path }) => ({ kind: 'redirect', to: `/${path}` }),
      6,
      '^Error: Cannot fetch URL/config: Redirected in a loop to URL/config$',
    ],
    [
      'that redirects on and on',
      at(/filez/, { kind: 'redirect', to: 'again.filez/' }),
      6,
      `^Error: Cannot fetch ${file}: Redirected more than 10 times$`,
    ],
    [
      'with header fields that are too long',
      always({ kind: 'long-header', bytes: 100_000 }),
      6,
      '^Error: Cannot fetch URL/config: the header fields of the response are too long$',
    ],
    [
      'with header fields of files that are too long',
      at(/filez$/, { kind: 'long-header', bytes: 100_000 }),
      6,
      `^Error: Cannot fetch ${file}: the header fields of the response are too long$`,
    ],
    [
      'that gives a page for the config',
      always({ kind: 'html' }),
      4,
      '^Error: Cannot read URL/config: the server gave a web page ',
    ],
    [
      'that gives a page for the ref',
      (request) => noSummary(request) ?? at(/^refs/, { kind: 'html' })(request),
      4,
      '^Error: Cannot read URL/refs/heads/golden/plain: the server gave a web page ',
    ],
    [
      'that gives a page for the summary',
      at(/^summary$/, { kind: 'html' }),
      4,
      '^Error: Cannot read URL/summary: the server gave a web page ',
    ],
    [
      'that lacks everything',
      always({ kind: 'status', status: 404 }),
      3,
      '^Error: There is no OSTree repository at URL: it has no file config$',
    ],
    [
      'that lacks files',
      at(/filez$/, { kind: 'status', status: 404 }),
      3,
      String.raw`^Error: No object \w{64}\.file in URL\n[^]*Cannot fetch ${file}: Server returned HTTP 404`,
    ],
    [
      'that lacks dirtrees',
      at(/dirtree$/, { kind: 'status', status: 404 }),
      3,
      String.raw`^Error: No object \w{64}\.dirtree in URL\n[^]*Cannot fetch ${dirTree}: Server returned HTTP 404`,
    ],
  ];
  for (const [name, fault, code, message, options] of cases) {
    test(name, async () => {
      await using server = await FaultyServer.start({ files: goldenPath, fault });
      await fails(server.url, code, new RegExp(message, 'm'), options);
    });
  }

  test('that is not there', async () => {
    const gone = await FaultyServer.start({ files: goldenPath });
    await gone[Symbol.asyncDispose]();
    await fails(gone.url, 6, /^Error: Cannot fetch URL\/config: connect ECONNREFUSED .* \(2 attempts\)$/m);
  });

  const header = { uid: 0, gid: 0, mode: 0o100644, symlinkTarget: '', xattrs: [] };
  const bodies: readonly (readonly [name: string, suffix: RegExp, first: Uint8Array | undefined, message: RegExp])[] = [
    [
      'a file of 40 bytes',
      /filez$/,
      encodeArchiveHeader(header, 40),
      /^Error: Invalid file \w{64}: content.*size of 40$/m,
    ],
    ['a file without a header', /filez$/, undefined, /^Error: Invalid file header of \w{64}: /m],
    [
      'a dirtree',
      /dirtree$/,
      undefined,
      /^Error: URI URL\/objects\/.*\.dirtree exceeded maximum size of 134217728 bytes$/m,
    ],
  ];
  for (const [what, suffix, first, message] of bodies) {
    for (const length of [TEN_GIB, undefined]) {
      test(`that sends 10 GiB for ${what}, ${length === undefined ? 'in chunks' : 'and says so'}`, async (t) => {
        const fault = at(suffix, { kind: 'endless', first, length });
        await using server = await FaultyServer.start({ files: goldenPath, fault });
        const { seconds, peak } = await fails(server.url, 4, message);
        t.diagnostic(`${seconds.toFixed(1)} s, ${peak >> 20} MiB of memory, ${server.bytes >> 20} MiB were sent`);
        assert(server.bytes < TEN_GIB / 20, `${server.bytes} bytes were sent`);
      });
    }
  }
});
