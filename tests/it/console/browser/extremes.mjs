// Nothing, very much, long texts, texts from right to left, and times around a change of the clocks.

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { axe, call, create, end, files, launch, startServer, watch } from './lib.mjs';

/** What a first page may have, in bytes. */
const MAX_BYTES = 50 * 1024;

let server;
let browser;

before(async () => {
  server = await startServer();
  browser = await launch();
});

after(() => end(browser));

/** Opens pages at the width of a telephone, and checks what must hold for each. */
async function open(origin, paths, texts) {
  const page = await browser.newPage({ viewport: { width: 390, height: 800 } });
  const problems = watch(page, origin);
  for (const [index, path] of paths.entries()) {
    const response = await page.goto(origin + path);
    assert.equal(response.status(), 200, path);
    const beyond = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
    assert.equal(beyond, 0, `${path} scrolls to the side`);
    await page.evaluate(axe);
    const { violations } = await page.evaluate(() => globalThis.axe.run());
    assert.deepEqual(violations.map(({ id, nodes }) => `${id}: ${nodes[0].html}`), [], path);
    const text = await page.locator('main').textContent();
    assert.ok(text.includes(texts[index]), `${path} has no ${texts[index]}: ${text}`);
  }
  assert.deepEqual(problems, []);
  await page.close();
}

test('a server without user pools, and one with a single event, have pages', async () => {
  const young = await startServer({ data: join(files, 'young') });
  await open(young.console, ['/pools', '/domains', '/log', '/proof', '/pools?since=24h'], [
    'There are no user pools yet', 'No user pool has a domain', 'Nothing has been recorded yet',
    'Nothing to verify', 'No user pool matches',
  ]);
  const pool = await create(young, 'only');
  await open(
    young.console,
    ['/pools', '/log', `/pools/${pool}`, `/pools/${pool}/history`, `/pools/${pool}/diff`, '/proof'],
    ['1 pool', '1 to 1 of 1', 'Password policy', 'revision 1', 'No setting differs', 'Not verified yet'],
  );
  await young.stop();
});

test('a history of 10,000 events is shown', async () => {
  const pool = await create(server, 'busy');
  const ResourceArn = (await call(server, 'DescribeUserPool', { UserPoolId: pool })).UserPool.Arn;
  let tagged = 1;
  await Promise.all(Array.from({ length: 64 }, async () => {
    while (tagged < 10_001) {
      tagged += 1;
      await call(server, 'TagResource', { ResourceArn, Tags: { number: `${tagged}` } });
    }
  }));
  await open(
    server.console,
    ['/pools', `/pools/${pool}`, `/pools/${pool}/history`, `/pools/${pool}/diff?from=1&to=10001`, `/pools/${pool}?at=9000`],
    ['busy', 'revision 10001', 'revisions 10001 to 9982 of 10001', 'from up to 10001 events', 'As of revision 9000'],
  );
});

test('a long text and one from right to left are shown whole', async () => {
  const message = `{####} ${'word '.repeat(3_998)}`.slice(0, 20_000);
  const arabic = 'مرحبا بالعالم';
  const pool = await create(server, 'long texts', {
    EmailVerificationMessage: message,
    UserPoolTags: { greeting: arabic, [arabic]: '1' },
  });
  await call(server, 'UpdateUserPool', {
    UserPoolId: pool,
    EmailVerificationMessage: message.replace('word', 'another'),
    UserPoolTags: { greeting: arabic },
  });
  await open(
    server.console,
    [`/pools/${pool}`, `/pools/${pool}/history`, `/pools/${pool}/diff`, `/pools/${pool}/diff?view=unified`, '/log', '/pools'],
    [message.slice(-100).trim(), '…', 'another', 'another', 'long texts', arabic],
  );
  // What is written from right to left changes the order of nothing around it.
  const page = await browser.newPage();
  await page.goto(`${server.console}/pools/${pool}/history`);
  const isolated = await page.getByText(arabic).evaluateAll(
    (found) => found.map((element) => getComputedStyle(element).unicodeBidi),
  );
  assert.ok(isolated.length > 0 && isolated.every((value) => value === 'isolate'), `${isolated}`);
  await page.close();
});

test('a date includes its day, and local times are right when the clocks change', async () => {
  const page = await browser.newPage();
  const today = new Date().toISOString().slice(0, 10);
  const yesterday = new Date(Date.now() - 86_400_000).toISOString().slice(0, 10);
  await page.goto(`${server.console}/log?until=${today}`);
  assert.ok(await page.locator('[data-rows] tr').count() > 0);
  await page.goto(`${server.console}/log?until=${yesterday}`);
  await page.getByText('No event matches').waitFor();
  await page.close();

  // Berlin, 25 October 2026: the hour from 2 to 3 comes twice.
  const context = await browser.newContext({ timezoneId: 'Europe/Berlin' });
  await context.route('**/log', async (route) => {
    const response = await route.fetch();
    const body = await response.text();
    let second = 0;
    await route.fulfill({
      response,
      body: body.replace(/<td><time datetime="[^"]+">[^<]+/g, () => {
        second += 1;
        const [clock, at] = second % 2 ? ['00:59:59', '2026-10-25T00:59:59.000Z'] : ['01:00:01', '2026-10-25T01:00:01.000Z'];
        return `<td><time datetime="${at}">25 Oct ${clock}`;
      }),
    });
  });
  const changed = await context.newPage();
  await changed.goto(`${server.console}/log`);
  await changed.getByRole('button', { name: 'Show local times' }).click();
  const times = changed.locator('[data-rows] time');
  assert.equal(await times.nth(0).textContent(), '25 Oct 02:59:59');
  assert.equal(await times.nth(1).textContent(), '25 Oct 02:00:01');
  assert.equal(await times.nth(0).getAttribute('title'), '25 Oct 2026 02:59:59 GMT+2');
  assert.equal(await times.nth(1).getAttribute('title'), '25 Oct 2026 02:00:01 GMT+1');
  await changed.getByRole('button', { name: 'Show UTC' }).click();
  assert.equal(await times.nth(0).textContent(), '25 Oct 00:59:59');
  assert.equal(await times.nth(0).getAttribute('title'), '25 Oct 2026 00:59:59 UTC');
  await context.close();
});

test('a first page with full rows has at most 50 KB', async () => {
  const full = await startServer({ data: join(files, 'full') });
  const tags = (number) => ({ 'cost-center': `${4700 + number}`, stage: 'production', team: 'payments', incident: 'INC-1184' });
  const pools = [];
  for (let number = 10; number < 65; number += 1) {
    const pool = await create(full, `customers-of-the-shop-${number}`, {
      UserPoolTags: tags(number), MfaConfiguration: 'OFF',
    });
    await call(full, 'CreateUserPoolDomain', { Domain: `customers-login-${number}`, UserPoolId: pool });
    pools.push(pool);
  }
  const [pool] = pools;
  for (let number = 0; number < 40; number += 1) {
    await call(full, 'UpdateUserPool', {
      UserPoolId: pool,
      Policies: { PasswordPolicy: { MinimumLength: 8 + (number % 20), RequireSymbols: number % 2 === 0 } },
      LambdaConfig: { PreSignUp: `arn:aws:lambda:eu-west-1:314159265358:function:pre-sign-up-${number}` },
      UserPoolTags: tags(number),
    }, { 'user-agent': 'aws-sdk-js/3.1169.0 ua/2.1 os/linux#6.18.44 lang/js md/nodejs#20.20.0', 'x-request-id': `request-${number}-8c5f2c1a` });
  }
  const Domain = 'customers-login-10';
  for (let number = 0; number < 20; number += 1) {
    await call(full, 'DeleteUserPoolDomain', { Domain, UserPoolId: pool });
    await call(full, 'CreateUserPoolDomain', { Domain, UserPoolId: pool });
  }
  const sizes = {};
  for (const path of [
    '/pools', '/log', '/domains', '/domains/customers-login-10', `/pools/${pool}`, `/pools/${pool}/history`,
    `/pools/${pool}/history?type=updated`, `/pools/${pool}/diff?from=1&to=40`, '/proof', '/me', '/go?q=customers',
  ]) {
    sizes[path] = (await (await fetch(full.console + path)).arrayBuffer()).byteLength;
  }
  // A name has the hash of its content, so another content has another name.
  const pages = await Promise.all(['/log', '/proof'].map(async (path) => (await fetch(full.console + path)).text()));
  const assets = new Set(pages.join().match(/\/assets\/[^"]+/g));
  assert.equal(assets.size, 6, `${[...assets]}`);
  for (const asset of assets) {
    const response = await fetch(full.console + asset);
    const hash = createHash('sha256').update(Buffer.from(await response.arrayBuffer())).digest('hex');
    assert.ok(asset.includes(`-${hash.slice(0, 16)}.`), `${asset} has the hash ${hash}`);
  }
  const large = Object.entries(sizes).filter(([, bytes]) => bytes > MAX_BYTES);
  assert.deepEqual(large, [], JSON.stringify(sizes));
  await full.stop();
});
