//! Why the key that signs checkpoints cannot be used.

use std::{io, path::PathBuf};

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
    /// There is no key. It is not created, because servers that share a log need the same one.
    #[error("there is no signing key {}; copy the one that the log was created with", .0.display())]
    Missing(PathBuf),
    /// Every user of this machine can read or write it, so others may know it.
    #[error("every user of this machine can access the signing key {}; run chmod 600 on it", .0.display())]
    Exposed(PathBuf),
    /// It is not a key.
    #[error("{} is not an Ed25519 key in PKCS #8 PEM; restore it from a backup", .0.display())]
    NotAKey(PathBuf),
    /// It is missing, although it has signed checkpoints.
    #[error(
        "the signing key {} is missing, which signed the checkpoints in {}; restore it from a \
         backup, or move the checkpoints away to start with a new key and tell the auditors",
        key.display(),
        checkpoints.display()
    )]
    Lost {
        /// The path of the key.
        key: PathBuf,
        /// The path of the checkpoints.
        checkpoints: PathBuf,
    },
    /// It differs from the key that signed the checkpoints.
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
