/** Whether a root file system names an SELinux policy of its own, by which its files would have to be labelled. */
import { closeSync, constants, readFileSync } from 'node:fs';
import { hasCode } from '../../bytes/errors.ts';
import { AT_FDCWD, openAt } from '../linux/at.ts';
import { byteString } from '../tree/byte-string.ts';
import { readFailure } from './failure.ts';

const { O_RDONLY, O_DIRECTORY, O_NONBLOCK } = constants;

/** The name of the policy, from `etc/selinux/config`. @throws ReadFailure, also for a symlink on the way */
export function selinuxPolicy(root: string): string | undefined {
  const open: number[] = [];
  try {
    let at = AT_FDCWD;
    for (const name of [byteString(root), 'etc', 'selinux']) {
      at = openAt(at, name, O_RDONLY | O_DIRECTORY);
      open.push(at);
    }
    const file = openAt(at, 'config', O_RDONLY | O_NONBLOCK);
    open.push(file);
    return policyName(readFileSync(file, 'utf8'));
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return undefined;
    throw readFailure(byteString(`${root}/etc/selinux/config`), error);
  } finally {
    for (const fd of open) closeSync(fd);
  }
}

/** The value of `SELINUXTYPE`. */
function policyName(config: string): string | undefined {
  return /^[ \t]*SELINUXTYPE[ \t]*=[ \t]*(.*?)[ \t\r]*$/m.exec(config)?.[1];
}
