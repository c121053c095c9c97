/** JSON lines of progress against their schema, from the real program. */
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { after, describe, it } from 'node:test';
import { noteLine, progressLine, taskLine } from '../../src/cli/progress-lines.ts';
import type { Progress } from '../../src/progress.ts';
import { run } from './run.ts';

const root = join(import.meta.dirname, '../..');
const cfs = join(root, 'cfs');
const golden = join(root, 'fixtures/ostree-repo');
const top = mkdtempSync(join(tmpdir(), 'cfs-progress-'));
after(() => rmSync(top, { recursive: true }));

/** What the schema uses of JSON schema. */
interface Schema {
  readonly type?: string;
  readonly const?: unknown;
  readonly enum?: readonly unknown[];
  readonly minimum?: number;
  readonly required?: readonly string[];
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly additionalProperties?: boolean;
  readonly oneOf?: readonly Schema[];
}

const schema = JSON.parse(readFileSync(join(root, 'docs/progress.schema.json'), 'utf8')) as Schema;

function fits(value: unknown, wanted: Schema): boolean {
  const fields: Readonly<Record<string, unknown>> = typeof value === 'object' && value !== null ? { ...value } : {};
  const types: Readonly<Record<string, boolean>> = {
    object: typeof value === 'object' && value !== null,
    string: typeof value === 'string',
    number: typeof value === 'number',
    integer: Number.isSafeInteger(value),
  };
  return (
    (wanted.type === undefined || types[wanted.type] === true) &&
    (wanted.const === undefined || value === wanted.const) &&
    (wanted.enum === undefined || wanted.enum.includes(value)) &&
    (wanted.minimum === undefined || (value as number) >= wanted.minimum) &&
    (wanted.required ?? []).every((name) => Object.hasOwn(fields, name)) &&
    Object.entries(wanted.properties ?? {}).every(([name, each]) => !(name in fields) || fits(fields[name], each)) &&
    (wanted.additionalProperties !== false || Object.keys(fields).every((name) => name in (wanted.properties ?? {}))) &&
    (wanted.oneOf === undefined || wanted.oneOf.filter((each) => fits(value, each)).length === 1)
  );
}

interface Line {
  readonly type: string;
  readonly phase?: string;
  readonly done?: number;
  readonly total?: number;
  readonly name?: string;
}

function parse(text: string): Line[] {
  const lines = text.trimEnd().split('\n');
  return lines.map((line) => {
    const value = JSON.parse(line) as Line;
    assert(fits(value, schema), line);
    return value;
  });
}

describe('lines of progress', () => {
  it('that do not fit the schema are found out', () => {
    for (const wrong of [
      {},
      { type: 'other' },
      { type: 'note' },
      { type: 'progress', phase: 'x', done: 1, seconds: 1 },
      { type: 'progress', phase: 'sync', done: -1, seconds: 1 },
      { type: 'task', name: 'a', number: 1, count: 1, more: 1 },
    ]) {
      assert(!fits(wrong, schema), JSON.stringify(wrong));
    }
  });

  it('may be of all phases that there are', () => {
    const phases: Readonly<Record<Progress['phase'], true>> = {
      index: true,
      fetch: true,
      metadata: true,
      content: true,
      image: true,
      sync: true,
      objects: true,
      streams: true,
      images: true,
      delta: true,
      'delta parts': true,
    };
    assert.deepEqual(schema.oneOf?.[0]?.properties?.['phase']?.enum, Object.keys(phases));
  });

  it('of a pull by a static delta tell of its parts', async () => {
    const args = ['--progress', 'json', '--json', '--hash', 'sha256', '--repo', join(top, 'delta')];
    const { code, stderr } = await run(...args, 'ostree', 'pull-local', '--require-deltas', golden, 'golden/x86_64/os');
    const lines = parse(stderr).filter(({ phase }) => phase === 'delta parts');
    assert.equal(code, 0);
    assert(lines.length >= 2);
    assert.equal(lines.at(-1)!.done, lines.at(-1)!.total);
  });

  it('fit it, however long the texts are, and a pipe takes each at once', () => {
    const long = '\u009b"'.repeat(100_000);
    const text = noteLine(long) + taskLine({ name: long, number: 1, count: 2 });
    parse(text + progressLine({ phase: 'content', done: 1, total: 2, bytes: 3, bytesTotal: 4 }, 0.1234));
    for (const line of text.split('\n')) assert(Buffer.byteLength(line) < 4096);
  });

  it('of a pull of several refs name each ref, and end each phase with everything done', async () => {
    const args = ['--json', '--hash', 'sha256', '--repo', join(top, 'several')];
    const pull = ['ostree', 'pull-local', golden, 'golden/empty', 'golden/plain'];
    const { stderr } = await run('--progress', 'json', ...args, ...pull);
    const lines = parse(stderr);
    assert.deepEqual(
      lines.flatMap(({ type, name }) => (type === 'task' ? name : [])),
      ['golden/empty', 'golden/plain'],
    );
    const content = lines.filter(({ phase }) => phase === 'content');
    assert(content.length >= 2);
    assert(content.every(({ total }) => total !== undefined));
    assert.equal(content.at(-1)!.done, content.at(-1)!.total);
    const checked = parse((await run('--progress', 'json', ...args, 'fsck')).stderr);
    assert(checked.some(({ phase }) => phase === 'objects'));
  });
});

function isEvents(path: string): boolean {
  try {
    return readlinkSync(path).startsWith('anon_inode:');
  } catch {
    // That of the listing itself.
    return false;
  }
}

describe('--progress-fd', () => {
  const pull = (name: string): string[] =>
    `--hash sha256 --repo ${join(top, name)} -q --progress-fd 3 ostree pull-local ${golden} golden/plain`.split(' ');

  for (const kind of ['pipe', 'file'] as const) {
    it(`writes lines to a ${kind}, whatever stderr shows`, () => {
      const done =
        kind === 'pipe'
          ? spawnSync(cfs, pull(kind), { stdio: ['ignore', 'pipe', 'pipe', 'pipe'], encoding: 'utf8' })
          : spawnSync('sh', ['-c', `exec '${cfs}' "$@" 3>>'${join(top, 'lines')}'`, 'sh', ...pull(kind)], {
              encoding: 'utf8',
            });
      assert.equal(done.status, 0, done.stderr);
      assert.equal(done.stderr, '');
      const lines = parse(kind === 'pipe' ? done.output[3]! : readFileSync(join(top, 'lines'), 'utf8'));
      assert(lines.some(({ phase }) => phase === 'content'));
    });
  }

  it('does not wait for a reader that does not read, nor mind one that goes away', async () => {
    for (const leave of [false, true]) {
      const child = spawn(cfs, pull(`slow-${leave}`), { stdio: ['ignore', 'ignore', 'inherit', 'pipe'] });
      if (leave) (child.stdio[3] as Readable).destroy();
      const [code] = await once(child, 'exit');
      assert.equal(code, 0);
      if (!leave) (child.stdio[3] as Readable).destroy();
    }
  });

  it('has to be open for writing', async () => {
    // What Node itself has open, to wait for events, is no place for lines.
    const own = readdirSync('/proc/self/fd').find((fd) => isEvents(`/proc/self/fd/${fd}`))!;
    for (const fd of ['x', '', '9999', '-1', own]) {
      const { code, stderr } = await run('--progress-fd', fd, '--repo', top, 'images');
      assert.equal(code, 2, fd);
      assert.match(stderr, /no descriptor that is open for writing/);
    }
  });
});
