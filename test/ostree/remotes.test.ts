import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { KeyFile } from '../../ostree/key-file.ts';
import { openLocalRepository } from '../../ostree/local/repository.ts';
import { addRemote, readRemotesDirectory, removeRemote, Remotes, remotesOf } from '../../ostree/remotes.ts';
import { needs } from '../needs.ts';
import { ostree } from './real-ostree.ts';

function inFolder(body: (root: string) => void): void {
  const root = mkdtempSync(join(tmpdir(), 'cfs-remotes-'));
  try {
    body(root);
  } finally {
    rmSync(root, { recursive: true });
  }
}

const file = (path: string, text: string) => ({ path, keyFile: KeyFile.parse(text) });
const remote = (name: string, ...lines: string[]): string => `[remote "${name}"]\n${lines.join('\n')}\n`;

test('Remotes.get() takes a missing key from the parent, key by key', () => {
  const remotes = new Remotes([
    [file('/child/config', remote('up', 'gpg-verify=false', 'branches=x'))],
    [file('/parent/config', remote('up', 'url=http://p/', 'branches=y', 'collection-id=org.a.A'))],
    [file('/grandparent/config', remote('up', 'url=http://g/', 'http2=false') + remote('far', 'url=http://f/'))],
  ]);
  assert.deepEqual(remotes.names(), ['far', 'up']);
  const up = remotes.get('up');
  assert.equal(up.location?.url, 'http://p/');
  assert.equal(up.gpgVerify, false);
  assert.deepEqual(up.branches, ['x']);
  assert.equal(up.collectionId, 'org.a.A');
  assert.equal(up.http2, false);
  assert.equal(remotes.get('far').location?.url, 'http://f/');
  assert.deepEqual(
    remotes.filesOf('up').map(({ path }) => path),
    ['/child/config', '/parent/config', '/grandparent/config'],
  );
});

test('Remotes says what is not there, and which files an error is about', () => {
  const remotes = new Remotes([
    [file('/a/config', remote('o', 'url=x'))],
    [file('/b/config', remote('o', 'http2=true'))],
  ]);
  assert.throws(() => remotes.get('zz'), { code: 'NOT_FOUND', message: 'Remote "zz" not found' });
  assert(remotes.has('o') && !remotes.has('zz'));
  assert.throws(() => remotes.get('o'), {
    code: 'FORMAT',
    message: /Invalid configuration \/a\/config, \/b\/config: .*'x' is not/,
  });
});

test('Remotes refuses a remote in two files of one repository', () => {
  const twice = [file('/repo/config', remote('X', 'url=http://a/')), file('/d/x.conf', remote('X', 'url=http://a/'))];
  assert.throws(() => new Remotes([twice]), {
    code: 'FORMAT',
    message: 'Multiple specifications found for remote "X" (/repo/config, /d/x.conf)',
  });
});

test('readRemotesDirectory() takes files *.conf in order; no folder is no files', () => {
  inFolder((root) => {
    writeFileSync(join(root, 'b.conf'), remote('b', 'url=http://b/'));
    writeFileSync(join(root, 'a.conf'), `${remote('a', 'url=http://a/')}[other]\nx=y\n`);
    writeFileSync(join(root, 'c.conf.bak'), 'no key file');
    const files = readRemotesDirectory(root);
    assert.deepEqual(
      files.map(({ path }) => path),
      [join(root, 'a.conf'), join(root, 'b.conf')],
    );
    assert.deepEqual(new Remotes([files]).names(), ['a', 'b']);
    assert.deepEqual(readRemotesDirectory(join(root, 'none')), []);
    writeFileSync(join(root, 'd.conf'), 'no key file');
    assert.throws(() => readRemotesDirectory(root), { code: 'FORMAT', format: `remotes file ${join(root, 'd.conf')}` });
  });
});

test('addRemote() and removeRemote() change the key file and nothing twice', () => {
  const config = file('/r/config', '[core]\nrepo_version=1\n');
  const o = new Remotes([[file('/x', remote('o', 'url=http://o/'))]]).get('o');
  addRemote(config, o);
  assert.equal(config.keyFile.toString(), '[core]\nrepo_version=1\n\n[remote "o"]\nurl=http://o/\n');
  assert.throws(() => addRemote(config, o), {
    code: 'CONFLICT',
    message: 'Remote configuration for "o" already exists: /r/config',
  });
  addRemote(config, { ...o, http2: false }, { replace: true });
  assert.equal(new Remotes([[config]]).get('o').http2, false);
  removeRemote(config, 'o');
  assert.throws(() => removeRemote(config, 'o'), { code: 'NOT_FOUND', message: 'Remote "o" not found' });
});

test(
  'remotesOf() reads what `ostree remote add` writes, and `ostree` what addRemote() writes',
  { skip: needs('ostree') },
  () => {
    inFolder((root) => {
      const [parent, child, folder] = [join(root, 'parent'), join(root, 'child'), join(root, 'remotes.d')] as const;
      ostree('init', `--repo=${parent}`, '--mode=archive');
      const add = (...args: string[]): string => ostree('remote', 'add', `--repo=${parent}`, ...args);
      add('up', '--no-gpg-verify', '--contenturl=http://c/', 'http://u/', 'a/b', 'c');
      add(
        'meta',
        '--collection-id=org.a.B',
        '--set=tls-permissive=true',
        '--set=proxy=http://p/',
        'metalink=http://m/',
      );
      add('mirrors', '--custom-backend=X', 'mirrorlist=http://m/');
      ostree('init', `--repo=${child}`, '--mode=archive');
      const config = join(child, 'config');
      const text = `${readFileSync(config, 'utf8').replace('[core]\n', `[core]\nparent=${parent}\n`)}${remote('up', 'gpg-verify-summary=true')}`;
      writeFileSync(config, text);
      mkdirSync(folder);
      writeFileSync(join(folder, 'd.conf'), remote('d', 'url=http://d/'));

      const remotes = remotesOf(openLocalRepository(child), [folder]);
      assert.deepEqual(remotes.names(), ['d', 'meta', 'mirrors', 'up']);
      const up = remotes.get('up');
      assert.deepEqual(
        [up.location?.url, up.contentLocation?.url, up.branches, up.gpgVerify, up.gpgVerifySummary],
        ['http://u/', 'http://c/', ['a/b', 'c'], false, true],
      );
      assert.equal(ostree('remote', 'show-url', `--repo=${child}`, 'up').trim(), 'http://u/');
      const meta = remotes.get('meta');
      assert.deepEqual(
        [meta.location?.kind, meta.collectionId, meta.tlsPermissive, meta.proxy],
        ['metalink', 'org.a.B', true, 'http://p/'],
      );
      assert.deepEqual(
        [remotes.get('mirrors').location?.kind, remotes.get('mirrors').customBackend],
        ['mirrorlist', 'X'],
      );

      const written = file(config, text);
      addRemote(written, { ...up, name: 'copy' });
      writeFileSync(config, written.keyFile.toString());
      assert.equal(ostree('remote', 'show-url', `--repo=${child}`, 'copy').trim(), 'http://u/');
      assert.deepEqual(ostree('remote', 'list', `--repo=${child}`).trim().split('\n').sort(), [
        'copy',
        'meta',
        'mirrors',
        'up',
      ]);
    });
  },
);
