/** `cfs ostree diff A B`: what changed between two commits, as `ostree diff` tells it, and what an update would fetch. */
import type { Command } from 'commander';
import { treeChanges } from '../compare/changes.ts';
import { readOperands, uncomparable } from '../compare/operand.ts';
import { readRemoteOperand, type FetchCost } from '../compare/remote.ts';
import { summarizeChanges } from '../compare/summary.ts';
import { changeJson, summaryJson, writeChanges, writeSummary } from './compare-result.ts';
import { action, examples, type Context } from './context.ts';
import { addHttpOptions } from './http-options.ts';
import { writeJson, writeLine } from './output.ts';
import { formatBytes } from './progress.ts';
import { addRemotesOptions, addSignatureOption, openPlace, type RemoteOptions } from './remote-place.ts';
import { SummaryStore } from '../pull/summary-store.ts';

interface Options extends RemoteOptions {
  readonly remote?: string;
  readonly stat?: boolean;
  readonly details?: boolean;
}

export function define(command: Command): void {
  command
    .argument('<a>', 'ref, commit id, or image; a path of a directory, image or dump file begins with / or ./')
    .argument('<b>', 'the same, or with --remote a ref or commit id there')
    .option('--remote <remote>', 'look for B at this URL or remote, from where it need not have been pulled')
    .option('--stat', 'only count')
    .option('--details', 'also say what of each path changed');
  addSignatureOption(command);
  addRemotesOptions(command);
  addHttpOptions(command);
  examples(
    command,
    'cfs ostree diff os/stable os/testing',
    'cfs ostree diff --stat --remote https://example.org/repo os/stable os/stable',
    'cfs --json ostree diff 89f78d os/stable | jq .stat',
  );
  action(command, run);
}

async function run(context: Context, a: string, b: string, options: Options): Promise<void> {
  using repository = await context.openRepository();
  const { signal, output } = context;
  const shared = { signal, onProgress: output.onProgress };
  const names = options.remote === undefined ? [a, b] : [a];
  const operands = await readOperands(names, {
    openRepository: () => Promise.resolve(repository),
    algorithm: () => repository.algorithm,
    ...shared,
  });
  const before = operands[0]!;
  let cost: FetchCost | undefined;
  if (options.remote !== undefined) {
    using opened = await openPlace(context, options.remote, options, new SummaryStore(repository));
    const remote = await readRemoteOperand(repository, opened.source, b, before.commit, {
      ...shared,
      onNote: output.note,
    });
    operands.push(remote.operand);
    cost = remote.cost;
  }
  output.end();
  const after = operands[1]!;
  const changes = [...treeChanges(before.tree, after.tree, uncomparable(before, after))];
  const stat = summarizeChanges(changes);
  if (context.json) {
    const sides = [before, after].map(({ name, kind, commit }) => ({ name, kind, commit }));
    writeJson({ a: sides[0], b: sides[1], changes: changes.map(changeJson), stat: summaryJson(stat), fetch: cost });
    return;
  }
  if (options.stat === true) writeSummary(stat);
  else writeChanges(changes, options.details === true);
  if (cost !== undefined) writeCost(cost);
}

function writeCost({ objects, delta }: FetchCost): void {
  const bytes = objects.bytes === undefined ? '' : ` (${formatBytes(objects.bytes)})`;
  writeLine(`a pull of objects fetches ${objects.metadata} metadata and ${objects.files} files${bytes}`);
  if (delta !== undefined) {
    writeLine(`the static delta from ${delta.from ?? 'nothing'} fetches ${formatBytes(delta.bytes)}`);
  }
}
