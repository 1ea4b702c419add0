//! The file of checkpoints in a data directory, one per line, oldest first.

use std::{
    io::{self, Write as _},
    path::Path,
};

use crate::{
    audit::{ed25519::KeyPair, note::Note},
    fs::{read_optional, write_atomic},
    proto::{self, SignedCheckpoint},
};

use super::{KeyError, verify};

/// Appends a checkpoint to the file at `path`.
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

/// The last valid checkpoint in the file at `path`, if there is one.
///
/// # Errors
/// The file cannot be read.
pub fn last(path: &Path) -> io::Result<Option<SignedCheckpoint>> {
    find_last(path, |_| true)
}

/// The key that signed the last valid checkpoint in the file at `path`, if there is one.
pub(super) fn last_key(path: &Path) -> io::Result<Option<[u8; 32]>> {
    Ok(last(path)?.and_then(|checkpoint| checkpoint.public_key.as_slice().try_into().ok()))
}

/// The last valid checkpoint in the file at `path` that a witness cosigned.
pub(super) fn last_witnessed(path: &Path) -> io::Result<Option<SignedCheckpoint>> {
    find_last(path, |checkpoint| {
        Note::parse(&checkpoint.note).is_ok_and(|note| note.signatures.len() > 1)
    })
}

/// The last valid checkpoint of the file at `path` for which this is true.
fn find_last(
    path: &Path,
    predicate: impl Fn(&SignedCheckpoint) -> bool,
) -> io::Result<Option<SignedCheckpoint>> {
    let Some(lines) = read_optional(path)? else { return Ok(None) };
    let lines = String::from_utf8_lossy(&lines);
    let mut checkpoints = lines.lines().rev().filter_map(|line| proto::from_json(line).ok());
    Ok(checkpoints.find(|checkpoint| predicate(checkpoint) && verify(checkpoint).is_ok()))
}
