/**
 * What is said between this program and the process in which libostree runs.
 *
 * Requests come as lines of JSON on the process's standard input, and are answered one after the other, in order, on descriptor 3.
 * Each message there is a frame: two big-endian 32-bit numbers, the lengths of what follows; JSON; bytes. The first is the answer
 * to no request: whether libostree could be loaded. An object of up to `INLINE_SIZE` bytes comes as the bytes of its
 * answer. A larger one lies in an unnamed file that the process holds open as `fd`, until it is asked to `release` it.
 */

export const INLINE_SIZE = 64 * 1024;
/** The bytes of a frame in front of its JSON. */
export const FRAME_HEADER = 8;
/** The descriptor that answers are written to. */
export const ANSWERS = 3;

/** What can be asked, by name: arguments and result. */
export interface Calls {
  /** Must be the first, and only once. */
  open: [arguments: { readonly path: string }, result: null];
  /** Where large objects lie from now on; the system's temporary folder until then. */
  spool: [arguments: { readonly directory: string }, result: null];
  resolve: [arguments: { readonly rev: string }, result: string];
  refs: [arguments: object, result: Readonly<Record<string, string>>];
  /** The bytes that the checksum covers: of a file, the sized header and the content. `partial` of a commit whose tree is not all there. */
  object: [
    arguments: { readonly type: number; readonly checksum: string },
    result: { readonly size: number; readonly partial: boolean; readonly fd?: number },
  ];
  release: [arguments: { readonly fd: number }, result: null];
  /** What GLib says about a metadata object: the type, whether it is in normal form, and its text. */
  variant: [
    arguments: { readonly type: number; readonly checksum: string },
    result: { readonly type: string; readonly normal: boolean; readonly text: string },
  ];
  /** How many objects the repository has, those of its parents included. */
  count: [arguments: object, result: number];
  remotes: [arguments: object, result: readonly string[]];
  remoteRefs: [arguments: { readonly remote: string }, result: Readonly<Record<string, string>>];
  /** `options` are an `a{sv}` in text form, as `ostree_repo_pull_with_options` takes them. */
  pull: [arguments: { readonly remote: string; readonly options: string }, result: null];
  /** How many OpenPGP signatures a commit has, and how many are valid and of a key of the remote. */
  verify: [
    arguments: { readonly remote: string; readonly commit: string },
    result: { readonly signatures: number; readonly valid: number },
  ];
}

export type CallName = keyof Calls;

export interface Request {
  readonly call: CallName;
  readonly arguments: Calls[CallName][0];
}

/** How far libostree's fetcher is. */
export interface FetchProgress {
  /** Objects that were fetched, and that were asked for so far. */
  readonly fetched: number;
  readonly requested: number;
  /** Metadata objects that were looked through. */
  readonly scanned: number;
  readonly bytes: number;
}

export type Answer =
  | { readonly kind: 'result'; readonly result: unknown }
  | { readonly kind: 'error'; readonly message: string }
  /** Before the answer to a `pull`. */
  | { readonly kind: 'progress'; readonly progress: FetchProgress };
