// A server with a console, what is recorded in it, and a browser. Started by tests/it/console/browser.rs.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

const { USERPOOL, BROWSER_TOOLS } = process.env;
const require = createRequire(`${BROWSER_TOOLS}/`);
const { chromium } = require('playwright-core');
export const axe = readFileSync(require.resolve('axe-core/axe.min.js'), 'utf8');

/** How long something may take on a busy machine, in milliseconds. */
export const LIMIT = 120_000;

export const files = mkdtempSync(join(tmpdir(), 'userpool-console-'));

const ANY = '127.0.0.1:0';

const started = [];

/** Ends what was started. */
export async function end(browser) {
  await browser?.close();
  await Promise.all(started.map((server) => server.stop()));
}

/** Starts `userpool console`: returns its link, and how to end it. */
export async function startConsole(server, listen = ANY) {
  const child = spawn(
    USERPOOL,
    ['console', '--no-open', '--endpoint', server.endpoint, '--listen', listen],
    { env: {}, stdio: ['ignore', 'pipe', 'ignore'] },
  );
  const ended = new Promise((done) => { child.once('exit', done); });
  const door = {
    async stop(signal = 'SIGTERM') {
      child.kill(signal);
      await ended;
    },
  };
  started.push(door);
  for await (const line of createInterface(child.stdout)) {
    door.link = line;
    door.console = new URL(line).origin;
    return door;
  }
  throw new Error('the console did not start');
}

/** Starts a server; its console is at `console`. */
export async function startServer({ data = join(files, 'data'), listen = ANY, metrics = ANY, options = [] } = {}) {
  const child = spawn(
    USERPOOL,
    ['serve', '--listen', ANY, '--aws-listen', ANY, '--metrics-listen', metrics, '--console-listen', listen,
      '--data-dir', data, ...options],
    { env: {}, stdio: ['ignore', 'pipe', 'pipe'] },
  );
  let log = '';
  child.stderr.on('data', (text) => { log += text; });
  const ended = new Promise((done) => { child.once('exit', done); });
  const server = {
    metrics,
    async stop(signal = 'SIGTERM') {
      child.kill(signal);
      await ended;
    },
  };
  started.push(server);
  for await (const line of createInterface(child.stdout)) {
    const [, what, address] = /^userpool (listening on|listening for AWS clients on|console on) (.+)$/.exec(line) ?? [];
    if (what === 'listening on') server.endpoint = address;
    if (what === 'listening for AWS clients on') server.aws = address;
    if (what === 'console on') {
      server.console = address;
      return server;
    }
  }
  throw new Error(`the server did not start: ${log}`);
}

/** Calls an operation in AWS's JSON. */
export async function call(server, operation, body, headers = {}) {
  const response = await fetch(server.aws, {
    method: 'POST',
    headers: {
      'content-type': 'application/x-amz-json-1.1',
      'x-amz-target': `AWSCognitoIdentityProviderService.${operation}`,
      ...headers,
    },
    body: JSON.stringify(body),
  });
  const answer = await response.text();
  assert.equal(response.status, 200, `${operation}: ${answer}`);
  // Some answers have no content.
  return answer === '' ? {} : JSON.parse(answer);
}

export async function create(server, PoolName, other = {}) {
  return (await call(server, 'CreateUserPool', { PoolName, ...other })).UserPool.Id;
}

/** Values that a page must not run. */
export const AGENT = '<svg/onload=alert(4)>';
export const CORRELATION = '"><script>alert(3)</script>';
export const MESSAGE = '<h1>Welcome</h1> {####} <img src=x onerror=alert(1)>';

/** User pools with something to look at: one that changed often, and one that is deleted. */
export async function fill(server) {
  const hostile = { 'user-agent': AGENT, 'x-request-id': CORRELATION };
  const pool = await create(server, 'payments', {
    UserPoolTags: { stage: 'prod' },
    Schema: [{ Name: 'tenant', AttributeDataType: 'String', Mutable: true }],
  });
  const other = await create(server, 'payments-v2');
  const deleted = await create(server, 'old');
  await call(server, 'CreateUserPoolDomain', { Domain: 'login', UserPoolId: pool });
  await call(server, 'UpdateUserPool', {
    UserPoolId: pool,
    Policies: { PasswordPolicy: { MinimumLength: 14 } },
    LambdaConfig: { PreSignUp: 'arn:aws:lambda:eu-west-1:314159265358:function:pre-sign-up' },
    VerificationMessageTemplate: { EmailMessage: MESSAGE, EmailSubject: 'a'.repeat(140) },
    UserPoolTags: { stage: 'prod', team: 'payments', incident: 'INC-1184' },
  }, hostile);
  for (const [from, to] of [[pool, other], [other, pool]]) {
    await call(server, 'DeleteUserPoolDomain', { Domain: 'login', UserPoolId: from }, hostile);
    await call(server, 'CreateUserPoolDomain', { Domain: 'login', UserPoolId: to }, hostile);
  }
  await call(server, 'DeleteUserPool', { UserPoolId: deleted });
  for (let number = 10; number < 65; number += 1) {
    await create(server, `tenant-${number}`, { UserPoolTags: { stage: 'prod', tenant: `${number}` } });
  }
  return { pool, other, deleted };
}

export async function launch(...more) {
  const args = ['--no-sandbox', '--host-resolver-rules=MAP *.example 127.0.0.1', ...more];
  const browser = await chromium.launch({
    executablePath: '/usr/bin/chromium', args, timeout: LIMIT,
  });
  const newContext = browser.newContext.bind(browser);
  // The default, 30 s, is too short where many tests run at the same time.
  browser.newContext = async (options) => {
    const context = await newContext(options);
    context.setDefaultTimeout(LIMIT);
    // A verdict on the first record may close the page while a later request is still intercepted.
    const close = context.close.bind(context);
    context.close = async () => {
      await context.unrouteAll({ behavior: 'ignoreErrors' });
      await close();
    };
    return context;
  };
  return browser;
}

/** Collects what no page of the console may cause. */
export function watch(page, origin) {
  const problems = [];
  page.on('console', (message) => {
    // The status of a page that says what is missing is no problem.
    const isStatus = message.text().startsWith('Failed to load resource');
    if (['error', 'warning'].includes(message.type()) && !isStatus) problems.push(message.text());
  });
  page.on('pageerror', (error) => problems.push(String(error)));
  page.on('dialog', (dialog) => {
    problems.push(`a dialog: ${dialog.message()}`);
    dialog.dismiss();
  });
  page.on('request', (request) => {
    const url = request.url();
    if (!url.startsWith(origin) && !url.startsWith('data:')) problems.push(`a request to ${url}`);
  });
  return problems;
}

/** The number of a metric of a server that was started with `metrics`. */
export async function metric({ metrics }, name) {
  const text = await (await fetch(`http://${metrics}/metrics`)).text();
  const line = text.split('\n').find((found) => found.startsWith(`${name} `));
  return Number(line.split(' ')[1]);
}

/** An address that nobody listens on. */
export async function freeAddress() {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address();
  server.close();
  await once(server, 'close');
  return `127.0.0.1:${port}`;
}

/** Waits until a function returns something true. */
export async function until(what, found) {
  const end = performance.now() + LIMIT;
  for (;;) {
    const result = await found();
    if (result) return result;
    assert.ok(performance.now() < end, `in vain: ${what}`);
    await new Promise((done) => { setTimeout(done, 20); });
  }
}
