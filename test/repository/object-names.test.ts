/** Names of objects as they lie in a directory. */
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { ObjectNames } from '../../src/repository/object-names.ts';
import { ObjectWriter } from '../../src/repository/object-writer.ts';
import type { ObjectId } from '../../src/verity/object-id.ts';

const there = 'ab'.repeat(32) as ObjectId;
const sibling = `ab${'cd'.repeat(31)}` as ObjectId;
const elsewhere = 'cd'.repeat(32) as ObjectId;

function withObject(run: (objects: string) => void): void {
  const objects = mkdtempSync(join(tmpdir(), 'cfs-names-'));
  try {
    mkdirSync(join(objects, 'ab'));
    writeFileSync(join(objects, 'ab', there.slice(2)), 'content');
    run(objects);
  } finally {
    rmSync(objects, { recursive: true });
  }
}

test('ObjectNames knows what lies in the directories, also where there is none', () => {
  withObject((objects) => {
    const names = new ObjectNames(objects);
    assert.deepEqual(
      [there, sibling, elsewhere, there].map((id) => names.has(id)),
      [true, false, false, true],
    );
  });
});

test('hasListed() takes a name for the object, but in doubt looks at the object itself', () => {
  withObject((objects) => {
    const options = { objects, algorithm: 'sha256', secure: false, suspect: false, fsync: false } as const;
    using trusting = new ObjectWriter(options);
    assert.equal(trusting.hasListed(there, 1), true);
    assert.equal(trusting.hasListed(sibling, 1), false);
    for (const doubt of [{ suspect: true }, { damaged: new Set([there]) }]) {
      using doubting = new ObjectWriter({ ...options, ...doubt });
      assert.equal(doubting.hasListed(there, 7), false);
    }
  });
});
