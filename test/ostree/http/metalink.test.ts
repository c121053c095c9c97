import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { suite, test } from 'node:test';
import fc from 'fast-check';
import { FormatError } from '../../../bytes/errors.ts';
import { fetchMetalink, parseMetalink } from '../../../ostree/http/metalink.ts';
import { parseXml } from '../../../ostree/http/xml.ts';
import { fuzzRuns } from '../../fuzz-runs.ts';
import { openServer, openTransport } from './open-transport.ts';

const summary = 'a summary';
const [sha256, sha512] = ['sha256', 'sha512'].map((name) => createHash(name).update(summary).digest('hex'));
const goodHash = `<hash type="md5">00</hash><hash type="sha256">${sha256}</hash><hash type="sha512">${sha512}</hash>`;

interface Parts {
  readonly name?: string;
  readonly size?: string;
  readonly verification?: string;
  readonly resources?: string;
}

function metalink({ name = 'summary', size = '<size>9</size>', verification, resources }: Parts): string {
  const urls = resources ?? '<url protocol="http" type="http" preference="100">http://a/repo/summary</url>';
  return `<?xml version="1.0" encoding="utf-8"?>
<metalink version="3.0" xmlns="http://www.metalinker.org/">
 <files>
  <file name="other"><size>1</size></file>
  <file name="${name}">${size}
   <verification>${verification ?? goodHash}</verification>
   <resources maxconnections="1"><!-- here --> ${urls}</resources>
  </file>
 </files>
</metalink>
`;
}

suite('parseMetalink()', () => {
  test('reads size, the best hash and the URLs', () => {
    const resources =
      '<url protocol="ftp">ftp://a/summary</url><url protocol="https">\n https://u:p@b/x?a=1&amp;b=2 </url><url protocol="http">http://c/y</url>';
    const urls = ['https://b/x?a=1&b=2', 'http://c/y'];
    assert.deepEqual(parseMetalink(metalink({ resources })), {
      size: 9,
      hash: { algorithm: 'sha512', hex: sha512 },
      urls,
    });
    const verification = `<hash type='sha256'>\n${sha256}\n</hash>`;
    assert.deepEqual(parseMetalink(metalink({ verification })).hash, { algorithm: 'sha256', hex: sha256 });
  });

  const rows: [name: string, text: string, problem: RegExp][] = [
    ['no file', '<metalink><files/></metalink>', /No <file> element found/],
    ['no summary', metalink({ name: 'x' }), /No <file name='summary'> found/],
    ['no size', metalink({ size: '' }), /No <size> element found or it is zero/],
    ['a size of zero', metalink({ size: '<size>0</size>' }), /No <size> element found or it is zero/],
    ['a size that is no number', metalink({ size: '<size>9x</size>' }), /No <size> element found or it is zero/],
    ['too large a size', metalink({ size: '<size>134217729</size>' }), /exceed the maximum/],
    ['no hash', metalink({ verification: '' }), /No <verification> element with known <hash type=> found/],
    ['only an unknown hash', metalink({ verification: '<hash type="md5">00</hash>' }), /known <hash type=>/],
    [
      'a hash that is no hex',
      metalink({ verification: '<hash type="sha256">bad hash</hash>' }),
      /Invalid hash digest for sha256/,
    ],
    [
      'a hash in upper case',
      metalink({ verification: `<hash type="sha256">${sha256?.toUpperCase()}</hash>` }),
      /Invalid hash digest/,
    ],
    [
      'a short sha512',
      metalink({ verification: `<hash type="sha512">${sha256}</hash>` }),
      /Invalid hash digest for sha512/,
    ],
    ['no URL', metalink({ resources: '' }), /No <url>/],
    ['only other protocols', metalink({ resources: '<url protocol="ftp">ftp://a/</url>' }), /No <url>/],
    ['another root', '<html/>', /expected <metalink>/],
    ['nothing', '', /no element/],
    ['an end too early', metalink({}).slice(0, -13), /no end tag/],
    ['tags that cross', '<metalink><a><b></a></b></metalink>', /end tag without/],
    ['no XML', 'bad xml', /text outside/],
    ['a bare <', '<metalink><files> < </files></metalink>', /cannot be read/],
    ['a DOCTYPE', '<!DOCTYPE x [<!ENTITY a "b">]><metalink/>', /DOCTYPE/],
    ['an unknown entity', '<metalink>&a;</metalink>', /unknown entity/],
    ['a bare &', '<metalink>a & b</metalink>', /unknown entity/],
    ['an attribute twice', '<metalink a="1" a="2"/>', /given twice/],
    ['two roots', '<metalink/><metalink/>', /second root/],
    ['too deep a tree', '<a>'.repeat(1000), /too many elements/],
    ['a comment without end', `<!--${'-'.repeat(100_000)}`, /cannot be read/],
  ];
  for (const [name, text, problem] of rows) {
    test(`refuses ${name}`, () => {
      assert.throws(
        () => parseMetalink(text),
        (error: unknown) => error instanceof FormatError && problem.test(error.message),
      );
    });
  }
});

suite('parseXml()', () => {
  test('reads attributes, entities, CDATA, namespaces and comments', () => {
    const root = parseXml(
      `\ufeff<?xml version='1.0'?><!-- a --><m:r a="&lt;&#65;" b='"'>x<![CDATA[<&]]><c/>&#x41;&apos;</m:r >\n`,
    );
    assert.equal(root.name, 'r');
    assert.deepEqual(Array.from(root.attributes), [
      ['a', '<A'],
      ['b', '"'],
    ]);
    assert.equal(root.text, "x<&A'");
    assert.deepEqual(
      root.children.map(({ name }) => name),
      ['c'],
    );
  });

  test('fails with a FormatError only', () => {
    const piece = fc.oneof(
      fc.constantFrom(
        '<a>',
        '</a>',
        '<',
        '>',
        '&',
        ';',
        '<!--',
        '-->',
        '<![CDATA[',
        ']]>',
        '"',
        "'",
        '=',
        ' b="',
        '/',
        '<?',
        '&#x110000;',
      ),
      fc.string(),
    );
    fc.assert(
      fc.property(fc.array(piece), (pieces) => {
        try {
          parseXml(`<a>${pieces.join('')}</a>`);
        } catch (error) {
          assert.ok(error instanceof FormatError);
        }
      }),
      { numRuns: fuzzRuns },
    );
  });
});

suite('fetchMetalink()', () => {
  test('takes the first target with the right bytes', async (t) => {
    const good = await openServer(t, { 'repo/summary': summary });
    const wrong = await openServer(t, { 'repo/summary': 'b summary' });
    const short = await openServer(t, { 'repo/summary': 'short' });
    const long = await openServer(t, { 'repo/summary': `${summary} and more` });
    const lacking = await openServer(t, {});
    const servers = [lacking, wrong, short, long, good];
    const resources = servers.map(({ url }) => `<url protocol="http">${url}/repo/summary</url>`).join('\n');
    const list = await openServer(t, { m: metalink({ resources }) });
    const result = await fetchMetalink(openTransport(t), `${list.url}/m`);
    assert.deepEqual([Buffer.from(result.summary).toString(), result.base], [summary, `${good.url}/repo`]);
    assert.deepEqual(
      servers.map(({ requests }) => requests.length),
      [1, 1, 1, 1, 1],
    );
  });

  const rows: [name: string, parts: Parts, problem: RegExp][] = [
    [
      'a wrong sha512',
      { verification: `<hash type="sha512">${'0'.repeat(128)}</hash>` },
      /Expected sha512 digest is 000/,
    ],
    [
      'a wrong sha256',
      { verification: `<hash type="sha256">${'0'.repeat(64)}</hash>` },
      /Expected sha256 digest is 000/,
    ],
    ['too large a size', { size: '<size>10</size>' }, /Expected size is 10 bytes but content is 9 bytes/],
    ['too small a size', { size: '<size>8</size>' }, /exceeded maximum size of 8 bytes/],
  ];
  for (const [name, parts, problem] of rows) {
    test(`refuses ${name}`, async (t) => {
      const server = await openServer(t, { summary });
      const resources = `<url protocol="http">${server.url}/summary</url>`;
      const list = await openServer(t, { m: metalink({ ...parts, resources }) });
      await assert.rejects(fetchMetalink(openTransport(t), `${list.url}/m`), (error: unknown) => {
        assert.match(String(error), /Exhausted 1 metalink targets, last error: /);
        assert.match(String(error), problem);
        return true;
      });
    });
  }
});
