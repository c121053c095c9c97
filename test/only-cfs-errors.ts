/** For properties of decoders: whatever the bytes are. */
import { CfsError } from '../bytes/errors.ts';

/** Runs a function that may throw a `CfsError` and nothing else. */
export function onlyCfsErrors(run: () => unknown): void {
  try {
    run();
  } catch (error) {
    if (!(error instanceof CfsError)) throw error;
  }
}
