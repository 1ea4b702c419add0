//! The file of checkpoints in a data directory, one per line, oldest first.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write as _},
    os::unix::fs::{FileExt as _, OpenOptionsExt as _},
    path::Path,
};

use crate::{
    audit::{ed25519::KeyPair, note::Note},
    fs::{parent_directory, read_optional, sync_directory},
    proto::{self, SignedCheckpoint},
};

use super::{KeyError, verify};

/// Appends a checkpoint to the file at `path`. A crash, or an error, can leave a part of its line,
/// which the next call removes.
///
/// # Errors
/// The file cannot be written.
pub fn append(path: &Path, checkpoint: &SignedCheckpoint) -> io::Result<()> {
    let line = format!("{}\n", proto::to_json(checkpoint)?);
    let mut options = OpenOptions::new();
    let mut file = options.read(true).append(true).create(true).mode(0o644).open(path)?;
    let length = file.metadata()?.len();
    end_last_line(path, &mut file, length)?;
    file.write_all(line.as_bytes())?;
    file.sync_all()?;
    if length == 0 { sync_directory(parent_directory(path)) } else { Ok(()) }
}

/// Ends the last line of a file with this length, or removes it if it is not a checkpoint.
fn end_last_line(path: &Path, file: &mut File, length: u64) -> io::Result<()> {
    let mut last = [b'\n'];
    if let Some(place) = length.checked_sub(1) {
        file.read_exact_at(&mut last, place)?;
    }
    if last == [b'\n'] {
        return Ok(());
    }
    let lines = fs::read(path)?;
    let start = lines.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
    let line = lines.get(start..).and_then(|line| str::from_utf8(line).ok());
    if line.and_then(parse).is_some_and(|checkpoint| verify(&checkpoint).is_ok()) {
        file.write_all(b"\n")
    } else {
        file.set_len(u64::try_from(start).unwrap_or(length))
    }
}

/// Reads a line, whose signature is not verified.
fn parse(line: &str) -> Option<SignedCheckpoint> {
    proto::from_json(line).ok()
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
    let mut checkpoints = lines.lines().rev().filter_map(parse);
    // The signature last: that takes longest, and there can be years of lines.
    Ok(checkpoints.find(|checkpoint| predicate(checkpoint) && verify(checkpoint).is_ok()))
}
