/** Small repositories written by hand, for what no `ostree` would make. */
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { encode } from '../../../gvariant/src/encode.ts';
import { checksumOf, type OstreeChecksum } from '../../../ostree/checksum.ts';
import { encodeCommit } from '../../../ostree/commit.ts';
import { loosePath, type ObjectType } from '../../../ostree/object-type.ts';

export class Handmade {
  readonly path: string;
  readonly #archive: boolean;

  constructor(mode = 'archive-z2', config = '') {
    this.#archive = mode.startsWith('archive');
    // Thousands of small files are made much faster in memory, which need not have xattrs, though.
    const inMemory = this.#archive && existsSync('/dev/shm');
    this.path = mkdtempSync(join(inMemory ? '/dev/shm' : tmpdir(), 'cfs-handmade-'));
    mkdirSync(join(this.path, 'objects'));
    this.configure(`[core]\nrepo_version=1\nmode=${mode}\n${config}`);
  }

  configure(text: string): void {
    this.write('config', text);
  }

  /** Writes a file below the repository, with the folders it needs; gives its path. */
  write(name: string, content: string | Uint8Array): string {
    const path = join(this.path, name);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, content);
    return path;
  }

  /** The path of an object, in a folder that exists. */
  pathOf(type: ObjectType, checksum: OstreeChecksum): string {
    const path = join(this.path, 'objects', loosePath(type, checksum, this.#archive));
    mkdirSync(dirname(path), { recursive: true });
    return path;
  }

  put(type: ObjectType, checksum: OstreeChecksum, content: string | Uint8Array): void {
    writeFileSync(this.pathOf(type, checksum), content);
  }

  /** A commit of an empty tree, whose objects need not exist. */
  commit(subject: string, parent?: OstreeChecksum): OstreeChecksum {
    const none = checksumOf(encode('()', []));
    const bytes = encodeCommit({
      metadata: [],
      parent,
      related: [],
      subject,
      body: '',
      timestamp: 0n,
      rootTree: none,
      rootMeta: none,
    });
    const checksum = checksumOf(bytes);
    this.put('commit', checksum, bytes);
    return checksum;
  }

  [Symbol.dispose](): void {
    rmSync(this.path, { recursive: true });
  }
}
