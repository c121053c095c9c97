/**
 * A list of inodes that answers "where is this one?" without a hash table: an inode's `slot` is its position, and is only
 * believed when the list has that inode there, so nothing needs clearing between lists. While one list is in use another
 * one may not be filled with the same inodes.
 */
import type { Inode } from './tree.ts';

export class InodeList {
  readonly inodes: Inode[] = [];

  /** Appends an inode and gives its position. */
  add(node: Inode): number {
    node.slot = this.inodes.length;
    return this.inodes.push(node) - 1;
  }

  has(node: Inode): boolean {
    return this.inodes[node.slot] === node;
  }

  /** The position of an inode, -1 when it is not in the list. */
  indexOf(node: Inode): number {
    return this.inodes[node.slot] === node ? node.slot : -1;
  }
}
