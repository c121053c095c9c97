/** What a pull would do: its metadata are read, and nothing is written but what the object index remembers of stored commits. */
import type { OstreeChecksum } from '../../ostree/checksum.ts';
import type { Source } from '../../ostree/source.ts';
import { objectSize } from '../repository/objects.ts';
import type { Repository } from '../repository/repository.ts';
import type { ObjectId } from '../verity/object-id.ts';
import { openIndex } from './index-commits.ts';
import { estimateSizes, openCommit, openParent, planCommit, type OpenedCommit, type PullTask } from './plan.ts';
import { nameFor, type PullOptions } from './pull.ts';
import { References } from './references.ts';
import { isUnusable } from './source.ts';
import { DEFAULT_RESERVE, mayShareBlocks, measureSpace, type Space } from './space.ts';

interface ObjectCounts {
  readonly metadata: number;
  readonly files: number;
}

export interface DryRun {
  readonly commit: OstreeChecksum;
  /** The ref that would be written. */
  readonly ref: string | undefined;
  readonly parents: readonly OstreeChecksum[];
  /** True if the commit would be stored in part. */
  readonly partial: boolean;
  /** What the source would be asked for. Its metadata were read for this. */
  readonly fetch: ObjectCounts & {
    /** Bytes of the files, as an archive repository has them; undefined unless the commits tell. */
    readonly bytes: number | undefined;
    /** Bytes of content. */
    readonly content: number | undefined;
    /** Bytes of the static delta that would be fetched first, and give some or all of it. */
    readonly delta: number | undefined;
  };
  /** Files that reference repositories have. */
  readonly fromReference: number;
  /** What stored commits and unfinished pulls have. */
  readonly stored: ObjectCounts;
  readonly space: Space & {
    /** Bytes that would be stored, at least. */
    readonly needed: number;
    /** True if no more would be. */
    readonly complete: boolean;
    /** True if the source's file system may let files share their blocks, so that less is needed. */
    readonly shared: boolean;
  };
}

/** Plans the pull that `pullCommit` would do with the same arguments. @throws as that does, up to the content. */
export async function planPull(
  repository: Repository,
  source: Source,
  name: string,
  options: PullOptions = {},
): Promise<DryRun> {
  const { signal, depth = 0 } = options;
  const commit = options.commit ?? (await source.resolveRef(name, signal));
  const ref = nameFor(name, commit);
  const release = await repository.hold({ signal });
  try {
    using index = source.concurrency > 1 ? await openIndex(repository, options) : undefined;
    using references = await References.open(options.references ?? [], options);
    const planned = new Set<OstreeChecksum>();
    /** Objects of the commits so far that are there, or are metadata. */
    const seen = new Set<OstreeChecksum>();
    const task: PullTask = { repository, source, ref, options, index, references, planned };
    const has = (id: ObjectId, size: number): boolean => objectSize(repository, id) === size;
    const commits: OstreeChecksum[] = [];
    const fetch = { metadata: 0, files: 0, archived: 0, content: 0 };
    const stored = { metadata: 0, files: 0 };
    let fromReference = 0;
    let delta: number | undefined;
    let needed = 0;
    let complete = true;
    let partial = false;
    let opened: OpenedCommit | undefined = await openCommit(task, commit);
    for (let left = depth; opened !== undefined; left--) {
      const plan = await planCommit(opened, task, { has });
      const { graph, missing, metadata, estimate } = plan;
      const referenced = await filesOfReferences(references, missing);
      const files = missing.filter((file) => !referenced.has(file));
      const fetched = referenced.size === 0 ? estimate : estimateSizes(plan, graph, files);
      if (commits.length === 0) ({ partial } = graph);
      commits.push(graph.checksum);
      fetch.metadata += metadata.fetched;
      fetch.files += files.length;
      fetch.archived += fetched.fetch;
      fetch.content += fetched.content;
      delta ??= plan.delta?.fetch;
      fromReference += referenced.size;
      for (const checksum of plan.objects.keys()) {
        if (!seen.has(checksum)) stored[graph.objects.has(checksum) ? 'metadata' : 'files']++;
        seen.add(checksum);
      }
      stored.metadata -= metadata.fetched;
      if (missing.length > 0) needed += estimate.stored;
      complete &&= estimate.complete;
      for (const file of missing) planned.add(file);
      opened = left === 0 ? undefined : await openParent(task, plan);
    }
    return {
      commit,
      ref,
      parents: commits.slice(1),
      partial,
      fetch: {
        metadata: fetch.metadata,
        files: fetch.files,
        bytes: complete ? fetch.archived : undefined,
        content: complete ? fetch.content : undefined,
        delta,
      },
      fromReference,
      stored,
      space: {
        needed,
        complete,
        shared: mayShareBlocks(source, repository.path),
        ...measureSpace(repository.path, options.minFreeSpace ?? DEFAULT_RESERVE),
      },
    };
  } finally {
    release();
  }
}

/** Those of the files that some reference repository can open. */
async function filesOfReferences(
  references: References,
  files: readonly OstreeChecksum[],
): Promise<ReadonlySet<OstreeChecksum>> {
  const all = new Set<OstreeChecksum>();
  await references.ingest(files, async (source, wanted) => {
    const found = new Map<OstreeChecksum, true>();
    for (const file of wanted) {
      try {
        (await source.openFile(file)).close();
        found.set(file, true);
        all.add(file);
      } catch (error) {
        if (!isUnusable(error)) throw error;
      }
    }
    return found;
  });
  return all;
}
