//! A witness: it cosigns a checkpoint of a log only if that continues the one before, and so
//! never two histories of one log. Knows nothing of HTTP.

use std::{
    collections::HashMap,
    fmt,
    fs::{self, TryLockError},
    io,
    path::{Path, PathBuf},
    sync::{Arc, PoisonError, RwLock},
};

use chrono::{DateTime, Utc};
use data_encoding::HEXLOWER;
use sha2::{Digest as _, Sha256};

use crate::{
    event_log::Hash,
    fs::{FileLock, read_optional, sync_directory, write_atomic},
};

use super::{
    checkpoint::{CheckpointText, KeyError, parse_number},
    cosigner::{Cosigner, WitnessKey, WitnessName},
    merkle::{ProofError, TreeHead, parse_hashes, to_base64},
    note::{Note, NoteError, NoteKey, NoteSignature},
};

/// The files of a witness.
const KEY: &str = "witness_key.pem";
const LOCK: &str = "lock";
const CHECKPOINT: &str = "checkpoint";

/// What the first line of a request begins with.
const OLD: &str = "old ";

/// A witness with its directory, in which it keeps the last checkpoint of each log.
#[derive(Debug)]
pub struct CheckpointWitness {
    directory: PathBuf,
    cosigner: Cosigner,
    /// The keys of the logs that it cosigns.
    logs: Vec<NoteKey>,
    latest: LatestCheckpoints,
    /// Locked while it is open.
    _lock: FileLock,
}

/// The last checkpoint of each log, by the hash of the name of the log. Clones show the same ones.
/// Reading them does not wait for the disk.
#[derive(Debug, Clone, Default)]
pub struct LatestCheckpoints(Arc<RwLock<HashMap<String, CosignedCheckpoint>>>);

/// A checkpoint that the witness cosigned.
#[derive(Debug, Clone)]
struct CosignedCheckpoint {
    tree: TreeHead,
    note: Note,
}

/// A request to cosign a checkpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AddCheckpoint {
    /// The size of the last checkpoint that the witness cosigned, as the log knows it.
    pub old_size: u64,
    /// The hashes that prove that the new checkpoint continues that one.
    pub hashes: Vec<Hash>,
    /// The new checkpoint.
    pub checkpoint: Note,
}

/// Why a witness cannot start.
#[derive(Debug, thiserror::Error)]
pub enum WitnessError {
    /// A file or the directory cannot be used.
    #[error("cannot use {}; check the disk, the owner and the permissions", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// Another process has locked the directory.
    #[error("the directory {} is in use by another witness; stop that one", .0.display())]
    InUse(PathBuf),
    /// The key cannot be used.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// Two of the keys are one: its signature would be in the kept checkpoint twice.
    #[error("--log has the key {0} twice; remove one of them")]
    RepeatedLog(Box<NoteKey>),
    /// The kept checkpoint was cosigned under another name.
    #[error(
        "{} was cosigned under the name {name}: start with --name {name}, or use another directory \
         for a new witness",
        path.display()
    )]
    OtherName {
        /// The kept checkpoint.
        path: PathBuf,
        /// The name of the witness that cosigned it.
        name: String,
    },
    /// The kept checkpoint is not one that this witness cosigned.
    #[error(
        "{} is not a checkpoint that this witness cosigned; restore it, and {KEY}, from a backup: \
         without it, the witness could cosign another history",
        .0.display()
    )]
    Damaged(PathBuf),
}

/// Why a checkpoint is not cosigned.
#[derive(Debug, thiserror::Error)]
pub enum WitnessRefusal {
    /// The request is malformed.
    #[error("malformed request: {0}")]
    Malformed(&'static str),
    /// The log is not one of this witness.
    #[error("this witness does not cosign the log {0}")]
    UnknownLog(String),
    /// The log did not sign the checkpoint.
    #[error("the checkpoint is not signed by its log")]
    NotSigned(#[source] NoteError),
    /// The proof begins at another size than the last checkpoint.
    #[error("the last checkpoint that this witness cosigned has {0} records")]
    OtherSize(u64),
    /// The checkpoint has as many records as the last one, but another root.
    #[error("the checkpoint differs from the one before, which has as many records")]
    OtherRoot,
    /// The checkpoint does not continue the last one.
    #[error("the checkpoint does not continue the one before")]
    NotContinued(#[source] ProofError),
    /// The checkpoint could not be kept, so it is not cosigned.
    #[error("the checkpoint cannot be kept")]
    Storage(#[source] io::Error),
}

impl CheckpointWitness {
    /// Opens the directory of a witness, or creates it with a new key.
    ///
    /// # Errors
    /// See [`WitnessError`].
    pub fn open(
        directory: &Path,
        name: WitnessName,
        logs: Vec<NoteKey>,
    ) -> Result<Self, WitnessError> {
        let io_error = |path: &Path| {
            let path = path.to_owned();
            |source| WitnessError::Io { path, source }
        };
        for (index, key) in logs.iter().enumerate() {
            let is_same = |other: &NoteKey| other.name() == key.name() && other.id() == key.id();
            if logs.iter().take(index).any(is_same) {
                return Err(WitnessError::RepeatedLog(Box::new(key.clone())));
            }
        }
        fs::create_dir_all(directory).map_err(io_error(directory))?;
        let lock_path = directory.join(LOCK);
        let lock = FileLock::try_new(&lock_path).map_err(|error| match error {
            TryLockError::WouldBlock => WitnessError::InUse(directory.to_owned()),
            TryLockError::Error(error) => io_error(&lock_path)(error),
        })?;
        let cosigner = Cosigner::open(&directory.join(KEY), name)?;
        let latest = LatestCheckpoints::default();
        for log in &logs {
            let path = checkpoint_path(directory, log.name());
            let hash = origin_hash(log.name());
            // Creates the directory now, so that its entry is durable before anything is cosigned.
            fs::create_dir_all(directory.join(&hash)).map_err(io_error(&path))?;
            if let Some(text) = read_optional(&path).map_err(io_error(&path))? {
                let last = CosignedCheckpoint::parse(&text, log.name());
                let last = last.ok_or_else(|| WitnessError::Damaged(path.clone()))?;
                match cosigner.key().name_in(&last.note) {
                    Some(name) if name == cosigner.key().name() => latest.set(hash, last),
                    Some(name) => {
                        return Err(WitnessError::OtherName { path, name: name.to_owned() });
                    }
                    None => return Err(WitnessError::Damaged(path)),
                }
            }
        }
        sync_directory(directory).map_err(io_error(directory))?;
        Ok(Self { directory: directory.to_owned(), cosigner, logs, latest, _lock: lock })
    }

    /// The key that verifies the cosignatures.
    #[must_use]
    pub fn key(&self) -> WitnessKey {
        self.cosigner.key()
    }

    /// Cosigns a checkpoint that continues the last one of its log. It is on disk when this
    /// returns, so that the witness never cosigns another history, even after a crash.
    ///
    /// # Errors
    /// See [`WitnessRefusal`].
    pub fn add(
        &mut self,
        request: &AddCheckpoint,
        at: DateTime<Utc>,
    ) -> Result<NoteSignature, WitnessRefusal> {
        let AddCheckpoint { old_size, hashes, checkpoint } = request;
        let text = CheckpointText::parse(&checkpoint.text)
            .ok_or(WitnessRefusal::Malformed("its note is not a checkpoint"))?;
        let CheckpointText { origin, tree, .. } = text;
        self.check_signed(&origin, checkpoint)?;
        if *old_size > tree.size {
            return Err(WitnessRefusal::Malformed("the old size exceeds that of the checkpoint"));
        }
        let hash = origin_hash(&origin);
        let last = self.latest.get(&hash);
        let old = last.as_ref().map_or_else(TreeHead::empty, |last| last.tree);
        if *old_size != old.size {
            return Err(WitnessRefusal::OtherSize(old.size));
        }
        if tree.size == old.size && tree.root != old.root {
            return Err(WitnessRefusal::OtherRoot);
        }
        tree.verify_continues(&old, hashes).map_err(WitnessRefusal::NotContinued)?;
        let cosignature = self.cosigner.cosign(&checkpoint.text, at);
        let mut note = self.signed_by_log(&origin, checkpoint);
        // Anyone can send the last checkpoint again and again.
        if last.is_some_and(|last| last.is_cosigned(&note)) {
            return Ok(cosignature);
        }
        note.signatures.push(cosignature.clone());
        let path = checkpoint_path(&self.directory, &origin);
        write_atomic(&path, note.to_string().as_bytes(), 0o644).map_err(WitnessRefusal::Storage)?;
        self.latest.set(hash, CosignedCheckpoint { tree, note });
        Ok(cosignature)
    }

    /// The last checkpoint of each log, now and later.
    #[must_use]
    pub fn latest(&self) -> LatestCheckpoints {
        self.latest.clone()
    }

    /// The checkpoint with only the signatures of the log with this name.
    #[must_use]
    pub fn signed_by_log(&self, origin: &str, checkpoint: &Note) -> Note {
        let keys = self.logs.iter().filter(|key| key.name() == origin);
        let signatures = keys.filter_map(|key| checkpoint.signature_of(key)).cloned().collect();
        Note { text: checkpoint.text.clone(), signatures }
    }

    /// Checks that a key of the log signed the note, and that no signature of such a key is wrong.
    fn check_signed(&self, origin: &str, note: &Note) -> Result<(), WitnessRefusal> {
        let keys = self.logs.iter().filter(|key| key.name() == origin);
        let mut signed = Err(WitnessRefusal::UnknownLog(origin.to_owned()));
        for key in keys {
            match note.verify(key) {
                Ok(()) => signed = Ok(()),
                Err(NoteError::NotSigned(_)) if signed.is_ok() => (),
                Err(error @ NoteError::NotSigned(_)) => {
                    signed = Err(WitnessRefusal::NotSigned(error));
                }
                Err(error) => return Err(WitnessRefusal::NotSigned(error)),
            }
        }
        signed
    }
}

impl LatestCheckpoints {
    /// The last checkpoint of the log whose name has this hash.
    #[must_use]
    pub fn note(&self, hash: &str) -> Option<Note> {
        self.get(hash).map(|last| last.note)
    }

    fn get(&self, hash: &str) -> Option<CosignedCheckpoint> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).get(hash).cloned()
    }

    fn set(&self, hash: String, last: CosignedCheckpoint) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).insert(hash, last);
    }
}

impl CosignedCheckpoint {
    /// Reads a checkpoint of the log with this name. Its signatures are not verified.
    fn parse(text: &[u8], origin: &str) -> Option<Self> {
        let note = Note::parse(str::from_utf8(text).ok()?).ok()?;
        let text = CheckpointText::parse(&note.text).filter(|text| text.origin == origin)?;
        Some(Self { tree: text.tree, note })
    }

    /// Whether it is this note with the cosignature, which comes last.
    fn is_cosigned(&self, signed: &Note) -> bool {
        let own = self.note.signatures.split_last().map(|(_, own)| own);
        self.note.text == signed.text && own == Some(signed.signatures.as_slice())
    }
}

impl AddCheckpoint {
    /// Reads the body of a request.
    ///
    /// # Errors
    /// [`WitnessRefusal::Malformed`].
    pub fn parse(body: &str) -> Result<Self, WitnessRefusal> {
        use WitnessRefusal::Malformed;
        let (lines, note) = body.split_once("\n\n").ok_or(Malformed("it has no blank line"))?;
        let mut lines = lines.split('\n');
        let old = lines.next().and_then(|line| parse_number(line.strip_prefix(OLD)?));
        let old_size = old.ok_or(Malformed("its first line has no old size"))?;
        let hashes = parse_hashes(lines).map_err(Malformed)?;
        let checkpoint =
            Note::parse(note).map_err(|_| Malformed("its checkpoint is not a note"))?;
        Ok(Self { old_size, hashes, checkpoint })
    }
}

/// Writes the body of the request.
impl fmt::Display for AddCheckpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { old_size, hashes, checkpoint } = self;
        writeln!(f, "{OLD}{old_size}")?;
        hashes.iter().try_for_each(|hash| writeln!(f, "{}", to_base64(*hash)))?;
        write!(f, "\n{checkpoint}")
    }
}

/// The hash that names a log in the paths of a witness.
fn origin_hash(origin: &str) -> String {
    HEXLOWER.encode(&Sha256::digest(origin))
}

fn checkpoint_path(directory: &Path, origin: &str) -> PathBuf {
    directory.join(origin_hash(origin)).join(CHECKPOINT)
}
