/** Temporary files without a name, which go with their descriptor. */
import { randomUUID } from 'node:crypto';
import { openSync, unlinkSync } from 'node:fs';
import { join } from 'node:path';

/** A new file in a folder. Should the process end before it has lost its name, garbage collection of composefs repositories removes it. */
export function openUnnamed(directory: string): number {
  const path = join(directory, `.cfs-tmp-${randomUUID()}`);
  const fd = openSync(path, 'wx+', 0o600);
  unlinkSync(path);
  return fd;
}
