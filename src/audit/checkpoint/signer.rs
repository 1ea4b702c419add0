//! The signer of checkpoints: the key of a data directory, and the name of its log.

use std::{fmt, fs, path::Path, str::FromStr};

use chrono::{DateTime, Utc};

use crate::{
    audit::{
        ed25519::{self, KeyPair},
        note::{Note, NoteKey, NoteSignature},
        public_key::PublicKey,
    },
    event_log::LogId,
    fs::{public_mode, write_atomic},
    proto::{self, SignedCheckpoint},
};

use super::{KeyError, LogState, file::last_key, text};

/// What the names of logs without a name of their own begin with.
const ORIGIN_PREFIX: &str = "userpool/";
/// The rest of the name of a log that is empty, and so has no ID.
const EMPTY: &str = "empty";

/// The key that checkpoints are signed with, and the name of the log in them.
#[derive(Debug)]
pub struct Signer {
    pair: KeyPair,
    origin: Option<Origin>,
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
        let wrong_key =
            || KeyError::WrongKey { key: path.to_owned(), checkpoints: checkpoints.to_owned() };
        let io_error = |source| KeyError::Io { path: path.to_owned(), source };
        if !path.try_exists().map_err(io_error)? {
            if last_key.is_some() {
                return Err(wrong_key());
            }
            let (pair, pem) = KeyPair::generate().ok_or(KeyError::Randomness)?;
            write_atomic(path, pem.as_bytes(), 0o600).map_err(io_error)?;
            return Ok(Self { pair, origin: None });
        }
        if public_mode(path).map_err(io_error)?.is_some() {
            return Err(KeyError::Exposed(path.to_owned()));
        }
        let pem = fs::read(path).map_err(io_error)?;
        let pair = KeyPair::from_pem(&pem).ok_or_else(|| KeyError::NotAKey(path.to_owned()))?;
        if last_key.is_some_and(|key| key != pair.public_key) {
            return Err(wrong_key());
        }
        Ok(Self { pair, origin: None })
    }

    /// Gives the log a name. Without one, its ID is part of its name.
    #[must_use]
    pub fn with_origin(self, origin: Option<Origin>) -> Self {
        Self { origin, ..self }
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
