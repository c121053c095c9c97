/** Pulls of commits whose objects are damaged, in repositories of every mode. */
import assert from 'node:assert/strict';
import { readFileSync, renameSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import { CfsError } from '../../bytes/errors.ts';
import type { OstreeChecksum } from '../../ostree/checksum.ts';
import { needs } from '../needs.ts';
import { freshRepository } from '../repository/support.ts';
import { HandmadeCommits, type Mode } from './handmade-commit.ts';
import { refuses, target } from './refuses.ts';
import { pull } from './support.ts';
const content = Buffer.alloc(5000, 'some content. ');

/** A commit with one object of each kind. */
function whole(repository: HandmadeCommits): Record<'commit' | 'dirtree' | 'dirmeta' | 'file', OstreeChecksum> {
  const file = repository.file(content);
  const dirmeta = repository.dirMeta({ uid: 0, mode: 0o040700 });
  const dirtree = repository.dirTree([['file', file]]);
  return { file, dirmeta, dirtree, commit: repository.commitOf(dirtree, { rootMeta: dirmeta }) };
}

const modes: readonly Mode[] = ['archive-z2', 'bare', 'bare-user', 'bare-user-only'];
const kinds = ['commit', 'dirtree', 'dirmeta', 'file'] as const;

for (const mode of modes) {
  const skip = mode === 'bare' ? needs('root') : false;
  describe(`pullCommit() from a ${mode} repository`, { skip }, () => {
    let repository: HandmadeCommits;
    let goodImage: string;
    before(async () => {
      repository = new HandmadeCommits(mode);
      goodImage = (await pull(freshRepository(), repository.path, whole(repository).commit)).image;
    });
    after(() => repository[Symbol.dispose]());

    for (const kind of kinds) {
      test(`refuses a ${kind} with any bit of it flipped`, async () => {
        const objects = whole(repository);
        const file = repository.pathOf(kind, objects[kind]);
        const good = readFileSync(file);
        // Of long objects the first bytes, which hold all fields, the last, and some between.
        const places = good
          .keys()
          .filter((i) => i < 40 || i >= good.length - 4 || i % 499 === 0)
          .toArray();
        for (const at of places) {
          const bad = Buffer.from(good);
          bad[at]! ^= 1 << (at % 8);
          writeFileSync(file, bad);
          const path = freshRepository();
          try {
            // Some bits of a deflate stream mean nothing.
            const { image } = await pull(path, repository.path, objects.commit);
            assert.equal(kind, 'file');
            assert.equal(image, goodImage);
          } catch (error) {
            if (!(error instanceof CfsError)) throw error;
            assert.match(error.code, /^(CHECKSUM|FORMAT|LIMIT)$/);
            assert(error.message.includes(objects[kind]), `byte ${at}: ${error.message}`);
          }
        }
        const bad = Buffer.from(good);
        bad[9]! ^= 1;
        writeFileSync(file, bad);
        await refuses(repository.path, { commit: objects.commit, code: ['CHECKSUM', 'FORMAT'], names: objects[kind] });
        writeFileSync(file, good);
      });

      test(`refuses a ${kind} that is cut`, async () => {
        const objects = whole(repository);
        const path = repository.pathOf(kind, objects[kind]);
        const good = readFileSync(path);
        for (const length of [0, 1, 7, 8, good.length >> 1, good.length - 1]) {
          truncateSync(path, Math.min(length, good.length - 1));
          await assert.rejects(
            pull(await target(), repository.path, objects.commit),
            (error: Error & { code?: string }) => {
              assert(error instanceof CfsError, `${length} bytes: ${error.stack}`);
              assert(error.message.includes(objects[kind]), `${length} bytes: ${error.message}`);
              return true;
            },
          );
          writeFileSync(path, good);
        }
        truncateSync(path, good.length - 1);
        await refuses(repository.path, { commit: objects.commit, code: ['CHECKSUM', 'FORMAT'], names: objects[kind] });
        writeFileSync(path, good);
      });

      test(`refuses a ${kind} with a byte too many`, async () => {
        const objects = whole(repository);
        const path = repository.pathOf(kind, objects[kind]);
        const good = readFileSync(path);
        writeFileSync(path, Buffer.concat([good, Buffer.from([0])]));
        // Behind a deflate stream, as libostree has it, anything may follow.
        if (mode === 'archive-z2' && kind === 'file') await pull(freshRepository(), repository.path, objects.commit);
        else
          await refuses(repository.path, {
            commit: objects.commit,
            code: ['CHECKSUM', 'FORMAT'],
            names: objects[kind],
          });
        writeFileSync(path, good);
      });

      test(`refuses a ${kind} that is missing`, async () => {
        const objects = whole(repository);
        rmSync(repository.pathOf(kind, objects[kind]));
        await refuses(repository.path, {
          commit: objects.commit,
          code: 'NOT_FOUND',
          names: objects[kind],
          workers: true,
        });
      });
    }

    test('refuses objects under the names of others', async () => {
      const objects = whole(repository);
      const others = {
        file: repository.file(Buffer.alloc(5000, 'other')),
        dirmeta: repository.dirMeta({ mode: 0o040711 }),
        dirtree: repository.dirTree([['other', objects.file]]),
        commit: repository.commitOf(repository.empty, { subject: 'other' }),
      };
      for (const kind of kinds) {
        whole(repository);
        renameSync(repository.pathOf(kind, others[kind]), repository.pathOf(kind, objects[kind]));
        await refuses(repository.path, { commit: objects.commit, code: 'CHECKSUM', names: objects[kind] });
        // In place again for the next kind.
        rmSync(repository.pathOf(kind, objects[kind]));
      }
    });

    test('refuses a directory in the place of an object', async () => {
      for (const kind of kinds) {
        const objects = whole(repository);
        rmSync(repository.pathOf(kind, objects[kind]));
        repository.write(`${repository.pathOf(kind, objects[kind]).slice(repository.path.length + 1)}/x`, '');
        await refuses(repository.path, {
          commit: objects.commit,
          code: ['CORRUPT', 'FORMAT'],
          names: objects[kind].slice(2),
        });
        rmSync(repository.pathOf(kind, objects[kind]), { recursive: true });
      }
    });
  });
}
