// New events at the top of the log, as they are recorded. Without this, the page is as it was loaded.
//
// One stream for the visible tab: a browser has few connections to one server, so hidden tabs close
// theirs. A stream that was lost goes on after the last position, so no event is missed or repeated.

/** How long to wait before another attempt, in milliseconds. */
const FIRST_RETRY = 1000;
const LAST_RETRY = 30_000;
/** How long a new row is marked while the tab is visible, in milliseconds. */
const MARKED = 10_000;
/** How many rows stay. */
const MAX_ROWS = 400;

const status = document.querySelector('[data-stream]');
const text = status.querySelector('[data-state]');
const waiting = document.querySelector('[data-waiting]');
const rows = document.querySelector('[data-rows]');
const policy = globalThis.trustedTypes?.createPolicy('rows', { createHTML: (row) => row }) ?? {
  createHTML: (row) => row,
};

const address = new URL(status.dataset.stream, location.href);
let position = Number(address.searchParams.get('after'));
let queue = [];
let source;
let retry;
let delay = FIRST_RETRY;
let lostAt;

function show(state, words) {
  status.dataset.live = state;
  text.textContent = words;
}

function rowOf(html) {
  const template = document.createElement('template');
  template.innerHTML = policy.createHTML(html);
  return template.content.firstElementChild;
}

/** Whether a row above would move what the reader looks at. */
function isReading() {
  const selection = getSelection();
  return scrollY > rows.getBoundingClientRect().top + scrollY
    || rows.contains(document.activeElement)
    || (selection && !selection.isCollapsed && rows.contains(selection.anchorNode));
}

function insert(row) {
  document.querySelector('[data-empty]')?.remove();
  row.classList.add('new');
  rows.prepend(row);
  row.dispatchEvent(new CustomEvent('added', { bubbles: true }));
  setTimeout(() => row.classList.remove('new'), MARKED);
  while (rows.children.length > MAX_ROWS) rows.lastElementChild.remove();
}

function showQueue() {
  waiting.hidden = queue.length === 0;
  waiting.textContent = `${queue.length} new ${queue.length === 1 ? 'event' : 'events'}`;
}

function take(html) {
  const row = rowOf(html);
  if (!row || document.getElementById(row.id) || queue.some((other) => other.id === row.id)) return;
  if (queue.length > 0 || isReading()) queue.push(row);
  else insert(row);
  showQueue();
}

function open() {
  address.searchParams.set('after', position);
  source = new EventSource(address);
  source.addEventListener('open', () => {
    delay = FIRST_RETRY;
    lostAt = undefined;
    show('on', 'live');
  });
  source.addEventListener('row', (event) => {
    position = Number(event.lastEventId);
    take(event.data);
  });
  source.addEventListener('position', (event) => {
    position = Number(event.lastEventId);
  });
  source.addEventListener('behind', () => {
    close();
    show('off', 'too many new events to show one by one: load the page again');
  });
  source.addEventListener('error', () => {
    lostAt ??= new Date();
    const since = lostAt.toISOString().slice(11, 19);
    show('lost', `connecting again since ${since} UTC`);
    // A server that refuses is not asked again by the browser.
    close();
    retry = setTimeout(open, delay);
    delay = Math.min(delay * 2, LAST_RETRY);
  });
}

function close() {
  clearTimeout(retry);
  source?.close();
  source = undefined;
}

waiting.addEventListener('click', () => {
  queue.forEach(insert);
  queue = [];
  showQueue();
  scrollTo({ top: 0 });
  text.focus();
});

document.addEventListener('visibilitychange', () => {
  close();
  if (document.visibilityState === 'visible') open();
  else show('hidden', 'paused while the tab is hidden');
});
// A page from the browser's cache of pages is as old as when it was left.
addEventListener('pagehide', close);
addEventListener('pageshow', (event) => {
  if (event.persisted) open();
});

if (document.visibilityState === 'visible') open();
else show('hidden', 'paused while the tab is hidden');
