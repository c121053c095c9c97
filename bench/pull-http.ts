/** Pulls from nginx on loopback, near and behind a line of 20 ms: new repositories, and updates by objects and by static delta. */
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { startNginx } from './nginx.ts';
import { type Program, run } from './programs.ts';

/** Milliseconds there and back. */
const LATENCY = 20;

export interface Server extends Disposable {
  readonly url: string;
  /** The same from far away. */
  readonly distantUrl: string;
}

/** Serves the folder `root`; its own files go into `top`. */
export async function startServer(top: string, root: string): Promise<Server> {
  const nginx = await startNginx({ folder: join(top, 'nginx'), root });
  const script = join(import.meta.dirname, 'delay-proxy.ts');
  const child = spawn(process.execPath, [script, `${LATENCY}`, new URL(nginx.url).port], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const port = await new Promise<number>((resolve, reject) => {
    child.stdout.once('data', (data: Buffer) => resolve(Number(data.toString())));
    child.once('exit', () => reject(new Error('The delaying proxy ended')));
  });
  // It is no reason for this process to go on.
  child.stdout.destroy();
  child.unref();
  return {
    url: nginx.url,
    distantUrl: `http://127.0.0.1:${port}`,
    [Symbol.dispose]: () => {
      child.kill();
      nginx[Symbol.dispose]();
    },
  };
}

/** A new repository with what is told, and the pull of `what` into it. */
export function pullFromServer(program: Program, repo: string, url: string, what: string, stored?: string): string[] {
  run(program.init(repo));
  for (const argv of program.addRemote(repo, url)) run(argv);
  if (stored !== undefined) run(program.pullRemote(repo, url, stored));
  return [...program.pullRemote(repo, url, what)];
}

/** A repository with the ref `stored`, and the pull of the ref `what` into it by a static delta. */
export function updateFromServer(program: Program, repo: string, url: string, what: string, stored: string): string[] {
  pullFromServer(program, repo, url, what, stored);
  return [...program.pullDelta(repo, url, what, stored)];
}

/**
 * Adds to an archive repository a commit with the tree of `debian/2` and no parent, and the static delta from `debian/1` to `debian/2`.
 * @returns the checksum of that commit.
 */
export function prepareArchive(repo: string): string {
  const place = `--repo=${repo}`;
  const options = [
    '--orphan',
    '--subject=debian/2',
    '--timestamp=2025-02-01T00:00:00Z',
    '--no-bindings',
    '--parent=none',
  ];
  const commit = run(['ostree', place, 'commit', ...options, '--tree=ref=debian/2']).trim();
  run(['ostree', place, 'static-delta', 'generate', '--from=debian/1', '--to=debian/2']);
  run(['ostree', place, 'summary', '--update']);
  return commit;
}
