/**
 * What differs between two file trees, path by path. Order as `ostree diff` walks: of each directory first what is no directory, then
 * the directories, each with what is below it; both by name; then what only the second tree has.
 */
import type { ByteString } from '../tree/byte-string.ts';
import { sortedNames, type Directory, type Inode } from '../tree/tree.ts';
import { inodeFields, type FieldChange, type FieldName } from './fields.ts';

export interface Change {
  /** From the root, beginning with a slash. */
  readonly path: ByteString;
  readonly kind: 'modified' | 'removed' | 'added';
  readonly before: Inode | undefined;
  readonly after: Inode | undefined;
  /** What of a modified inode changed. */
  readonly fields: readonly FieldChange[];
  /** For what lies in a directory that is no longer, or not yet, one: what happened to that directory. */
  readonly below: 'removed' | 'added' | 'replaced' | undefined;
}

/** @param ignore fields that are not compared. */
export function* treeChanges(
  before: Directory,
  after: Directory,
  ignore: ReadonlySet<FieldName>,
): Generator<Change, void> {
  yield* modified('/' as ByteString, before, after, ignore);
  const open: { readonly steps: Iterator<Step> }[] = [{ steps: directorySteps('' as ByteString, before, after) }];
  for (let top = open.at(-1); top !== undefined; top = open.at(-1)) {
    const { value: step, done } = top.steps.next();
    if (done === true) {
      open.pop();
      continue;
    }
    const { path } = step;
    if (step.before === undefined || step.after === undefined) {
      yield* subtree(step);
      continue;
    }
    yield* modified(path, step.before, step.after, ignore);
    if (step.before.kind === 'directory' && step.after.kind === 'directory') {
      open.push({ steps: directorySteps(path, step.before, step.after) });
    } else {
      yield* children({ path, inode: step.before }, 'removed', 'replaced');
      yield* children({ path, inode: step.after }, 'added', 'replaced');
    }
  }
}

interface Step {
  readonly path: ByteString;
  readonly before: Inode | undefined;
  readonly after: Inode | undefined;
}

function* directorySteps(path: ByteString, before: Directory, after: Directory): Generator<Step, void> {
  for (const name of walkOrder(before)) {
    yield { path: join(path, name), before: before.entries.get(name)!, after: after.entries.get(name) };
  }
  for (const name of walkOrder(after)) {
    if (!before.entries.has(name)) yield { path: join(path, name), before: undefined, after: after.entries.get(name)! };
  }
}

/** The names of a directory: first those of files, then those of directories. */
function walkOrder(node: Directory): ByteString[] {
  const names = sortedNames(node);
  const isDirectory = (name: ByteString): boolean => node.entries.get(name)!.kind === 'directory';
  return [...names.filter((name) => !isDirectory(name)), ...names.filter(isDirectory)];
}

function join(path: ByteString, name: ByteString): ByteString {
  return `${path}/${name}` as ByteString;
}

function* modified(
  path: ByteString,
  before: Inode,
  after: Inode,
  ignore: ReadonlySet<FieldName>,
): Generator<Change, void> {
  const fields = inodeFields(before, after, ignore);
  if (fields.length > 0) yield { path, kind: 'modified', before, after, fields, below: undefined };
}

type Side = 'removed' | 'added';

function* subtree({ path, before, after }: Step): Generator<Change, void> {
  const [inode, side]: [Inode, Side] = before === undefined ? [after!, 'added'] : [before, 'removed'];
  yield one({ path, inode }, side, undefined);
  yield* children({ path, inode }, side, side);
}

interface Node {
  readonly path: ByteString;
  readonly inode: Inode;
}

function one({ path, inode }: Node, side: Side, below: Change['below']): Change {
  const [before, after] = side === 'removed' ? [inode, undefined] : [undefined, inode];
  return { path, kind: side, before, after, fields: [], below };
}

/** All that lies below. Without recursion, since dump files and images may be deep. */
function* children(top: Node, side: Side, below: Change['below']): Generator<Change, void> {
  const pending = [top];
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    if (next !== top) yield one(next, side, below);
    const { path, inode } = next;
    if (inode.kind !== 'directory') continue;
    for (const name of walkOrder(inode).reverse()) {
      pending.push({ path: join(path, name), inode: inode.entries.get(name)! });
    }
  }
}
