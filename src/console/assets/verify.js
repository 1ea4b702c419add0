// Verifies records, checkpoints and proofs, as docs/reference/log-format.md describes them, and trusts no server
// for any of it. It runs in a worker of the page "Proof", and in the file verifier.html.

/** How many records are hashed at the same time; a whole tile of the tree. */
const BATCH = 256;
/** The parts of a record. */
const HASH_BYTES = 32;
const LAYOUT = 1;
const HEAD_BYTES = 49;
/** The longest record that is accepted; one has a request of at most 4 MiB. */
const MAX_RECORD_BYTES = 16 * 1024 * 1024;
/** How many of the last records are shown. */
const SHOWN = 7;

/** What is wrong, and at which position. */
class Broken extends Error {
  constructor(position, problem) {
    super(problem);
    this.position = position;
  }
}

function hex(bytes) {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}

function fromBase64(text) {
  return Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
}

function areEqual(left, right) {
  return left.length === right.length && left.every((byte, index) => byte === right[index]);
}

async function sha256(...parts) {
  if (parts.length === 1) return new Uint8Array(await crypto.subtle.digest('SHA-256', parts[0]));
  const whole = new Uint8Array(parts.reduce((length, part) => length + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return new Uint8Array(await crypto.subtle.digest('SHA-256', whole));
}

const LEAF = Uint8Array.of(0);
const NODE = Uint8Array.of(1);

/** The tree of RFC 9162, section 2.1: the roots of its complete parts, the largest first. */
class Tree {
  #parts = [];

  /** The tree of so many records, of which the last one and its inclusion proof are known. */
  static async of(size, record, hashes) {
    const tree = new Tree();
    // What is beside the last leaf on its way to the root is a complete part, left of it.
    let left = size - 1;
    for (const hash of hashes) {
      let part = 1;
      while (left > 0 && left % (2 * part) === 0) part *= 2;
      tree.#parts.unshift({ hash, size: part });
      left -= part;
    }
    if (left !== 0) throw new Broken(size, 'the proof has another number of hashes');
    await tree.#add({ hash: await sha256(LEAF, record), size: 1 });
    return tree;
  }

  async addLeaves(leaves) {
    let level = leaves.map((hash) => ({ hash, size: 1 }));
    // Pairs that are complete whatever comes before are joined at once.
    while (level.length > 1 && level.length % 2 === 0 && this.#isAligned(level[0].size * 2)) {
      const pairs = level.filter((_, index) => index % 2 === 0);
      level = await Promise.all(
        pairs.map(async ({ hash, size }, index) => ({
          hash: await sha256(NODE, hash, level[2 * index + 1].hash),
          size: 2 * size,
        })),
      );
    }
    for (const part of level) await this.#add(part);
  }

  #isAligned(size) {
    return this.#parts.every((part) => part.size >= size);
  }

  async #add(part) {
    let added = part;
    while (this.#parts.at(-1)?.size === added.size) {
      const left = this.#parts.pop();
      added = { hash: await sha256(NODE, left.hash, added.hash), size: 2 * added.size };
    }
    this.#parts.push(added);
  }

  async root() {
    if (this.#parts.length === 0) return sha256(new Uint8Array());
    let root = this.#parts.at(-1).hash;
    for (const { hash } of this.#parts.slice(0, -1).reverse()) root = await sha256(NODE, hash, root);
    return root;
  }
}

/** The head of a record, at the position that it must have. */
function parse(bytes, position) {
  if (bytes.length < HEAD_BYTES + HASH_BYTES) throw new Broken(position, 'the record is too short');
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes[HASH_BYTES] !== LAYOUT) throw new Broken(position, 'the record has another layout');
  const stated = view.getBigUint64(HASH_BYTES + 1);
  if (stated !== BigInt(position)) throw new Broken(position, `the record states position ${stated}`);
  return {
    position,
    previous: bytes.slice(0, HASH_BYTES),
    hash: bytes.slice(-HASH_BYTES),
    isBatchEnd: view.getUint32(HASH_BYTES + 9) + 1 === view.getUint32(HASH_BYTES + 13),
    bytes,
  };
}

/** Verifies records one after another, from the first on, or from the one after a checkpoint. */
class Verifier {
  constructor(known, begin = { position: 0, hash: new Uint8Array(HASH_BYTES), tree: new Tree() }) {
    this.known = known;
    this.position = begin.position;
    this.hash = begin.hash;
    this.bytes = 0;
    this.last = [];
    this.endsBatch = true;
    this.tree = begin.tree;
    this.found = [];
    this.queue = [];
  }

  async add(bytes) {
    this.queue.push(parse(bytes, this.position + this.queue.length + 1));
    const next = this.position + this.queue.length;
    const isKnown = this.known.some(({ position }) => position === next);
    if (next % BATCH === 0 || isKnown) await this.flush();
  }

  async flush() {
    const records = this.queue;
    this.queue = [];
    const hashes = await Promise.all(records.map(({ bytes }) => sha256(bytes.subarray(0, -HASH_BYTES))));
    records.forEach((record, index) => {
      if (!areEqual(record.previous, this.hash)) {
        throw new Broken(record.position, 'the record names another one before it');
      }
      if (!areEqual(record.hash, hashes[index])) {
        throw new Broken(record.position, 'the record does not have the hash that it states');
      }
      this.hash = record.hash;
      this.position = record.position;
      this.bytes += record.bytes.length;
      this.endsBatch = record.isBatchEnd;
    });
    await this.tree.addLeaves(await Promise.all(records.map(({ bytes }) => sha256(LEAF, bytes))));
    const shown = records.slice(-SHOWN).map(({ position, previous, hash }) => ({
      position, previous: hex(previous), hash: hex(hash),
    }));
    this.last = [...this.last, ...shown].slice(-SHOWN);
    for (const known of this.known.filter(({ position }) => position === this.position)) {
      await this.compare(known);
    }
  }

  /** Compares the log so far with a checkpoint of this position. */
  async compare({ position, hash, root }) {
    if (!areEqual(hash, this.hash)) {
      throw new Broken(position, 'a checkpoint has another hash at this position: the log is another one');
    }
    if (root && !areEqual(root, await this.tree.root())) {
      throw new Broken(position, 'a checkpoint has another root of the records up to this position');
    }
    this.found.push(position);
  }

  async end() {
    await this.flush();
    if (!this.endsBatch) throw new Broken(this.position, 'the log ends within a batch');
    return { hash: this.hash, root: await this.tree.root() };
  }
}

/** The records in a stream of the server: each after its length in four bytes, big-endian. */
async function* framed(stream) {
  const reader = stream.getReader();
  let rest = new Uint8Array();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) break;
      const all = new Uint8Array(rest.length + value.length);
      all.set(rest);
      all.set(value, rest.length);
      let at = 0;
      while (all.length - at >= 4) {
        const length = new DataView(all.buffer, at, 4).getUint32(0);
        if (length > MAX_RECORD_BYTES) throw new Error('a record is too long');
        if (all.length - at < 4 + length) break;
        yield all.subarray(at + 4, at + 4 + length);
        at += 4 + length;
      }
      rest = all.slice(at);
    }
    if (rest.length > 0) throw new Error('the stream ended within a record');
  } finally {
    reader.cancel().catch(() => {});
  }
}

/** The records in an export: one event per line, as JSON. */
async function* exported(stream) {
  const decoder = new TextDecoder();
  let rest = '';
  const records = function* (lines) {
    for (const line of lines.filter((text) => text.trim() !== '')) {
      const event = JSON.parse(line);
      if (event.userpoolExport) throw new Error('an export of a range cannot be verified alone here: use userpool verify');
      if (!event.record) throw new Error('a line has no record');
      yield fromBase64(event.record);
    }
  };
  const reader = stream.getReader();
  for (;;) {
    const { done, value } = await reader.read();
    const lines = (rest + decoder.decode(value ?? new Uint8Array(), { stream: !done })).split('\n');
    rest = done ? '' : lines.pop();
    yield* records(lines);
    if (done) return;
  }
}

/** The signed note of a checkpoint, read but not verified. */
function parseNote(note) {
  const end = note.lastIndexOf('\n\n');
  if (end < 0) throw new Error('the checkpoint is not a signed note');
  const text = note.slice(0, end + 1);
  const [origin, size, root, ...lines] = text.split('\n');
  const chain = lines.find((line) => line.startsWith('chain '));
  const time = lines.find((line) => line.startsWith('time '));
  if (!/^(0|[1-9][0-9]*)$/.test(size ?? '') || !chain) throw new Error('the note is not a checkpoint of a log of user pools');
  const own = note.slice(end + 2).split('\n').filter((line) => line.startsWith(`— ${origin} `));
  const signatures = own.map((line) => fromBase64(line.split(' ')[2] ?? ''));
  return {
    origin,
    text,
    signatures,
    position: Number(size),
    root: fromBase64(root),
    hash: Uint8Array.from(chain.slice(6).match(/../g) ?? [], (byte) => parseInt(byte, 16)),
    time: time?.slice(5),
  };
}

/** Whether the key signed the note. */
async function isSigned(note, key) {
  const typed = Uint8Array.of(1, ...key);
  const id = (await sha256(new TextEncoder().encode(`${note.origin}\n`), typed)).subarray(0, 4);
  const own = note.signatures.filter((signature) => areEqual(signature.subarray(0, 4), id));
  if (own.length !== 1) return false;
  const imported = await crypto.subtle.importKey('raw', key, 'Ed25519', false, ['verify']);
  const text = new TextEncoder().encode(note.text);
  return crypto.subtle.verify('Ed25519', imported, own[0].subarray(4), text);
}

/** The checkpoints in a file: of `userpool checkpoint`, one or more, or a signed note. */
function parseCheckpoints(file) {
  const ofJson = ({ note, publicKey }) => {
    if (!note) throw new Error('the file has no signed note: use userpool verify for it');
    return { ...parseNote(note), key: publicKey && fromBase64(publicKey) };
  };
  const text = file.trim();
  if (!text.startsWith('{')) return [parseNote(`${text}\n`)];
  try {
    return [ofJson(JSON.parse(text))];
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    return text.split('\n').map((line) => ofJson(JSON.parse(line)));
  }
}

/** The root that an inclusion proof leads to (RFC 9162, section 2.1.3.2). */
async function rootOf(record, index, size, hashes) {
  let node = await sha256(LEAF, record);
  let [place, last] = [BigInt(index), BigInt(size) - 1n];
  for (const sibling of hashes) {
    if (last <= 0n) throw new Error('the proof has too many hashes');
    if (place & 1n || place === last) {
      node = await sha256(NODE, sibling, node);
      while (place !== 0n && !(place & 1n)) [place, last] = [place >> 1n, last >> 1n];
    } else {
      node = await sha256(NODE, node, sibling);
    }
    [place, last] = [place >> 1n, last >> 1n];
  }
  if (last !== 0n) throw new Error('the proof has too few hashes');
  return node;
}

/**
 * Verifies records, and that they end as the checkpoint says. `known` are checkpoints that the reader
 * kept, and `begin` is where the records begin, if it is not the first one. Tells `report` how far it
 * is.
 */
async function verifyLog(records, checkpoint, known, report, begin) {
  const verifier = new Verifier([...known, ...(checkpoint ? [checkpoint] : [])], begin);
  await checkSignatures(known);
  const progress = () => ({
    kind: 'progress', position: verifier.position, bytes: verifier.bytes, last: verifier.last,
  });
  let told = performance.now();
  for await (const record of records) {
    await verifier.add(record);
    if (performance.now() - told > 100) {
      told = performance.now();
      report(progress());
    }
  }
  const { hash, root } = await verifier.end();
  report(progress());
  if (checkpoint && checkpoint.position !== verifier.position) {
    throw new Broken(verifier.position, `the records end at position ${verifier.position}, and the checkpoint is of ${checkpoint.position}`);
  }
  const [start, positions] = [begin?.position ?? 0, known.map(({ position }) => position)];
  const beyond = known.find(({ position }) => position > verifier.position);
  if (beyond) {
    throw new Broken(verifier.position, `a checkpoint that you opened is of position ${beyond.position}, and the log ends before it`);
  }
  return {
    kind: 'whole',
    position: verifier.position,
    bytes: verifier.bytes,
    hash: hex(hash),
    root: hex(root),
    begin: start,
    found: positions.filter((position) => position >= start),
    skipped: positions.filter((position) => position < start),
  };
}

async function checkSignatures(known) {
  for (const note of known) {
    if (note.key && !(await isSigned(note, note.key))) {
      throw new Broken(note.position, 'the signature of a checkpoint that you opened is wrong');
    }
  }
}

/** The newest of the checkpoints that were kept, with the tree up to it. `ask` gets the proof of its record. */
async function newestOf(known, ask) {
  await checkSignatures(known);
  const newest = known.reduce((one, other) => (other.position > one.position ? other : one));
  const { position } = newest;
  if (position === 0) return undefined;
  const { record, hashes } = await ask(position);
  const bytes = fromBase64(record);
  const { hash } = parse(bytes, position);
  if (!areEqual(hash, newest.hash) || !areEqual(hash, await sha256(bytes.subarray(0, -HASH_BYTES)))) {
    throw new Broken(position, 'a checkpoint has another hash at this position: the log is another one');
  }
  const tree = await Tree.of(position, bytes, (hashes ?? []).map(fromBase64));
  if (!areEqual(newest.root, await tree.root())) {
    throw new Broken(position, 'a checkpoint has another root of the records up to this position');
  }
  return { position, hash, tree };
}

/** Verifies that a record is in the log of a checkpoint. */
async function verifyInclusion({ record, leafIndex, hashes }, checkpoint) {
  const bytes = fromBase64(record);
  const index = Number(leafIndex ?? 0);
  const { position, hash } = parse(bytes, index + 1);
  if (!areEqual(hash, await sha256(bytes.subarray(0, -HASH_BYTES)))) {
    throw new Broken(position, 'the record does not have the hash that it states');
  }
  const root = await rootOf(bytes, index, checkpoint.position, (hashes ?? []).map(fromBase64));
  if (!areEqual(root, checkpoint.root)) throw new Broken(position, 'the hashes do not lead to the root of the checkpoint');
  return { kind: 'included', position, hash: hex(hash), size: checkpoint.position };
}

/** Tells whether the signature of a checkpoint is right; `undefined` if the browser cannot. */
async function signatureOf(note, key) {
  try {
    return await isSigned(note, key);
  } catch {
    return undefined;
  }
}

/** What the server answers at an address with these parameters. */
async function ask(address, parameters) {
  const url = new URL(address);
  for (const [name, value] of Object.entries(parameters)) url.searchParams.set(name, value);
  const response = await fetch(url);
  if (!response.ok) throw new Error(`the server answered ${response.status}`);
  return response;
}

function asProblem(error) {
  return { kind: 'broken', position: error.position, problem: error.message };
}

if (typeof WorkerGlobalScope !== 'undefined') {
  addEventListener('message', async ({ data }) => {
    try {
      const note = parseNote(data.checkpoint.note);
      const signed = await signatureOf(note, fromBase64(data.checkpoint.publicKey));
      postMessage({ kind: 'signature', signed, time: note.time });
      if (signed === false) throw new Broken(note.position, 'the signature of the checkpoint is wrong');
      if (data.proof) {
        postMessage(await verifyInclusion(data.proof, note));
        return;
      }
      const known = data.known.flatMap(parseCheckpoints);
      const newer = known.find(({ position }) => position > note.position);
      if (newer) {
        postMessage({ kind: 'newer', position: newer.position, end: note.position });
        return;
      }
      const isLater = data.begin && known.length > 0;
      const begin = isLater ? await newestOf(known, async (position) => {
        return (await ask(data.inclusion, { position, size: position })).json();
      }) : undefined;
      const response = await ask(data.records, { after: begin?.position ?? 0 });
      postMessage(await verifyLog(framed(response.body), note, known, postMessage, begin));
    } catch (error) {
      postMessage(asProblem(error));
    }
  });
}
