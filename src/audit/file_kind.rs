//! The kinds of files that auditors have, recognized by how they begin.

use std::fmt;

use crate::event_log::Hash;

use super::{anchor, note::NoteKey};

/// The first line of a proof.
pub(super) const PROOF_HEADER: &str = "c2sp.org/tlog-proof@v1";

/// What a file is, unless it is something else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileKind {
    /// A proof of an event, or of the history of a user pool.
    Proof,
    /// An export with records.
    Export,
    /// An export for spreadsheets.
    Csv,
    /// Signed checkpoints in JSON.
    Checkpoint,
    /// A signed note, such as that of a checkpoint.
    Note,
    /// A public key.
    PublicKey,
    /// A private key.
    PrivateKey,
}

impl FileKind {
    /// How many bytes at the beginning of a file are enough to recognize it.
    pub const BEGINNING: u64 = 4096;

    /// Recognizes a file that begins with these bytes.
    #[must_use]
    pub fn of(beginning: &[u8]) -> Option<Self> {
        let text = String::from_utf8_lossy(beginning);
        let text = text.trim_start_matches('\u{feff}').trim_start();
        let has_member = |name: &str| text.contains(&format!("\"{name}\":"));
        // A proof that was cut within its first line is one, too.
        let is_proof =
            !text.is_empty() && (text.starts_with(PROOF_HEADER) || PROOF_HEADER.starts_with(text));
        if is_proof {
            Some(Self::Proof)
        } else if text.starts_with('{') {
            if text.starts_with(anchor::PREFIX) || has_member("userPoolId") {
                Some(Self::Export)
            } else {
                (has_member("publicKey") && has_member("signature")).then_some(Self::Checkpoint)
            }
        } else if text.starts_with("time,position,") {
            Some(Self::Csv)
        } else if let Some(label) = text.strip_prefix("-----BEGIN ") {
            match label.lines().next().unwrap_or_default() {
                label if label.starts_with("PUBLIC KEY") => Some(Self::PublicKey),
                label if label.contains("PRIVATE KEY") => Some(Self::PrivateKey),
                _ => None,
            }
        } else if text.contains("\n\n\u{2014} ") {
            Some(Self::Note)
        } else {
            let text = text.trim_end();
            let is_key = text.parse::<NoteKey>().is_ok() || text.parse::<Hash>().is_ok();
            is_key.then_some(Self::PublicKey)
        }
    }
}

/// A noun with its article.
impl fmt::Display for FileKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Proof => "a proof",
            Self::Export => "an export",
            Self::Csv => "an export for spreadsheets, which has no records",
            Self::Checkpoint => "a signed checkpoint",
            Self::Note => "a signed note",
            Self::PublicKey => "a public key",
            Self::PrivateKey => "a private key",
        })
    }
}
