/** How far a long operation is; passed to `onProgress` callbacks. */
export interface Progress {
  readonly phase:
    | 'index'
    | 'fetch'
    | 'metadata'
    | 'content'
    | 'image'
    | 'sync'
    | 'objects'
    | 'streams'
    | 'images'
    | 'delta'
    | 'delta parts';
  /** Objects done in this phase. */
  readonly done: number;
  /** All objects of this phase, once that is known. */
  readonly total?: number | undefined;
  /** Bytes of content done. */
  readonly bytes?: number | undefined;
  /** All bytes of content of this phase, where that is known. */
  readonly bytesTotal?: number | undefined;
}

export type OnProgress = (progress: Progress) => void;
