/**
 * Repositories of every mode with the golden commits, made by the real `ostree`, and what tests of sources say about them.
 * Making them needs the program and, since bare repositories hold owners and `trusted` attributes, root.
 */
import { spawnSync } from 'node:child_process';
import { cpSync, linkSync, lstatSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { checksumOf } from '../../ostree/checksum.ts';
import { decodeSizedHeader } from '../../ostree/file-header.ts';
import { loosePath } from '../../ostree/object-type.ts';
import { encodeXattrs } from '../../ostree/xattrs.ts';
import { goldenObjects, goldenPath } from './golden.ts';

/** What `needs` has to be asked for before `makeRepositories`. */
export const repositoryNeeds = ['ostree', 'root'] as const;

export interface Repositories extends Disposable {
  /** The folder that holds them all; removed when this is disposed of. */
  readonly root: string;
  readonly archive: string;
  readonly bare: string;
  readonly bareUser: string;
  /** Holds only what a mode without owners and attributes can: the commits of `userOnlyRefs`, made from `plain` and the like. */
  readonly bareUserOnly: string;
  readonly bareSplitXattrs: string;
}

export const goldenRefs = ['golden/empty', 'golden/plain', 'golden/single', 'golden/x86_64/os'] as const;
/** The refs of the bare-user-only repository. Commits there are canonical, and so have other checksums. */
export const userOnlyRefs = ['canonical', 'golden/empty'] as const;

/** Runs `ostree`, which must succeed, and gives what it printed. */
export function ostree(...args: readonly string[]): string {
  const { status, stdout, stderr, error } = spawnSync('ostree', args, { encoding: 'utf8' });
  if (error !== undefined) throw error;
  if (status !== 0) throw new Error(`ostree ${args.join(' ')}: ${stderr}`);
  return stdout;
}

/** A copy of the golden repository that `ostree` can use: with the empty folders that Git does not keep. */
export function copyGoldenRepository(to: string): void {
  cpSync(goldenPath, to, { recursive: true });
  for (const folder of ['refs/remotes', 'refs/mirrors', 'tmp/cache', 'state', 'extensions']) {
    mkdirSync(join(to, folder), { recursive: true });
  }
}

export function makeRepositories(): Repositories {
  const root = mkdtempSync(join(tmpdir(), 'cfs-ostree-'));
  const at = (name: string): string => join(root, name);
  try {
    copyGoldenRepository(at('archive'));
    for (const mode of ['bare', 'bare-user']) {
      ostree('init', `--repo=${at(mode)}`, `--mode=${mode}`, '--collection-id=org.example.Golden');
      ostree('pull-local', '--depth=-1', `--repo=${at(mode)}`, at('archive'), ...goldenRefs);
    }
    makeUserOnly(at('bare-user-only'), at('archive'), at('checkout'));
    makeSplitXattrs(at('bare'), at('bare-split-xattrs'));
  } catch (error) {
    rmSync(root, { recursive: true });
    throw error;
  }
  return {
    root,
    archive: at('archive'),
    bare: at('bare'),
    bareUser: at('bare-user'),
    bareUserOnly: at('bare-user-only'),
    bareSplitXattrs: at('bare-split-xattrs'),
    [Symbol.dispose]: () => rmSync(root, { recursive: true }),
  };
}

function makeUserOnly(repository: string, archive: string, checkout: string): void {
  ostree('init', `--repo=${repository}`, '--mode=bare-user-only');
  ostree('pull-local', `--repo=${repository}`, archive, 'golden/empty');
  ostree('checkout', `--repo=${archive}`, '--user-mode', 'golden/plain', checkout);
  ostree('commit', `--repo=${repository}`, '--branch=canonical', `--tree=dir=${checkout}`, '--canonical-permissions');
  rmSync(checkout, { recursive: true });
}

/**
 * Makes a bare-split-xattrs repository of a bare one, as `ostree` itself does not: a `file-xattrs` object for every set of attributes, and
 * for every file a `file-xattrs-link`, a hard link to its set; the attributes of the inodes go.
 */
function makeSplitXattrs(bare: string, split: string): void {
  const { status, stderr } = spawnSync('cp', ['-a', '--no-preserve=xattr', bare, split], { encoding: 'utf8' });
  if (status !== 0) throw new Error(stderr);
  const config = join(split, 'config');
  writeFileSync(config, readFileSync(config, 'utf8').replace('mode=bare\n', 'mode=bare-split-xattrs\n'));
  for (const { checksum, path } of goldenObjects('file')) {
    const file = join(split, 'objects', loosePath('file', checksum, false));
    // Some golden files belong only to commits that no ref reaches.
    if (lstatSync(file, { throwIfNoEntry: false }) === undefined) continue;
    const { header } = decodeSizedHeader(readFileSync(path));
    const xattrs = encodeXattrs(header.xattrs);
    const set = join(split, 'objects', loosePath('file-xattrs', checksumOf(xattrs), false));
    mkdirSync(join(set, '..'), { recursive: true });
    writeFileSync(set, xattrs);
    linkSync(set, `${file}-xattrs-link`);
  }
}

/** Everything about a repository's files that reading could change, access times of regular files included. */
export function fingerprint(repository: string): string {
  const print = ['-printf', String.raw`%P %y %m %s %T@ %C@\n`, '-type', 'f', '-printf', String.raw`%P %A@\n`];
  const { stdout } = spawnSync('find', [repository, ...print], { encoding: 'utf8' });
  return stdout.split('\n').toSorted().join('\n');
}
