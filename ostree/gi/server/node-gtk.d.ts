/**
 * The part of OSTree-1.0, Gio-2.0 and GLib-2.0 that is used, as node-gtk 4.1.1 gives it: names in camelCase, a function with out
 * arguments returns an array with its own result first, 64-bit numbers are bigints, a GError is thrown as an Error with its message.
 */
declare module 'node-gtk' {
  export interface Variant {
    getTypeString(): string;
    isNormalForm(): boolean;
    print(annotate: boolean): string;
  }

  export interface Stream {
    /** Gives up a reference. node-gtk keeps one too many of each object that comes as an out argument. */
    unref(): void;
  }

  export interface OutputStream {
    splice(source: Stream, flags: number, cancellable: null): bigint | number;
  }

  export interface AsyncProgress {
    on(signal: 'changed', handler: () => void): void;
    getUint(key: string): number;
    getUint64(key: string): bigint;
    finish(): void;
  }

  export interface VerifyResult {
    countAll(): number;
    countValid(): number;
  }

  /** Where `null` is passed, C takes an optional argument that nobody here needs, mostly a GCancellable. */
  export interface Repo {
    open(cancellable: null): boolean;
    resolveRevExt(rev: string, allowNone: false, flags: number): [boolean, string];
    listRefs(prefix: null, cancellable: null): [boolean, Record<string, string>];
    loadCommit(checksum: string): [boolean, Variant, number];
    loadVariant(type: number, checksum: string): [boolean, Variant];
    loadObjectStream(type: number, checksum: string, cancellable: null): [boolean, Stream, bigint];
    /** The keys come as addresses of variants, which say nothing. */
    listObjects(flags: number, cancellable: null): [boolean, Record<string, Variant>];
    remoteList(): string[] | null;
    remoteListRefs(remote: string, cancellable: null): [boolean, Record<string, string>];
    pullWithOptions(remote: string, options: Variant, progress: AsyncProgress, cancellable: null): boolean;
    verifyCommitForRemote(commit: string, remote: string, cancellable: null): VerifyResult;
  }

  export interface File {
    getPath(): string;
  }

  export interface Namespaces {
    OSTree: {
      Repo: { new: (path: File) => Repo };
      AsyncProgress: { new: () => AsyncProgress };
      RepoResolveRevExtFlags: { LOCAL_ONLY: number };
      RepoListObjectsFlags: { ALL: number };
      RepoCommitState: { PARTIAL: number };
      ObjectType: { COMMIT: number };
    };
    Gio: {
      fileNewForPath(path: string): File;
      UnixOutputStream: { new: (fd: number, closeFd: boolean) => OutputStream };
      OutputStreamSpliceFlags: { CLOSE_SOURCE: number };
    };
    GLib: {
      Variant: { parse(type: null, text: string, limit: null, endptr: null): Variant };
      PRIORITY_DEFAULT: number;
      timeoutAdd(priority: number, milliseconds: number, handler: () => boolean): number;
      sourceRemove(id: number): boolean;
    };
  }

  const gi: { require<Name extends keyof Namespaces>(name: Name, version: string): Namespaces[Name] };
  export default gi;
}
