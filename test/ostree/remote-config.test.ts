import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { CfsError } from '../../bytes/errors.ts';
import { KeyFile } from '../../ostree/key-file.ts';
import { parseRemoteConfig, setRemoteConfig, verifyPullable, type RemoteConfig } from '../../ostree/remote-config.ts';
import { fuzzRuns } from '../fuzz-runs.ts';

const parse = (...lines: readonly string[]): RemoteConfig =>
  parseRemoteConfig('o', KeyFile.parse(`[remote "o"]\n${lines.join('\n')}\n`, 'config'));
const url = 'url=https://example.org/repo';
const none = { key: undefined, file: undefined };

const defaults: RemoteConfig = {
  name: 'o',
  location: { kind: 'base', url: 'https://example.org/repo' },
  contentLocation: undefined,
  branches: [],
  gpgVerify: true,
  gpgVerifySummary: false,
  gpgKeyPaths: [],
  signVerify: 'none',
  signVerifySummary: 'none',
  verification: { ed25519: none, spki: none },
  collectionId: undefined,
  tlsPermissive: false,
  tlsCaPath: undefined,
  tlsClient: undefined,
  proxy: undefined,
  http2: true,
  unconfiguredState: undefined,
  customBackend: undefined,
};

const key32 = Buffer.alloc(32, 5).toString('base64');
const everything: RemoteConfig = {
  name: 'o',
  location: { kind: 'mirrorlist', url: 'https://example.org/mirrors' },
  contentLocation: { kind: 'base', url: 'file:///srv/content' },
  branches: ['a/b', 'c'],
  gpgVerify: false,
  gpgVerifySummary: true,
  gpgKeyPaths: ['/etc/keys/a.asc', '/etc/keys/b;c'],
  signVerify: ['ed25519', 'spki'],
  signVerifySummary: 'all',
  verification: { ed25519: { key: key32, file: undefined }, spki: { key: 'AAAA', file: '/etc/spki' } },
  collectionId: 'org.example.C',
  tlsPermissive: true,
  tlsCaPath: '/ca',
  tlsClient: { certPath: '/cert', keyPath: 'pkcs11:object=x;type=private' },
  proxy: '',
  http2: false,
  unconfiguredState: ' subscribe\\first\n',
  customBackend: undefined,
};

test('parseRemoteConfig() has a default for every key but url', () => assert.deepEqual(parse(url), defaults));

const rows: readonly (readonly [lines: readonly string[], expected: Partial<RemoteConfig>])[] = [
  [['url=mirrorlist=http://m/'], { location: { kind: 'mirrorlist', url: 'http://m/' } }],
  [['metalink=http://m/x.xml'], { location: { kind: 'metalink', url: 'http://m/x.xml' } }],
  [[url, 'metalink=http://m/x.xml'], { location: { kind: 'metalink', url: 'http://m/x.xml' } }],
  [[url, 'contenturl=mirrorlist=http://c/'], { contentLocation: { kind: 'mirrorlist', url: 'http://c/' } }],
  [[url, 'branches=a/b;c;'], { branches: ['a/b', 'c'] }],
  [[url, 'gpg-verify=false', 'gpg-verify-summary=1'], { gpgVerify: false, gpgVerifySummary: true }],
  [[url, 'gpgkeypath=/a,/b;/c;'], { gpgKeyPaths: ['/a', '/b', '/c'] }],
  [[url, 'sign-verify=true', 'sign-verify-summary=1'], { signVerify: 'all', signVerifySummary: 'all' }],
  [[url, 'sign-verify=', 'sign-verify-summary=0'], {}],
  [[url, 'sign-verify=ed25519;', 'sign-verify-summary=false'], { signVerify: ['ed25519'] }],
  [[url, 'sign-verify=ed25519,spki'], { signVerify: ['ed25519', 'spki'] }],
  [[url, 'sign-verify=spki;spki'], { signVerify: ['spki'] }],
  [
    [url, `verification-ed25519-key=${key32}`, 'verification-spki-file=/k'],
    { verification: { ed25519: { key: key32, file: undefined }, spki: { key: undefined, file: '/k' } } },
  ],
  [[url, 'collection-id=org.a.B'], { collectionId: 'org.a.B' }],
  [[url, 'collection-id=', 'contenturl=', 'tls-ca-path='], {}],
  [[url, 'tls-permissive=true', 'tls-ca-path=/ca'], { tlsPermissive: true, tlsCaPath: '/ca' }],
  [
    [url, 'tls-client-cert-path=/c', 'tls-client-key-path=pkcs11:x'],
    { tlsClient: { certPath: '/c', keyPath: 'pkcs11:x' } },
  ],
  [[url, 'proxy=http://p:3128', 'http2=false'], { proxy: 'http://p:3128', http2: false }],
  [[url, 'proxy='], { proxy: '' }],
  [[url, String.raw`unconfigured-state=run\sthis`], { unconfiguredState: 'run this' }],
  [['custom-backend=x'], { location: undefined, customBackend: 'x' }],
  [['custom-backend=x', 'url=oci+https://x'], { location: { kind: 'base', url: 'oci+https://x' }, customBackend: 'x' }],
  [[url, 'xa.title=unknown keys are ignored'], {}],
];
for (const [lines, expected] of rows) {
  test(`parseRemoteConfig() reads ${lines.join(' ')}`, () => {
    assert.deepEqual(parse(...lines), { ...defaults, ...expected });
  });
}

const corrupt: readonly (readonly [lines: readonly string[], key: string, problem: RegExp])[] = [
  [[], 'url', /No "url" option in remote "o"/],
  [['url='], 'url', /No "url" option in remote "o"/],
  [['url=ftp://x/'], 'url', /Invalid URI scheme in ftp:\/\/x\/$/],
  [['url=ftp://me:secret@x/'], 'url', /Invalid URI scheme in ftp:\/\/x\/$/],
  [['url=mirrorlist=example.org'], 'url', /'example\.org' is not a URL/],
  [['url=../repo'], 'url', /is not a URL/],
  [['metalink=data:x'], 'metalink', /Invalid URI scheme/],
  [[url, 'contenturl=x'], 'contenturl', /is not a URL/],
  [[url, 'branches=a;../b'], 'branches', /Invalid ref name \.\.\/b/],
  [[url, 'gpg-verify=no'], 'gpg-verify', /'no' is not a boolean/],
  [[url, 'gpg-verify='], 'gpg-verify', /'' is not a boolean/],
  [[url, 'gpg-verify-summary=maybe'], 'gpg-verify-summary', /not a boolean/],
  [[url, 'http2=2'], 'http2', /not a boolean/],
  [[url, 'sign-verify=yes'], 'sign-verify', /Requested signature type is not implemented: 'yes'/],
  [[url, 'sign-verify=ed25519;dummy'], 'sign-verify', /not implemented: 'dummy'/],
  [[url, 'sign-verify-summary=;'], 'sign-verify-summary', /names no signature type/],
  [[url, 'verification-ed25519-key=AAAA'], 'verification-ed25519-key', /a key of 3 bytes, expected 32/],
  [[url, 'verification-spki-key=?'], 'verification-spki-key', /not base64/],
  [[url, 'collection-id=a b'], 'collection-id', /Invalid collection ID a b/],
  [
    [url, 'tls-client-cert-path=/c'],
    'tls-client-key-path',
    /Remote "o" must specify both "tls-client-cert-path" and "tls/,
  ],
  [[url, 'tls-client-key-path=/c'], 'tls-client-cert-path', /Remote "o" must specify both/],
  [[url, String.raw`tls-ca-path=\x`], 'tls-ca-path', /invalid escape/],
];
for (const [lines, key, problem] of corrupt) {
  test(`parseRemoteConfig() rejects ${lines.join(' ') || 'an empty group'}`, () => {
    assert.throws(() => parse(...lines), { code: 'FORMAT', field: `remote "o".${key}`, message: problem });
  });
}

test('parseRemoteConfig() rejects a name that no remote can have', () => {
  const file = KeyFile.parse('[remote "../x"]\nurl=http://x/\n');
  assert.throws(() => parseRemoteConfig('../x', file), { code: 'FORMAT', message: 'Invalid remote name ../x' });
});

test('setRemoteConfig() writes what parseRemoteConfig() reads', () => {
  const backend: RemoteConfig = { ...defaults, location: undefined, customBackend: 'x' };
  for (const config of [defaults, everything, backend, parse('metalink=https://m/')]) {
    const file = new KeyFile();
    setRemoteConfig(file, config);
    assert.deepEqual(parseRemoteConfig('o', KeyFile.parse(file.toString())), config);
  }
  const file = new KeyFile();
  setRemoteConfig(file, defaults);
  assert.equal(file.toString(), '[remote "o"]\nurl=https://example.org/repo\n');
});

test('setRemoteConfig() replaces the group and leaves others alone', () => {
  const file = KeyFile.parse(
    '[core]\nmode=bare\n[remote "o"]\nurl=http://old/\nxa.title=x\n[remote "p"]\nurl=http://p/\n',
  );
  setRemoteConfig(file, defaults);
  const written = KeyFile.parse(file.toString());
  assert.deepEqual(written.keys('remote "o"'), ['url']);
  assert.deepEqual(written.groups().sort(), ['core', 'remote "o"', 'remote "p"']);
});

test('setRemoteConfig() changes nothing when it refuses', () => {
  const text = '[remote "o"]\nurl=http://old/\n';
  for (const bad of [
    { ...defaults, location: undefined },
    { ...defaults, location: { kind: 'base', url: 'ftp://x/' } as const },
    { ...defaults, gpgKeyPaths: ['/a,b'] },
    { ...defaults, collectionId: 'x' },
    { ...defaults, name: 'a b' },
    { ...defaults, signVerify: [] },
  ]) {
    const file = KeyFile.parse(text);
    assert.throws(() => setRemoteConfig(file, bad), { code: 'FORMAT' });
    assert.equal(file.toString(), text);
  }
});

test('verifyPullable() says why nothing can be pulled', () => {
  verifyPullable(defaults);
  assert.throws(() => verifyPullable({ ...defaults, unconfiguredState: 'subscribe first' }), {
    message: 'remote unconfigured-state: subscribe first',
  });
  assert.throws(() => verifyPullable({ ...defaults, customBackend: 'X' }), {
    code: 'UNSUPPORTED',
    message: "Cannot fetch via libostree - remote 'o' uses custom backend 'X'",
  });
});

test('parseRemoteConfig() gives only a CfsError, or what it reads again from what is written', () => {
  const keys = [
    'url',
    'contenturl',
    'metalink',
    'branches',
    'gpg-verify',
    'gpgkeypath',
    'sign-verify',
    'verification-ed25519-key',
    'collection-id',
    'tls-client-cert-path',
    'tls-client-key-path',
    'proxy',
    'http2',
    'unconfigured-state',
    'custom-backend',
  ];
  const sane = fc.constantFrom(
    'http://x/',
    'mirrorlist=file:///x',
    'true',
    '0',
    'a/b;c',
    'ed25519',
    key32,
    'org.a.B',
    '',
  );
  const value = fc.oneof(sane, fc.string({ maxLength: 12 }), fc.string({ unit: 'binary', maxLength: 12 }));
  const line = fc.tuple(fc.constantFrom(...keys), value).map(([key, text]) => `${key}=${text}`);
  fc.assert(
    fc.property(fc.array(line, { maxLength: 6 }), (lines) => {
      let config: RemoteConfig;
      const file = new KeyFile();
      try {
        config = parse('url=http://x/', ...lines);
        setRemoteConfig(file, config);
      } catch (error) {
        assert(error instanceof CfsError, error instanceof Error ? error.stack : String(error));
        return;
      }
      assert.deepEqual(parseRemoteConfig('o', KeyFile.parse(file.toString())), config);
    }),
    { numRuns: fuzzRuns },
  );
});
