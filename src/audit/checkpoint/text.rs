//! The text of a checkpoint: three lines as in C2SP's tlog-checkpoint, and lines of our own
//! after them.

use std::fmt;

use chrono::{DateTime, SecondsFormat, Utc};

use crate::{
    audit::merkle::{TreeHead, from_base64, to_base64},
    event_log::{Hash, Head},
};

use super::LogState;

/// What the extension lines begin with: the ID of the log, the hash of the last record, and the
/// time of the signature.
pub(in crate::audit) const LOG: &str = "log";
pub(in crate::audit) const CHAIN: &str = "chain";
const TIME: &str = "time";

/// The text of a checkpoint, of this log or of any other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckpointText {
    /// The name of the log.
    pub origin: String,
    /// The tree.
    pub tree: TreeHead,
    /// The lines after the root, which only logs of this program have to explain.
    pub extensions: Vec<String>,
}

impl CheckpointText {
    /// Reads the text of a note; `None` if it is not that of a checkpoint.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let mut lines = text.strip_suffix('\n')?.split('\n');
        let (origin, size, root) = (lines.next()?, lines.next()?, lines.next()?);
        let tree = TreeHead { size: parse_number(size)?, root: from_base64(root)? };
        let extensions: Vec<_> = lines.map(str::to_owned).collect();
        if origin.is_empty() || extensions.iter().any(String::is_empty) {
            return None;
        }
        Some(Self { origin: origin.to_owned(), tree, extensions })
    }

    /// When it was signed, as its signer states.
    #[must_use]
    pub fn time(&self) -> Option<&str> {
        self.extension(TIME)
    }

    /// The value of the extension line that begins with this word.
    pub(in crate::audit) fn extension(&self, name: &str) -> Option<&str> {
        self.extensions.iter().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '))
    }
}

impl fmt::Display for CheckpointText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { origin, tree: TreeHead { size, root }, extensions } = self;
        writeln!(f, "{origin}\n{size}\n{}", to_base64(*root))?;
        extensions.iter().try_for_each(|line| writeln!(f, "{line}"))
    }
}

/// The text that states the end of a log at this time. It is documented at `SignedCheckpoint`
/// in the proto.
pub(super) fn of(origin: &str, state: &LogState, at: DateTime<Utc>) -> CheckpointText {
    let LogState { head, log_id, .. } = state;
    let log = log_id.map(|id| format!("{LOG} {id}"));
    let rest = [format!("{CHAIN} {}", head.hash), format!("{TIME} {}", format_time(at))];
    CheckpointText {
        origin: origin.to_owned(),
        tree: state.tree(),
        extensions: log.into_iter().chain(rest).collect(),
    }
}

/// The text that early builds signed, which had no tree. Auditors may hold such checkpoints.
pub(super) fn without_tree(head: Head, at: DateTime<Utc>, public_key: &[u8; 32]) -> String {
    let Head { position, hash } = head;
    let (time, key) = (format_time(at), Hash(*public_key));
    format!("userpool checkpoint v1\n{position}\n{hash}\n{time}\n{key}\n")
}

fn format_time(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Millis, true)
}

/// Reads a decimal number in the only form that it is written in.
pub(in crate::audit) fn parse_number(text: &str) -> Option<u64> {
    text.parse().ok().filter(|number: &u64| number.to_string() == text)
}
