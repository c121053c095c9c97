/** `cfs diff A B`: why two trees, or the digests of their images, differ. */
import type { Command } from 'commander';
import { treeChanges } from '../compare/changes.ts';
import { imageFacts, type ImageFacts } from '../compare/images.ts';
import { readOperands, uncomparable, type Operand } from '../compare/operand.ts';
import { summarizeChanges } from '../compare/summary.ts';
import type { Repository } from '../repository/repository.ts';
import { changeJson, summaryJson, writeChanges, writeSummary } from './compare-result.ts';
import { action, examples, type Context } from './context.ts';
import { writeJson, writeLine } from './output.ts';

export function define(command: Command): void {
  const operand = "stored commit (ref or id), image (ref or digest), or a path that begins with '/' or './'";
  command
    .argument('<a>', operand)
    .argument('<b>', 'the same: paths are those of directories, image files and dump files')
    .option('--exit-code', 'end with 1 if they differ');
  examples(
    command,
    'cfs diff os/old os/new',
    'cfs diff refs/os ./os.erofs',
    'cfs --no-repo diff ./expected.dump ./rootfs',
    'cfs --json diff os/stable /mnt/os | jq .stat',
  );
  action(command, run);
}

async function run(context: Context, a: string, b: string, options: { readonly exitCode?: boolean }): Promise<void> {
  using stack = new DisposableStack();
  let repository: Repository | undefined;
  const open = async (): Promise<Repository> => (repository ??= stack.use(await context.openRepository()));
  const [before, after] = (await readOperands([a, b], {
    openRepository: open,
    algorithm: () => context.hash ?? repository?.algorithm ?? 'sha256',
    signal: context.signal,
    onProgress: context.output.onProgress,
  })) as [Operand, Operand];
  context.output.end();
  const changes = [...treeChanges(before.tree, after.tree, uncomparable(before, after))];
  const algorithm = context.hash ?? repository?.algorithm ?? 'sha256';
  const facts = [before, after].map(({ image, tree }) =>
    image === undefined ? undefined : imageFacts(image, tree, algorithm),
  );
  const stat = summarizeChanges(changes);
  if (context.json) {
    const sides = [before, after].map(({ name, kind, commit }, i) => ({ name, kind, commit, image: facts[i] }));
    writeJson({ a: sides[0], b: sides[1], changes: changes.map(changeJson), stat: summaryJson(stat) });
  } else {
    writeChanges(changes, true);
    if (changes.length === 0) writeLine('The trees are the same');
    else writeSummary(stat);
    for (const [i, operand] of [before, after].entries()) describeImage(operand, facts[i]);
  }
  if (options.exitCode === true && changes.length > 0) process.exitCode = 1;
}

function describeImage({ name }: Operand, facts: ImageFacts | undefined): void {
  if (facts === undefined) return;
  const { version, size, id, deviates } = facts;
  writeLine(`${name}: image ${id}, format version ${version}, ${size} bytes`);
  if (deviates === undefined) return;
  writeLine(`  it is not the image that mkcomposefs or cfs write of its tree: they differ from byte ${deviates} on`);
}
