/**
 * The process in which libostree runs, through node-gtk, which loads on the main thread of a process only and aborts it where a
 * call does not fit. It answers what `protocol.ts` describes, and ends with its standard input.
 */
import { closeSync, writeSync } from 'node:fs';
import { createInterface } from 'node:readline';
import gi, { type AsyncProgress, type Repo } from 'node-gtk';
import {
  ANSWERS,
  FRAME_HEADER,
  INLINE_SIZE,
  type Answer,
  type CallName,
  type Calls,
  type Request,
} from './protocol.ts';
import { Scratch } from './scratch.ts';

const OSTree = gi.require('OSTree', '1.0');
const Gio = gi.require('Gio', '2.0');
const GLib = gi.require('GLib', '2.0');

/** Milliseconds between looks whether the parent is still there, while libostree has the thread. */
const LOOK = 250;
const NOTHING = new Uint8Array(0);

const parent = process.ppid;

function end(): never {
  // Nothing in here needs an orderly end, and libostree may be on the stack.
  process.kill(process.pid, 'SIGKILL');
  throw new Error('ended');
}

function send(answer: Answer, bytes: Uint8Array = NOTHING): void {
  const json = Buffer.from(JSON.stringify(answer));
  const header = Buffer.alloc(FRAME_HEADER);
  header.writeUInt32BE(json.length, 0);
  header.writeUInt32BE(bytes.length, 4);
  const frame = Buffer.concat([header, json, bytes]);
  try {
    for (let done = 0; done < frame.length;) done += writeSync(ANSWERS, frame, done);
  } catch {
    end();
  }
}

/** What comes with an answer to `object`. */
let payload: Uint8Array = NOTHING;

const scratch = new Scratch();
let opened: Repo | undefined;
const repository = (): Repo => {
  if (opened === undefined) throw new Error('No repository was opened');
  return opened;
};

const report = (progress: AsyncProgress): void => {
  const [fetched, requested] = [progress.getUint('fetched'), progress.getUint('requested')];
  const [scanned, bytes] = [progress.getUint('scanned-metadata'), Number(progress.getUint64('bytes-transferred'))];
  send({ kind: 'progress', progress: { fetched, requested, scanned, bytes } });
};

const calls: { readonly [Name in CallName]: (args: Calls[Name][0]) => Calls[Name][1] } = {
  open({ path }) {
    const repo = OSTree.Repo.new(Gio.fileNewForPath(path));
    repo.open(null);
    opened = repo;
    return null;
  },
  spool({ directory }) {
    scratch.moveTo(directory);
    return null;
  },
  resolve: ({ rev }) => repository().resolveRevExt(rev, false, OSTree.RepoResolveRevExtFlags.LOCAL_ONLY)[1],
  refs: () => repository().listRefs(null, null)[1],
  object({ type, checksum }) {
    const state = type === OSTree.ObjectType.COMMIT ? repository().loadCommit(checksum)[2] : 0;
    const partial = (state & OSTree.RepoCommitState.PARTIAL) !== 0;
    const size = scratch.fill(repository().loadObjectStream(type, checksum, null)[1]);
    if (size > INLINE_SIZE) return { size, partial, fd: scratch.give() };
    payload = scratch.read(size);
    return { size, partial };
  },
  release({ fd }) {
    closeSync(fd);
    return null;
  },
  variant({ type, checksum }) {
    const variant = repository().loadVariant(type, checksum)[1];
    return { type: variant.getTypeString(), normal: variant.isNormalForm(), text: variant.print(true) };
  },
  count: () => Object.keys(repository().listObjects(OSTree.RepoListObjectsFlags.ALL, null)[1]).length,
  remotes: () => repository().remoteList() ?? [],
  remoteRefs: ({ remote }) => repository().remoteListRefs(remote, null)[1],
  pull({ remote, options }) {
    const progress = OSTree.AsyncProgress.new();
    progress.on('changed', () => report(progress));
    const watch = GLib.timeoutAdd(GLib.PRIORITY_DEFAULT, LOOK, () => process.ppid === parent || end());
    try {
      repository().pullWithOptions(remote, GLib.Variant.parse(null, options, null, null), progress, null);
      // Of a quick one it says nothing by itself.
      report(progress);
    } finally {
      GLib.sourceRemove(watch);
    }
    return null;
  },
  verify({ remote, commit }) {
    const result = repository().verifyCommitForRemote(commit, remote, null);
    return { signatures: result.countAll(), valid: result.countValid() };
  },
};

send({ kind: 'result', result: null });
for await (const line of createInterface({ input: process.stdin })) {
  const request = JSON.parse(line) as Request;
  const call = calls[request.call] as (args: Request['arguments']) => unknown;
  payload = NOTHING;
  try {
    const result = call(request.arguments);
    send({ kind: 'result', result }, payload);
  } catch (error) {
    send({ kind: 'error', message: error instanceof Error ? error.message : String(error) });
  }
}
end();
