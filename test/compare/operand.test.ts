import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { readOperands } from '../../src/compare/operand.ts';

const top = mkdtempSync(join(tmpdir(), 'cfs-operand-'));
after(() => rmSync(top, { recursive: true }));

test('readOperands() reads a dump with 150,000 entries in one directory', async () => {
  const path = join(top, 'wide.dump');
  const entries = Array.from({ length: 150_000 }, (_, i) => `/f${i} 0 100644 1 0 0 0 0.0 - - -\n`);
  writeFileSync(path, `/ 0 40755 2 0 0 0 0.0 - - -\n${entries.join('')}`);
  const [operand] = await readOperands([path], {
    openRepository: () => Promise.reject(new Error('no name is looked up')),
    algorithm: () => 'sha256',
  });
  assert.equal(operand!.tree.entries.size, 150_000);
});
