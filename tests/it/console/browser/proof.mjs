// The proof, verified by a browser: of a true log, of one that was changed on the way, and with the
// checkpoints of a reader.

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { after, before, test } from 'node:test';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { create, end, files, fill, launch, startServer, watch } from './lib.mjs';

let server;
let browser;
let head;

before(async () => {
  server = await startServer({ options: ['--console-hosts', 'pools.example'] });
  await fill(server);
  head = Number((await checkpoint(server)).position);
  browser = await launch();
});

after(() => end(browser));

const checkpoint = async ({ console: origin }) => (await fetch(`${origin}/proof.json`)).json();

async function openProof({ change } = {}) {
  const context = await browser.newContext();
  const page = await context.newPage();
  const problems = watch(page, server.console);
  if (change) {
    await context.route('**/log/records?*', async (route) => {
      const response = await route.fetch();
      await route.fulfill({ response, body: change(await response.body()) });
    });
  }
  await page.goto(`${server.console}/proof`);
  return { context, page, problems };
}

/** Opens the page with a server between whose proofs of events are changed. */
async function openForgedProof() {
  const forged = await openProof();
  await forged.context.route('**/proof/event.json?*', async (route) => {
    const response = await route.fetch();
    const proof = await response.json();
    proof.hashes.reverse();
    await route.fulfill({ response, json: proof });
  });
  return forged;
}

const verdict = async (page, text) => {
  const heading = page.locator('[data-verdict]');
  await page.locator('[data-proof][data-result]').waitFor();
  assert.match(await heading.textContent(), text, await page.locator('[data-state]').textContent());
};

const results = async (page) => Object.fromEntries(await page.locator('[data-check]').evaluateAll(
  (items) => items.map((item) => [item.dataset.check, item.className]),
));

test('a whole log is verified, and what stays open is said', async () => {
  const { context, page, problems } = await openProof();
  await page.getByRole('button', { name: 'Verify here' }).click();
  await verdict(page, new RegExp(`Whole up to position ${head}$`));
  assert.deepEqual(await results(page), {
    hash: 'ok', chain: 'ok', root: 'ok', signature: 'ok', known: 'open', key: 'open',
  });
  assert.equal(await page.locator('[data-chain] li').count(), 7);
  assert.deepEqual(problems, []);
  await context.close();
});

test('a changed byte is found at its record', async () => {
  const { context, page } = await openProof({
    change: (body) => {
      let at = 0;
      for (let record = 1; record < 20; record += 1) at += 4 + body.readUInt32BE(at);
      body[at + 4 + 60] ^= 1;
      return body;
    },
  });
  await page.getByRole('button', { name: 'Verify here' }).click();
  await verdict(page, /Not verified at position 20$/);
  await context.close();
});

test('a log without its end, and one that is cut, are not whole', async () => {
  for (const cut of [(body) => body.subarray(0, -3), (body) => {
    let [at, last] = [0, 0];
    while (at < body.length) [last, at] = [at, at + 4 + body.readUInt32BE(at)];
    return body.subarray(0, last);
  }]) {
    const { context, page } = await openProof({ change: cut });
    await page.getByRole('button', { name: 'Verify here' }).click();
    await verdict(page, /Not verified/);
    await context.close();
  }
});

test('a checkpoint that was kept is found again, and another one is not', async () => {
  const kept = join(files, 'kept.json');
  writeFileSync(kept, JSON.stringify(await checkpoint(server)));
  await create(server, 'later');
  const { context, page } = await openProof();
  await page.getByLabel('Checkpoints noted before').setInputFiles(kept);
  await page.getByRole('button', { name: 'Verify here' }).click();
  await verdict(page, /Whole up to/);
  assert.equal((await results(page)).known, 'ok');

  const another = await startServer({ data: join(files, 'another') });
  await create(another, 'one');
  const foreign = join(files, 'foreign.json');
  writeFileSync(foreign, JSON.stringify(await checkpoint(another)));
  await another.stop();
  await page.getByLabel('Checkpoints noted before').setInputFiles([kept, foreign]);
  await page.getByRole('button', { name: 'Verify again' }).click();
  await page.locator('[data-proof][data-result=bad]').waitFor();
  await verdict(page, /Not verified at position 1$/);
  await context.close();
});

test('a later verification begins at a checkpoint', async () => {
  const kept = join(files, 'begin.json');
  const begin = await checkpoint(server);
  writeFileSync(kept, JSON.stringify(begin));
  for (let number = 0; number < 5; number += 1) {
    await create(server, `since-${number}`);
    const { context, page, problems } = await openProof();
    const asked = [];
    page.on('request', (request) => asked.push(request.url()));
    await page.getByLabel('Checkpoints noted before').setInputFiles(kept);
    await page.getByLabel('Begin after the newest').check();
    await page.getByRole('button', { name: 'Verify here' }).click();
    await verdict(page, new RegExp(`^Whole after position ${begin.position}, up to position ${Number(begin.position) + number + 1}$`));
    assert.ok(asked.some((url) => url.includes(`/log/records?after=${begin.position}&`) || url.includes(`&after=${begin.position}`)), `${asked}`);
    assert.equal((await results(page)).root, 'ok');
    assert.deepEqual(problems, []);
    await context.close();
  }
  // Another log, and a proof that was changed on the way.
  const forged = await openForgedProof();
  await forged.page.getByLabel('Checkpoints noted before').setInputFiles(kept);
  await forged.page.getByLabel('Begin after the newest').check();
  await forged.page.getByRole('button', { name: 'Verify here' }).click();
  await verdict(forged.page, new RegExp(`^Not verified at position ${begin.position}$`));
  await forged.context.close();
});

test('a checkpoint that is newer than the page asks for a newer page', async () => {
  const [kept, newer] = [join(files, 'older.json'), join(files, 'newer.json')];
  const older = await checkpoint(server);
  writeFileSync(kept, JSON.stringify(older));
  await create(server, 'between');
  const { context, page, problems } = await openProof();
  const end = await checkpoint(server);
  await create(server, 'after-the-page');
  writeFileSync(newer, JSON.stringify(await checkpoint(server)));
  await page.getByLabel('Checkpoints noted before').setInputFiles([kept, newer]);
  for (const [begin, button] of [[false, 'Verify here'], [true, 'Verify again']]) {
    await page.getByLabel('Begin after the newest').setChecked(begin);
    await page.getByRole('button', { name: button }).click();
    await verdict(page, /^Not verified yet$/);
    assert.match(await page.locator('[data-state]').textContent(), /load the page again/);
  }

  // Of two that it covers, the older one is not compared, and that is said.
  writeFileSync(newer, JSON.stringify(end));
  await page.getByLabel('Checkpoints noted before').setInputFiles([kept, newer]);
  await page.getByRole('button', { name: 'Verify again' }).click();
  await verdict(page, new RegExp(`^Whole after position ${end.position}`));
  const known = await page.locator('[data-check=known] p').textContent();
  assert.match(known, new RegExp(`found again at position ${end.position}; not compared.*: position ${older.position}$`));
  assert.deepEqual(problems, []);
  await context.close();
});

test('one event is verified without the others', async () => {
  const { context, page, problems } = await openProof();
  await page.getByRole('spinbutton', { name: 'Position' }).fill('7');
  await page.getByRole('button', { name: 'Verify', exact: true }).click();
  await page.getByText('The record at position 7, with hash').waitFor();
  assert.deepEqual(problems, []);
  await context.close();

  const forged = await openForgedProof();
  await forged.page.getByRole('spinbutton', { name: 'Position' }).fill('7');
  await forged.page.getByRole('button', { name: 'Verify', exact: true }).click();
  await forged.page.getByText('Not verified').last().waitFor();
  await forged.context.close();
});

test('the verifier is one file, which needs no server', async () => {
  const save = async (path, name) => {
    const file = join(files, name);
    const bytes = Buffer.from(await (await fetch(server.console + path)).arrayBuffer());
    writeFileSync(file, bytes);
    return [file, bytes];
  };
  const [verifier, bytes] = await save('/proof/verifier.html', 'verifier.html');
  const [log, events] = await save('/log/export.jsonl', 'log.jsonl');
  const [kept] = await save('/proof.json', 'end.json');
  const context = await browser.newContext({ offline: true });
  const page = await context.newPage();
  const problems = watch(page, 'file:');
  await page.goto(`file://${verifier}`);
  const run = async (file, expected) => {
    await page.getByLabel('Export').setInputFiles(file);
    await page.getByLabel('Checkpoints').setInputFiles(kept);
    await page.getByRole('button', { name: 'Verify' }).click();
    await page.getByRole('heading', { name: expected }).waitFor();
  };
  await run(log, /^Whole up to position/);
  const lines = events.toString().trim().split('\n');
  const cut = join(files, 'cut.jsonl');
  writeFileSync(cut, `${lines.slice(0, -1).join('\n')}\n`);
  await run(cut, /^Not verified/);
  const swapped = join(files, 'swapped.jsonl');
  writeFileSync(swapped, `${[lines[1], lines[0], ...lines.slice(2)].join('\n')}\n`);
  await run(swapped, /^Not verified at position 1$/);
  assert.deepEqual(problems, []);
  await context.close();

  // The page names the hash of the file.
  const { context: shown, page: proof } = await openProof();
  await proof.getByText(createHash('sha256').update(bytes).digest('hex')).waitFor();
  await shown.close();
});

test('a page that cannot compute hashes says so', async () => {
  const page = await browser.newPage();
  const { port } = new URL(server.console);
  await page.goto(`http://pools.example:${port}/proof`);
  await page.getByText('This page cannot verify').waitFor();
  assert.ok(!(await page.getByRole('button', { name: 'Verify here' }).isVisible()));
  await page.close();
});
