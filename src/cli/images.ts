/** `cfs images`: the named images. */
import { Option, type Command } from 'commander';
import { listRefs } from '../repository/refs.ts';
import { action, examples, type Context } from './context.ts';
import { printable, writeJson, writeLine, writeTable } from './output.ts';

const SHORT_DIGEST = 12;

export function define(command: Command): void {
  command.addOption(new Option('--no-trunc', 'show whole digests').default(true, 'short ones'));
  examples(command, 'cfs images', 'cfs images --json');
  action(command, run);
}

async function run(context: Context, options: { readonly trunc: boolean }): Promise<void> {
  using repository = await context.openRepository();
  const images = listRefs(repository, 'images').map(({ ref, target }) => ({ name: ref, digest: target }));
  images.sort((a, b) => (a.name < b.name ? -1 : 1));
  if (context.json) {
    writeJson({ images });
  } else if (images.length === 0) {
    writeLine('No images found');
  } else {
    const shown = (digest: string): string => (options.trunc ? digest.slice(0, SHORT_DIGEST) : digest);
    writeTable(
      ['NAME', 'DIGEST'],
      images.map(({ name, digest }) => [printable(name), printable(shown(digest))]),
    );
  }
}
