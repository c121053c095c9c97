import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  closeSync,
  constants,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { hasCode } from '../../bytes/errors.ts';
import { SystemError } from '../../src/linux/errno.ts';
import { linkOpenFile, O_TMPFILE, renameNoReplace, syncfs } from '../../src/linux/files.ts';
import { lockHolders, tryLock, unlock } from '../../src/linux/flock.ts';
import { enableVerity, measureVerity, reflink } from '../../src/linux/ioctl.ts';
import { getXattr, listXattrs, setXattr } from '../../src/linux/xattr.ts';
import { needs } from '../needs.ts';

const directory = mkdtempSync(join(tmpdir(), 'cfs-linux-'));
after(() => rmSync(directory, { recursive: true, force: true }));

function path(name: string): string {
  return join(directory, name);
}

function withFile<T>(name: string, use: (fd: number) => T, flags = constants.O_RDWR | constants.O_CREAT): T {
  const fd = openSync(path(name), flags, 0o644);
  try {
    return use(fd);
  } finally {
    closeSync(fd);
  }
}

test('SystemError names the errno like Node does, also where libuv has no name', () => {
  const error = new SystemError(2, 'linkat', 'objects/aa');
  assert.equal(error.message, "ENOENT: no such file or directory, linkat 'objects/aa'");
  assert.deepEqual([error.code, error.errno, error.path], ['ENOENT', -2, 'objects/aa']);
  assert.equal(new SystemError(15, 'fsconfig').code, 'ENOTBLK');
  assert.equal(new SystemError(95, 'ioctl').code, 'ENOTSUP');
  assert.equal(new SystemError(4000, 'x').code, 'E4000');
});

test('linkOpenFile() names an unnamed file, and answers EEXIST and ENOENT', () => {
  const dirFd = openSync(directory, constants.O_RDONLY | constants.O_DIRECTORY);
  const fd = openSync(directory, O_TMPFILE | constants.O_RDWR, 0o644);
  writeSync(fd, 'content');
  assert.equal(linkOpenFile(fd, dirFd, 'missing/name'), 2);
  assert.equal(linkOpenFile(fd, dirFd, 'name'), 0);
  assert.equal(linkOpenFile(fd, dirFd, 'name'), 17);
  assert.equal(readFileSync(path('name'), 'utf8'), 'content');
  assert.throws(
    () => linkOpenFile(fd, dirFd, 'name/below'),
    (error) => hasCode(error, 'ENOTDIR'),
  );
  syncfs(dirFd);
  closeSync(fd);
  closeSync(dirFd);
});

test('renameNoReplace() renames once', () => {
  writeFileSync(path('from'), '1');
  assert.equal(renameNoReplace(path('from'), path('to')), true);
  writeFileSync(path('from'), '2');
  assert.equal(renameNoReplace(path('from'), path('to')), false);
  assert.equal(readFileSync(path('to'), 'utf8'), '1');
});

test('syncfs() of a closed descriptor throws EBADF', () => {
  assert.throws(() => syncfs(999), { code: 'EBADF', syscall: 'syncfs' });
});

test('getXattr() and listXattrs() read what setXattr() wrote, by path and by descriptor, beyond the first buffer', () => {
  withFile('attributes', (fd) => {
    assert.deepEqual(listXattrs(fd), []);
    const large = Buffer.alloc(3000, 'x');
    setXattr(path('attributes'), 'user.small', Buffer.from('value'));
    setXattr(fd, 'user.b\xe9ta', new Uint8Array(0));
    assert.equal(Buffer.from(getXattr(fd, 'user.small') ?? []).toString(), 'value');
    assert.equal(getXattr(path('attributes'), 'user.b\xe9ta')?.length, 0);
    assert.equal(getXattr(fd, 'user.absent'), undefined);
    assert.deepEqual(listXattrs(path('attributes')).toSorted(), ['user.b\xe9ta', 'user.small']);
    setXattr(fd, 'user.small', large);
    assert.deepEqual(Buffer.from(getXattr(Buffer.from(path('attributes')), 'user.small') ?? []), large);
  });
  assert.throws(() => getXattr(path('nothing'), 'user.a'), {
    code: 'ENOENT',
    syscall: 'lgetxattr',
    path: path('nothing'),
  });
});

test('getXattr() grows its buffer for a value of 64 KiB', { skip: needs('root') }, (t) => {
  try {
    mkdirSync('/dev/shm', { recursive: true });
    writeFileSync('/dev/shm/cfs-xattr-test', '');
    t.after(() => rmSync('/dev/shm/cfs-xattr-test'));
    setXattr('/dev/shm/cfs-xattr-test', 'trusted.large', Buffer.alloc(65536, 7));
  } catch (error) {
    t.skip(`no large trusted xattr on /dev/shm: ${String(error)}`);
    return;
  }
  assert.deepEqual(Buffer.from(getXattr('/dev/shm/cfs-xattr-test', 'trusted.large') ?? []), Buffer.alloc(65536, 7));
});

test('reflink() and fs-verity either work or say ENOTSUP, EINVAL, ENOTTY, EXDEV', () => {
  writeFileSync(path('source'), Buffer.alloc(8192, 1));
  const refused = (error: unknown): boolean => hasCode(error, 'ENOTSUP', 'EINVAL', 'ENOTTY', 'EXDEV');
  withFile('source', (source) => {
    withFile('copy', (copy) => {
      try {
        reflink(copy, source);
        assert.ok(statSync(path('copy')).size > 0);
      } catch (error) {
        assert.ok(refused(error), String(error));
      }
    });
  });
  withFile(
    'source',
    (fd) => assert.ok(['missing', 'unsupported'].includes(measureVerity(fd) as string)),
    constants.O_RDONLY,
  );
  withFile(
    'source',
    (fd) => {
      try {
        enableVerity(fd, 1);
        assert.notEqual(typeof measureVerity(fd), 'string');
      } catch (error) {
        assert.ok(refused(error), String(error));
      }
    },
    constants.O_RDONLY,
  );
});

test('tryLock() excludes another descriptor, and lockHolders() names the holder', () => {
  withFile('lock', (first) => {
    withFile('lock', (second) => {
      assert.equal(tryLock(first, 'shared'), true);
      assert.equal(tryLock(second, 'shared'), true);
      assert.equal(tryLock(second, 'exclusive'), false);
      unlock(first);
      assert.equal(tryLock(second, 'exclusive'), true);
      assert.equal(tryLock(first, 'shared'), false);
      const [holder] = lockHolders(path('lock'));
      assert.equal(holder?.kind, 'exclusive');
      assert.equal(holder?.pid, process.pid);
      assert.match(holder?.command ?? '', /linux\.test\.ts/);
    });
  });
  assert.deepEqual(lockHolders(path('absent')), []);
});

test('lockHolders() names another process', { skip: needs('flock') }, async () => {
  writeFileSync(path('other'), '');
  const child = spawn('flock', [path('other'), 'sh', '-c', 'echo locked; cat'], { stdio: ['pipe', 'pipe', 'ignore'] });
  try {
    await once(child.stdout, 'data');
    assert.equal(lockHolders(path('other'))[0]?.pid, child.pid);
    assert.match(lockHolders(path('other'))[0]?.command ?? '', /flock/);
  } finally {
    child.stdin.end();
  }
});

const skipBtrfs = needs('root', 'mkfs.btrfs', 'loop devices', 'Btrfs in the kernel');

test('reflink() copies on btrfs', { skip: skipBtrfs }, () => {
  const image = path('btrfs.image');
  const mount = path('btrfs');
  mkdirSync(mount);
  execFileSync('truncate', ['-s', '128M', image]);
  execFileSync('mkfs.btrfs', ['-q', image], { stdio: 'ignore' });
  execFileSync('mount', ['-o', 'loop', image, mount], { stdio: 'ignore' });
  try {
    const content = Buffer.alloc(8192, 'ab');
    writeFileSync(join(mount, 'source'), content);
    withFile('btrfs/source', (source) => {
      withFile('btrfs/whole', (copy) => reflink(copy, source));
    });
    assert.deepEqual(readFileSync(join(mount, 'whole')), content);
    assert.throws(
      () => withFile('source', (source) => withFile('btrfs/other', (copy) => reflink(copy, source))),
      (error) => hasCode(error, 'EXDEV'),
    );
  } finally {
    execFileSync('umount', [mount]);
  }
});
