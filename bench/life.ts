/**
 * Times `gc` and `fsck --metadata-only` on a repository of very many small objects.
 *
 *     npm run bench:life -- [--objects N] [--json]
 *
 * A tenth of the objects is needed by no stream. Nothing is asserted. The repository is made anew in /var/tmp, or where
 * `--scratch` says: on a file system with room for N inodes.
 */
import { mkdirSync, mkdtempSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { SplitstreamWriter } from '../splitstream/write.ts';
import { Repository } from '../src/repository/repository.ts';
import type { HashAlgorithm, ObjectId } from '../src/verity/object-id.ts';
import { verityDigest } from '../src/verity/digest.ts';
import { measure, type Cost } from './measure.ts';
import { cfsPath } from './programs.ts';

const { values: options } = parseArgs({
  options: {
    objects: { type: 'string', default: '1000000' },
    hash: { type: 'string', default: 'sha256' },
    scratch: { type: 'string', default: '/var/tmp' },
    json: { type: 'boolean', default: false },
  },
});
const count = Number(options.objects);
const algorithm = options.hash as HashAlgorithm;
const OBJECTS_PER_STREAM = 20_000;

/** Objects of a few bytes; streams that name nine tenths of them. */
async function fill(path: string): Promise<void> {
  Repository.init(path, { algorithm, insecure: true });
  for (let prefix = 0; prefix < 256; prefix++) {
    mkdirSync(join(path, 'objects', prefix.toString(16).padStart(2, '0')), { recursive: true });
  }
  using repository = await Repository.open(path);
  using transaction = await repository.begin();
  let refs: ObjectId[] = [];
  const endStream = (name: string): void => {
    const writer = new SplitstreamWriter({ algorithm, contentType: 7n });
    for (const id of refs) writer.addObjectRef(id);
    transaction.linkStream(name, transaction.storeBytes(writer.finish()));
    transaction.linkRef('streams', `bench/${name}`, name);
    refs = [];
  };
  for (let i = 0; i < count; i++) {
    const content = Buffer.from(`object ${i}`);
    const id = verityDigest(algorithm, content);
    writeFileSync(join(path, 'objects', id.slice(0, 2), id.slice(2)), content);
    if (i % 10 !== 0) refs.push(id);
    if (refs.length === OBJECTS_PER_STREAM) endStream(`s${i}`);
  }
  endStream('last');
  await transaction.commit();
}

const scratch = mkdtempSync(join(options.scratch, 'cfs-life-'));
process.on('exit', () => rmSync(scratch, { recursive: true, force: true }));
process.on('SIGINT', () => process.exit(1));
const { ffree } = statfsSync(scratch);
if (ffree > 0 && ffree < count) throw new Error(`${scratch} has room for ${ffree} files, not for ${count}`);
const repo = join(scratch, 'repo');
const start = performance.now();
await fill(repo);
console.error(`${count} objects were made in ${((performance.now() - start) / 1000).toFixed(1)} s`);

const costs: Record<string, Cost> = {};
for (const command of ['fsck --metadata-only', 'gc --dry-run', 'gc', 'fsck']) {
  costs[command] = measure([cfsPath, '--repo', repo, ...command.split(' ')]);
}
if (options.json) {
  console.log(JSON.stringify(costs, undefined, 2));
} else {
  for (const [command, { wall, cpu, memory }] of Object.entries(costs)) {
    const figures = `${wall.toFixed(2)} s wall, ${cpu.toFixed(2)} s CPU, ${memory.toFixed(0)} MiB`;
    console.log(`${command.padEnd(22)}${figures}`);
  }
}
