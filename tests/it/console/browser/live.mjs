// The log as it grows, in a browser.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import {
  AGENT, CORRELATION, MESSAGE, call, create, end, fill, launch, startServer, until, watch,
} from './lib.mjs';

let server;
let browser;
let sample;

before(async () => {
  server = await startServer();
  sample = await fill(server);
  browser = await launch();
});

after(() => end(browser));

async function openLog(context, path = '/log') {
  const page = await context.newPage();
  const problems = watch(page, server.console);
  await page.goto(server.console + path);
  await page.locator('[data-live=on]').waitFor();
  return { page, problems };
}

const positions = (page) => page.locator('[data-rows] tr').evaluateAll(
  (rows) => rows.map((row) => Number(row.id.slice(1))),
);

test('an event is in the page within a second, once and in order', async () => {
  const context = await browser.newContext();
  const { page, problems } = await openLog(context);
  const took = [];
  for (let number = 0; number < 5; number += 1) {
    const id = await create(server, `live-${number}`);
    const acknowledged = performance.now();
    await page.getByText(id).waitFor();
    took.push(performance.now() - acknowledged);
  }
  // Others may be at work on the machine.
  assert.ok(Math.min(...took) < 1000, `${took}`);
  await Promise.all([1, 2, 3, 4].map((number) => create(server, `together-${number}`)));
  const all = await until('9 new events', async () => {
    const found = await positions(page);
    return found.length === 49 && found;
  });
  assert.deepEqual(all, all.toSorted((one, other) => other - one));
  assert.equal(new Set(all).size, all.length);
  assert.deepEqual(problems, []);
  await context.close();
});

test('rows wait while others are being read, and the focus stays', async () => {
  const context = await browser.newContext();
  const { page } = await openLog(context);
  const focus = page.locator('[data-rows] a').nth(3);
  const text = await focus.textContent();
  await focus.focus();
  await create(server, 'while-reading');
  const waiting = page.getByRole('button', { name: '1 new event' });
  await waiting.waitFor();
  assert.equal(await page.evaluate(() => document.activeElement.textContent), text);
  const before = await positions(page);
  await waiting.click();
  assert.equal((await positions(page))[0], before[0] + 1);
  await context.close();
});

test('hostile values are text in live rows, too', async () => {
  const context = await browser.newContext();
  const { page, problems } = await openLog(context);
  await call(server, 'UpdateUserPool', {
    UserPoolId: sample.other,
    VerificationMessageTemplate: { EmailMessage: MESSAGE },
  }, { 'user-agent': AGENT, 'x-request-id': CORRELATION });
  await page.locator('[data-rows] tr').first().getByText('onerror=alert').waitFor();
  assert.deepEqual(await page.evaluate(() => document.querySelectorAll('main script, main img, [onload]').length), 0);
  assert.deepEqual(problems, []);
  await context.close();
});

test('a server that starts again leaves no gap', async () => {
  const context = await browser.newContext();
  const { page } = await openLog(context);
  const before = await positions(page);
  const listen = new URL(server.console).host;
  await server.stop();
  await page.locator('[data-live=lost]').waitFor();
  // What is recorded before the page has found it again is in it as well.
  server = await startServer({ listen });
  const created = [await create(server, 'again-1'), await create(server, 'again-2')];
  await page.locator('[data-live=on]').waitFor();
  for (const id of created) await page.getByText(id).waitFor();
  const now = await positions(page);
  assert.deepEqual(now.slice(2), before);
  assert.deepEqual(now.slice(0, 2), [before[0] + 2, before[0] + 1]);
  await context.close();
});

test('a hidden tab has no stream, and many tabs load', async () => {
  const context = await browser.newContext();
  const requests = new Set();
  const opened = [];
  for (let number = 0; number < 8; number += 1) {
    const { page } = await openLog(context);
    page.on('requestfinished', (request) => requests.add(request.url()));
    opened.push(page);
    const isHidden = (hidden) => page.evaluate((value) => {
      Object.defineProperty(document, 'visibilityState', { value, configurable: true });
      document.dispatchEvent(new Event('visibilitychange'));
    }, hidden ? 'hidden' : 'visible');
    await isHidden(true);
    await page.locator('[data-live=hidden]').waitFor();
    if (number === 7) {
      const id = await create(server, 'while-hidden');
      await isHidden(false);
      await page.getByText(id).waitFor();
    }
  }
  await context.close();
});
