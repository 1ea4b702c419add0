//! The file of checkpoints in a data directory, one per line, oldest first.

use std::{
    fs::{File, OpenOptions},
    io::{self, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::Path,
};

use crate::{
    audit::{
        ed25519::KeyPair,
        note::{Note, NoteKey, SIGNATURE_START},
    },
    fs::{ReverseLines, parent_directory, read_optional, sync_directory},
    proto::{self, SignedCheckpoint},
};

use super::{KeyError, verify};

/// Appends a checkpoint to the file at `path`. A crash, or an error, can leave a part of its line,
/// which the next call removes.
///
/// # Errors
/// The file cannot be written.
pub fn append(path: &Path, checkpoint: &SignedCheckpoint) -> io::Result<()> {
    let line = format!("{}\n", to_line(checkpoint)?);
    let mut options = OpenOptions::new();
    let mut file = options.read(true).append(true).create(true).mode(0o644).open(path)?;
    let length = file.metadata()?.len();
    end_last_line(&mut file, length)?;
    file.write_all(line.as_bytes())?;
    file.sync_all()?;
    if length == 0 { sync_directory(parent_directory(path)) } else { Ok(()) }
}

/// Ends the last line of a file with this length, or removes it if it is not a checkpoint.
fn end_last_line(file: &mut File, length: u64) -> io::Result<()> {
    let last = ReverseLines::of(file.try_clone()?)?.next().transpose()?.unwrap_or_default();
    if last.is_empty() {
        return Ok(());
    }
    if str::from_utf8(&last).is_ok_and(|last| from_line(last).is_some()) {
        file.write_all(b"\n")
    } else {
        let cut_off = u64::try_from(last.len()).map_err(io::Error::other)?;
        file.set_len(length.saturating_sub(cut_off))
    }
}

/// A checkpoint as a line, without its end.
///
/// # Errors
/// It has a time that cannot be written.
pub fn to_line(checkpoint: &SignedCheckpoint) -> io::Result<String> {
    Ok(proto::to_json(checkpoint)?.to_string())
}

/// The checkpoint in a line, if it is valid.
#[must_use]
pub fn from_line(line: &str) -> Option<SignedCheckpoint> {
    parse(line.as_bytes()).filter(|checkpoint| verify(checkpoint).is_ok())
}

/// Reads a line, whose signature is not verified.
fn parse(line: &[u8]) -> Option<SignedCheckpoint> {
    proto::from_json(str::from_utf8(line).ok()?).ok()
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
    find_last(path, |_| true, |_| true)
}

/// The key that signed the last valid checkpoint in the file at `path`, if there is one.
pub(super) fn last_key(path: &Path) -> io::Result<Option<[u8; 32]>> {
    Ok(last(path)?.and_then(|checkpoint| checkpoint.public_key.as_slice().try_into().ok()))
}

/// The last valid checkpoint in the file at `path` whose note is signed with this key and
/// cosigned by a witness.
pub(super) fn last_witnessed(path: &Path, key: &NoteKey) -> io::Result<Option<SignedCheckpoint>> {
    // Most lines have no cosignature, and there can be years of lines.
    let is_cosigned = |line: &[u8]| {
        str::from_utf8(line).is_ok_and(|line| line.matches(SIGNATURE_START).nth(1).is_some())
    };
    find_last(path, is_cosigned, |checkpoint| {
        let note = Note::parse(&checkpoint.note);
        note.is_ok_and(|note| note.signatures.len() > 1 && note.verify(key).is_ok())
    })
}

/// The last valid checkpoint in the file at `path` for whose line, and for which itself, this is
/// true. The cheap check is first, and the signature is verified last.
fn find_last(
    path: &Path,
    is_candidate: impl Fn(&[u8]) -> bool,
    is_searched: impl Fn(&SignedCheckpoint) -> bool,
) -> io::Result<Option<SignedCheckpoint>> {
    for line in ReverseLines::open(path)?.into_iter().flatten() {
        let found = Some(line?).filter(|line| is_candidate(line)).and_then(|line| parse(&line));
        let found = found.filter(|found| is_searched(found) && verify(found).is_ok());
        if found.is_some() {
            return Ok(found);
        }
    }
    Ok(None)
}
