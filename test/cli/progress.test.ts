import assert from 'node:assert/strict';
import { describe, it, mock } from 'node:test';
import { describeProgress, formatBytes, formatSeconds, progressOutput } from '../../src/cli/progress.ts';

describe('describeProgress()', () => {
  const rows = [
    [{ phase: 'metadata', done: 44 }, 0.1, 'Reading metadata: 44'],
    [{ phase: 'content', done: 0, total: 348, bytes: 0 }, 0, 'Storing files: 0% (0/348)'],
    [
      { phase: 'content', done: 100, total: 400, bytes: 52_428_800 },
      10,
      'Storing files: 25% (100/400) 50.0 MiB 5.0 MiB/s 0:30 left',
    ],
    [{ phase: 'objects', done: 7, total: 7, bytes: 10 }, 0.2, 'Checking objects: 100% (7/7) 10 B'],
    [{ phase: 'image', done: 0 }, 0, 'Building image:'],
  ] as const;
  for (const [progress, seconds, text] of rows) {
    it(`says '${text}'`, () => assert.equal(describeProgress(progress, seconds), text));
  }
});

describe('formatBytes(), formatSeconds()', () => {
  it('use the largest fitting unit', () => {
    assert.deepEqual([0, 1023, 1536, 1 << 30].map(formatBytes), ['0 B', '1023 B', '1.5 KiB', '1.0 GiB']);
    assert.deepEqual([0.2, 59.5, 75, 3661].map(formatSeconds), ['0:01', '1:00', '1:15', '1:01:01']);
  });
});

describe('progressOutput()', () => {
  const capture = (isTTY: boolean) => {
    const lines: string[] = [];
    return { lines, stream: { write: (text: string) => lines.push(text) > 0, isTTY, columns: 40 } as never };
  };

  it('rewrites one line on a terminal, within its width, and clears it for notes', () => {
    const { lines, stream } = capture(true);
    const output = progressOutput('auto', false, stream);
    output.onProgress({ phase: 'content', done: 1, total: 1_000_000_000_000, bytes: 10_000_000 });
    output.note('Something');
    output.end();
    assert.equal(lines[0]?.startsWith('\r\u001b[KStoring files: 0%'), true);
    assert.ok(lines[0].length <= 40 + 4);
    assert.deepEqual(lines.slice(1), ['\r\u001b[K', 'Something\n']);
  });

  it('is silent for short work where stderr is piped, and speaks every five seconds for long work', () => {
    const now = mock.method(performance, 'now', () => 0);
    const { lines, stream } = capture(false);
    const output = progressOutput('auto', false, stream);
    for (const seconds of [0, 1, 4, 6, 7, 12]) {
      now.mock.mockImplementation(() => seconds * 1000);
      output.onProgress({ phase: 'content', done: seconds, total: 20 });
    }
    now.mock.restore();
    assert.deepEqual(lines, ['Storing files: 30% (6/20) 0:14 left\n', 'Storing files: 60% (12/20) 0:08 left\n']);
  });

  it('writes a JSON object per line for programs', () => {
    const { lines, stream } = capture(false);
    const output = progressOutput('json', false, stream);
    output.onProgress({ phase: 'content', done: 0, total: 2, bytes: 0 });
    output.onProgress({ phase: 'content', done: 2, total: 2, bytes: 9 });
    const parsed = lines.map((line) => JSON.parse(line) as Record<string, unknown>);
    assert.deepEqual(
      parsed.map(({ seconds: _seconds, ...rest }) => rest),
      [
        { type: 'progress', phase: 'content', done: 0, total: 2, bytes: 0 },
        { type: 'progress', phase: 'content', done: 2, total: 2, bytes: 9 },
      ],
    );
  });

  it('says nothing with none or quiet', () => {
    for (const [form, quiet] of [
      ['none', false],
      ['json', true],
    ] as const) {
      const { lines, stream } = capture(true);
      progressOutput(form, quiet, stream).onProgress({ phase: 'metadata', done: 1 });
      assert.deepEqual(lines, []);
    }
  });
});
