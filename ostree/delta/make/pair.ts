/** Which file of the older commit a new file is probably made from: the one at its path, else one of nearly the same name. */
import type { OstreeChecksum } from '../../checksum.ts';
import type { DirTree } from '../../dirtree.ts';

/** The dirtrees of a commit, and the first of them. */
export interface Tree {
  readonly root: OstreeChecksum;
  readonly dirtrees: ReadonlyMap<OstreeChecksum, DirTree>;
}

/** A file of either commit and a path that it has. */
export interface PlacedFile {
  readonly checksum: OstreeChecksum;
  readonly path: string;
}

/** Files of one name that are compared by path and size. */
const MAX_NAMESAKES = 64;

/** Files of `to` that are no files of `from`, each once, in the order of the tree; `source` is the file at the same path. */
export function newFiles(
  to: Tree,
  from: Tree | undefined,
): (PlacedFile & { readonly source: OstreeChecksum | undefined })[] {
  const old = new Set<OstreeChecksum>();
  for (const tree of from?.dirtrees.values() ?? []) for (const file of tree.files) old.add(file.checksum);
  const found = new Map<OstreeChecksum, PlacedFile & { source: OstreeChecksum | undefined }>();
  const seen = new Set<string>();
  const pending: [path: string, tree: OstreeChecksum, old: OstreeChecksum | undefined][] = [['', to.root, from?.root]];
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    const [path, checksum, oldChecksum] = next;
    const key = `${checksum} ${oldChecksum}`;
    if (checksum === oldChecksum || seen.has(key)) continue;
    seen.add(key);
    const tree = to.dirtrees.get(checksum)!;
    const oldTree = oldChecksum === undefined ? undefined : from!.dirtrees.get(oldChecksum);
    const oldFiles = new Map(oldTree?.files.map((file) => [file.name, file.checksum]));
    const oldFolders = new Map(oldTree?.directories.map((folder) => [folder.name, folder.tree]));
    for (const file of tree.files) {
      if (old.has(file.checksum)) continue;
      const source = oldFiles.get(file.name);
      const known = found.get(file.checksum);
      if (known === undefined)
        found.set(file.checksum, { checksum: file.checksum, path: `${path}/${file.name}`, source });
      else known.source ??= source;
    }
    for (const folder of tree.directories.toReversed()) {
      pending.push([`${path}/${folder.name}`, folder.tree, oldFolders.get(folder.name)]);
    }
  }
  return [...found.values()];
}

/** Digits are what versions differ in: `libfoo.so.1.2` and `libfoo.so.1.10` are the same then. */
function withoutVersion(text: string): string {
  return text.replaceAll(/\d+/g, '#');
}

function baseName(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1);
}

/** The files of a tree by name without version, of those names only. */
function namesakes(tree: Tree, names: ReadonlySet<string>): Map<string, PlacedFile[]> {
  const found = new Map<string, PlacedFile[]>();
  const seen = new Set<OstreeChecksum>();
  const pending: [path: string, tree: OstreeChecksum][] = [['', tree.root]];
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    const [path, checksum] = next;
    if (seen.has(checksum)) continue;
    seen.add(checksum);
    const { files, directories } = tree.dirtrees.get(checksum)!;
    for (const file of files) {
      const name = withoutVersion(file.name);
      if (!names.has(name)) continue;
      const list = found.get(name) ?? [];
      found.set(name, list);
      if (list.length < MAX_NAMESAKES) list.push({ checksum: file.checksum, path: `${path}/${file.name}` });
    }
    for (const folder of directories.toReversed()) pending.push([`${path}/${folder.name}`, folder.tree]);
  }
  return found;
}

/**
 * For each of `files` the old file whose name, but for its version, is the same, whose path is most alike, and whose size is nearest.
 * @param size gives that of a file, undefined for one that cannot be a source.
 */
export function pairByName(
  files: readonly PlacedFile[],
  from: Tree,
  size: (checksum: OstreeChecksum, inOld: boolean) => number | undefined,
): Map<OstreeChecksum, OstreeChecksum> {
  const names = new Set(files.map(({ path }) => withoutVersion(baseName(path))));
  const known = namesakes(from, names);
  const pairs = new Map<OstreeChecksum, OstreeChecksum>();
  for (const { checksum, path } of files) {
    const own = size(checksum, false);
    if (own === undefined) continue;
    let best: { readonly checksum: OstreeChecksum; readonly alike: number; readonly distance: number } | undefined;
    for (const candidate of known.get(withoutVersion(baseName(path))) ?? []) {
      const other = size(candidate.checksum, true);
      if (other === undefined) continue;
      const alike = commonEnds(withoutVersion(path), withoutVersion(candidate.path));
      const distance = Math.abs(own - other);
      if (best !== undefined && (alike < best.alike || (alike === best.alike && distance >= best.distance))) continue;
      best = { checksum: candidate.checksum, alike, distance };
    }
    if (best !== undefined) pairs.set(checksum, best.checksum);
  }
  return pairs;
}

/** Path components that two paths share at the beginning and at the end. */
function commonEnds(a: string, b: string): number {
  const [x, y] = [a.split('/'), b.split('/')];
  const most = Math.min(x.length, y.length);
  let start = 0;
  while (start < most && x[start] === y[start]) start++;
  let end = 0;
  while (start + end < most && x.at(-1 - end) === y.at(-1 - end)) end++;
  return start + end;
}
