import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import { CfsError } from '../../bytes/errors.ts';
import { checksumOf } from '../../ostree/checksum.ts';
import { ContentType } from '../../splitstream/format.ts';
import { decodeSplitstream, readInlineContent } from '../../splitstream/read.ts';
import { SplitstreamWriter } from '../../splitstream/write.ts';
import {
  decodeSummaryCache,
  encodeSummaryCache,
  readSummaryCache,
  subSummaryStreamName,
  summaryStreamName,
} from '../../src/commit/summary-cache.ts';
import { Repository } from '../../src/repository/repository.ts';
import { listStreams, readStream } from '../../src/repository/streams.ts';
import { fuzzRuns } from '../fuzz-runs.ts';
import { goldenPath } from '../ostree/golden.ts';
import { cfsctl, freshRepository, skipWithoutCfsctl } from '../repository/support.ts';

const summary = readFileSync(join(goldenPath, 'summary'));
const etag = '"abc"';
const lastModified = 'Sat, 21 Nov 2026 08:29:04 GMT';
const nothing = { etag: undefined, lastModified: undefined };

for (const algorithm of ['sha256', 'sha512'] as const) {
  test(`encodeSummaryCache() and decodeSummaryCache() keep an entry of a ${algorithm} repository`, () => {
    for (const validators of [nothing, { etag, lastModified }, { ...nothing, lastModified }]) {
      const entry = decodeSummaryCache(encodeSummaryCache(algorithm, { ...validators, summary }), algorithm);
      assert.deepEqual(
        { ...entry, summary: Buffer.from(entry.summary) },
        {
          ...validators,
          summary,
          checksum: checksumOf(summary),
        },
      );
    }
  });
}

test(
  'readSummaryCache() reads the cache of cfsctl, whose content encodeSummaryCache() makes too',
  {
    skip: skipWithoutCfsctl,
  },
  async () => {
    const server = createServer(({ url }, response) => {
      try {
        const body = readFileSync(join(goldenPath, url!));
        response.writeHead(200, { ETag: etag, 'Last-Modified': lastModified }).end(body);
      } catch {
        response.writeHead(404).end();
      }
    }).listen(0, '127.0.0.1');
    try {
      await once(server, 'listening');
      const { port } = server.address() as { port: number };
      const path = freshRepository();
      const url = `http://127.0.0.1:${port}/`;
      const args = ['--insecure', '--repo', path, 'ostree', 'pull', url, 'golden/plain'];
      const child = spawn(cfsctl!, args, { stdio: ['ignore', 'ignore', 'pipe'] });
      const errors = child.stderr.setEncoding('utf8').toArray();
      const [status] = await once(child, 'close');
      assert.equal(status, 0, (await errors).join(''));

      using repository = await Repository.open(path);
      const names = listStreams(repository).map(({ name }) => name);
      const cached = names.find((name) => name.startsWith('ostree-summary-'))!;
      const stream = readStream(repository, cached, { contentType: ContentType.ostreeSummary });
      const entry = readSummaryCache(stream);
      assert.deepEqual([entry.etag, entry.lastModified, Buffer.from(entry.summary)], [etag, lastModified, summary]);
      const ours = contentOf(encodeSummaryCache('sha256', entry));
      assert.deepEqual(ours, Buffer.from(readInlineContent(stream)));
      assert.notEqual(summaryStreamName(url), cached);
    } finally {
      server.close();
    }
  },
);

function contentOf(file: Uint8Array): Buffer {
  return Buffer.from(readInlineContent(decodeSplitstream(file)));
}

test('summaryStreamName() tells apart scheme, host, port, path and query', () => {
  const urls = [
    'http://example.org/repo',
    'https://example.org/repo',
    'http://example.org:8080/repo',
    'http://example.org:8081/repo',
    'http://www.example.org/repo',
    'http://example.org/repo/a',
    'http://example.org/repo-a',
    'http://example.org/repo?a',
    'http://example.org/',
    'file:///repo',
  ];
  const names = urls.flatMap((url) => [
    summaryStreamName(url),
    subSummaryStreamName('x86_64', url),
    subSummaryStreamName('verified-x86_64', url),
  ]);
  assert.equal(new Set(names).size, names.length);
});

test('summaryStreamName() is the same for the same place, whoever asks', () => {
  const name = summaryStreamName('https://example.org/repo');
  assert.match(name, /^ostree-summary-example\.org-repo-[0-9a-f]{64}$/);
  for (const url of [
    'https://example.org/repo/',
    'https://EXAMPLE.org:443/repo',
    'https://me:secret@example.org/repo',
    'https://example.org/x/../repo//',
  ]) {
    assert.equal(summaryStreamName(url), name, url);
  }
});

test('summaryStreamName() gives names that a repository takes, without secrets of a query', () => {
  const long = summaryStreamName(`https://example.org/${'é/'.repeat(300)}?token=secret`);
  assert(Buffer.byteLength(long) <= 255);
  assert.doesNotMatch(long, /secret/);
  assert.throws(() => summaryStreamName('example.org'), { code: 'USAGE' });
  assert.throws(() => subSummaryStreamName('a/b', 'http://x/'), { code: 'USAGE' });
  assert.throws(() => subSummaryStreamName('a'.repeat(200), 'http://x/'), { code: 'USAGE' });
});

test('encodeSummaryCache() leaves out validators that could not be sent back', () => {
  for (const bad of ['"a"\r\nX: y', '"é"', '"a\0"', 'a'.repeat(65_536)]) {
    const entry = decodeSummaryCache(encodeSummaryCache('sha256', { etag: bad, lastModified, summary }), 'sha256');
    assert.equal(entry.etag, undefined);
    assert.equal(entry.lastModified, lastModified);
  }
  const longest = 'a'.repeat(65_535);
  const entry = decodeSummaryCache(encodeSummaryCache('sha256', { etag: longest, lastModified, summary }), 'sha256');
  assert.equal(entry.etag, longest);
});

function stream(content: Uint8Array, contentType: bigint = ContentType.ostreeSummary): Uint8Array {
  const writer = new SplitstreamWriter({ algorithm: 'sha256', contentType });
  writer.writeInline(content);
  return writer.finish();
}

const content = contentOf(encodeSummaryCache('sha256', { etag, lastModified, summary }));
const changed = (at: number, value: number): Buffer => {
  const copy = Buffer.from(content);
  copy[at] = value;
  return copy;
};

const corrupt: readonly (readonly [name: string, file: Uint8Array, facts: object])[] = [
  ['another content type', stream(content, ContentType.ostreeCommit), { code: 'FORMAT', field: 'content_type' }],
  ['no content', stream(new Uint8Array(0)), { code: 'FORMAT' }],
  ['35 bytes', stream(content.subarray(0, 35)), { code: 'FORMAT', format: 'summary cache stream' }],
  ['lengths past the end', stream(content.subarray(0, 50)), { code: 'FORMAT', field: 'last_modified_length' }],
  ['an ETag with a line break', stream(changed(37, 10)), { code: 'FORMAT', field: 'etag' }],
  ['a Last-Modified that is not ASCII', stream(changed(45, 0xe9)), { code: 'FORMAT', field: 'last_modified' }],
  ['another digest', stream(changed(10, content[10]! ^ 1)), { code: 'CHECKSUM', what: 'cached summary' }],
  ['a changed summary', stream(changed(content.length - 1, content.at(-1)! ^ 1)), { code: 'CHECKSUM' }],
  ['a shorter ETag than was stored', stream(changed(0, 4)), { code: 'CHECKSUM' }],
];
for (const [name, file, facts] of corrupt) {
  test(`decodeSummaryCache() rejects ${name}`, () => {
    assert.throws(() => decodeSummaryCache(file, 'sha256'), facts);
  });
}

test('decodeSummaryCache() gives only a CfsError, or the stored summary', () => {
  const valid = encodeSummaryCache('sha256', { etag, lastModified, summary });
  const edit = fc.tuple(fc.boolean(), fc.nat(), fc.nat(255));
  fc.assert(
    fc.property(edit, fc.uint8Array({ maxLength: 80 }), ([inside, at, value], random) => {
      const damaged = Buffer.from(inside ? content : valid);
      damaged[at % damaged.length] = value;
      for (const file of [inside ? stream(damaged) : damaged, stream(random)]) {
        try {
          assert.deepEqual(Buffer.from(decodeSummaryCache(file, 'sha256').summary), summary);
        } catch (error) {
          assert(error instanceof CfsError, error instanceof Error ? error.stack : String(error));
        }
      }
    }),
    { numRuns: fuzzRuns },
  );
});
