import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import fc from 'fast-check';
import { encodeArchiveHeader } from '../../../ostree/file-header.ts';
import type { FileObject } from '../../../ostree/source.ts';
import { Slabs } from '../../../ostree/http/slabs.ts';
import { FileSpool } from '../../../ostree/http/spool.ts';
import type { OstreeChecksum } from '../../../ostree/checksum.ts';
import { fuzzRuns } from '../../fuzz-runs.ts';
import { noise } from './open-transport.ts';

const MIB = 1024 * 1024;

suite('Slabs', () => {
  test('give buffers that are large enough, each to one user at a time, whatever is taken and given back', () => {
    const size = fc.oneof(fc.nat(1000), fc.nat(3 * MIB), fc.constantFrom(128 * 1024, 128 * 1024 + 1, MIB, 9 * MIB));
    const step = fc.record({ size, give: fc.option(fc.nat(20), { nil: undefined }) });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (all) => {
        const slabs = new Slabs();
        const live: Buffer[] = [];
        for (const { size: wanted, give } of all) {
          const slab = slabs.take(wanted);
          assert(slab.length >= wanted);
          assert(live.every(({ buffer }) => buffer !== slab.buffer));
          live.push(slab);
          if (give !== undefined) for (const gone of live.splice(give % live.length, 2)) slabs.give(gone);
        }
      }),
      { numRuns: Math.min(fuzzRuns, 500) },
    );
  });

  test('are used again', () => {
    const slabs = new Slabs();
    const slab = slabs.take(200_000);
    slabs.give(slab);
    assert.equal(slabs.take(150_000), slab);
    assert.notEqual(slabs.take(150_000), slab);
  });

  test('keep a bounded number of bytes', () => {
    const slabs = new Slabs();
    const all = Array.from({ length: 100 }, () => slabs.take(MIB));
    for (const slab of all) slabs.give(slab);
    const again = Array.from({ length: 100 }, () => slabs.take(MIB));
    assert.equal(again.filter((slab) => all.includes(slab)).length, 8);
  });
});

const header = encodeArchiveHeader({ uid: 0, gid: 0, mode: 0o100644, symlinkTarget: '', xattrs: [] }, 2 * MIB);
const checksum = 'ab'.repeat(32) as OstreeChecksum;

/** A file object whose bytes come in pieces, and restarts in between. */
interface Body {
  readonly size: number;
  readonly piece: number;
  /** In front of which pieces it begins again. */
  readonly restarts: readonly number[];
  /** How many others may come to their ends until it is closed. */
  readonly kept: number;
}

suite('FileSpool', () => {
  test('keeps each of several bodies that come at the same time until it is closed', () => {
    const body: fc.Arbitrary<Body> = fc.record({
      size: fc.oneof(fc.nat(300_000), fc.nat(1000), fc.integer({ min: MIB - 2000, max: MIB + 2000 })),
      piece: fc.integer({ min: 20_000, max: 200_000 }),
      restarts: fc.array(fc.nat(5), { maxLength: 1 }),
      kept: fc.nat(4),
    });
    fc.assert(
      fc.property(fc.array(body, { minLength: 2, maxLength: 8 }), fc.nat(), (bodies, seed) => {
        const slabs = new Slabs();
        const open: { file: FileObject; bytes: Buffer; until: number }[] = [];
        let ended = 0;
        const check = ({ file: { content }, bytes }: (typeof open)[number]): void => {
          assert(content.kind === 'file' && content.storedSize === bytes.length - header.length);
          if (content.complete) assert(bytes.subarray(header.length).equals(content.head));
        };
        const running = bodies.map((each, i) => ({ each, ...feed(each, seed + i, slabs) }));
        while (running.length > 0) {
          // In turn, so that all of them hold something at the same time.
          for (const one of Array.from(running)) {
            const file = one.step();
            if (file === undefined) continue;
            running.splice(running.indexOf(one), 1);
            open.push({ file, bytes: one.bytes, until: ended++ + one.each.kept });
            for (const kept of open) check(kept);
            for (const done of open.filter(({ until }) => until <= ended)) {
              done.file.close();
              open.splice(open.indexOf(done), 1);
            }
          }
        }
        for (const { file } of open) file.close();
      }),
      { numRuns: Math.min(fuzzRuns, 100) },
    );
  });
});

/** Writes one more piece with each step; the last gives the file. */
function feed(
  { size, piece, restarts }: Body,
  seed: number,
  slabs: Slabs,
): { readonly bytes: Buffer; readonly step: () => FileObject | undefined } {
  const bytes = Buffer.concat([header, noise(size, seed)]);
  const spool = new FileSpool(checksum, slabs);
  const pending = new Set(restarts);
  let [at, pieces] = [0, 0];
  const step = (): FileObject | undefined => {
    if (pending.delete(pieces)) {
      spool.restart();
      at = 0;
    }
    // A copy, as the network gives one.
    spool.write(Buffer.from(bytes.subarray(at, at + piece)));
    at += piece;
    pieces++;
    if (at < bytes.length) return undefined;
    spool.verify();
    const file = spool.finish();
    spool.close();
    return file;
  };
  return { bytes, step };
}
