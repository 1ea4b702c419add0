// What other sites can make a browser do, and what a browser with and without a certificate sees.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { end, files, fill, launch, startServer, watch } from './lib.mjs';

let server;
let browser;
let sample;

before(async () => {
  server = await startServer();
  sample = await fill(server);
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
    `/domains/${evil}`, `/pools/${evil}`, `/${evil}`,
  ]) {
    await page.goto(server.console + path);
    const foreign = await page.evaluate(() => document.querySelectorAll(
      'main img, main h1 ~ h1, [onload], [onerror], script:not([src^="/assets/"])',
    ).length);
    assert.equal(foreign, 0, path);
  }
  await page.goto(`${server.console}/pools/${pool}`);
  await page.getByText('<img src=x onerror=alert(1)>').first().waitFor();
  assert.deepEqual(problems, []);
  await page.close();
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
