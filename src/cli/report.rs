//! The report of a verification: the proven statements, and the first mismatch.

use anstyle::AnsiColor;
use serde_json::{Value, json};

use crate::{
    audit::{LogCheckpoint, Mismatch, Trust},
    event_log::Head,
    proto::{self, SignedCheckpoint, UnwritableMessage},
    telemetry::error_chain,
};

use super::{
    error::CliError,
    output::{OutputFormat, print},
};

/// The result of verifying the history of a server.
#[derive(Debug)]
pub(super) struct Report {
    /// The last record that is valid.
    head: Head,
    /// The statements that are proven, in sentences.
    proven: Vec<String>,
    /// The checkpoint that the server signed at the end, or the first mismatch.
    result: Result<SignedCheckpoint, Mismatch>,
}

impl Report {
    /// A history that is valid up to its end, which the server `signed`.
    pub(super) fn valid(
        checkpoint: LogCheckpoint,
        signed: SignedCheckpoint,
        trust: &Trust,
    ) -> Self {
        Self { head: checkpoint.head, proven: statements(checkpoint, trust), result: Ok(signed) }
    }

    /// A history that is valid up to `head`, and then has a mismatch.
    pub(super) const fn invalid(head: Head, mismatch: Mismatch) -> Self {
        Self { head, proven: Vec::new(), result: Err(mismatch) }
    }

    pub(super) const fn is_valid(&self) -> bool {
        self.result.is_ok()
    }

    pub(super) fn print(&self, format: OutputFormat) -> Result<(), CliError> {
        if format != OutputFormat::Table {
            return format.value(&self.to_json()?);
        }
        self.proven.iter().try_for_each(|sentence| print(sentence))?;
        let Err(Mismatch { position, cause }) = &self.result else { return Ok(()) };
        let red = AnsiColor::Red.on_default().bold();
        let before = position.0.saturating_sub(1).min(self.head.position.0);
        if before > 0 {
            print(&format!("Every record up to position {before} is valid."))?;
        }
        let reason = error_chain(cause);
        print(&format!("{red}INVALID{red:#} at position {position}: {reason}."))
    }

    fn to_json(&self) -> Result<Value, UnwritableMessage> {
        let mut document = json!({
            "valid": self.is_valid(),
            "position": self.head.position.to_string(),
            "hash": self.head.hash.to_string(),
            "proven": self.proven,
        });
        let (member, value) = match &self.result {
            Ok(signed) => ("checkpoint", proto::to_json(signed)?),
            Err(Mismatch { position, cause }) => {
                let (position, reason) = (position.to_string(), error_chain(cause));
                ("problem", json!({ "position": position, "reason": reason }))
            }
        };
        if let Some(document) = document.as_object_mut() {
            document.insert(member.to_owned(), value);
        }
        Ok(document)
    }
}

fn statements(signed: LogCheckpoint, trust: &Trust) -> Vec<String> {
    let Head { position: end, hash } = signed.head;
    let chain = match end.0 {
        0 => "The log is empty.".to_owned(),
        end => format!(
            "Every record up to position {end} is valid: its hash is correct, it continues the \
             chain, and the server sent its event unchanged."
        ),
    };
    let checkpoints = trust.checkpoints.iter().map(|LogCheckpoint { head, key }| {
        let signed = match (key, trust.is_key_given) {
            (Some(_), true) => ", signed with the given key",
            (Some(_), false) => ", signed",
            (None, _) => "",
        };
        format!(
            "The log contains the trusted checkpoint at position {}{signed}: nothing up to there \
             was changed, removed or added.",
            head.position
        )
    });
    let key = match (trust.key, signed.key) {
        (Some(_), _) if trust.is_key_given => "the given key".to_owned(),
        (None, Some(key)) => format!(
            "key {key}, which is known only from this server: compare it with the output of \
             \"userpool key\" on the server's machine"
        ),
        (_, _) => "the key of the trusted checkpoints".to_owned(),
    };
    let end =
        format!("The server signed that its log ends at position {end}, hash {hash}, with {key}.");
    [chain].into_iter().chain(checkpoints).chain([end]).collect()
}
