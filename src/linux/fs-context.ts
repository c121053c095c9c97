/** The new mount API (Linux 5.2): file systems are configured key by key, mounted nowhere, and then moved to their place. */
import { closeSync } from 'node:fs';
import { struct, u64, viewOf } from '../../bytes/struct.ts';
import { SystemError } from './errno.ts';
import { check, cString, lastErrno, libcFunction } from './libc.ts';

/** System call numbers, the same on x86-64 and arm64. */
const SYS_move_mount = 429;
const SYS_fsopen = 430;
const SYS_fsconfig = 431;
const SYS_fsmount = 432;
const SYS_mount_setattr = 442;

const FSCONFIG_SET_FLAG = 0;
const FSCONFIG_SET_STRING = 1;
const FSCONFIG_SET_FD = 5;
const FSCONFIG_CMD_CREATE = 6;
const CLOEXEC = 1;
const MOUNT_ATTR_RDONLY = 1;
const MOUNT_ATTR_IDMAP = 0x100000n;
const MOVE_MOUNT_F_EMPTY_PATH = 4;
const AT_FDCWD = -100;
const AT_EMPTY_PATH = 0x1000;

const fsopen = libcFunction<[number, string, number]>('syscall', 'intptr', ['intptr', 'const char *', 'uint']);
const fsconfig = libcFunction<[number, number, number, string | null, Uint8Array | null, number]>('syscall', 'intptr', [
  'intptr',
  'int',
  'uint',
  'const char *',
  'void *',
  'int',
]);
const fsmount = libcFunction<[number, number, number, number]>('syscall', 'intptr', ['intptr', 'int', 'uint', 'uint']);
const moveMount = libcFunction<[number, number, string, number, string, number]>('syscall', 'intptr', [
  'intptr',
  'int',
  'const char *',
  'int',
  'const char *',
  'uint',
]);
const read = libcFunction<[number, Uint8Array, number]>('read', 'intptr', ['int', 'void *', 'size_t']);
const mountSetattr = libcFunction<[number, number, string, number, Uint8Array, number]>('syscall', 'intptr', [
  'intptr',
  'int',
  'const char *',
  'uint',
  'void *',
  'size_t',
]);

/** A file system that is being configured. `using` closes it. */
export class FsContext {
  readonly #fd: number;
  readonly #type: string;

  constructor(type: string) {
    this.#type = type;
    this.#fd = check(fsopen(SYS_fsopen, type, CLOEXEC), 'fsopen', type);
  }

  flag(key: string): this {
    return this.#config(FSCONFIG_SET_FLAG, key, null, 0);
  }

  string(key: string, value: string): this {
    return this.#config(FSCONFIG_SET_STRING, key, cString(value), 0);
  }

  fd(key: string, fd: number): this {
    return this.#config(FSCONFIG_SET_FD, key, null, fd);
  }

  /** Creates the file system and gives the descriptor of its detached mount. */
  mount(readOnly: boolean): number {
    this.#config(FSCONFIG_CMD_CREATE, null, null, 0);
    return check(fsmount(SYS_fsmount, this.#fd, CLOEXEC, readOnly ? MOUNT_ATTR_RDONLY : 0), 'fsmount', this.#type);
  }

  #config(command: number, key: string | null, value: Uint8Array | null, aux: number): this {
    if (fsconfig(SYS_fsconfig, this.#fd, command, key, value, aux) === -1) {
      const errno = lastErrno();
      const what = key === null ? this.#type : `${this.#type} ${key}`;
      throw new SystemError(errno, 'fsconfig', what, this.#messages());
    }
    return this;
  }

  /** What the kernel logged about this context, such as "e erofs: cannot find valid erofs superblock". */
  #messages(): string | undefined {
    const buffer = Buffer.alloc(4096);
    const texts: string[] = [];
    for (;;) {
      const length = read(this.#fd, buffer, buffer.length);
      if (length <= 0) break;
      texts.push(buffer.toString('utf8', 0, length).trim());
    }
    return texts.length > 0 ? texts.join('; ') : undefined;
  }

  [Symbol.dispose](): void {
    closeSync(this.#fd);
  }
}

/** Moves a detached mount to its place. */
export function attachMount(mount: number, target: string): void {
  check(moveMount(SYS_move_mount, mount, '', AT_FDCWD, target, MOVE_MOUNT_F_EMPTY_PATH), 'move_mount', target);
}

const mountAttributes = struct('mount_attr', 32, { attr_set: [0, u64], userns_fd: [24, u64] });

/** Lets a detached mount show owners as the user namespace of this descriptor maps them. */
export function mapOwners(mount: number, userNamespace: number): void {
  const record = new Uint8Array(mountAttributes.size);
  mountAttributes.write(viewOf(record), 0, { attr_set: MOUNT_ATTR_IDMAP, userns_fd: BigInt(userNamespace) });
  const result = mountSetattr(SYS_mount_setattr, mount, '', AT_EMPTY_PATH, record, record.length);
  check(result, 'mount_setattr', 'idmap');
}
