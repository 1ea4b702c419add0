// What other sites can make a browser do, and what a browser with and without a certificate sees.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { generateKeyPairSync, sign } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { AGENT, create, end, files, fill, launch, startConsole, startServer, watch } from './lib.mjs';

/** A name and a tag with what markup they may have: they refuse quotes and angle brackets. */
const NAME = 'x onload=alert,6';
const TAG = 'javascript:alert/7/';

let server;
let browser;
let sample;

before(async () => {
  server = await startServer();
  sample = await fill(server);
  await create(server, NAME, { UserPoolTags: { stage: TAG } });
  browser = await launch();
});

after(() => end(browser));

test('hostile values are shown as text', async () => {
  const page = await browser.newPage();
  const problems = watch(page, server.console);
  const evil = encodeURIComponent('"><svg/onload=alert(1)><img src=x onerror=alert(2)>\u202e');
  const { pool, other } = sample;
  for (const path of [
    `/pools/${pool}`, `/pools/${pool}/history`, `/pools/${pool}/diff?from=2&to=3`,
    `/pools/${pool}/diff?from=2&to=3&view=unified&all=1`, `/pools/${other}/history`, '/log', '/domains/login',
    `/pools?q=${evil}`, `/pools?tag=${evil}`, `/log?actor=${evil}`, `/log?since=${evil}`, `/go?q=${evil}`,
    `/domains/${evil}`, `/pools/${evil}`, `/${evil}`, `/pools?since=${evil}`, `/pools/${pool}/diff?of=${evil}`,
    `/pools/${pool}?at=${evil}`, `/pools/${pool}/diff?from=${evil}&to=${evil}`, `/domains?q=${evil}`,
    `/log?address=${evil}`, `/log?correlation=${evil}`, `/pools?after=${evil}&back=${evil}`, '/pools?q=x%20onload',
  ]) {
    await page.goto(server.console + path);
    const foreign = await page.evaluate(() => document.querySelectorAll(
      'main img, main h1 ~ h1, [onload], [onerror], script:not([src^="/assets/"])',
    ).length);
    assert.equal(foreign, 0, path);
  }
  await page.goto(`${server.console}/pools/${pool}`);
  await page.getByText('<img src=x onerror=alert(1)>').first().waitFor();
  await page.goto(`${server.console}/pools?q=x%20onload`);
  await page.getByText(NAME).first().waitFor();
  await page.getByText(TAG).first().waitFor();
  assert.deepEqual(problems, []);
  await page.close();
});

test('hostile values in JSON and exports are data', async () => {
  const page = await browser.newPage();
  const problems = watch(page, server.console);
  for (const path of [`/pools/${sample.pool}.json`, `/pools/${sample.pool}/history.json`, '/log.json', '/log?since=x', '/log.json?since=%3Cimg%3E']) {
    const response = await page.goto(server.console + path);
    const isJson = path.includes('.json');
    assert.equal(response.headers()['content-type'].split(';')[0], isJson ? 'application/json' : 'text/html', path);
    assert.equal(response.headers()['x-content-type-options'], 'nosniff');
    if (isJson) JSON.parse(await response.text());
    assert.equal(await page.evaluate(() => document.querySelectorAll('img, svg[onload], h1 + img').length), 0, path);
  }
  const lines = (await (await fetch(`${server.console}/log/export.jsonl`)).text()).trim().split('\n');
  const agents = lines.map((line) => JSON.parse(line).actor.userAgent);
  assert.ok(agents.includes(AGENT), `${agents}`);
  assert.deepEqual(problems, []);
  await page.close();
});

test('the name of a token is text, and a role that is missing is named', async () => {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const keys = join(files, 'keys.pem');
  writeFileSync(keys, publicKey.export({ type: 'spki', format: 'pem' }));
  const SUBJECT = '<img src=x onerror=alert(5)>"';
  const guarded = await startServer({
    data: join(files, 'guarded'),
    options: [
      '--token-issuer', 'https://id.example.org', '--token-audience', 'userpool', '--token-keys', keys,
      '--readers', 'token:auditor',
    ],
  });
  const part = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const token = (sub) => {
    const now = Math.floor(Date.now() / 1000);
    const text = `${part({ alg: 'ES256', typ: 'JWT' })}.${part({
      iss: 'https://id.example.org', aud: 'userpool', sub, iat: now, exp: now + 3600,
    })}`;
    const signature = sign('sha256', Buffer.from(text), { key: privateKey, dsaEncoding: 'ieee-p1363' });
    return `Bearer ${text}.${signature.toString('base64url')}`;
  };
  for (const [subject, status, text] of [
    [SUBJECT, 403, `The server takes you for token:${SUBJECT}`], ['auditor', 200, 'User pools'],
  ]) {
    const context = await browser.newContext({ extraHTTPHeaders: { authorization: token(subject) } });
    const page = await context.newPage();
    const problems = watch(page, guarded.console);
    const response = await page.goto(`${guarded.console}/pools`);
    assert.equal(response.status(), status);
    await page.getByText(text).first().waitFor();
    assert.equal(await page.evaluate(() => document.querySelectorAll('main img').length), 0);
    assert.deepEqual(problems, []);
    await context.close();
  }
  // A token in an address, and a name that no server signed, say nothing.
  for (const [path, headers] of [
    [`/pools?token=${token('auditor').slice(7)}`, {}], ['/pools', { 'x-forwarded-user': 'auditor' }],
  ]) {
    assert.equal((await fetch(guarded.console + path, { headers })).status, 401, path);
  }
  await guarded.stop();
});

test('the link of a console opens once, and its cookie is for no script', async () => {
  const door = await startConsole(server);
  const context = await browser.newContext();
  const page = await context.newPage();
  await page.goto(door.link);
  await page.getByRole('heading', { name: 'User pools' }).waitFor();
  assert.equal(new URL(page.url()).pathname, '/pools');
  assert.equal(await page.evaluate(() => document.cookie), '');
  const [cookie] = await context.cookies();
  assert.deepEqual([cookie.httpOnly, cookie.sameSite, cookie.path], [true, 'Strict', '/']);
  assert.ok(cookie.name.endsWith(new URL(door.console).port), cookie.name);
  assert.ok(!door.link.includes(cookie.value));
  const stranger = await browser.newContext();
  const other = await stranger.newPage();
  assert.equal((await other.goto(door.link)).status(), 403);
  assert.equal((await other.goto(`${door.console}/pools`)).status(), 403);
  await other.getByRole('heading', { name: 'Open the link first' }).waitFor();
  assert.equal((await fetch(`${server.console}/pools`, { method: 'POST' })).status, 405);
  await stranger.close();
  await context.close();
  await door.stop();
});

test('another site reads nothing, shows nothing in a frame, and takes no name', async () => {
  const html = (_, response) => {
    response.setHeader('content-type', 'text/html');
    response.end('<title>another site</title>');
  };
  const site = createServer(html);
  await new Promise((done) => { site.listen(0, '127.0.0.1', done); });
  const page = await browser.newPage();
  await page.goto(`http://another.example:${site.address().port}/`);
  const statuses = [];
  page.on('response', (response) => statuses.push(response.status()));
  const port = new URL(server.console).port;
  for (const origin of [`http://127.0.0.1:${port}`, `http://localhost:${port}`]) {
    const read = await page.evaluate(async (url) => {
      const asked = await Promise.allSettled([fetch(url), fetch(url, { mode: 'no-cors' })]);
      return asked.map(({ value }) => value?.type ?? 'refused');
    }, `${origin}/pools`);
    assert.ok(!read.includes('basic') && !read.includes('cors'), `${read}`);
    await page.evaluate((url) => new Promise((done) => {
      const frame = document.createElement('iframe');
      frame.onload = done;
      frame.src = url;
      document.body.append(frame);
    }), `${origin}/pools`);
  }
  assert.ok(statuses.length > 0 && statuses.every((status) => status === 403), `${statuses}`);

  // A name that was made to lead to this machine.
  const rebound = await page.goto(`http://attacker.example:${port}/pools`);
  assert.equal(rebound.status(), 421);
  // A person who follows a link gets the page.
  await page.goto(`http://another.example:${site.address().port}/`);
  await page.evaluate((url) => { location.href = url; }, `${server.console}/pools`);
  await page.getByRole('heading', { name: 'User pools' }).waitFor();
  site.close();
  await page.close();
});

/** A certificate, and its key. */
function issue(name, algorithm, names) {
  const paths = [`${name}.pem`, `${name}-key.pem`].map((file) => join(files, file));
  const signer = name === 'ca' ? [] : ['-CA', join(files, 'ca.pem'), '-CAkey', join(files, 'ca-key.pem')];
  const extensions = name === 'ca' ? [] : ['-addext', 'basicConstraints=CA:FALSE', '-addext', `subjectAltName=${names}`];
  execFileSync('openssl', [
    'req', '-x509', '-newkey', ...algorithm, '-noenc', '-days', '30', '-subj', '/CN=tests', ...signer,
    ...extensions, '-out', paths[0], '-keyout', paths[1],
  ], { stdio: 'ignore' });
  return paths;
}

test('a browser with a certificate looks, and one without learns what is missing', async () => {
  const curve = ['ec', '-pkeyopt', 'ec_paramgen_curve:P-256'];
  const [ca] = issue('ca', curve);
  const [cert, key] = issue('server', curve, 'DNS:localhost,IP:127.0.0.1');
  const [certPath, keyPath] = issue('auditor', curve, 'URI:spiffe://example.org/auditor');
  const secure = await startServer({
    data: join(files, 'secure'),
    options: [
      '--tls-cert', cert, '--tls-key', key, '--client-ca', ca, '--client-auth', 'required',
      '--readers', 'certificate:spiffe://example.org/*',
    ],
  });
  const anonymous = await browser.newContext({ ignoreHTTPSErrors: true });
  const refused = await anonymous.newPage();
  const problems = watch(refused, secure.console);
  const response = await refused.goto(`${secure.console}/pools`);
  assert.equal(response.status(), 401);
  await refused.getByRole('heading', { name: 'The server does not know you' }).waitFor();
  assert.deepEqual(problems, []);
  await anonymous.close();

  const origin = new URL(secure.console).origin;
  const known = await browser.newContext({
    ignoreHTTPSErrors: true, clientCertificates: [{ origin, certPath, keyPath }],
  });
  const page = await known.newPage();
  await page.goto(`${secure.console}/me`);
  await page.getByText('certificate:spiffe://example.org/auditor').first().waitFor();
  await known.close();
  await secure.stop();
});

test('a browser refuses an Ed25519 certificate', async () => {
  const [cert, key] = issue('ca', ['ed25519']);
  const refused = await startServer({
    data: join(files, 'ed25519'), options: ['--tls-cert', cert, '--tls-key', key],
  });
  const context = await browser.newContext({ ignoreHTTPSErrors: true });
  const page = await context.newPage();
  await assert.rejects(page.goto(refused.console), /ERR_SSL_/);
  await context.close();
  await refused.stop();
});
