/** The version of this package, as its package.json says: what `--version` prints and servers are told. */
import { readFileSync } from 'node:fs';

export function packageVersion(): string {
  // This folder lies in the root of a clone, and in dist/ of a package.
  for (const up of ['../package.json', '../../package.json']) {
    try {
      return (JSON.parse(readFileSync(new URL(up, import.meta.url), 'utf8')) as { version: string }).version;
    } catch {
      // Not the folder of this layout.
    }
  }
  return 'unknown';
}
