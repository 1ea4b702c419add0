//! The signer of checkpoints: the key of a data directory, and the name of its log.

use std::{
    fmt,
    path::Path,
    str::FromStr,
    sync::{Mutex, MutexGuard, PoisonError},
};

use chrono::{DateTime, Utc};

use crate::{
    audit::{
        ed25519::{self, KeyPair},
        note::{Note, NoteKey, NoteSignature},
        public_key::PublicKey,
    },
    event_log::LogId,
    proto::{self, SignedCheckpoint},
};

use super::{
    KeyError, LogState, create_key,
    file::{last, last_key, last_witnessed},
    read_key, text,
};

/// What the names of logs without a name of their own begin with.
const ORIGIN_PREFIX: &str = "userpool/";
/// The rest of the name of a log that is empty, and so has no ID.
const EMPTY: &str = "empty";

/// The key that checkpoints are signed with, and the name of the log in them.
#[derive(Debug)]
pub struct Signer {
    pair: KeyPair,
    origin: Option<Origin>,
    /// The newest checkpoint that witnesses cosigned.
    witnessed: Mutex<Option<SignedCheckpoint>>,
}

/// The name of a log in its checkpoints, which the operator chose.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin(String);

/// The text is not an [`Origin`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected a name without spaces and plus signs, such as example.com/userpool")]
pub struct OriginError;

impl Signer {
    /// Reads the key at `path`, or creates one that only the owner can read. It must be
    /// the key that signed the last of `checkpoints`: another key looks like another log.
    ///
    /// # Errors
    /// See [`KeyError`].
    pub fn open(path: &Path, checkpoints: &Path) -> Result<Self, KeyError> {
        let io_error = |source| KeyError::Io { path: checkpoints.to_owned(), source };
        let last_key = last_key(checkpoints).map_err(io_error)?;
        let (key, checkpoints) = (path.to_owned(), checkpoints.to_owned());
        let pair = match (read_key(path)?, last_key) {
            (None, None) => create_key(path)?,
            (None, Some(_)) => return Err(KeyError::Lost { key, checkpoints }),
            (Some(pair), Some(last)) if last != pair.public_key => {
                return Err(KeyError::WrongKey { key, checkpoints });
            }
            (Some(pair), _) => pair,
        };
        Ok(Self { pair, origin: None, witnessed: Mutex::default() })
    }

    /// Reads the key at `path`, or creates one that only the owner can read.
    ///
    /// # Errors
    /// See [`KeyError`].
    pub fn open_key(path: &Path) -> Result<Self, KeyError> {
        let pair = read_key(path)?.map_or_else(|| create_key(path), Ok)?;
        Ok(Self { pair, origin: None, witnessed: Mutex::default() })
    }

    /// Gives the log a name. Without one, its ID is part of its name.
    #[must_use]
    pub fn with_origin(self, origin: Option<Origin>) -> Self {
        Self { origin, ..self }
    }

    /// The name in the last of `checkpoints`, if it differs from the one that this signer gives the
    /// log. Auditors and witnesses would take the log for another one.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn earlier_name(&self, checkpoints: &Path) -> Result<Option<String>, KeyError> {
        let io_error = |source| KeyError::Io { path: checkpoints.to_owned(), source };
        let Some(last) = last(checkpoints).map_err(io_error)? else { return Ok(None) };
        let name = last.note.lines().next().filter(|name| !name.is_empty());
        let given = self.note_key(last.log_id.parse().ok());
        Ok(name.filter(|name| *name != given.name()).map(str::to_owned))
    }

    /// Signs a checkpoint: at the time `at`, the log ended in this state.
    #[must_use]
    pub fn sign(&self, state: &LogState, at: DateTime<Utc>) -> SignedCheckpoint {
        let key = self.note_key(state.log_id);
        let text = text::of(key.name(), state, at).to_string();
        let signature = self.pair.sign(&text);
        let line = NoteSignature {
            name: key.name().to_owned(),
            key_id: key.id(),
            bytes: signature.clone(),
        };
        SignedCheckpoint {
            position: state.head.position.to_int(),
            hash: state.head.hash.0.to_vec(),
            time: Some(proto::to_timestamp(at)),
            public_key: self.public_key().to_vec(),
            signature,
            log_id: state.log_id.map(|id| id.to_string()).unwrap_or_default(),
            root_hash: state.root.0.to_vec(),
            note: Note { text, signatures: vec![line] }.to_string(),
        }
    }

    /// The newest checkpoint that at least one witness cosigned.
    #[must_use]
    pub fn witnessed(&self) -> Option<SignedCheckpoint> {
        self.witnessed_slot().clone()
    }

    /// Reads the newest checkpoint that a witness cosigned from the file `checkpoints`. It must have
    /// the name and the key of the log with this ID: of another name, the log may have lost its end.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn read_witnessed(
        &self,
        checkpoints: &Path,
        log_id: Option<LogId>,
    ) -> Result<(), KeyError> {
        let witnessed = last_witnessed(checkpoints, &self.note_key(log_id));
        let witnessed =
            witnessed.map_err(|source| KeyError::Io { path: checkpoints.to_owned(), source })?;
        *self.witnessed_slot() = witnessed;
        Ok(())
    }

    /// Replaces the newest checkpoint that a witness cosigned.
    pub fn set_witnessed(&self, checkpoint: SignedCheckpoint) {
        *self.witnessed_slot() = Some(checkpoint);
    }

    fn witnessed_slot(&self) -> MutexGuard<'_, Option<SignedCheckpoint>> {
        self.witnessed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The key that verifies the notes of a log with this ID.
    #[must_use]
    pub fn note_key(&self, log_id: Option<LogId>) -> NoteKey {
        let name = match (&self.origin, log_id) {
            (Some(Origin(name)), _) => name.clone(),
            (None, Some(id)) => format!("{ORIGIN_PREFIX}{id}"),
            (None, None) => format!("{ORIGIN_PREFIX}{EMPTY}"),
        };
        NoteKey::from_trusted(name, PublicKey(self.public_key()))
    }

    /// The public key that verifies the signatures.
    #[must_use]
    pub fn public_key(&self) -> [u8; 32] {
        self.pair.public_key
    }

    /// The public key in PEM, as openssl reads it.
    #[must_use]
    pub fn public_key_pem(&self) -> String {
        ed25519::public_key_to_pem(self.public_key())
    }
}

impl FromStr for Origin {
    type Err = OriginError;

    fn from_str(text: &str) -> Result<Self, OriginError> {
        NoteKey::new(text, PublicKey([0; 32]))
            .map(|key| Self(key.name().to_owned()))
            .map_err(|_| OriginError)
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
