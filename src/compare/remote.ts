/**
 * A commit that was not pulled, as something to compare: its metadata is fetched and held in memory, its files are not. A file that no
 * stored commit has is `NOT_FETCHED`.
 */
import type { OstreeChecksum } from '../../ostree/checksum.ts';
import { encodeArchiveHeader } from '../../ostree/file-header.ts';
import { S_IFREG } from '../../ostree/mode.ts';
import type { Source } from '../../ostree/source.ts';
import type { StoredObject } from '../commit/content.ts';
import { commitTree } from '../commit/tree.ts';
import type { OnProgress } from '../progress.ts';
import { Bases } from '../pull/bases.ts';
import { MetadataReader } from '../pull/metadata.ts';
import type { Repository } from '../repository/repository.ts';
import { NOT_FETCHED } from './fields.ts';
import type { Operand } from './operand.ts';

/** What a pull would fetch. */
export interface FetchCost {
  readonly metadata: number;
  readonly files: number;
}

interface RemoteOptions {
  /** A stored commit to compare with. */
  readonly base: OstreeChecksum | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: OnProgress | undefined;
  readonly onNote?: ((text: string) => void) | undefined;
}

/** @throws what the source throws; ChecksumError, FormatError and CfsError LIMIT for bad metadata. */
export async function readRemoteOperand(
  repository: Repository,
  source: Source,
  name: string,
  { base, onNote, ...options }: RemoteOptions,
): Promise<{ readonly operand: Operand; readonly cost: FetchCost }> {
  const commit = await source.resolveRef(name, options.signal);
  const bases = new Bases(repository, onNote);
  bases.add(commit);
  bases.add(base);
  const metadata = new MetadataReader(source, bases, options);
  const graph = await metadata.readGraph(commit, await metadata.readCommit(commit), {});
  const tree = commitTree(graph, (checksum) => bases.get(checksum) ?? notFetched());
  const files = [...graph.files].filter((checksum) => bases.get(checksum) === undefined).length;
  const operand: Operand = { name: `${source.location} ${name}`, kind: 'commit', commit, tree };
  return { operand, cost: { metadata: metadata.fetched, files } };
}

function notFetched(): StoredObject {
  const header = { uid: 0, gid: 0, mode: S_IFREG, symlinkTarget: '', xattrs: [] };
  return { data: encodeArchiveHeader(header, 0), object: NOT_FETCHED };
}
