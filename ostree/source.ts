/**
 * Where OSTree objects come from: the interface that repositories on disk and over HTTP share. What a source gives is unverified:
 * callers compare checksums.
 */
import type { OstreeChecksum } from './checksum.ts';
import type { DeltaSource } from './delta/source.ts';
import type { FileHeader } from './file-header.ts';
import type { TransportOptions } from './http/options.ts';
import type { MetadataType } from './object-type.ts';

/** What is needed to open the same source again, in another thread: plain data. */
export interface LocalSourceDescription {
  readonly kind: 'local';
  readonly path: string;
  readonly remoteFallback: boolean;
}

export interface HttpSourceDescription {
  readonly kind: 'http';
  /** URLs of the repository and its mirrors, the preferred first, with their credentials. */
  readonly bases: readonly string[];
  /** The same for objects and deltas, where those are somewhere else. */
  readonly contentBases?: readonly string[];
  readonly transport: TransportOptions;
  /** Where large files on their way lie; the system's temporary folder by default. */
  readonly spool?: string;
}

/** One static delta: its folder, or its superblock. */
export interface DeltaSourceDescription {
  readonly kind: 'delta';
  readonly path: string;
}

/** A repository on this machine, read by libostree. */
export interface LibostreeSourceDescription {
  readonly kind: 'libostree';
  readonly path: string;
  /** Where large objects on their way lie; the system's temporary folder by default. */
  readonly spool?: string;
}

export type SourceDescription =
  | LocalSourceDescription
  | HttpSourceDescription
  | DeltaSourceDescription
  | LibostreeSourceDescription;

/** The content of a file object as it is stored. */
export type FileContent =
  /** A symlink: nothing to read. */
  | { readonly kind: 'none' }
  | {
      readonly kind: 'file';
      /** An open descriptor, closed by the file object's `close`, or -1 if nothing need be read. Its own position is not used. */
      readonly fd: number;
      /** Where the stored content begins in the file. */
      readonly offset: number;
      /** Bytes stored from there on. */
      readonly storedSize: number;
      /** True for a raw deflate stream (RFC 1951), false for the content itself. */
      readonly deflated: boolean;
      /**
       * The first stored bytes, already read. Of a source whose `concurrency` is 1 it is a view that lives until the next call on that
       * source. More is read from `fd` at `offset + head.length`.
       */
      readonly head: Uint8Array;
      /** True if `head` is all of the stored content, so that nothing need be read. */
      readonly complete: boolean;
      /**
       * When the file was last changed, in milliseconds of its own clock, as it was before `head` was read; given where the content is
       * stored plainly in a file that others can read too.
       */
      readonly changed?: number;
      /** True if the file holds this content for ever, so that another name may be made for it. */
      readonly mayLink?: boolean;
    };

export interface FileObject extends Disposable {
  readonly header: FileHeader;
  /** Declared size of the content, 0 for a symlink. Not verified: the content must be required to have just this size. */
  readonly size: number;
  /** The sized header that the checksum covers in front of the content. */
  readonly hashedHeader: Uint8Array;
  readonly content: FileContent;
  /** Frees what the content needs; may be called again. */
  close(): void;
  /** For content that turned out bad: the file from somewhere else. Undefined where there is no other place. */
  again?: ((signal?: AbortSignal) => Promise<FileObject>) | undefined;
}

export interface Source extends Disposable {
  /** Path or URL, for messages. */
  readonly location: string;
  /** How many calls are worth making at the same time: 1 if they never wait. */
  readonly concurrency: number;
  /** Static deltas, of a source that may have some. */
  readonly deltas?: DeltaSource;
  /**
   * The commit that `rev` means: a full checksum, the beginning of a commit's checksum where commits can be listed, or a refspec, each
   * with any number of `^` behind it for the parent. Throws `NotFoundError`, or a `CfsError` FORMAT for a name that cannot be one.
   */
  resolveRef(rev: string, signal?: AbortSignal): Promise<OstreeChecksum>;
  /**
   * Every ref, by a name that `resolveRef` takes: `REF`, `REMOTE:REF`, `mirrors/COLLECTION/REF`. Those that `match` says no to may be
   * left out, where that saves work.
   */
  listRefs(
    signal?: AbortSignal,
    options?: { readonly match?: (ref: string) => boolean },
  ): Promise<ReadonlyMap<string, OstreeChecksum>>;
  /**
   * The bytes of a metadata object as they are stored, at most 128 MiB, unverified. Throws `NotFoundError`; for a commit whose tree
   * is incomplete, a `CfsError` PARTIAL.
   */
  readObject(type: MetadataType, checksum: OstreeChecksum, signal?: AbortSignal): Uint8Array | Promise<Uint8Array>;
  /** The file object, its header decoded; `NotFoundError`, `FormatError` or a `CfsError` CORRUPT. The caller closes it. */
  openFile(checksum: OstreeChecksum, signal?: AbortSignal): FileObject | Promise<FileObject>;
  /** Lets large files on their way lie in this directory, unnamed; for sources that have such. */
  spoolIn?(directory: string): void;
  /** From now on so many threads use the source at the same time, each with an opened one of its own: it takes its part. */
  divide?(threads: number): void;
  describe(): SourceDescription;
  close(): void;
}
