//! The trust anchors of an auditor: checkpoints that were kept elsewhere, and the public
//! key that verifies them.

use std::{ffi::OsStr, fs};

use serde_json::Value;

use crate::{
    event_log::{Hash, Head, Position},
    proto::{self, GetSignedCheckpointResponse, JsonError, SignedCheckpoint},
};

use super::{
    checkpoint::{self, CHAIN, CheckpointError, CheckpointText, VerifiedCheckpoint},
    note::{Note, NoteError, NoteKey, SignatureKind},
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
}

/// Two trusted checkpoints, or a checkpoint and the given key, have different keys.
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error(
    "the trusted checkpoint at position {position} is signed with key {found}, not with {expected}"
)]
pub struct KeyConflict {
    position: Position,
    found: PublicKey,
    expected: PublicKey,
}

/// The checkpoints of one file, or a single one.
#[derive(Debug, Clone)]
pub struct TrustedCheckpoints(pub Vec<LogCheckpoint>);

/// A checkpoint of the log, signed or not.
#[derive(Debug, Clone, Copy)]
pub struct LogCheckpoint {
    /// The end of the log at that time.
    pub head: Head,
    /// The root of its Merkle tree at that time, if the checkpoint has one.
    pub root: Option<Hash>,
    /// The key that signed it; none for a bare position and hash.
    pub key: Option<PublicKey>,
}

/// The key of a log, and its name if that is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogKey {
    /// The name that the log must have. `None`: any name.
    pub name: Option<String>,
    /// The key.
    pub key: PublicKey,
}

impl Trust {
    /// Trusts these checkpoints, and the given key or else that of the checkpoints.
    ///
    /// # Errors
    /// A checkpoint is signed with another key.
    pub fn new(
        checkpoints: Vec<TrustedCheckpoints>,
        given: Option<PublicKey>,
    ) -> Result<Self, KeyConflict> {
        let checkpoints: Vec<_> = checkpoints.into_iter().flat_map(|file| file.0).collect();
        let mut key = given;
        for LogCheckpoint { head, key: found, .. } in &checkpoints {
            let Some(found) = *found else { continue };
            let expected = *key.get_or_insert(found);
            if found != expected {
                return Err(KeyConflict { position: head.position, found, expected });
            }
        }
        Ok(Self { checkpoints, key, is_key_given: given.is_some() })
    }

    /// The heads of the checkpoints.
    pub fn heads(&self) -> impl Iterator<Item = Head> {
        self.checkpoints.iter().map(|checkpoint| checkpoint.head)
    }
}

/// A checkpoint without a signature.
impl From<Head> for LogCheckpoint {
    fn from(head: Head) -> Self {
        Self { head, root: None, key: None }
    }
}

impl LogCheckpoint {
    /// Verifies the signature of a checkpoint.
    ///
    /// # Errors
    /// See [`CheckpointError`].
    pub fn verify(signed: &SignedCheckpoint) -> Result<Self, CheckpointError> {
        let VerifiedCheckpoint { head, root } = checkpoint::verify(signed)?;
        Ok(Self { head, root, key: signed.public_key.as_slice().try_into().ok().map(PublicKey) })
    }

    /// What a note states, whose signature is not verified. None if it is not the note of a log
    /// of this program.
    #[must_use]
    pub fn from_note(note: &Note) -> Option<Self> {
        let text = CheckpointText::parse(&note.text)?;
        let hash = text.extension(CHAIN)?.parse().ok()?;
        let head = Head { position: Position(text.tree.size), hash };
        Some(Self { head, root: Some(text.tree.root), key: None })
    }

    /// Reads `POSITION:HASH`.
    fn from_anchor(text: &str) -> Option<Self> {
        let (position, hash) = text.split_once(':')?;
        let position = Position(position.parse().ok()?);
        Some(Head { position, hash: hash.parse().ok()? }.into())
    }
}

/// Reads a signed checkpoint, alone or as the response of `GetSignedCheckpoint`.
fn parse_checkpoint(json: &str, is_response: bool) -> Result<SignedCheckpoint, JsonError> {
    if is_response {
        let response: GetSignedCheckpointResponse = proto::from_json(json)?;
        Ok(response.checkpoint.unwrap_or_default())
    } else {
        proto::from_json(json)
    }
}

impl TrustedCheckpoints {
    /// Reads `POSITION:HASH`, or a file with signed checkpoints.
    ///
    /// # Errors
    /// The file cannot be read, or has no valid checkpoint.
    pub fn read(text: &OsStr) -> Result<Self, String> {
        if let Some(checkpoint) = text.to_str().and_then(LogCheckpoint::from_anchor) {
            return Ok(Self(vec![checkpoint]));
        }
        let mut bytes = fs::read(text).map_err(|error| error.to_string())?;
        if let Err(error) = str::from_utf8(&bytes)
            && error.error_len().is_none()
        {
            // The last line ends inside of a character.
            bytes.truncate(error.valid_up_to());
        }
        let json = proto::decode_json(bytes).map_err(|error| error.to_string())?;
        let mut documents = serde_json::Deserializer::from_str(&json).into_iter::<Value>();
        let (mut checkpoints, mut start) = (Vec::new(), 0);
        while let Some(document) = documents.next() {
            let (before, rest) = json.split_at(start);
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
            let is_response = document.get("checkpoint").is_some();
            let end = documents.byte_offset();
            let text = rest.get(..end.saturating_sub(start)).unwrap_or_default();
            let lines = before.matches('\n').count();
            let signed = parse_checkpoint(text, is_response)
                .map_err(|error| error.after_lines(lines).to_string())?;
            let checkpoint = LogCheckpoint::verify(&signed).map_err(|error| {
                let blank = text.len() - text.trim_start().len();
                let blank_lines = text.get(..blank).unwrap_or_default().matches('\n').count();
                format!("line {}: {error}", lines + blank_lines + 1)
            })?;
            checkpoints.push(checkpoint);
            start = end;
        }
        if checkpoints.is_empty() {
            return Err("the file has no checkpoint".to_owned());
        }
        Ok(Self(checkpoints))
    }
}

impl LogKey {
    /// Reads `NAME+HASH+KEY`, or a key without a name, as [`PublicKey::read`] does.
    ///
    /// # Errors
    /// The file cannot be read, or has no key.
    pub fn read(text: &OsStr) -> Result<Self, String> {
        if let Some(Ok(key)) = text.to_str().map(str::parse::<NoteKey>) {
            if key.kind() == SignatureKind::Witness {
                return Err(NoteError::KeyOfWitness.to_string());
            }
            return Ok(Self { name: Some(key.name().to_owned()), key: key.public_key() });
        }
        Ok(Self { name: None, key: PublicKey::read(text)? })
    }

    /// Verifies the note of a checkpoint, and returns what was signed.
    ///
    /// # Errors
    /// See [`NoteError`].
    pub fn verify(&self, note: &Note) -> Result<CheckpointText, NoteError> {
        let checkpoint = CheckpointText::parse(&note.text)
            .ok_or(NoteError::Malformed("its text is not that of a checkpoint"))?;
        let name = self.name.as_deref().unwrap_or(&checkpoint.origin);
        let key = NoteKey::new(name, self.key)?;
        if *name != checkpoint.origin {
            return Err(NoteError::NotSigned(key));
        }
        note.verify(&key)?;
        Ok(checkpoint)
    }
}
