//! Signed checkpoints, which an auditor keeps to prove later that the log was continued
//! and not rewritten. Knows nothing of the contents of the log.

mod file;
mod key_error;
mod key_file;
mod signer;
mod state;
mod text;

use chrono::SubsecRound as _;

pub use self::{
    file::{append, from_line, last, public_key, to_line},
    key_error::KeyError,
    signer::{Origin, OriginError, Signer},
    state::LogState,
    text::CheckpointText,
};
pub(super) use self::{
    key_file::{create_key, read_key},
    text::{CHAIN, LOG, parse_number},
};
use super::{
    ed25519,
    note::{Note, NoteError, NoteKey},
    public_key::PublicKey,
};
use crate::{
    event_log::{Hash, Head, LogId, Position},
    proto::{self, SignedCheckpoint},
};

/// What a valid checkpoint proves that its signer stated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VerifiedCheckpoint {
    /// The last record.
    pub head: Head,
    /// The root of the Merkle tree. None in a checkpoint of an early build, which had no tree.
    pub root: Option<Hash>,
    /// The ID of the log. None for an empty log, and in a checkpoint of an early build.
    pub log_id: Option<LogId>,
}

/// The checkpoint is invalid.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CheckpointError {
    /// A field has a length or value that no checkpoint has.
    #[error("{0} has a length or value that no checkpoint has")]
    Malformed(&'static str),
    /// The note is malformed.
    #[error("the note of the checkpoint is malformed")]
    MalformedNote(#[from] NoteError),
    /// The note states something else than the fields.
    #[error("the fields of the checkpoint differ from its note: one of them was changed")]
    OtherNote,
    /// The signature does not fit the key and the signed text.
    #[error("the signature is invalid: the checkpoint was changed, or not signed with its key")]
    WrongSignature,
}

/// Verifies the signature of a checkpoint with the key in it. The caller must verify that the
/// key is the server's.
///
/// # Errors
/// See [`CheckpointError`].
pub fn verify(checkpoint: &SignedCheckpoint) -> Result<VerifiedCheckpoint, CheckpointError> {
    use CheckpointError::{Malformed, OtherNote, WrongSignature};
    let SignedCheckpoint { position, hash, time, public_key, signature, log_id, root_hash, note } =
        checkpoint;
    let position = u64::try_from(*position).map_err(|_| Malformed("position"))?;
    let hash = hash.as_slice().try_into().map_err(|_| Malformed("hash"))?;
    let head = Head { position: Position(position), hash: Hash(hash) };
    let time = time.and_then(proto::to_date_time).ok_or(Malformed("time"))?;
    // The signed text has milliseconds, so it would not show a change of smaller units.
    if time.trunc_subsecs(3) != time {
        return Err(Malformed("time"));
    }
    let key = public_key.as_slice().try_into().map_err(|_| Malformed("public_key"))?;
    let signature: [u8; 64] =
        signature.as_slice().try_into().map_err(|_| Malformed("signature"))?;
    if note.is_empty() && root_hash.is_empty() && log_id.is_empty() {
        let text = text::without_tree(head, time, &key);
        let verified = ed25519::verify(key, &text, signature);
        let checkpoint = VerifiedCheckpoint { head, root: None, log_id: None };
        return verified.map(|()| checkpoint).map_err(|_| WrongSignature);
    }
    let root = Hash(root_hash.as_slice().try_into().map_err(|_| Malformed("root_hash"))?);
    let log_id = match log_id.as_str() {
        "" => None,
        id => Some(id.parse().map_err(|_| Malformed("log_id"))?),
    };
    let note = Note::parse(note)?;
    let origin = CheckpointText::parse(&note.text).ok_or(Malformed("note"))?.origin;
    let key = NoteKey::new(&origin, PublicKey(key))?;
    if note.text != text::of(&origin, &LogState { head, root, log_id }, time).to_string() {
        return Err(OtherNote);
    }
    let signed = note.signature_of(&key).ok_or(WrongSignature)?;
    if signed.bytes.as_slice() != signature {
        return Err(OtherNote);
    }
    note.verify(&key).map_err(|_| WrongSignature)?;
    Ok(VerifiedCheckpoint { head, root: Some(root), log_id })
}
