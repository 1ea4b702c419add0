// Every page in every width and color scheme, without scripts, by keyboard, and in print.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { axe, end, fill, launch, startServer, watch } from './lib.mjs';

let server;
let browser;
let sample;
let paths;

before(async () => {
  server = await startServer();
  sample = await fill(server);
  browser = await launch();
  const { pool, deleted } = sample;
  paths = [
    '/pools', '/pools?q=none', '/pools?state=deleted', `/pools/${pool}`, `/pools/${pool}?at=1`,
    `/pools/${deleted}`, `/pools/${pool}/history`, `/pools/${pool}/diff?from=1&to=3`,
    `/pools/${pool}/diff?from=1&to=3&view=unified`, '/domains', '/domains/login', '/log', '/proof',
    '/me', '/go?q=tenant', '/pools/us-east-1_000000000', '/log?since=x', '/pools?since=24h', `/log?pool=${pool}`,
    `/pools/${pool}/history?at=3`, `/pools/${deleted}/history`, '/domains?q=none', '/domains/never', '/nothing',
    `/pools/${pool}?at=99`,
  ];
});

after(() => end(browser));

/** The rules whose result depends on the width and on the colors. */
const APPEARANCE = ['color-contrast', 'target-size', 'scrollable-region-focusable', 'link-in-text-block'];

async function violations(page, rules) {
  const found = await page.evaluate(
    (only) => globalThis.axe.run(only ? { runOnly: only } : {}),
    rules,
  );
  return found.violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html)}`);
}

test('pages are accessible in every width and color scheme, and scroll to no side', async () => {
  const context = await browser.newContext();
  const page = await context.newPage();
  const problems = watch(page, server.console);
  for (const path of paths) {
    await page.goto(server.console + path);
    await page.evaluate(axe);
    assert.deepEqual(await violations(page), [], path);
    for (const colorScheme of ['light', 'dark']) {
      await page.emulateMedia({ colorScheme });
      for (const width of [1280, 390, 320]) {
        const where = `${path} at ${width} pixels, ${colorScheme}`;
        await page.setViewportSize({ width, height: 800 });
        const beyond = await page.evaluate(() => {
          const { scrollWidth, clientWidth } = document.documentElement;
          return scrollWidth - clientWidth;
        });
        assert.equal(beyond, 0, where);
        assert.deepEqual(await violations(page, APPEARANCE), [], where);
      }
    }
  }
  assert.deepEqual(problems, []);
  await context.close();
});

test('everything is read without scripts', async () => {
  const context = await browser.newContext({ javaScriptEnabled: false });
  const page = await context.newPage();
  const shows = async (text) => assert.ok((await page.content()).includes(text), `${page.url()}: ${text}`);
  await page.goto(server.console);
  await page.getByLabel('An ID, the beginning of a name or a domain').fill('payments');
  await page.getByRole('button', { name: 'Find' }).click();
  await page.getByRole('link', { name: 'payments', exact: true }).click();
  await shows('Password policy');
  await page.getByRole('link', { name: /^History/ }).click();
  await shows('Domain created');
  await page.getByRole('link', { name: 'diff 2 → 3' }).click();
  await shows('Policies.PasswordPolicy.MinimumLength');
  await page.getByRole('link', { name: 'Domains' }).click();
  await page.getByRole('link', { name: 'login' }).first().click();
  await shows('Who had it');
  await page.getByRole('link', { name: 'Log', exact: true }).click();
  await shows('not live: no script runs here');
  await page.getByRole('link', { name: 'Older' }).click();
  await shows(sample.pool);
  await page.getByRole('link', { name: 'Proof' }).click();
  await shows('userpool verify');
  await context.close();
});

test('everything is reached by keyboard', async () => {
  const context = await browser.newContext();
  const page = await context.newPage();
  const focused = () => page.evaluate(() => document.activeElement.textContent.trim());
  await page.goto(`${server.console}/pools`);
  await page.keyboard.press('Tab');
  assert.equal(await focused(), 'Skip to the content');
  await page.keyboard.press('j');
  assert.equal(await focused(), 'payments');
  await page.keyboard.press('j');
  assert.equal(await focused(), 'payments-v2');
  await page.keyboard.press('k');
  await Promise.all([page.waitForURL(/\/pools\/[^/]+$/), page.keyboard.press('Enter')]);
  await Promise.all([page.waitForURL(/\/diff/), page.keyboard.press('d')]);
  await page.goBack();
  await page.keyboard.press('/');
  await page.keyboard.type('login');
  await Promise.all([page.waitForURL(/\/domains\/login$/), page.keyboard.press('Enter')]);

  // The keys can be switched off, which is kept.
  await page.keyboard.press('?');
  await page.getByLabel('Keys are on').uncheck();
  await page.getByRole('button', { name: 'Close' }).click();
  await page.goto(`${server.console}/pools`);
  await page.keyboard.press('/');
  assert.notEqual(await page.evaluate(() => document.activeElement.id), 'jump');
  await context.close();
});

test('times are UTC, or those of the reader if they say so', async () => {
  const context = await browser.newContext({ timezoneId: 'Pacific/Marquesas' });
  const page = await context.newPage();
  await page.goto(`${server.console}/log`);
  const time = page.locator('tbody time').first();
  const shown = async () => {
    const at = new Date(await time.getAttribute('datetime'));
    return [at, await time.textContent()];
  };
  const [at, utc] = await shown();
  assert.equal(utc.slice(-8), at.toISOString().slice(11, 19));
  await page.getByRole('button', { name: 'Show local times' }).click();
  const [, local] = await shown();
  const expected = new Date(at.getTime() + (-9 * 60 - 30) * 60_000).toISOString().slice(11, 19);
  assert.equal(local.slice(-8), expected);
  // On the next page as well, with words.
  await page.goto(`${server.console}/pools/${sample.pool}/history`);
  await page.getByText('Times are those of Pacific/Marquesas').waitFor();
  assert.equal(await page.locator('[data-zone]').first().textContent(), 'local');
  await page.getByRole('button', { name: 'Show UTC' }).click();
  await page.getByText('Times are UTC').waitFor();
  await context.close();
});

test('pages are printed without what only a screen can use', async () => {
  const page = await browser.newPage();
  const { publicKey, hash, position } = await (await fetch(`${server.console}/proof.json`)).json();
  const hex = (text) => Buffer.from(text, 'base64').toString('hex');
  for (const [path, texts] of [
    ['/proof', [hex(publicKey), hex(hash), `${position}`]],
    [`/pools/${sample.pool}`, ['Password policy', 'given_name']],
    [`/pools/${sample.pool}/diff?from=1&to=3`, ['MinimumLength']],
    [`/pools/${sample.pool}/history`, ['Domain created']],
  ]) {
    await page.goto(server.console + path);
    await page.emulateMedia({ media: 'print' });
    for (const selector of ['.bar', '.filters', 'button', '.button', 'input[type=checkbox]', '.no-print']) {
      for (const element of await page.locator(selector).all()) {
        assert.ok(!(await element.isVisible()), `${path} prints ${selector}: ${await element.textContent()}`);
      }
    }
    const printed = await page.locator('body').innerText();
    for (const text of [...texts, `As of position ${position}`, 'read by anonymous', 'us-east-1']) {
      assert.ok(printed.includes(text), `${path} prints no ${text}: ${printed}`);
    }
    // As pages of paper, with their numbers, and without links.
    const pdf = (await page.pdf()).toString('latin1');
    assert.ok(pdf.length > 10_000, path);
    if (path === '/proof') assert.ok(!pdf.includes('/URI'), 'the proof is printed with a link');
    await page.emulateMedia({ media: null });
  }
  await page.close();
});

test('two marked events are compared with each other', async () => {
  const context = await browser.newContext();
  const page = await context.newPage();
  await page.goto(`${server.console}/pools/${sample.pool}/history`);
  const boxes = page.getByRole('checkbox', { name: 'mark' });
  await page.keyboard.press('j');
  await page.keyboard.press('m');
  for (const row of [1, 3]) await boxes.nth(row).check();
  // The one that was marked first is released.
  assert.deepEqual(await boxes.evaluateAll((all) => all.map(({ checked }) => checked)), [false, true, false, true, false]);
  await Promise.all([page.waitForURL(/\/diff\?from=2&to=4$/), page.keyboard.press('d')]);
  await context.close();

  const plain = await browser.newContext({ javaScriptEnabled: false });
  const other = await plain.newPage();
  await other.goto(`${server.console}/pools/${sample.pool}/history`);
  await other.getByRole('checkbox', { name: 'mark' }).nth(2).check();
  await other.getByRole('button', { name: 'Compare the marked' }).click();
  assert.match(other.url(), /\/diff\?from=3$/);
  await plain.close();
});

test('an ARN is copied whole', async () => {
  const page = await browser.newPage();
  await page.goto(`${server.console}/pools/${sample.pool}`);
  const arn = 'arn:aws:lambda:eu-west-1:314159265358:function:pre-sign-up';
  const copied = await page.evaluate((whole) => {
    const code = document.querySelector(`code[title="${whole}"]`);
    getSelection().selectAllChildren(code);
    return getSelection().toString();
  }, arn);
  assert.equal(copied, arn);
  await page.close();
});
