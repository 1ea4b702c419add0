//! A witness cosigns the checkpoints of one history of a log, and never those of another.

use std::{
    fs::{self, Permissions},
    os::unix::fs::{MetadataExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
};

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::json;
use sha2::{Digest as _, Sha256};
use tempfile::TempDir;
use userpool::{
    audit::{
        AddCheckpoint, CheckpointWitness, Note, NoteKey, NoteSignature, Quorum, QuorumError,
        WitnessError, WitnessKey, WitnessRefusal,
        checkpoint::{LogState, Signer},
        merkle::{self, leaf_hash, prove_consistency},
    },
    event_log::{Hash, Head, Position},
};

use super::{
    Tree, judge,
    mutations::{MUTATIONS, mutated},
};
use crate::random::Random;

fn at() -> DateTime<Utc> {
    DateTime::from_timestamp(1_512_950_400, 0).expect("2017-12-11")
}

/// A log that signs what it is told.
pub(crate) struct Log {
    tree: Tree,
    signer: Signer,
    _keys: TempDir,
}

impl Log {
    pub(crate) fn of(size: u64) -> Self {
        let keys = TempDir::new().expect("a directory");
        let signer = Signer::open(&keys.path().join("key"), &keys.path().join("none"));
        let signer =
            signer.expect("a key").with_origin(Some("log.example".parse().expect("a name")));
        Self { tree: Tree::of(size), signer, _keys: keys }
    }

    /// The same log, but the record with this index is another one.
    pub(crate) fn forked(&self, index: u64) -> Tree {
        let mut tree = Tree::default();
        for leaf in 0..self.tree.edge.size() {
            let record = if leaf == index { u64::MAX } else { leaf };
            for tile in tree.edge.push(leaf_hash(&record.to_be_bytes())) {
                tree.tiles.insert((tile.level, tile.index), tile.hashes);
            }
        }
        tree
    }

    pub(crate) fn key(&self) -> NoteKey {
        self.signer.note_key(None)
    }

    fn checkpoint(&self, tree: &Tree, size: u64) -> Note {
        let Ok(root) = merkle::root(tree, size);
        let head = Head { position: Position(size), ..Head::default() };
        let signed = self.signer.sign(&LogState { head, root, log_id: None }, at());
        Note::parse(&signed.note).expect("a note")
    }

    pub(crate) fn request_in(&self, tree: &Tree, old: u64, new: u64) -> AddCheckpoint {
        let Ok(hashes) = prove_consistency(tree, old, new);
        AddCheckpoint { old_size: old, hashes, checkpoint: self.checkpoint(tree, new) }
    }

    pub(crate) fn request(&self, old: u64, new: u64) -> AddCheckpoint {
        self.request_in(&self.tree, old, new)
    }
}

fn open(directory: &Path, logs: Vec<NoteKey>) -> Result<CheckpointWitness, WitnessError> {
    CheckpointWitness::open(directory, "witness.example/w1".parse().expect("a name"), logs)
}

fn with_cosignature(checkpoint: &Note, cosignature: NoteSignature) -> Note {
    let signatures = checkpoint.signatures.iter().cloned().chain([cosignature]).collect();
    Note { text: checkpoint.text.clone(), signatures }
}

#[test]
fn a_log_is_cosigned_as_it_grows() {
    let log = Log::of(600);
    let directory = TempDir::new().expect("a directory");
    let mut witness = open(directory.path(), vec![log.key()]).expect("opened");
    let key = witness.key();
    assert_eq!(key.to_string().parse().as_ref(), Ok(&key));
    let mut questions = Vec::new();
    let mut old = 0;
    for size in [0, 0, 1, 1, 2, 255, 256, 257, 600] {
        let request = log.request(old, size);
        assert_eq!(AddCheckpoint::parse(&request.to_string()).expect("a request"), request);
        let cosignature = witness.add(&request, at()).expect("cosigned");
        let note = with_cosignature(&request.checkpoint, cosignature);
        key.verify(&note).expect("valid");
        questions.push(json!({"Cosigned": {
            "Note": note.to_string(), "Key": log.key().to_string(),
            "Witnesses": [key.to_string()], "Time": at().timestamp(),
        }}));
        // After a crash or a restart, it goes on.
        drop(witness);
        witness = open(directory.path(), vec![log.key()]).expect("opened");
        assert_eq!(witness.key(), key);
        old = size;
    }
    judge::assert_accepted(&questions, "that Go accepts the cosignatures of a witness");
}

/// Whatever a log signs, of two histories only one is cosigned.
#[test]
fn another_history_is_never_cosigned() {
    let log = Log::of(300);
    let directory = TempDir::new().expect("a directory");
    let open = || open(directory.path(), vec![log.key()]).expect("opened");
    let mut witness = open();
    let refusal = |witness: &mut CheckpointWitness, request: &AddCheckpoint| {
        witness.add(request, at()).expect_err("refused")
    };
    let cosigned = witness.add(&log.request(0, 200), at()).expect("cosigned");
    for index in [0, 100, 199] {
        let fork = log.forked(index);
        for size in [200, 201, 300] {
            let request = log.request_in(&fork, 200, size);
            let refused = refusal(&mut witness, &request);
            let is_expected = match size {
                200 => matches!(refused, WitnessRefusal::OtherRoot),
                _ => matches!(refused, WitnessRefusal::NotContinued(_)),
            };
            assert!(is_expected, "{refused:?}");
            // Nor after a restart, nor from an older size.
            drop(witness);
            witness = open();
            for old in [0, 1, 199] {
                let refused = refusal(&mut witness, &log.request_in(&fork, old, size));
                assert!(matches!(refused, WitnessRefusal::OtherSize(200)), "{refused:?}");
            }
        }
    }
    // A rollback, a proof that is wrong, and one that is not needed.
    for (request, is_expected) in [
        (log.request(100, 150), "OtherSize"),
        (AddCheckpoint { old_size: 200, ..log.request(100, 150) }, "Malformed"),
        (AddCheckpoint { hashes: Vec::new(), ..log.request(200, 250) }, "NotContinued"),
        (AddCheckpoint { hashes: vec![Hash([1; 32])], ..log.request(200, 200) }, "NotContinued"),
    ] {
        let refused = format!("{:?}", refusal(&mut witness, &request));
        assert!(refused.starts_with(is_expected), "{refused}");
    }
    // Other logs, and other keys.
    let other = Log::of(300);
    let refused = refusal(&mut witness, &other.request(200, 250));
    assert!(matches!(refused, WitnessRefusal::NotSigned(_)), "{refused:?}");
    let mut forged = log.request(200, 250);
    forged.checkpoint.text = forged.checkpoint.text.replace("\n250\n", "\n251\n");
    let refused = refusal(&mut witness, &forged);
    assert!(matches!(refused, WitnessRefusal::NotSigned(_)), "{refused:?}");
    let elsewhere = TempDir::new().expect("a directory");
    let mut none = self::open(elsewhere.path(), Vec::new()).expect("opened");
    let refused = refusal(&mut none, &log.request(0, 1));
    assert!(matches!(refused, WitnessRefusal::UnknownLog(_)), "{refused:?}");
    // An empty tree with another root.
    let mut empty =
        self::open(elsewhere.path().join("new").as_path(), vec![log.key()]).expect("opened");
    let root = Hash([7; 32]);
    let signed = log.signer.sign(&LogState { head: Head::default(), root, log_id: None }, at());
    let checkpoint = Note::parse(&signed.note).expect("a note");
    let request = AddCheckpoint { old_size: 0, hashes: Vec::new(), checkpoint };
    let refused = refusal(&mut empty, &request);
    assert!(matches!(refused, WitnessRefusal::OtherRoot), "{refused:?}");

    // What was cosigned last is still the last, and is cosigned again.
    assert_eq!(witness.add(&log.request(200, 200), at()).expect("cosigned"), cosigned);
    witness.add(&log.request(200, 300), at()).expect("cosigned");
}

#[test]
fn a_witness_without_its_state_does_not_start() {
    let log = Log::of(10);
    let directory = TempDir::new().expect("a directory");
    let open = || open(directory.path(), vec![log.key()]);
    let mut witness = open().expect("opened");
    assert!(matches!(open(), Err(WitnessError::InUse(_))));
    witness.add(&log.request(0, 10), at()).expect("cosigned");
    drop(witness);
    let kept = kept_checkpoint(directory.path());
    let note = fs::read_to_string(&kept).expect("readable");
    for changed in
        [note.replace("\n10\n", "\n9\n"), note[..note.len() - 2].to_owned(), String::new()]
    {
        fs::write(&kept, changed).expect("written");
        assert!(matches!(open(), Err(WitnessError::Damaged(_))));
    }
    fs::write(&kept, note).expect("written");
    open().expect("opened");
    // With another key, it could not tell its own checkpoints.
    let key = directory.path().join("witness_key.pem");
    fs::remove_file(&key).expect("removed");
    assert!(matches!(open(), Err(WitnessError::Damaged(_))));
}

/// A witness with another name is another witness.
#[test]
fn a_witness_keeps_its_name() {
    let log = Log::of(10);
    let directory = TempDir::new().expect("a directory");
    let open = |name: &str| {
        let name = name.parse().expect("a name");
        CheckpointWitness::open(directory.path(), name, vec![log.key()])
    };
    let mut witness = open("witness.example/old").expect("opened");
    witness.add(&log.request(0, 10), at()).expect("cosigned");
    drop(witness);
    let refused = open("witness.example/new").expect_err("another name");
    let expected = "was cosigned under the name witness.example/old: start with --name \
                    witness.example/old, or use another directory for a new witness";
    assert!(refused.to_string().ends_with(expected), "{refused}");
    open("witness.example/old").expect("opened");
}

/// The note that is kept has each signature once, and none that was not verified.
#[test]
fn only_verified_signatures_are_kept() {
    let (log, directory) = (Log::of(10), TempDir::new().expect("a directory"));
    let refused = open(directory.path(), vec![log.key(), log.key()]).expect_err("one key twice");
    assert!(matches!(refused, WitnessError::RepeatedLog(_)), "{refused}");
    let other = NoteKey::new("other.example", log.key().public_key()).expect("a key");
    let logs = vec![log.key(), other.clone()];
    let mut witness = open(directory.path(), logs.clone()).expect("opened");
    let mut request = log.request(0, 10);
    let forged = NoteSignature {
        name: other.name().to_owned(),
        key_id: other.id(),
        bytes: b"anything".repeat(8),
    };
    request.checkpoint.signatures.push(forged);
    let cosignature = witness.add(&request, at()).expect("cosigned");
    let hash = data_encoding::HEXLOWER.encode(&Sha256::digest("log.example"));
    let kept = witness.latest().note(&hash).expect("a checkpoint");
    assert_eq!(kept, with_cosignature(&log.request(0, 10).checkpoint, cosignature));
    drop(witness);
    open(directory.path(), logs).expect("opened");
}

/// Anyone can send the last checkpoint again, so that must not cost a sync of the disk.
#[test]
fn the_last_checkpoint_is_cosigned_again_without_a_write() {
    let (log, directory) = (Log::of(10), TempDir::new().expect("a directory"));
    let mut witness = open(directory.path(), vec![log.key()]).expect("opened");
    witness.add(&log.request(0, 10), at()).expect("cosigned");
    let kept = kept_checkpoint(directory.path());
    // Each write replaces the file.
    let inode = || fs::metadata(&kept).expect("a file").ino();
    let before = inode();
    let later = at() + TimeDelta::days(1);
    let request = log.request(10, 10);
    let cosignature = witness.add(&request, later).expect("cosigned");
    let note = with_cosignature(&request.checkpoint, cosignature);
    witness.key().verify(&note).expect("valid");
    assert_eq!(inode(), before);
}

/// The path of the only checkpoint that a witness keeps.
fn kept_checkpoint(directory: &Path) -> PathBuf {
    let entries = fs::read_dir(directory).expect("readable");
    let kept = entries.map(|entry| entry.expect("an entry").path()).find(|path| path.is_dir());
    kept.expect("a directory").join("checkpoint")
}

#[test]
fn a_changed_cosigned_note_is_refused() {
    let log = Log::of(10);
    let directories = [TempDir::new(), TempDir::new()].map(|made| made.expect("a directory"));
    let names = ["witness.example/w1", "witness.example/w2"];
    let request = log.request(0, 10);
    let (mut note, mut keys) = (request.checkpoint.clone(), Vec::new());
    for (directory, name) in directories.iter().zip(names) {
        let name = name.parse().expect("a name");
        let witness = CheckpointWitness::open(directory.path(), name, vec![log.key()]);
        let mut witness = witness.expect("opened");
        note = with_cosignature(&note, witness.add(&request, at()).expect("cosigned"));
        keys.push(witness.key());
    }
    let quorum = Quorum::new(keys, None).expect("a quorum");
    let accepted = |text: &str| {
        let note = Note::parse(text).ok()?;
        note.verify(&log.key()).ok()?;
        quorum.verify(&note).ok()?;
        Some(note)
    };
    assert_eq!(accepted(&note.to_string()).as_ref(), Some(&note));
    let mut random = Random::from_seed(4);
    for _ in 0..MUTATIONS {
        let changed = mutated(&note.to_string(), &mut random);
        let Some(found) = accepted(&changed) else { continue };
        // The order of the signatures does not matter.
        assert_eq!(found.text, note.text, "{changed}");
        assert_eq!(found.signatures.len(), note.signatures.len(), "{changed}");
        assert!(found.signatures.iter().all(|line| note.signatures.contains(line)), "{changed}");
    }
    // Of another checkpoint.
    let other = log.checkpoint(&log.tree, 9);
    let mixed = Note { signatures: note.signatures, ..other };
    quorum.verify(&mixed).expect_err("cosignatures of another checkpoint");
    assert!(log.key().to_string().parse::<WitnessKey>().is_err());
}

#[test]
fn a_changed_request_is_not_cosigned() {
    let log = Log::of(10);
    let directory = TempDir::new().expect("a directory");
    let mut witness = open(directory.path(), vec![log.key()]).expect("opened");
    witness.add(&log.request(0, 7), at()).expect("cosigned");
    let request = log.request(7, 10);
    let mut random = Random::from_seed(5);
    for _ in 0..MUTATIONS {
        let changed = mutated(&request.to_string(), &mut random);
        let Ok(parsed) = AddCheckpoint::parse(&changed) else { continue };
        witness.add(&parsed, at()).expect_err(&changed);
    }
    witness.add(&request, at()).expect("cosigned");
}

#[test]
fn a_quorum_counts_each_witness_once() {
    let log = Log::of(10);
    let (directory, elsewhere) = (TempDir::new(), TempDir::new());
    let directory = directory.expect("a directory");
    let mut witness = open(directory.path(), vec![log.key()]).expect("opened");
    let request = log.request(0, 10);
    let cosignature = witness.add(&request, at()).expect("cosigned");
    let note = with_cosignature(&request.checkpoint, cosignature.clone());
    let key = witness.key();
    drop(witness);
    // Another key of the name, such as the one before it was replaced.
    let old = open(elsewhere.expect("a directory").path(), Vec::new()).expect("opened").key();
    for keys in [vec![key.clone(), old], vec![key.clone(), key.clone()]] {
        let two = Quorum::new(keys.clone(), Some(2)).expect_err("impossible");
        assert!(matches!(two, QuorumError::Size { required: 2, count: 1 }), "{two}");
        Quorum::new(keys, None).expect("a quorum").verify(&note).expect("cosigned");
    }
    // Another name of the key, with which anyone can write the same cosignature.
    let elsewhere = TempDir::new().expect("a directory");
    let pem = fs::read(directory.path().join("witness_key.pem")).expect("readable");
    let renamed = elsewhere.path().join("witness_key.pem");
    fs::write(&renamed, pem).expect("written");
    fs::set_permissions(&renamed, Permissions::from_mode(0o600)).expect("private");
    let name = "witness.example/w2".parse().expect("a name");
    let renamed = CheckpointWitness::open(elsewhere.path(), name, Vec::new()).expect("opened");
    let refused = Quorum::new(vec![key.clone(), renamed.key()], Some(1)).expect_err("one witness");
    let expected = "witness.example/w1 and witness.example/w2 have the same key, so they are one \
                    witness: name one of them";
    assert_eq!(refused.to_string(), expected);
    assert!(Quorum::new(vec![key], Some(0)).is_err());
    assert!(Quorum::new(Vec::new(), None).is_err());
}
