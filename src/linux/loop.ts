/** Loop devices: block devices whose blocks are those of a file. */
import { closeSync, constants, openSync } from 'node:fs';
import { bytes, struct, u32, u64, viewOf } from '../../bytes/struct.ts';
import { EBUSY, EINVAL, ENXIO, isErrno } from './errno.ts';
import { ioctlWithNumber, ioctlWithRecord } from './ioctl.ts';

const LOOP_CTL_GET_FREE = 0x4c82;
const LOOP_CONFIGURE = 0x4c0a;
const LO_FLAGS_READ_ONLY = 1;
const LO_FLAGS_AUTOCLEAR = 4;
const LO_FLAGS_DIRECT_IO = 16;
const BLOCK_SIZE = 4096;
const ATTEMPTS = 64;

const loopConfig = struct('loop_config', 304, {
  fd: [0, u32],
  block_size: [4, u32],
  lo_offset: [8 + 24, u64],
  lo_flags: [8 + 52, u32],
  lo_file_name: [8 + 56, bytes(64)],
});

/** A read-only loop device over an open file; it vanishes with its last user. */
export function attachLoop(file: number): { path: string; fd: number } {
  const control = openSync('/dev/loop-control', constants.O_RDWR);
  try {
    let direct = true;
    for (let attempt = 0; ; attempt++) {
      const path = `/dev/loop${ioctlWithNumber(control, LOOP_CTL_GET_FREE, 0, 'LOOP_CTL_GET_FREE')}`;
      const fd = openSync(path, constants.O_RDWR);
      const record = new Uint8Array(loopConfig.size);
      // Direct I/O spares the page cache a copy of the image, where the file system of the image has it.
      const lo_flags = LO_FLAGS_READ_ONLY | LO_FLAGS_AUTOCLEAR | (direct ? LO_FLAGS_DIRECT_IO : 0);
      loopConfig.write(viewOf(record), 0, { fd: file, block_size: BLOCK_SIZE, lo_flags });
      try {
        ioctlWithRecord(fd, LOOP_CONFIGURE, record, 'LOOP_CONFIGURE');
        return { path, fd };
      } catch (error) {
        closeSync(fd);
        if (direct && isErrno(error, EINVAL)) direct = false;
        // Another process took the device between the question and the answer.
        else if (!isErrno(error, EBUSY, ENXIO) || attempt >= ATTEMPTS) throw error;
      }
    }
  } finally {
    closeSync(control);
  }
}
