/** Random directories on disk with files of every type, from a seed. As root; others get no device nodes. */
import { execFileSync } from 'node:child_process';
import { chmodSync, linkSync, lutimesSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { setXattr } from '../../src/linux/xattr.ts';
import { Random } from '../erofs/random-tree.ts';

export interface RandomDirectoryOptions {
  readonly seed: number;
  readonly files: number;
  /** Names that are no UTF-8, and times before 1970: what composefs-rs treats in ways of its own. */
  readonly odd: boolean;
  readonly whiteouts: boolean;
}

const SIZES = [0, 0, 1, 63, 64, 65, 128, 4095, 4096, 4097, 300_000];

const joined = (folder: Buffer, name: string): Buffer => Buffer.concat([folder, Buffer.from(`/${name}`, 'latin1')]);

/** Makes it at `path`, where nothing is yet, with `usr`, `run`, `boot` and `sysroot`. */
export async function makeRandomDirectory(path: string, options: RandomDirectoryOptions): Promise<void> {
  const random = new Random(options.seed);
  const isRoot = process.getuid?.() === 0;
  const made: Buffer[] = [];
  const files: Buffer[] = [];
  const folders: Buffer[] = [Buffer.from(path)];
  mkdirSync(path);
  for (const name of ['usr', 'run', 'boot', 'sysroot']) folders.push(joined(folders[0]!, name));
  for (const folder of folders.slice(1)) mkdirSync(folder);
  for (let i = 0; i < options.files; i++) {
    const name = `${random.text(random.pick([1, 8, 60]), 'abcxyz .-=\\!~')}${i}${options.odd ? '\xe9\xff\x01' : ''}`;
    const at = joined(random.pick(folders), name);
    switch (random.below(9)) {
      case 0:
        mkdirSync(at);
        folders.push(at);
        break;
      case 1:
        symlinkSync(random.text(random.pick([1, 60, 1000]), 'abc/.'), at);
        break;
      case 2:
        if (files.length > 0) linkSync(random.pick(files), at);
        continue;
      case 3:
        await makeSpecial(
          path,
          at,
          isRoot ? random.pick(['p', 's', 'c 1 3', 'b 8 1', options.whiteouts ? 'c 0 0' : 'p']) : 'p',
        );
        break;
      default:
        writeFileSync(at, random.bytes(random.pick(SIZES)));
        files.push(at);
    }
    made.push(at);
  }
  for (const at of [...made, ...folders].reverse()) {
    const isFile = files.includes(at) || folders.includes(at);
    if (isFile) chmodSync(at, random.pick([0o644, 0o755, 0o4755, 0o1777, 0o700]));
    addXattrs(at, random, isRoot, isFile);
    lutimesSync(at, 0, random.pick([0, 1_600_000_000, 1_600_000_000.25, options.odd ? -1000 : 4_000_000_000]));
  }
}

async function makeSpecial(folder: string, at: Buffer, what: string): Promise<void> {
  if (what === 's') {
    // The server removes its own name when it closes.
    // Its path may not be longer than about 100 bytes.
    const first = join(folder, '.s');
    const server = createServer();
    await new Promise<void>((resolve) => {
      server.listen(first, resolve);
    });
    linkSync(first, at);
    await new Promise((resolve) => {
      server.close(resolve);
    });
    return;
  }
  const [type, ...numbers] = what.split(' ');
  execFileSync('sh', ['-c', `mknod -- "$(printf '%b' '${octal(at)}')" ${type} ${numbers.join(' ')}`]);
}

/** For `printf %b`, and so that no byte of it means anything to the shell. */
function octal(bytes: Buffer): string {
  return Array.from(bytes, (byte) => `\\0${byte.toString(8).padStart(3, '0')}`).join('');
}

function addXattrs(at: Buffer, random: Random, isRoot: boolean, isFile: boolean): void {
  const names = [
    ...(isFile ? ['user.a', 'user.b'] : []),
    ...(isRoot ? ['trusted.x', 'trusted.overlay.x', 'security.cfs'] : []),
  ];
  if (names.length === 0 || random.below(3) > 0) return;
  for (let i = 0; i < random.pick([1, 1, 3]); i++) {
    const value = random.pick([Buffer.from('same'), Buffer.from(''), random.bytes(random.pick([3, 200]))]);
    setXattr(at, random.pick(names), value);
  }
  if (isFile && isRoot && random.below(4) === 0) {
    const capability = Buffer.from('0100000200000000000000000000000000000000', 'hex');
    try {
      setXattr(at, 'security.capability', capability);
    } catch {
      // Directories have none.
    }
  }
}
