/** The command line of `mount.composefs`, by the rules and with the messages of the C program. */
import { EINVAL } from '../../linux/errno.ts';
import { strerror } from '../../linux/libc.ts';
import { parseCommandLine } from './getopt.ts';
import { ToolFailure } from './tool.ts';

export interface MountComposefsOptions {
  readonly image: string;
  readonly target: string;
  readonly basedirs: readonly string[];
  /** 64 lower-case hex digits. */
  readonly digest: string | undefined;
  readonly verity: 'require' | 'try' | undefined;
  readonly readOnly: boolean;
  readonly upper: { readonly upperdir: string; readonly workdir: string } | undefined;
  /** A file like `/proc/PID/ns/user`. */
  readonly idmap: string | undefined;
}

const table = { t: 'value', o: 'value', h: 'flag' } as const;

const withValue = ['basedir', 'digest', 'idmap', 'upperdir', 'workdir'] as const;
const flags = ['verity', 'tryverity', 'ro', 'rw'] as const;

export function usage(calledAs: string): string {
  return `usage: ${calledAs} [-t type] [-o opt[,opts..]] IMAGE MOUNTPOINT

Options of -o:
  basedir=PATH[:PATH...]   where the content of files lies; required
  digest=HEX               the fs-verity digest that the image must have; implies verity
  verity                   let the kernel verify every file that is read
  tryverity                the same, where the kernel can
  ro, rw                   mount read-only, or as the directories allow (the default)
  upperdir=PATH            a directory for what is written, with
  workdir=PATH             an empty directory on the same file system
  idmap=PATH               show owners as a user namespace maps them: /proc/PID/ns/user

Example:
  ${calledAs} -o basedir=/srv/objects,verity /srv/os.cfs /mnt
`;
}

/** Undefined when help was asked for. @throws ToolFailure */
export function parseMountComposefs(calledAs: string, args: readonly string[]): MountComposefsOptions | undefined {
  const { options, operands, problem } = parseCommandLine(args, table);
  const wrong = (message: string): ToolFailure => new ToolFailure(`${message}\n${usage(calledAs)}`);
  if (options.some(({ name }) => name === 'h')) return undefined;
  if (problem !== undefined) throw wrong(`${calledAs}: ${problem.message}`);
  const type = options.findLast(({ name }) => name === 't')?.value;
  if (type !== undefined && type !== 'composefs') throw new ToolFailure(`Unsupported fs type '${type}'\n`);
  const [image, target, extra] = operands;
  if (image === undefined) throw wrong('No source path specified');
  if (target === undefined) throw wrong('No mount path specified');
  if (extra !== undefined) throw wrong('Too many arguments');

  const given = mountOptions(options.findLast(({ name }) => name === 'o')?.value ?? '');
  const { basedir, digest, upperdir, workdir, idmap } = given.values;
  if (basedir === undefined) throw wrong('No object dirs specified');
  const basedirs = basedir.split(':');
  if (basedirs.includes('')) throw new ToolFailure('Value for basedir option has incorrect format\n');
  if ((upperdir === undefined) !== (workdir === undefined)) {
    throw new ToolFailure('Both workdir and upperdir must be specified if used\n');
  }
  if (digest !== undefined && !/^(?:[0-9a-fA-F]{2})*$/.test(digest)) {
    throw new ToolFailure(`${calledAs}: Failed to mount composefs ${image}: ${strerror(EINVAL)}\n\n`);
  }
  return {
    image,
    target,
    basedirs,
    digest: digest?.toLowerCase(),
    verity:
      digest !== undefined || given.flags.has('verity') ? 'require' : given.flags.has('tryverity') ? 'try' : undefined,
    readOnly: given.readOnly,
    upper: upperdir === undefined || workdir === undefined ? undefined : { upperdir, workdir },
    idmap,
  };
}

interface MountFlags {
  readonly values: Partial<Record<(typeof withValue)[number], string>>;
  readonly flags: Set<string>;
  /** Of `ro` and `rw` the last counts. */
  readonly readOnly: boolean;
}

function mountOptions(text: string): MountFlags {
  const values: Record<string, string> = {};
  const seen = new Set<string>();
  let readOnly = false;
  for (const option of splitOptions(text)) {
    const at = option.indexOf('=');
    const name = at < 0 ? option : option.slice(0, at);
    if (withValue.some((known) => known === name)) {
      if (at < 0) throw new ToolFailure(`No value specified for ${name} option\n`);
      values[name] = option.slice(at + 1);
    } else if (flags.some((known) => known === name)) {
      seen.add(name);
      if (name === 'ro' || name === 'rw') readOnly = name === 'ro';
    } else {
      throw new ToolFailure(`Unsupported option ${name}\n`);
    }
  }
  return { values, flags: seen, readOnly };
}

/** At commas; a backslash protects the next character. */
function splitOptions(text: string): string[] {
  const parts = text.match(/(?:\\[^]|[^\\,])+/g) ?? [];
  return parts.map((part) => part.replaceAll(/\\([^])/g, '$1'));
}
