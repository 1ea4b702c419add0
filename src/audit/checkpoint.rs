//! Signed checkpoints, which an auditor keeps to prove later that the log was continued
//! and not rewritten. Knows nothing of the contents of the log.

mod ed25519;

use std::{
    fs,
    io::{self, Write as _},
    path::{Path, PathBuf},
};

use chrono::{DateTime, SecondsFormat, SubsecRound as _, Utc};

use self::ed25519::KeyPair;
pub(crate) use self::ed25519::public_key_from_pem;
use crate::{
    event_log::{Hash, Head, Position},
    fs::{public_mode, read_optional, write_atomic},
    proto::{self, SignedCheckpoint},
};

/// The key that checkpoints are signed with.
#[derive(Debug)]
pub struct Signer(KeyPair);

/// The signing key cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The file cannot be read or written.
    #[error("cannot read or write {}; check the disk, its owner and its permissions", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The error of the operating system.
        source: io::Error,
    },
    /// Every user of this machine can read or write it, so others may know it.
    #[error("every user of this machine can access the signing key {}; run chmod 600 on it", .0.display())]
    Exposed(PathBuf),
    /// It is not a key.
    #[error("{} is not an Ed25519 key in PKCS #8 PEM; restore it from a backup", .0.display())]
    NotAKey(PathBuf),
    /// It is missing or differs from the key that signed the checkpoints.
    #[error(
        "{} is not the key that signed the checkpoints in {}; restore it from a backup, or move \
         both away to start with a new key and tell the auditors",
        key.display(),
        checkpoints.display()
    )]
    WrongKey {
        /// The path of the key.
        key: PathBuf,
        /// The path of the checkpoints.
        checkpoints: PathBuf,
    },
    /// The system has no random bytes to create a key from.
    #[error("the system provides no random bytes for a signing key")]
    Randomness,
}

/// The checkpoint is invalid.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CheckpointError {
    /// A field has a length or value that no checkpoint has.
    #[error("{0} has a length or value that no checkpoint has")]
    Malformed(&'static str),
    /// The signature does not fit the key and the signed text.
    #[error("the signature is invalid: the checkpoint was changed, or not signed with its key")]
    WrongSignature,
}

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
            return Ok(Self(pair));
        }
        if public_mode(path).map_err(io_error)?.is_some() {
            return Err(KeyError::Exposed(path.to_owned()));
        }
        let pem = fs::read(path).map_err(io_error)?;
        let pair = KeyPair::from_pem(&pem);
        let signer = pair.map(Self).ok_or_else(|| KeyError::NotAKey(path.to_owned()))?;
        if last_key.is_some_and(|key| key != signer.public_key()) {
            return Err(wrong_key());
        }
        Ok(signer)
    }

    /// Signs a checkpoint: at the time `at`, the log ended with `head`.
    #[must_use]
    pub fn sign(&self, head: Head, at: DateTime<Utc>) -> SignedCheckpoint {
        let public_key = self.public_key();
        SignedCheckpoint {
            position: head.position.to_int(),
            hash: head.hash.0.to_vec(),
            time: Some(proto::to_timestamp(at)),
            public_key: public_key.to_vec(),
            signature: self.0.sign(&signed_text(head, at, &public_key)),
        }
    }

    /// The public key that verifies the signatures.
    #[must_use]
    pub fn public_key(&self) -> [u8; 32] {
        self.0.public_key
    }

    /// The public key in PEM, as openssl reads it.
    #[must_use]
    pub fn public_key_pem(&self) -> String {
        ed25519::public_key_to_pem(self.public_key())
    }
}

/// Verifies the signature of a checkpoint with the key in it, and returns its head. The
/// caller must verify that the key is the server's.
///
/// # Errors
/// See [`CheckpointError`].
pub fn verify(checkpoint: &SignedCheckpoint) -> Result<Head, CheckpointError> {
    use CheckpointError::Malformed;
    let SignedCheckpoint { position, hash, time, public_key, signature } = checkpoint;
    let position = u64::try_from(*position).map_err(|_| Malformed("position"))?;
    let hash = hash.as_slice().try_into().map_err(|_| Malformed("hash"))?;
    let head = Head { position: Position(position), hash: Hash(hash) };
    let time = time.and_then(proto::to_date_time).ok_or(Malformed("time"))?;
    // The signed text has milliseconds, so it would not show a change of smaller units.
    if time.trunc_subsecs(3) != time {
        return Err(Malformed("time"));
    }
    let key = public_key.as_slice().try_into().map_err(|_| Malformed("public_key"))?;
    let signature = signature.as_slice().try_into().map_err(|_| Malformed("signature"))?;
    let text = signed_text(head, time, &key);
    let verified = ed25519::verify(key, &text, signature);
    verified.map(|()| head).map_err(|_| CheckpointError::WrongSignature)
}

/// Appends a checkpoint to the file at `path`, which has one per line.
///
/// # Errors
/// The file cannot be written.
pub fn append(path: &Path, checkpoint: &SignedCheckpoint) -> io::Result<()> {
    let mut lines = read_optional(path)?.unwrap_or_default();
    writeln!(lines, "{}", proto::to_json(checkpoint)?)?;
    write_atomic(path, &lines, 0o644)
}

/// The public key of the signing key at `key`; if that is missing, the one that signed the
/// last of `checkpoints`; `None` if that is missing as well.
///
/// # Errors
/// See [`KeyError`].
pub fn public_key(key: &Path, checkpoints: &Path) -> Result<Option<[u8; 32]>, KeyError> {
    let io_error = |path: &Path| {
        let path = path.to_owned();
        |source| KeyError::Io { path, source }
    };
    let Some(pem) = read_optional(key).map_err(io_error(key))? else {
        return last_key(checkpoints).map_err(io_error(checkpoints));
    };
    let pair = KeyPair::from_pem(&pem).ok_or_else(|| KeyError::NotAKey(key.to_owned()))?;
    Ok(Some(pair.public_key))
}

/// The key that signed the last valid checkpoint in the file at `path`, if there is one.
fn last_key(path: &Path) -> io::Result<Option<[u8; 32]>> {
    let Some(lines) = read_optional(path)? else { return Ok(None) };
    let key = |line: &str| {
        let checkpoint: SignedCheckpoint = proto::from_json(line).ok()?;
        verify(&checkpoint).ok()?;
        checkpoint.public_key.as_slice().try_into().ok()
    };
    Ok(String::from_utf8_lossy(&lines).lines().rev().find_map(key))
}

/// The signed text, which is documented at `SignedCheckpoint` in the proto.
fn signed_text(head: Head, at: DateTime<Utc>, public_key: &[u8; 32]) -> String {
    let Head { position, hash } = head;
    let time = at.to_rfc3339_opts(SecondsFormat::Millis, true);
    let key = Hash(*public_key);
    format!("userpool checkpoint v1\n{position}\n{hash}\n{time}\n{key}\n")
}
