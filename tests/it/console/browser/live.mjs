// The log as it grows, in a browser.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import {
  AGENT, CORRELATION, MESSAGE, call, create, end, fill, freeAddress, launch, metric, startConsole,
  startServer, until, watch,
} from './lib.mjs';

let server;
let browser;
let sample;

before(async () => {
  server = await startServer({ metrics: await freeAddress() });
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

const rowOf = (page, pool) => page.locator(`[data-rows] a[href="/pools/${pool}"]`).first();

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
    await rowOf(page, id).waitFor();
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

/** Asserts that two more events are the only new ones of a page, without a gap or a repetition. */
async function goesOn(page, before, created) {
  for (const id of created) await rowOf(page, id).waitFor();
  const now = await positions(page);
  assert.deepEqual(now.slice(created.length), before);
  assert.deepEqual(now.slice(0, created.length), created.map((_, index) => before[0] + created.length - index));
}

for (const [how, signal] of [['stops', 'SIGTERM'], ['is killed', 'SIGKILL']]) {
  test(`a server that ${how} and starts again leaves no gap`, async () => {
    const context = await browser.newContext();
    const { page } = await openLog(context);
    const before = await positions(page);
    const { host } = new URL(server.console);
    await server.stop(signal);
    await page.locator('[data-live=lost]').waitFor();
    // What is recorded before the page has found it again is in it as well.
    server = await startServer({ listen: host, metrics: server.metrics });
    const created = [await create(server, 'again-1'), await create(server, 'again-2')];
    await page.locator('[data-live=on]').waitFor();
    await goesOn(page, before, created);
    await context.close();
  });
}

test('a console that is killed under a page goes on without a gap once its new link is opened', async () => {
  const context = await browser.newContext();
  const first = await startConsole(server);
  const page = await context.newPage();
  await page.goto(first.link);
  await page.goto(`${first.console}/log`);
  await page.locator('[data-live=on]').waitFor();
  const before = await positions(page);
  await first.stop('SIGKILL');
  await page.locator('[data-live=lost]').waitFor();
  const created = [];
  for (let number = 0; number < 5; number += 1) created.push(await create(server, `meanwhile-${number}`));
  const again = await startConsole(server, new URL(first.console).host);
  const other = await context.newPage();
  await other.goto(again.link);
  await other.close();
  await page.locator('[data-live=on]').waitFor();
  await goesOn(page, before, created);
  await again.stop();
  await context.close();
});

test('a hidden tab has no stream, and ten tabs load', async () => {
  const context = await browser.newContext();
  const streams = (count) => until(
    `${count} watches`, async () => await metric(server, 'userpool_watchers') === count,
  );
  await streams(0);
  const show = (page, visibility) => page.evaluate((value) => {
    Object.defineProperty(document, 'visibilityState', { value, configurable: true });
    document.dispatchEvent(new Event('visibilitychange'));
  }, visibility);
  const took = [];
  let last;
  for (let number = 0; number < 10; number += 1) {
    if (last) await show(last, 'hidden');
    await last?.locator('[data-live=hidden]').waitFor();
    const began = performance.now();
    last = (await openLog(context)).page;
    took.push(performance.now() - began);
    // Whatever tabs there are, the server has one watch.
    await streams(1);
  }
  const id = await create(server, 'in-the-last-tab');
  await rowOf(last, id).waitFor();
  await show(last, 'hidden');
  await streams(0);
  const missed = await create(server, 'while-hidden');
  await show(last, 'visible');
  await rowOf(last, missed).waitFor();
  console.log(`a tab loads and follows in ${Math.round(Math.min(...took))} to ${Math.round(Math.max(...took))} ms`);
  await context.close();
});
