/** Locks that belong to an open file, whoever has its descriptor: `fcntl(F_OFD_SETLK)`, on the whole file. */
import { struct, u16, viewOf } from '../../bytes/struct.ts';
import { EAGAIN, EINTR, SystemError } from './errno.ts';
import { lastErrno, libcFunction } from './libc.ts';

const F_OFD_SETLK = 37;
const F_RDLCK = 0;
const F_WRLCK = 1;

const fcntl = libcFunction<[number, number, Uint8Array]>('fcntl', 'int', ['int', 'int', 'void *']);

/** The rest is zero: from the beginning of the file to its end. */
const record = struct('flock', 32, { l_type: [0, u16] });

/** Takes the lock without waiting; false if another has one that excludes it. It ends when the file is closed. */
export function tryOfdLock(fd: number, kind: 'shared' | 'exclusive'): boolean {
  const flock = new Uint8Array(record.size);
  record.write(viewOf(flock), 0, { l_type: kind === 'shared' ? F_RDLCK : F_WRLCK });
  for (;;) {
    if (fcntl(fd, F_OFD_SETLK, flock) !== -1) return true;
    const errno = lastErrno();
    if (errno === EAGAIN) return false;
    if (errno !== EINTR) throw new SystemError(errno, 'fcntl F_OFD_SETLK');
  }
}
