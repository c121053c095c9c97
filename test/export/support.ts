/** Exports into OSTree repositories, looked at by the real `ostree`. */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after } from 'node:test';
import { ostree } from '../ostree/real-ostree.ts';

const base = mkdtempSync(join(tmpdir(), 'cfs-export-'));
after(() => rmSync(base, { recursive: true, force: true }));

let count = 0;

/** A path where nothing is yet. */
export function freshFolder(): string {
  return join(base, String(++count));
}

/** The real program finds nothing wrong. */
export function fsck(repository: string): void {
  ostree('fsck', `--repo=${repository}`);
}

/** A digest of everything that a checkout has, but for times and hard links. */
export function digestOfFolder(path: string): string {
  const options = ['--xattrs', '--xattrs-include=*', '--pax-option=delete=atime,delete=ctime', '--mtime=@0'];
  const tar = execFileSync('tar', [...options, '--sort=name', '--hard-dereference', '-cC', path, '.'], {
    maxBuffer: 2 ** 28,
  });
  return createHash('sha256').update(tar).digest('hex');
}

export function checkout(repository: string, ref: string): string {
  const path = freshFolder();
  ostree('checkout', `--repo=${repository}`, ref, path);
  return path;
}
