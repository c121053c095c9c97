/** The mounts of every mount namespace that this process may look at, as `/proc/PID/mountinfo` tells them (proc(5)). */
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { hasCode } from '../../bytes/errors.ts';

export interface Mount {
  readonly target: string;
  readonly type: string;
  readonly source: string;
  /** Options of the file system: `key=value` or `key`. */
  readonly options: readonly string[];
}

/** What is mounted more than once, or seen from several namespaces, is there as often. */
export function listMounts(): Mount[] {
  const namespaces = new Set<string>();
  return ['self', ...readdirSync('/proc').filter((name) => /^\d+$/.test(name))].flatMap((process) => {
    try {
      const namespace = readlinkSync(`/proc/${process}/ns/mnt`);
      if (namespaces.has(namespace)) return [];
      namespaces.add(namespace);
      return parseMountinfo(readFileSync(`/proc/${process}/mountinfo`, 'utf8'));
    } catch (error) {
      // It has ended, or belongs to somebody else.
      if (hasCode(error, 'ENOENT', 'ESRCH', 'EACCES', 'EPERM', 'EINVAL')) return [];
      throw error;
    }
  });
}

/** Lines of another form are left out. */
export function parseMountinfo(text: string): Mount[] {
  return text.split('\n').flatMap((line) => {
    const [before = '', after = ''] = line.split(' - ');
    const target = before.split(' ')[4];
    const [type, source, options] = after.split(' ');
    if (target === undefined || type === undefined || source === undefined || options === undefined) return [];
    return [{ target: unescape(target), type, source: unescape(source), options: options.split(',').map(unescape) }];
  });
}

/** `\040` is a space. */
function unescape(text: string): string {
  return text.replaceAll(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)));
}
