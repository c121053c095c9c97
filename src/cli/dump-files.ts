/** `cfs dump-files IMAGE PATH…`: entries of an image as dump lines. */
import type { Command } from 'commander';
import { NotFoundError } from '../../bytes/errors.ts';
import { readImage } from '../erofs/read.ts';
import { resolveImage } from '../repository/images.ts';
import { readObject } from '../repository/objects.ts';
import { byteString, toUtf8, type ByteString } from '../tree/byte-string.ts';
import { dumpLines } from '../tree/dumpfile-format.ts';
import type { Directory, Inode } from '../tree/tree.ts';
import { action, examples, type Context } from './context.ts';
import { usageError } from './failure.ts';
import { printable, writeJson, writeLine } from './output.ts';

export function define(command: Command): void {
  command
    .argument('<image>', 'digest or ref of an image')
    .argument('<path...>', 'files and directories in it; directories with all they hold')
    .option('--backing-path-only', 'only say where the content of files lies: inline, or the object below objects/');
  examples(command, 'cfs dump-files refs/os /etc', 'cfs dump-files --backing-path-only refs/os /usr/bin/bash');
  action(command, run);
}

async function run(
  context: Context,
  image: string,
  paths: readonly string[],
  options: { readonly backingPathOnly?: boolean },
): Promise<void> {
  using repository = await context.openRepository();
  const root = readImage(readObject(repository, resolveImage(repository, image)));
  const found = paths.map((path) => ({ path, inode: lookup(root, path) }));
  if (options.backingPathOnly === true) {
    const files = found.map(({ path, inode }) => ({ path, backing: backingPath(path, inode) }));
    if (context.json) writeJson({ files });
    else for (const { path, backing } of files) writeLine(printable(`${path} ${backing}`));
    return;
  }
  const lines = found.flatMap(({ path, inode }) => dumpLines(inode, byteString(canonical(path))).toArray());
  if (context.json) writeJson({ lines });
  else for (const line of lines) writeLine(line);
}

function canonical(path: string): string {
  return `/${path.split('/').filter(Boolean).join('/')}`;
}

function lookup(root: Directory, path: string): Inode {
  let inode: Inode = root;
  for (const name of path.split('/').filter(Boolean)) {
    const next: Inode | undefined = inode.entries?.get(byteString(name));
    if (next === undefined) throw new NotFoundError(`The image has no ${canonical(path)}`, { path });
    inode = next;
  }
  return inode;
}

function backingPath(path: string, inode: Inode): string {
  if (inode.kind !== 'file') throw usageError(`${path} is a ${inode.kind}, not a regular file`);
  return inode.digest === undefined ? 'inline' : toUtf8(inode.payload as ByteString);
}
