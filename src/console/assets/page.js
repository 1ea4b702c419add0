// What every page has: ages that stay true, times in UTC or as the clock of the reader, and keys.
// Every page reads without it.

/** How often ages are written again, in milliseconds. */
const AGE_INTERVAL = 10_000;
const MINUTE = 60;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

function kept(name) {
  try {
    return localStorage.getItem(name);
  } catch {
    return null;
  }
}

function keep(name, value) {
  try {
    localStorage.setItem(name, value);
  } catch {
    // Without storage, the choice is for this page only.
  }
}

// --- ages

const answered = Date.parse(document.querySelector('[data-now]')?.dateTime);
const opened = performance.now();

/** The time by the clock of the server. */
function now() {
  return answered + (performance.now() - opened);
}

function age(at) {
  const seconds = Math.floor((now() - Date.parse(at)) / 1000);
  if (seconds < 0) return 'in the future';
  if (seconds < MINUTE) return `${seconds} s ago`;
  if (seconds < HOUR) return `${Math.floor(seconds / MINUTE)} min ago`;
  if (seconds < DAY) return `${Math.floor(seconds / HOUR)} h ago`;
  const days = Math.floor(seconds / DAY);
  return `${days} ${days === 1 ? 'day' : 'days'} ago`;
}

function showAges() {
  for (const element of document.querySelectorAll('[data-age]')) {
    const shown = age(element.dataset.age);
    if (element.textContent !== shown) element.textContent = shown;
  }
}

// --- times

const zoneSwitch = document.querySelector('[data-zone-switch]');
let isLocal = kept('times') === 'local';

function localText(element) {
  const at = new Date(element.dateTime);
  const clock = { hour: '2-digit', minute: '2-digit', second: '2-digit', hourCycle: 'h23' };
  if (element.dataset.utc.length === 8) return at.toLocaleTimeString('en-GB', clock);
  const day = { day: 'numeric', month: 'short' };
  if (/ \d{4} /.test(element.dataset.utc)) day.year = 'numeric';
  return `${at.toLocaleDateString('en-GB', day)} ${at.toLocaleTimeString('en-GB', clock)}`;
}

function showTimes(root) {
  for (const element of root.querySelectorAll('time[datetime]')) {
    element.dataset.utc ??= element.textContent;
    element.textContent = isLocal ? localText(element) : element.dataset.utc;
  }
}

function showZone() {
  const { timeZone } = Intl.DateTimeFormat().resolvedOptions();
  showTimes(document);
  for (const element of document.querySelectorAll('[data-zone]')) {
    element.textContent = isLocal ? 'local' : 'UTC';
  }
  document.querySelector('[data-zone-text]').textContent = isLocal
    ? `Times are those of ${timeZone}; days and exports are UTC`
    : 'Times are UTC';
  zoneSwitch.textContent = isLocal ? 'Show UTC' : 'Show local times';
}

// --- keys

const dialog = document.querySelector('[data-keys]');
const keysSwitch = dialog.querySelector('input');
const jump = document.getElementById('jump');
let areKeysOn = kept('keys') !== 'off';

/** The links that j and k go through: the first of each row. */
function stops() {
  const rows = [...document.querySelectorAll('main tbody tr, main article')];
  return rows.map((row) => row.querySelector('a[href]')).filter(Boolean);
}

function step(by) {
  const all = stops();
  const row = document.activeElement?.closest('tr, article');
  const at = all.findIndex((link) => row?.contains(link));
  const next = all[at < 0 ? 0 : Math.min(Math.max(at + by, 0), all.length - 1)];
  next?.focus();
}

/** The link to what changed: of the row with the focus, or of the page. */
function diff() {
  const row = document.activeElement?.closest('article');
  const link = row?.querySelector('[data-diff]') ?? document.querySelector('main [data-diff]');
  link?.click();
}

const ACTIONS = {
  '/': () => jump.focus(),
  j: () => step(1),
  k: () => step(-1),
  d: diff,
  '?': () => dialog.showModal(),
};

addEventListener('keydown', (event) => {
  const isTyping = event.target.closest?.('input, select, textarea, dialog');
  if (isTyping || event.ctrlKey || event.metaKey || event.altKey) return;
  const action = ACTIONS[event.key];
  if (!action || (!areKeysOn && event.key !== '?')) return;
  event.preventDefault();
  action();
});

function showKeys() {
  keysSwitch.checked = areKeysOn;
  for (const element of document.querySelectorAll('[data-keys-on]')) element.hidden = !areKeysOn;
}

keysSwitch.addEventListener('change', () => {
  areKeysOn = keysSwitch.checked;
  keep('keys', areKeysOn ? 'on' : 'off');
  showKeys();
});
for (const button of document.querySelectorAll('[data-keys-open]')) {
  button.hidden = false;
  button.addEventListener('click', () => dialog.showModal());
}

// --- begin

zoneSwitch.hidden = false;
zoneSwitch.addEventListener('click', () => {
  isLocal = !isLocal;
  keep('times', isLocal ? 'local' : 'utc');
  showZone();
});
addEventListener('added', (event) => {
  event.target.querySelectorAll('time[datetime]').forEach((element) => {
    element.dataset.utc ??= element.textContent;
    if (isLocal) element.textContent = localText(element);
  });
});
if (isLocal) showZone();
showKeys();
// Without an answer of the server, its time is not known.
if (!Number.isNaN(answered)) setInterval(showAges, AGE_INTERVAL);
