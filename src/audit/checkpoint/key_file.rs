//! The file of a key that signs, which only its owner can read.

use std::{fs, path::Path};

use crate::{
    audit::ed25519::KeyPair,
    fs::{public_mode, write_atomic},
};

use super::KeyError;

/// Reads the key at `path`; `None` if there is no such file.
pub(in crate::audit) fn read_key(path: &Path) -> Result<Option<KeyPair>, KeyError> {
    let io_error = |source| KeyError::Io { path: path.to_owned(), source };
    if !path.try_exists().map_err(io_error)? {
        return Ok(None);
    }
    if public_mode(path).map_err(io_error)?.is_some() {
        return Err(KeyError::Exposed(path.to_owned()));
    }
    let pem = fs::read(path).map_err(io_error)?;
    KeyPair::from_pem(&pem).map(Some).ok_or_else(|| KeyError::NotAKey(path.to_owned()))
}

/// Creates a key, and writes it to `path`.
pub(in crate::audit) fn create_key(path: &Path) -> Result<KeyPair, KeyError> {
    let (pair, pem) = KeyPair::generate().ok_or(KeyError::Randomness)?;
    write_atomic(path, pem.as_bytes(), 0o600)
        .map_err(|source| KeyError::Io { path: path.to_owned(), source })?;
    Ok(pair)
}
