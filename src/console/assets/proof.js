// The page "Proof": starts the worker that verifies, and shows what it finds.

const hero = document.querySelector('[data-proof]');
const checkpoint = JSON.parse(hero.dataset.checkpoint);
const verdict = hero.querySelector('[data-verdict]');
const state = hero.querySelector('[data-state]');
const progress = hero.querySelector('progress');
const start = hero.querySelector('[data-start]');
const stop = hero.querySelector('[data-stop]');
const chain = document.querySelector('[data-chain]');
const known = document.getElementById('known');
const begin = document.getElementById('begin');
const eventForm = document.querySelector('[data-event]');

const policy = globalThis.trustedTypes?.createPolicy('verifier', {
  createScriptURL: (address) => {
    if (address !== hero.dataset.worker) throw new TypeError('this is not the verifier');
    return address;
  },
}) ?? { createScriptURL: (address) => address };

const print = document.querySelector('[data-print]');
print.hidden = false;
print.addEventListener('click', () => globalThis.print());

let worker;

function newWorker(onMessage) {
  const made = new Worker(policy.createScriptURL(hero.dataset.worker));
  made.addEventListener('message', ({ data }) => onMessage(data));
  made.addEventListener('error', () => onMessage({ kind: 'broken', problem: 'the verifier did not start' }));
  return made;
}

function check(name, result, words) {
  const item = document.querySelector(`[data-check="${name}"]`);
  item.className = result;
  item.querySelector('[data-result]').textContent = { ok: 'verified', bad: 'wrong', open: 'open' }[result];
  if (words) item.querySelector('p').textContent = words;
}

function records(count) {
  return `${count} ${count === 1 ? 'record' : 'records'}`;
}

function element(name, text, className) {
  const made = document.createElement(name);
  made.textContent = text;
  if (className) made.className = className;
  return made;
}

/** The last records: each names the hash of the one before. */
function showChain(last) {
  chain.replaceChildren(...last.map(({ position, previous, hash }) => {
    const item = document.createElement('li');
    item.append(
      element('b', position),
      element('code', `← ${previous.slice(0, 14)}`),
      element('code', `= ${hash.slice(0, 14)}`),
    );
    item.title = `record ${position} names ${previous} and has ${hash}`;
    return item;
  }));
}

function finish(text, words, kind) {
  hero.dataset.result = kind;
  verdict.textContent = text;
  state.textContent = words;
  stop.hidden = true;
  start.hidden = false;
  start.textContent = 'Verify again';
  worker?.terminate();
  worker = undefined;
}

function onMessage(message, began) {
  const seconds = ((performance.now() - began) / 1000).toFixed(2);
  switch (message.kind) {
    case 'signature':
      if (message.signed === undefined) {
        check('signature', 'open', 'this browser cannot verify Ed25519; it needs Chromium 137, Firefox 129 or Safari 17');
      } else if (message.signed) {
        check('signature', 'ok', `Ed25519, at ${message.time} by the server's clock`);
      } else {
        check('signature', 'bad', 'the signature is not of this key');
      }
      break;
    case 'progress':
      progress.value = message.position;
      state.textContent = `${records(message.position)}, ${message.bytes.toLocaleString('en')} bytes, ${seconds} s`;
      showChain(message.last);
      break;
    case 'whole':
      progress.value = progress.max;
      check('hash', 'ok', `SHA-256 of the stored bytes, of ${records(message.position - message.begin)}`);
      check('chain', 'ok', message.begin === 0
        ? `positions 1 to ${message.position} without a gap, the first after 32 zero bytes`
        : `positions ${message.begin + 1} to ${message.position} without a gap, the first after the record of your checkpoint`);
      check('root', 'ok', message.root);
      if (message.found.length > 0) {
        const skipped = message.skipped.length === 0
          ? '' : `; not compared, because they are older: position ${message.skipped.join(', ')}`;
        check('known', 'ok', `found again at position ${message.found.join(', ')}${skipped}`);
      }
      finish(
        message.begin === 0 ? `Whole up to position ${message.position}` : `Whole after position ${message.begin}, up to position ${message.position}`,
        `${records(message.position - message.begin)}, ${message.bytes.toLocaleString('en')} bytes, hashed by this browser in ${seconds} s. The server was not believed for any of it.`
          + (message.begin === 0 ? '' : ` Up to position ${message.begin}, it is the log of your checkpoint.`),
        'ok',
      );
      break;
    case 'newer':
      finish(
        'Not verified yet',
        `A checkpoint that you opened is of position ${message.position}, and this page of ${message.end}: load the page again. If its position is still smaller then, the log ends before your checkpoint.`,
        'open',
      );
      break;
    default: {
      const at = message.position === undefined ? '' : ` at position ${message.position}`;
      finish(`Not verified${at}`, message.problem, 'bad');
    }
  }
}

async function verify() {
  const began = performance.now();
  for (const name of ['hash', 'chain', 'root', 'signature', 'known']) check(name, 'open');
  delete hero.dataset.result;
  verdict.textContent = 'Verifying';
  state.textContent = '';
  progress.value = 0;
  start.hidden = true;
  stop.hidden = false;
  const files = await Promise.all([...known.files].map((file) => file.text()));
  worker = newWorker((message) => onMessage(message, began));
  const absolute = (address) => new URL(address, location.href).href;
  worker.postMessage({
    records: absolute(hero.dataset.records), inclusion: absolute(hero.dataset.inclusion), checkpoint, known: files, begin: begin.checked,
  });
}

async function verifyEvent(event) {
  event.preventDefault();
  const result = eventForm.querySelector('[data-event-result]');
  const show = (kind, text) => {
    eventForm.dataset.result = kind;
    result.textContent = text;
  };
  const address = new URL(hero.dataset.inclusion, location.href);
  address.searchParams.set('position', eventForm.elements.position.value);
  address.searchParams.set('size', checkpoint.position);
  show('open', 'Asking for the proof');
  const response = await fetch(address);
  if (!response.ok) {
    show('bad', `The server answered ${response.status}`);
    return;
  }
  const one = newWorker((message) => {
    if (message.kind === 'signature') return;
    one.terminate();
    if (message.kind === 'included') {
      show('ok', `The record at position ${message.position}, with hash ${message.hash}, is in the log of ${records(message.size)} that the checkpoint signs.`);
    } else {
      show('bad', `Not verified: ${message.problem}`);
    }
  });
  one.postMessage({ checkpoint, proof: await response.json() });
}

stop.addEventListener('click', () => {
  finish('Stopped', `${records(progress.value)} were verified before; the rest is open.`, 'open');
});

if (!globalThis.crypto?.subtle) {
  verdict.textContent = 'This page cannot verify';
  state.textContent = 'Browsers compute hashes only over https or on 127.0.0.1: open the console so, or run the command below.';
} else if (Number(checkpoint.position ?? 0) === 0) {
  verdict.textContent = 'Nothing to verify';
  state.textContent = 'Nothing has been recorded yet.';
} else {
  state.textContent = 'This browser hashes every record itself, and believes the server for nothing.';
  start.hidden = false;
  start.addEventListener('click', verify);
  eventForm.querySelector('button').disabled = false;
  eventForm.addEventListener('submit', verifyEvent);
}
