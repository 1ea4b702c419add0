// The form of verifier.html: an export and checkpoints from the disk, and no network.

const form = document.querySelector('form');
const verdict = document.querySelector('[data-verdict]');
const state = document.querySelector('[data-state]');

function show(kind, text, words) {
  document.body.dataset.result = kind;
  verdict.textContent = text;
  state.textContent = words;
}

/** A public key: in hexadecimal digits, or as NAME+HASH+KEY. */
function parseKey(text) {
  const key = text.trim();
  if (key === '') return undefined;
  if (/^[0-9a-f]{64}$/i.test(key)) return Uint8Array.from(key.match(/../g), (byte) => parseInt(byte, 16));
  const typed = fromBase64(key.split('+').slice(2).join('+'));
  if (typed.length !== 33 || typed[0] !== 1) throw new Error('the key is neither 64 hexadecimal digits nor NAME+HASH+KEY');
  return typed.subarray(1);
}

async function readCheckpoints(files, key) {
  const texts = await Promise.all([...files].map((file) => file.text()));
  return texts.flatMap(parseCheckpoints).map((note) => {
    if (key && note.key && !areEqual(key, note.key)) throw new Broken(note.position, 'a checkpoint is signed with another key than yours');
    return { ...note, key: key ?? note.key };
  });
}

form.addEventListener('submit', async (event) => {
  event.preventDefault();
  const [log] = form.elements.log.files;
  show('open', 'Verifying', '');
  try {
    const known = await readCheckpoints(form.elements.checkpoints.files, parseKey(form.elements.key.value));
    const whole = await verifyLog(exported(log.stream()), undefined, known, ({ position, bytes }) => {
      show('open', 'Verifying', `${position} records, ${bytes.toLocaleString('en')} bytes`);
    });
    const last = Math.max(0, ...whole.found);
    const unsigned = known.filter(({ key }) => !key).length;
    const words = [
      `${whole.position} records, ${whole.bytes.toLocaleString('en')} bytes. The last hash is ${whole.hash}, the root ${whole.root}.`,
      whole.found.length === 0
        ? 'No checkpoint was given: a log that was rewritten as a whole looks the same.'
        : `The checkpoints of position ${whole.found.join(', ')} were found again.`,
      unsigned > 0 ? `${unsigned} of them name no key, so their signatures were not verified.` : '',
      whole.position > last ? `That the log goes on after position ${last} as it was recorded, only a newer checkpoint shows.` : '',
    ];
    show('ok', `Whole up to position ${whole.position}`, words.filter(Boolean).join(' '));
  } catch (error) {
    const at = error.position === undefined ? '' : ` at position ${error.position}`;
    show('bad', `Not verified${at}`, error.message);
  }
});

form.querySelector('button').disabled = false;
show('open', 'Not verified yet', 'Choose an export of the log.');
