/** Which part of a commit's tree is meant: all of it, nothing, or what lies at some paths, with the directories above them. */
import { CfsError } from '../../bytes/errors.ts';

/** What is meant of one directory. */
export interface Selection {
  /** All that is below it. */
  readonly whole: boolean;
  /** What is meant of its entries otherwise, by name; of a file, only if that is whole. */
  readonly entries: ReadonlyMap<string, Selection>;
}

const NONE: ReadonlyMap<string, Selection> = new Map();
export const WHOLE_TREE: Selection = { whole: true, entries: NONE };
/** A directory without any of its entries. */
export const NO_ENTRIES: Selection = { whole: false, entries: NONE };

/** The names on the way to an absolute path; `/` has none. @throws CfsError USAGE */
export function pathNames(path: string): string[] {
  const names = path.split('/').filter((name) => name !== '');
  const problem = !path.startsWith('/')
    ? 'it has to begin with a slash'
    : names.some((name) => name === '.' || name === '..')
      ? "'.' and '..' are no names in a commit"
      : undefined;
  if (problem === undefined) return names;
  throw new CfsError('USAGE', `Cannot use the path '${path}': ${problem}`, { path });
}

/** @param paths absolute ones of directories or files. @throws CfsError USAGE */
export function selectPaths(paths: Iterable<string>): Selection {
  let selection = NO_ENTRIES;
  for (const path of paths) {
    const single = pathNames(path).reduceRight<Selection>(
      (below, name) => ({ whole: false, entries: new Map([[name, below]]) }),
      WHOLE_TREE,
    );
    selection = union(selection, single);
  }
  return selection;
}

/** What either of them means. */
export function union(a: Selection, b: Selection): Selection {
  if (a.whole || b.whole) return WHOLE_TREE;
  const entries = new Map(a.entries);
  for (const [name, selection] of b.entries) {
    const other = entries.get(name);
    entries.set(name, other === undefined ? selection : union(other, selection));
  }
  return { whole: false, entries };
}

/** What is meant of the directory `name`; undefined for nothing, not even itself. */
export function selectDirectory(selection: Selection, name: string): Selection | undefined {
  return selection.whole ? WHOLE_TREE : selection.entries.get(name);
}

export function selectsFile(selection: Selection, name: string): boolean {
  return selection.whole || selection.entries.get(name)?.whole === true;
}
