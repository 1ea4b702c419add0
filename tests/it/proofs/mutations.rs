//! A proof or a note that is changed anywhere is refused.

use tempfile::TempDir;
use userpool::{
    audit::{
        LogKey, Note, NoteKey, PublicKey, TlogProof,
        checkpoint::{self, LogState, Signer},
        merkle::{Edge, leaf_hash, prove_inclusion},
    },
    event_log::{EventLog as _, Head, LogId, MemoryLog, Position, ReadLimit},
    proto::SignedCheckpoint,
};

use super::Tree;
use crate::{random::Random, support::event_body};

/// How many records the log has.
const RECORDS: u64 = 300;
/// How many changes are tried of each document.
pub(super) const MUTATIONS: usize = 1000;

/// A log, its checkpoint and the key for it.
struct Signed {
    tree: Tree,
    log: MemoryLog,
    checkpoint: SignedCheckpoint,
    key: NoteKey,
}

async fn signed() -> Signed {
    let log = MemoryLog::default();
    let bodies = (1..=300).map(|revision| event_body("us-east-1_AbCdEfGhI", revision)).collect();
    let records = log.append(Head::default(), bodies).await.expect("appended");
    let mut tree = Tree::default();
    for record in &records {
        for tile in tree.edge.push(leaf_hash(&record.stored)) {
            tree.tiles.insert((tile.level, tile.index), tile.hashes);
        }
    }
    let directory = TempDir::new().expect("a directory");
    let signer = Signer::open(&directory.path().join("key"), &directory.path().join("none"));
    let signer = signer.expect("a key");
    let log_id = Some(LogId::of(records[0].hash));
    let head = *log.head().borrow();
    let state = LogState { head, root: tree.edge.root(), log_id };
    let at = chrono::DateTime::from_timestamp(1_512_950_400, 0).expect("2017-12-11");
    let (checkpoint, key) = (signer.sign(&state, at), signer.note_key(log_id));
    Signed { tree, log, checkpoint, key }
}

impl Signed {
    async fn proof(&self, position: u64) -> TlogProof {
        let limit = ReadLimit { records: 1, ..ReadLimit::PAGE };
        let record =
            self.log.read(Position(position - 1), limit).await.expect("a record").remove(0);
        let index = position - 1;
        let Ok(hashes) = prove_inclusion(&self.tree, index, RECORDS);
        let checkpoint = Note::parse(&self.checkpoint.note).expect("a note");
        TlogProof { record: record.stored.to_vec(), index, hashes, checkpoint }
    }

    /// The keys that an auditor may have: with the name of the log, and without.
    fn keys(&self) -> [LogKey; 2] {
        let named = LogKey { name: Some(self.key.name().to_owned()), key: self.key.public_key() };
        let bare = LogKey { name: None, ..named.clone() };
        [named, bare]
    }
}

/// The text with one change; another text than before.
pub(super) fn mutated(text: &str, random: &mut Random) -> String {
    loop {
        let mut bytes = text.as_bytes().to_vec();
        let place = random.below(bytes.len());
        match random.below(8) {
            0..3 => bytes[place] ^= 1 << random.below(8),
            3 => drop(bytes.remove(place)),
            4 => bytes.insert(place, b"0Aa+/= \n"[random.below(8)]),
            5 => bytes.truncate(place),
            kind => {
                let mut lines: Vec<_> = text.split_inclusive('\n').collect();
                let (line, other) = (random.below(lines.len()), random.below(lines.len()));
                match kind {
                    6 => drop(lines.remove(line)),
                    _ => lines.swap(line, other),
                }
                bytes = lines.concat().into_bytes();
            }
        }
        let changed = String::from_utf8_lossy(&bytes).into_owned();
        if changed != text {
            return changed;
        }
    }
}

fn accepts(file: &str, key: &LogKey) -> bool {
    let proofs = TlogProof::parse_all(file);
    proofs.is_ok_and(|proofs| proofs.iter().all(|proof| proof.verify(key).is_ok()))
}

#[tokio::test]
async fn a_changed_proof_is_refused() {
    let signed = signed().await;
    for position in [1, 256, 257, RECORDS] {
        let file = signed.proof(position).await.to_string();
        assert_eq!(TlogProof::parse_all(&file).expect("a proof")[0].to_string(), file);
        for key in signed.keys() {
            assert!(accepts(&file, &key), "{file}");
            let mut random = Random::from_seed(position);
            for _ in 0..MUTATIONS / 4 {
                let changed = mutated(&file, &mut random);
                assert!(!accepts(&changed, &key), "{changed}");
            }
        }
    }
}

#[tokio::test]
async fn a_changed_note_is_refused() {
    let signed = signed().await;
    let note = &signed.checkpoint.note;
    let accepts = |note: &str| {
        Note::parse(note)
            .is_ok_and(|note| signed.keys().iter().any(|key| key.verify(&note).is_ok()))
    };
    assert!(accepts(note));
    checkpoint::verify(&signed.checkpoint).expect("valid");
    let mut random = Random::from_seed(1);
    for _ in 0..MUTATIONS {
        let changed = mutated(note, &mut random);
        assert!(!accepts(&changed), "{changed}");
        let message = SignedCheckpoint { note: changed, ..signed.checkpoint.clone() };
        assert!(checkpoint::verify(&message).is_err(), "{message:?}");
    }
}

#[tokio::test]
async fn a_changed_key_is_refused() {
    let signed = signed().await;
    let key = signed.key.to_string();
    assert_eq!(key.parse().as_ref(), Ok(&signed.key));
    let mut random = Random::from_seed(2);
    for _ in 0..MUTATIONS {
        let changed = mutated(&key, &mut random);
        assert!(changed.parse::<NoteKey>().is_err(), "{changed}");
    }
}

#[tokio::test]
async fn signatures_of_other_keys_do_not_count() {
    let signed = signed().await;
    let note = &signed.checkpoint.note;
    let [named, bare] = signed.keys();
    let with_witness = format!("{note}— witness.example AAAAAAECAwQF\n");
    let parsed = Note::parse(&with_witness).expect("a note");
    named.verify(&parsed).expect("signed");
    let other = LogKey { key: PublicKey([7; 32]), ..named.clone() };
    assert!(other.verify(&parsed).is_err());
    let elsewhere = LogKey { name: Some("userpool/other".to_owned()), ..named };
    assert!(elsewhere.verify(&parsed).is_err());
    // The same key signed a checkpoint of another log.
    let twice = format!("{note}{}", note.lines().last().expect("a signature"));
    assert!(Note::parse(&format!("{twice}\n")).is_err(), "two signatures of one key");
    bare.verify(&parsed).expect("a key without a name fits the log of the note");
}

/// A proof is of its own tree: the record of another log, or of another place, is refused.
#[tokio::test]
async fn proofs_cannot_be_mixed() {
    let signed = signed().await;
    let [key, _] = signed.keys();
    let (first, second) = (signed.proof(100).await, signed.proof(101).await);
    for mixed in [
        TlogProof { record: second.record.clone(), ..first.clone() },
        TlogProof { index: second.index, ..first.clone() },
        TlogProof { hashes: second.hashes.clone(), ..first.clone() },
    ] {
        assert!(mixed.verify(&key).is_err());
    }
    let mut shorter = Edge::default();
    shorter.push(leaf_hash(&first.record));
    // The leaf is what the hash of a node was: refused, because leaves and nodes differ.
    let node = [&first.hashes[0].0[..], &first.hashes[1].0[..]].concat();
    let forged = TlogProof { record: node, hashes: first.hashes[1..].to_vec(), ..first };
    assert!(forged.verify(&key).is_err());
}
