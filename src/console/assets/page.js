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
    const shown = age(element.closest(':has(time)').querySelector('time').dateTime);
    if (element.textContent !== shown) element.textContent = shown;
  }
}

// --- times

const zoneSwitch = document.querySelector('[data-zone-switch]');
let isLocal = kept('times') === 'local';

const DAY_OF_YEAR = { day: 'numeric', month: 'short' };
const CLOCK = { hour: '2-digit', minute: '2-digit', second: '2-digit', hourCycle: 'h23' };

function dayAndClock(at, day, clock) {
  return `${at.toLocaleDateString('en-GB', day)} ${at.toLocaleTimeString('en-GB', clock)}`;
}

/** The time with its year and its zone. */
function whole(at) {
  const zone = isLocal ? { timeZoneName: 'shortOffset' } : { timeZone: 'UTC' };
  const text = dayAndClock(at, { ...DAY_OF_YEAR, year: 'numeric', ...(!isLocal && zone) }, { ...CLOCK, ...zone });
  return isLocal ? text : `${text} UTC`;
}

function showTime(element) {
  const at = new Date(element.dateTime);
  element.dataset.utc ??= element.textContent;
  const { utc } = element.dataset;
  const day = / \d{4} /.test(utc) ? { ...DAY_OF_YEAR, year: 'numeric' } : DAY_OF_YEAR;
  if (!isLocal) element.textContent = utc;
  else if (utc.length === 8) element.textContent = at.toLocaleTimeString('en-GB', CLOCK);
  else element.textContent = dayAndClock(at, day, CLOCK);
  element.title = whole(at);
}

/** The times in tooltips, and in the labels of marks in plots, which are their tooltips too. */
const IN_LABEL = /\d{1,2} [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d UTC/g;
const labels = new Map();

function showLabel([element, { attribute, utc, tooltip }]) {
  const label = utc.replace(IN_LABEL, (time) => whole(new Date(time)));
  element.setAttribute(attribute, label);
  if (tooltip) tooltip.textContent = label;
}

function tooltipOf(mark) {
  const tooltip = document.createElementNS('http://www.w3.org/2000/svg', 'title');
  mark.prepend(tooltip);
  return tooltip;
}

function showTimes(root) {
  root.querySelectorAll('time[datetime]').forEach(showTime);
  for (const element of root.querySelectorAll(':not(time)[title*=" UTC"], svg a[aria-label]')) {
    const isMark = element.localName === 'a' && element.ownerSVGElement;
    const attribute = isMark ? 'aria-label' : 'title';
    if (!labels.has(element)) {
      labels.set(element, { attribute, utc: element.getAttribute(attribute), tooltip: isMark && tooltipOf(element) });
    }
  }
  [...labels].forEach(showLabel);
}

function showZone() {
  const { timeZone } = Intl.DateTimeFormat().resolvedOptions();
  showTimes(document);
  for (const element of document.querySelectorAll('[data-zone]')) {
    element.textContent = isLocal ? 'local' : 'UTC';
  }
  document.querySelector('[data-zone-text]').textContent = isLocal
    ? `Times are those of ${timeZone}; days, bars and exports are UTC`
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

const marks = [...document.querySelectorAll('[name=of]')];

/** Marks the event with the focus; of more than two, the one that was marked first is released. */
function mark() {
  document.activeElement?.closest('article')?.querySelector('[name=of]')?.click();
}

let marked = [];
for (const box of marks) {
  box.addEventListener('change', () => {
    marked = [...marked.filter((other) => other !== box), ...(box.checked ? [box] : [])];
    while (marked.length > 2) marked.shift().checked = false;
  });
}

/** What changed: between the marked events, in the one with the focus, or in the user pool. */
function diff() {
  if (marked.length === 2) {
    marked[0].form.requestSubmit();
    return;
  }
  const row = document.activeElement?.closest('article');
  const link = row?.querySelector('[data-diff]') ?? document.querySelector('main [data-diff]');
  link?.click();
}

const ACTIONS = {
  '/': () => jump.focus(),
  j: () => step(1),
  k: () => step(-1),
  d: diff,
  m: mark,
  '?': () => dialog.showModal(),
};

addEventListener('keydown', (event) => {
  const isTyping = event.target.closest?.('input:not([type=checkbox]), select, textarea, dialog');
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
addEventListener('added', (event) => showTimes(event.target));
showZone();
showKeys();
// Without an answer of the server, its time is not known.
if (!Number.isNaN(answered)) setInterval(showAges, AGE_INTERVAL);
