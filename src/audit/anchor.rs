//! The anchor of a range: the record before its first one. It is the first line of an export
//! that does not begin with the first event of its log, or has no event.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::event_log::{Head, LogId, Position};

/// The format of an export with an anchor. An export that begins with the first event of its
/// log has format 1, which has no anchor.
const FORMAT: u64 = 2;

/// How the line of an anchor begins.
pub(super) const PREFIX: &str = "{\"userpoolExport\"";

/// The record before a range, as the export of the range states it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RangeAnchor {
    /// The position and the hash of that record.
    pub head: Head,
    /// The ID of its log.
    pub log_id: LogId,
}

/// The first line of an export is not an anchor that this version knows.
#[derive(Debug, thiserror::Error)]
pub enum AnchorError {
    /// A newer version wrote the export.
    #[error("the export has format {0}, but this version knows {FORMAT}; use a newer version")]
    Newer(u64),
    /// The line is a malformed anchor.
    #[error("the line is not the anchor of a range: {0}")]
    Malformed(String),
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct AnchorLine {
    userpool_export: u64,
    after: RecordName,
}

/// The names of a record and its log, as texts: 64-bit numbers have no exact form in the JSON
/// of every language.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct RecordName {
    position: String,
    hash: String,
    log_id: String,
}

impl RangeAnchor {
    /// The line of the anchor in an export.
    pub(super) fn to_line(self) -> serde_json::Result<String> {
        let Self { head: Head { position, hash }, log_id } = self;
        let (position, hash, log_id) = (position.to_string(), hash.to_string(), log_id.to_string());
        serde_json::to_string(&AnchorLine {
            userpool_export: FORMAT,
            after: RecordName { position, hash, log_id },
        })
    }

    /// Parses a line of an export; `None` if it is not an anchor.
    pub(super) fn from_line(line: &str) -> Option<Result<Self, AnchorError>> {
        line.starts_with(PREFIX).then(|| Self::parse(line))
    }

    fn parse(line: &str) -> Result<Self, AnchorError> {
        let malformed = |why: String| AnchorError::Malformed(why);
        let json: Value =
            serde_json::from_str(line).map_err(|error| malformed(error.to_string()))?;
        // A newer format may have other members.
        match json.get("userpoolExport").and_then(Value::as_u64) {
            Some(FORMAT) => (),
            Some(format) if format > FORMAT => return Err(AnchorError::Newer(format)),
            Some(_) | None => return Err(malformed(format!("userpoolExport must be {FORMAT}"))),
        }
        let line: AnchorLine =
            serde_json::from_value(json).map_err(|error| malformed(error.to_string()))?;
        let RecordName { position, hash, log_id } = line.after;
        let position = position.parse().ok().map(Position);
        let position = position.ok_or_else(|| malformed("position must be a number".to_owned()))?;
        let hash = hash.parse().map_err(|error| malformed(format!("hash: {error}")))?;
        let log_id = log_id.parse().map_err(|error| malformed(format!("logId: {error}")))?;
        let head = Head { position, hash };
        if position == Position::START && head != Head::default() {
            return Err(malformed("hash must be zeros at position 0".to_owned()));
        }
        Ok(Self { head, log_id })
    }
}
