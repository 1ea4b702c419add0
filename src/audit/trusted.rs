//! The trust anchors of an auditor: checkpoints that were kept elsewhere, and the public
//! key that verifies them.

use std::{collections::BTreeMap, ffi::OsStr, fs, path::Path};

use serde_json::Value;

use crate::{
    event_log::{Hash, Head, LogId, Position},
    proto::{self, GetSignedCheckpointResponse, JsonError, SignedCheckpoint},
};

use super::{
    checkpoint::{self, CHAIN, CheckpointError, CheckpointText, LOG, VerifiedCheckpoint},
    cosigner::{Quorum, TooFewWitnesses},
    file_kind::FileKind,
    log_key::LogKey,
    merkle::TreeHead,
    mismatch::MismatchCause,
    note::{Note, NoteError},
    public_key::PublicKey,
};

/// The checkpoints and the key that a log is verified against.
#[derive(Debug, Clone)]
pub struct Trust {
    /// The checkpoints that the log must contain.
    pub checkpoints: Vec<LogCheckpoint>,
    /// The key that must have signed every checkpoint, if any is known.
    pub key: Option<PublicKey>,
    /// Whether the key was given, rather than taken from the checkpoints.
    pub is_key_given: bool,
    /// The positions and the notes of the checkpoints whose signing key is not known.
    pub unverified: Vec<(Position, Note)>,
    /// The names of the witnesses that cosigned the checkpoint at each position, if a quorum is
    /// required.
    pub cosigned: BTreeMap<Position, Vec<String>>,
}

/// The trusted checkpoints, or one of them and the given key, do not belong together.
#[derive(Debug, Clone, thiserror::Error)]
pub enum TrustError {
    /// A checkpoint is signed with another key.
    #[error(
        "the trusted checkpoint at position {position} is signed with key {found}, not with \
         {expected}"
    )]
    OtherKey {
        /// The position of the checkpoint.
        position: Position,
        /// Its key.
        found: PublicKey,
        /// The key that is given, or that of another checkpoint.
        expected: PublicKey,
    },
    /// A checkpoint that is a note is not signed with the key.
    #[error("the trusted checkpoint at position {position} is not valid")]
    Note {
        /// The position of the checkpoint.
        position: Position,
        /// Why it is not valid.
        source: NoteError,
    },
    /// Too few witnesses cosigned a checkpoint.
    #[error("the trusted checkpoint at position {position} is not cosigned as --witness requires")]
    NotCosigned {
        /// The position of the checkpoint.
        position: Position,
        /// How many did.
        source: TooFewWitnesses,
    },
    /// A checkpoint has no note, so no witness can have cosigned it.
    #[error(
        "the trusted checkpoint at position {0} has no signed note, so no witness cosigned it; name a \
         file with the output of \"userpool checkpoint --witnessed\""
    )]
    NoNote(Position),
}

/// The checkpoints of one file, or a single one.
#[derive(Debug, Clone)]
pub struct TrustedCheckpoints(pub Vec<TrustedCheckpoint>);

/// A checkpoint that an auditor kept.
#[derive(Debug, Clone)]
pub struct TrustedCheckpoint {
    /// What it states, with the key if its signature is verified.
    pub stated: LogCheckpoint,
    /// Its note. None for a bare position and hash, and for a checkpoint of an early build.
    pub note: Option<Note>,
}

/// A checkpoint of the log, signed or not.
#[derive(Debug, Clone, Copy)]
pub struct LogCheckpoint {
    /// The end of the log at that time.
    pub head: Head,
    /// The root of its Merkle tree at that time, if the checkpoint has one.
    pub root: Option<Hash>,
    /// The ID of the log, if the checkpoint has one.
    pub log_id: Option<LogId>,
    /// The key that signed it; none for a bare position and hash, and for a note that is not
    /// verified.
    pub key: Option<PublicKey>,
}

impl Trust {
    /// Trusts these checkpoints, and the given key or else that of the checkpoints.
    ///
    /// # Errors
    /// A checkpoint is signed with another key.
    pub fn new(
        checkpoints: Vec<TrustedCheckpoints>,
        given: Option<&LogKey>,
    ) -> Result<Self, TrustError> {
        Self::with_quorum(checkpoints, given, None)
    }

    /// Whether a checkpoint has a signature.
    #[must_use]
    pub fn is_signed(&self) -> bool {
        let has_key = self.checkpoints.iter().any(|checkpoint| checkpoint.key.is_some());
        has_key || !self.unverified.is_empty()
    }

    /// Trusts these checkpoints if each is cosigned by the quorum.
    ///
    /// # Errors
    /// As for [`Self::new`]; or too few witnesses cosigned a checkpoint.
    pub fn with_quorum(
        checkpoints: Vec<TrustedCheckpoints>,
        given: Option<&LogKey>,
        quorum: Option<&Quorum>,
    ) -> Result<Self, TrustError> {
        let kept: Vec<_> = checkpoints.into_iter().flat_map(|file| file.0).collect();
        let mut key = given.map(|given| given.key);
        for LogCheckpoint { head, key: found, .. } in kept.iter().map(|kept| &kept.stated) {
            let Some(found) = *found else { continue };
            let expected = *key.get_or_insert(found);
            if found != expected {
                let position = head.position;
                return Err(TrustError::OtherKey { position, found, expected });
            }
        }
        let name = given.and_then(|given| given.name.clone());
        let log_key = key.map(|key| LogKey { name, key });
        let (mut checkpoints, mut unverified) = (Vec::new(), Vec::new());
        let mut cosigned = BTreeMap::new();
        // A server keeps a checkpoint when it signs it, and again with cosignatures.
        let mut notes: BTreeMap<_, Vec<&Note>> = BTreeMap::new();
        let identity = |LogCheckpoint { head, root, .. }: &LogCheckpoint| {
            (head.position, head.hash.0, root.map(|root| root.0))
        };
        for TrustedCheckpoint { stated, note } in kept.iter().filter(|_| quorum.is_some()) {
            notes.entry(identity(stated)).or_default().extend(note);
        }
        for TrustedCheckpoint { stated, note } in &kept {
            let mut stated = *stated;
            if let Some(quorum) = quorum {
                let position = stated.head.position;
                let equal = notes.get(&identity(&stated)).into_iter().flatten().copied();
                let names = quorum.verify_any(equal).ok_or(TrustError::NoNote(position))?;
                let names = names.map_err(|source| TrustError::NotCosigned { position, source })?;
                cosigned.insert(position, names.into_iter().map(str::to_owned).collect());
            }
            match (note.as_ref().filter(|_| stated.key.is_none()), &log_key) {
                (Some(note), Some(log_key)) => {
                    let position = stated.head.position;
                    log_key.verify(note).map_err(|source| TrustError::Note { position, source })?;
                    stated.key = key;
                }
                (Some(note), None) => unverified.push((stated.head.position, note.clone())),
                (None, _) => (),
            }
            checkpoints.push(stated);
        }
        Ok(Self { checkpoints, key, is_key_given: given.is_some(), unverified, cosigned })
    }

    /// Checks that the checkpoint of a server is signed with the trusted key, if any is known, and
    /// that its key signed the trusted checkpoints that are notes.
    ///
    /// # Errors
    /// It has another key, or none.
    pub fn check_key(&self, signed: LogCheckpoint) -> Result<(), MismatchCause> {
        let found = signed.key.ok_or(MismatchCause::Unsigned)?;
        match self.key {
            Some(expected) if found != expected => {
                return Err(MismatchCause::OtherKey { found, expected });
            }
            Some(_) | None => (),
        }
        self.verify_notes(found).map_err(MismatchCause::NotSignedByServer)
    }

    /// Verifies the notes that no known key could verify, with the key that a server or a data
    /// directory has.
    ///
    /// # Errors
    /// One of them is not signed with that key.
    pub fn verify_notes(&self, key: PublicKey) -> Result<(), NoteError> {
        let key = LogKey { name: None, key };
        self.unverified.iter().try_for_each(|(_, note)| key.verify(note).map(drop))
    }

    /// Checks that no note was changed after the holder of this key signed it. The key may also be
    /// that of another log, which [`Self::verify_notes`] finds.
    ///
    /// # Errors
    /// One of them was changed, so it says nothing of the log.
    pub fn check_unchanged(&self, key: PublicKey) -> Result<(), TrustError> {
        let key = LogKey { name: None, key };
        let changed = |(position, note): &(Position, Note)| match key.verify(note) {
            Err(source @ NoteError::WrongSignature(_)) => {
                Some(TrustError::Note { position: *position, source })
            }
            Ok(_) | Err(_) => None,
        };
        self.unverified.iter().find_map(changed).map_or(Ok(()), Err)
    }

    /// The heads of the checkpoints.
    pub fn heads(&self) -> impl Iterator<Item = Head> {
        self.checkpoints.iter().map(|checkpoint| checkpoint.head)
    }
}

/// A checkpoint without a signature.
impl From<Head> for LogCheckpoint {
    fn from(head: Head) -> Self {
        Self { head, root: None, log_id: None, key: None }
    }
}

impl LogCheckpoint {
    /// Verifies the signature of a checkpoint.
    ///
    /// # Errors
    /// See [`CheckpointError`].
    pub fn verify(signed: &SignedCheckpoint) -> Result<Self, CheckpointError> {
        let VerifiedCheckpoint { head, root, log_id } = checkpoint::verify(signed)?;
        let key = signed.public_key.as_slice().try_into().ok().map(PublicKey);
        Ok(Self { head, root, log_id, key })
    }

    /// What a note states, whose signature is not verified. None if it is not the note of a log
    /// of this program.
    #[must_use]
    pub fn from_note(note: &Note) -> Option<Self> {
        Self::from_text(&CheckpointText::parse(&note.text)?)
    }

    /// The same for the text of a note.
    #[must_use]
    pub fn from_text(text: &CheckpointText) -> Option<Self> {
        let hash = text.extension(CHAIN)?.parse().ok()?;
        let head = Head { position: Position(text.tree.size), hash };
        let log_id = text.extension(LOG).map(str::parse).transpose().ok()?;
        Some(Self { head, root: Some(text.tree.root), log_id, key: None })
    }

    /// Checks that the log of this checkpoint is that of an older one, if both have its ID.
    ///
    /// # Errors
    /// It is another one.
    pub fn check_log_id(&self, old: &Self) -> Result<(), MismatchCause> {
        match (self.log_id, old.log_id) {
            (Some(found), Some(trusted)) if found != trusted => {
                let position = old.head.position;
                Err(MismatchCause::OtherLogTrusted { found, trusted, position })
            }
            (_, _) => Ok(()),
        }
    }

    /// Checks that the log of this checkpoint continues that of an older one, given the hashes of
    /// the proof: none if both are at one position.
    ///
    /// # Errors
    /// It does not, or the hashes do not prove it.
    pub fn check_continues(&self, old: &Self, hashes: &[Hash]) -> Result<(), MismatchCause> {
        self.check_log_id(old)?;
        let position = old.head.position;
        let is_same = self.head.position == position;
        if is_same && self.head.hash != old.head.hash {
            let (found, trusted) = (self.head.hash, old.head.hash);
            return Err(MismatchCause::Rewritten { found, trusted });
        }
        match (self.tree(), old.tree()) {
            (Some(new), Some(old)) => new
                .verify_continues(&old, hashes)
                .map_err(|source| MismatchCause::NotContinued { position, source }),
            // One of them has no root, but both have the same last hash.
            _ if is_same => Ok(()),
            _ => Err(CheckpointError::Malformed("root_hash").into()),
        }
    }

    fn tree(&self) -> Option<TreeHead> {
        Some(TreeHead { size: self.head.position.0, root: self.root? })
    }
}

/// Reads a signed checkpoint: alone, as the response of `GetSignedCheckpoint`, or in the report of a
/// verification, of which only what is signed counts.
fn parse_checkpoint(json: &str, document: &Value) -> Result<SignedCheckpoint, JsonError> {
    match document.get("checkpoint") {
        Some(checkpoint) if document.get("valid").is_some() => {
            proto::from_json(&checkpoint.to_string())
        }
        Some(_) => {
            let response: GetSignedCheckpointResponse = proto::from_json(json)?;
            Ok(response.checkpoint.unwrap_or_default())
        }
        None => proto::from_json(json),
    }
}

impl TrustedCheckpoints {
    /// Reads `POSITION:HASH`, or a file with signed checkpoints: in JSON, or one as a note.
    ///
    /// # Errors
    /// The file cannot be read, or has no valid checkpoint.
    pub fn read(text: &OsStr) -> Result<Self, String> {
        if let Some(head) = text.to_str().and_then(|text| text.parse::<Head>().ok()) {
            return Ok(Self(vec![TrustedCheckpoint { stated: head.into(), note: None }]));
        }
        if Path::new(text).is_dir() {
            return Err(
                "a directory; that of a server has its checkpoints in checkpoints.jsonl".to_owned()
            );
        }
        let bytes = fs::read(text).map_err(|error| {
            format!("neither POSITION:HASH nor a file that can be read: {error}")
        })?;
        match FileKind::of(&bytes) {
            Some(FileKind::Note) => Self::parse_note(&String::from_utf8_lossy(&bytes)),
            None | Some(FileKind::Checkpoint) => Self::parse_json(bytes),
            Some(kind) => Err(format!("the file is {kind}, not a checkpoint")),
        }
    }

    fn parse_note(text: &str) -> Result<Self, String> {
        let note = Note::parse(text).map_err(|error| error.to_string())?;
        let stated = LogCheckpoint::from_note(&note).ok_or("not a checkpoint of a server")?;
        Ok(Self(vec![TrustedCheckpoint { stated, note: Some(note) }]))
    }

    fn parse_json(mut bytes: Vec<u8>) -> Result<Self, String> {
        if let Err(error) = str::from_utf8(&bytes)
            && error.error_len().is_none()
        {
            // The last line ends inside of a character.
            bytes.truncate(error.valid_up_to());
        }
        let json = proto::decode_json(bytes).map_err(|error| error.to_string())?;
        let mut documents = serde_json::Deserializer::from_str(&json).into_iter::<Value>();
        let (mut checkpoints, mut start, mut lines) = (Vec::new(), 0, 0_usize);
        while let Some(document) = documents.next() {
            let rest = json.get(start..).unwrap_or_default();
            let document = match document {
                // A server was writing its last line, or stopped while it wrote it.
                Err(error)
                    if error.is_eof()
                        && !checkpoints.is_empty()
                        && !rest.trim_start().contains('\n') =>
                {
                    break;
                }
                document => document.map_err(|error| JsonError::from(error).to_string())?,
            };
            let end = documents.byte_offset();
            let text = rest.get(..end.saturating_sub(start)).unwrap_or_default();
            let signed = parse_checkpoint(text, &document)
                .map_err(|error| error.after_lines(lines).to_string())?;
            let stated = LogCheckpoint::verify(&signed).map_err(|error| {
                let blank = text.len() - text.trim_start().len();
                let blank_lines = text.get(..blank).unwrap_or_default().matches('\n').count();
                format!("line {}: {error}", lines + blank_lines + 1)
            })?;
            let note = Note::parse(&signed.note).ok();
            checkpoints.push(TrustedCheckpoint { stated, note });
            start = end;
            lines = lines.saturating_add(text.matches('\n').count());
        }
        if checkpoints.is_empty() {
            return Err("the file has no checkpoint".to_owned());
        }
        Ok(Self(checkpoints))
    }
}
