//! Signed checkpoints: what an auditor notes, to prove later that the log was
//! continued and not rewritten. Knows nothing of what is in the log.

mod ed25519;

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write as _},
    os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
};

use chrono::{DateTime, SecondsFormat, Utc};

use self::ed25519::KeyPair;
pub(crate) use self::ed25519::public_key_from_pem;
use crate::{
    event_log::{Hash, Head, Position},
    proto::{self, SignedCheckpoint},
};

/// The key that checkpoints are signed with.
#[derive(Debug)]
pub struct Signer(KeyPair);

/// Why there is no key to sign with.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The file cannot be read or written.
    #[error("{} cannot be used; see to the disk, its owner and its permissions", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// Others than the owner can read it, so anyone may have it.
    #[error("the signing key {} is open to every user of this machine; run chmod 600 on it", .0.display())]
    Exposed(PathBuf),
    /// It is no key.
    #[error("{} is not an Ed25519 key in PKCS #8 PEM; restore it from a backup", .0.display())]
    NotAKey(PathBuf),
    /// It is gone, or another one, but checkpoints were signed with it.
    #[error(
        "{} is not the key that the checkpoints in {} were signed with; restore it from a backup, \
         or move both away to go on with a new key, which auditors then have to be told",
        key.display(),
        checkpoints.display()
    )]
    NotTheKey {
        /// Where the key is, or was.
        key: PathBuf,
        /// The checkpoints.
        checkpoints: PathBuf,
    },
    /// The system has no randomness to make a key of.
    #[error("the system gives no random bytes for a signing key")]
    Randomness,
}

/// Why a checkpoint proves nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CheckpointError {
    /// A field has a length or value that no checkpoint has.
    #[error("{0} is not what a checkpoint has there")]
    Malformed(&'static str),
    /// The signature is not that of the key and what was signed.
    #[error("the signature is wrong: the checkpoint was changed, or never signed with its key")]
    WrongSignature,
}

impl Signer {
    /// Reads the key in `path`; makes one, for the owner's eyes alone, where there
    /// is none. It must be the one that the last of `checkpoints` was signed with:
    /// to auditors another one looks like another log.
    ///
    /// # Errors
    /// See [`KeyError`].
    pub fn open(path: &Path, checkpoints: &Path) -> Result<Self, KeyError> {
        let unusable = |source| KeyError::Io { path: checkpoints.to_owned(), source };
        let signed_with = last_key(checkpoints).map_err(unusable)?;
        let other =
            || KeyError::NotTheKey { key: path.to_owned(), checkpoints: checkpoints.to_owned() };
        let unusable = |source| KeyError::Io { path: path.to_owned(), source };
        if !path.try_exists().map_err(unusable)? {
            if signed_with.is_some() {
                return Err(other());
            }
            let (pair, pem) = KeyPair::generate().ok_or(KeyError::Randomness)?;
            write(path, pem.as_bytes(), 0o600).map_err(unusable)?;
            return Ok(Self(pair));
        }
        let mode = fs::metadata(path).map_err(unusable)?.permissions().mode();
        // The group may: Kubernetes gives a volume to its group, whatever it was before.
        if mode & 0o007 != 0 {
            return Err(KeyError::Exposed(path.to_owned()));
        }
        let pem = fs::read(path).map_err(unusable)?;
        let pair = KeyPair::from_pem(&pem);
        let signer = pair.map(Self).ok_or_else(|| KeyError::NotAKey(path.to_owned()))?;
        if signed_with.is_some_and(|key| key != signer.public_key()) {
            return Err(other());
        }
        Ok(signer)
    }

    /// Signs that the log ends, or ended, with `head`.
    #[must_use]
    pub fn sign(&self, head: Head, at: DateTime<Utc>) -> SignedCheckpoint {
        let public_key = self.public_key();
        SignedCheckpoint {
            position: head.position.to_int(),
            hash: head.hash.0.to_vec(),
            time: Some(proto::timestamp(at)),
            public_key: public_key.to_vec(),
            signature: self.0.sign(&signed_text(head, at, &public_key)),
        }
    }

    /// The 32 bytes that signatures are checked with.
    #[must_use]
    pub fn public_key(&self) -> [u8; 32] {
        self.0.public_key
    }

    /// The same in PEM, as openssl takes it.
    #[must_use]
    pub fn public_key_pem(&self) -> String {
        ed25519::public_key_to_pem(self.public_key())
    }
}

/// Checks the signature of a checkpoint with the key that it states, and returns
/// the head that it vouches for. Whether that key is the server's, the caller
/// must know by another way.
///
/// # Errors
/// See [`CheckpointError`].
pub fn verify(checkpoint: &SignedCheckpoint) -> Result<Head, CheckpointError> {
    use CheckpointError::Malformed;
    let SignedCheckpoint { position, hash, time, public_key, signature } = checkpoint;
    let position = u64::try_from(*position).map_err(|_| Malformed("position"))?;
    let hash = hash.as_slice().try_into().map_err(|_| Malformed("hash"))?;
    let head = Head { position: Position(position), hash: Hash(hash) };
    let time = time.and_then(proto::date_time).ok_or(Malformed("time"))?;
    let key = public_key.as_slice().try_into().map_err(|_| Malformed("public_key"))?;
    let signature = signature.as_slice().try_into().map_err(|_| Malformed("signature"))?;
    let text = signed_text(head, time, &key);
    let verified = ed25519::verify(key, &text, signature);
    verified.map(|()| head).map_err(|_| CheckpointError::WrongSignature)
}

/// Adds a checkpoint to those noted in the file at `path`, a line each.
///
/// # Errors
/// The file cannot be written.
pub fn note(path: &Path, checkpoint: &SignedCheckpoint) -> io::Result<()> {
    let mut noted = match fs::read(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
        read => read?,
    };
    writeln!(noted, "{}", proto::to_json(checkpoint))?;
    write(path, &noted, 0o644)
}

/// The key that the last of the checkpoints noted at `path` was signed with, if
/// there is any. A line that proves nothing is passed over.
fn last_key(path: &Path) -> io::Result<Option<[u8; 32]>> {
    let lines = match fs::read(path) {
        Ok(lines) => lines,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let key = |line: &str| {
        let checkpoint: SignedCheckpoint = proto::from_json(line).ok()?;
        verify(&checkpoint).ok()?;
        checkpoint.public_key.as_slice().try_into().ok()
    };
    Ok(String::from_utf8_lossy(&lines).lines().rev().find_map(key))
}

/// What is signed; `SignedCheckpoint` in the proto states it for other languages.
fn signed_text(head: Head, at: DateTime<Utc>, public_key: &[u8; 32]) -> String {
    let Head { position, hash } = head;
    let time = at.to_rfc3339_opts(SecondsFormat::Millis, true);
    let key = Hash(*public_key);
    format!("userpool checkpoint v1\n{position}\n{hash}\n{time}\n{key}\n")
}

/// Whole or not at all: written beside, synced, and moved into place.
fn write(path: &Path, contents: &[u8], mode: u32) -> io::Result<()> {
    let beside = path.with_added_extension("new");
    let mut options = OpenOptions::new();
    let mut file = options.write(true).create(true).truncate(true).mode(mode).open(&beside)?;
    file.write_all(contents)?;
    file.sync_all()?;
    fs::rename(&beside, path)?;
    path.parent().map_or(Ok(()), |directory| File::open(directory)?.sync_all())
}
