/** Reading extended attributes, which Node cannot do by itself: whoever opens a bare repository brings the system calls. */

/** Names are byte strings: one character per byte. A path is not followed if it is a symlink; a number is a descriptor. */
export interface XattrReader {
  getXattr(target: string | number, name: string): Uint8Array | undefined;
  listXattrs(target: string | number): readonly string[];
}
