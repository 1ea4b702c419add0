//! The report of a verification: the proven statements, and the first mismatch.

use anstyle::AnsiColor;
use serde_json::{Map, Value, json};

use crate::{
    audit::{LogCheckpoint, Mismatch, RangeAnchor, Trust, Verifier},
    event_log::{Head, Position},
    proto::{self, SignedCheckpoint, UnwritableMessage},
    telemetry::error_chain,
};

use super::{
    error::CliError,
    output::{OutputFormat, print},
    text::escape,
};

/// The result of verifying the history of a server, or exports.
#[derive(Debug)]
pub(super) struct Report {
    /// The last record that is valid, unless none was read.
    head: Option<Head>,
    /// The record before the range that is verified.
    anchor: Option<RangeAnchor>,
    statements: Statements,
    /// The checkpoint that the server signed at the end, which an export does not have; or the
    /// first mismatch.
    result: Result<Option<SignedCheckpoint>, Mismatch>,
    /// The file and the line of the mismatch.
    place: Option<String>,
    /// What to do about the mismatch, as a sentence.
    remedy: Option<&'static str>,
}

/// What a verification proves.
#[derive(Debug, Default)]
pub(super) struct Statements {
    /// In sentences.
    pub(super) proven: Vec<String>,
    /// In clauses: "that the …".
    pub(super) not_proven: Vec<String>,
}

impl Report {
    const fn new(
        head: Option<Head>,
        statements: Statements,
        result: Result<Option<SignedCheckpoint>, Mismatch>,
    ) -> Self {
        Self { head, anchor: None, statements, result, place: None, remedy: None }
    }

    /// A history that is valid up to its end, which the server `signed`.
    pub(super) fn valid(
        checkpoint: LogCheckpoint,
        signed: SignedCheckpoint,
        trust: &Trust,
    ) -> Self {
        let proven = statements(checkpoint, trust);
        let statements =
            Statements { proven, not_proven: key_of(trust, "server").into_iter().collect() };
        Self::new(Some(checkpoint.head), statements, Ok(Some(signed)))
    }

    /// A log up to a head that the server `signed`, of which only proofs were verified.
    pub(super) const fn continued(
        head: Head,
        signed: SignedCheckpoint,
        statements: Statements,
    ) -> Self {
        Self::new(Some(head), statements, Ok(Some(signed)))
    }

    /// Exports that are valid up to their end.
    pub(super) fn valid_exports(
        head: Head,
        anchor: Option<RangeAnchor>,
        statements: Statements,
    ) -> Self {
        Self { anchor, ..Self::new(Some(head), statements, Ok(None)) }
    }

    /// A history that is valid up to `head`, and then has a mismatch.
    pub(super) fn invalid(head: Head, mismatch: Mismatch) -> Self {
        Self::new(Some(head), Statements::default(), Err(mismatch))
    }

    /// Exports whose records, which may begin after an anchor, are valid up to the head, and then
    /// have a mismatch.
    pub(super) fn invalid_exports(verifier: &Verifier, mismatch: Mismatch) -> Self {
        Self { anchor: verifier.anchor(), ..Self::invalid(verifier.head(), mismatch) }
    }

    /// A log that does not continue a checkpoint. None of its records was read.
    pub(super) fn not_continued(mismatch: Mismatch) -> Self {
        Self::new(None, Statements::default(), Err(mismatch))
    }

    /// The report with the file and the line of the mismatch.
    pub(super) fn at(self, place: String) -> Self {
        Self { place: Some(place), ..self }
    }

    /// The report with a sentence on what to do about the mismatch.
    pub(super) fn with_remedy(self, remedy: &'static str) -> Self {
        Self { remedy: Some(remedy), ..self }
    }

    pub(super) const fn is_valid(&self) -> bool {
        self.result.is_ok()
    }

    pub(super) fn print(&self, format: OutputFormat) -> Result<(), CliError> {
        if format != OutputFormat::Table {
            return format.value(&self.to_json()?);
        }
        let Statements { proven, not_proven } = &self.statements;
        proven.iter().try_for_each(|sentence| print(sentence))?;
        not_proven.iter().try_for_each(|clause| print(&format!("Not proven: {clause}.")))?;
        let Err(Mismatch { position, cause }) = &self.result else { return Ok(()) };
        let red = AnsiColor::Red.on_default().bold();
        let valid = self.head.map_or(0, |head| head.position.0);
        let before = match cause {
            cause if cause.is_of_key() => valid,
            _ => position.0.saturating_sub(1).min(valid),
        };
        if let Some(valid) = valid_records(self.anchor, Position(before)) {
            print(&format!("{valid}."))?;
        }
        // It may quote what a server or a file says.
        let reason = escape(&error_chain(cause));
        let place = self.place.as_ref().map(|place| format!(" ({place})")).unwrap_or_default();
        let at = match cause {
            cause if cause.is_of_key() => String::new(),
            _ => format!(" at position {position}{place}"),
        };
        print(&format!("{red}INVALID{red:#}{at}: {reason}."))?;
        self.remedy.map_or(Ok(()), print)
    }

    fn to_json(&self) -> Result<Value, UnwritableMessage> {
        let mut members = Map::from_iter([("valid".to_owned(), self.is_valid().into())]);
        if let Some(Head { position, hash }) = self.head {
            members.insert("position".to_owned(), position.to_string().into());
            members.insert("hash".to_owned(), hash.to_string().into());
            members.insert("proven".to_owned(), json!(self.statements.proven));
        }
        if let Some(RangeAnchor { head: Head { position, hash }, log_id }) = &self.anchor {
            let (position, hash) = (position.to_string(), hash.to_string());
            let after = json!({ "position": position, "hash": hash, "log_id": log_id.to_string() });
            members.insert("after".to_owned(), after);
        }
        if !self.statements.not_proven.is_empty() {
            members.insert("not_proven".to_owned(), json!(self.statements.not_proven));
        }
        match &self.result {
            Ok(Some(signed)) => {
                members.insert("checkpoint".to_owned(), proto::to_json(signed)?);
            }
            Ok(None) => (),
            Err(Mismatch { position, cause }) => {
                let mut problem = json!({ "reason": error_chain(cause) });
                if let Some(problem) = problem.as_object_mut() {
                    if !cause.is_of_key() {
                        problem.insert("position".to_owned(), json!(position.to_string()));
                    }
                    if let Some(place) = &self.place {
                        problem.insert("place".to_owned(), json!(place));
                    }
                }
                members.insert("problem".to_owned(), problem);
            }
        }
        Ok(members.into())
    }
}

/// Whether a trusted checkpoint is signed, to follow its position in a sentence.
pub(super) const fn signature_clause(checkpoint: &LogCheckpoint, trust: &Trust) -> &'static str {
    match (checkpoint.key, trust.is_key_given) {
        (Some(_), true) => ", signed with the given key",
        (Some(_), false) => ", signed",
        (None, _) => "",
    }
}

/// Which witnesses cosigned the trusted checkpoints, as sentences.
pub(super) fn cosigned(trust: &Trust) -> impl Iterator<Item = String> {
    trust.cosigned.iter().map(|(position, names)| {
        let names = names.join(", ");
        format!("The trusted checkpoint at position {position} is cosigned by {names}.")
    })
}

/// Says which records are valid of those up to a position, which may begin after an anchor.
/// Nothing if none was read.
pub(super) fn valid_records(anchor: Option<RangeAnchor>, end: Position) -> Option<String> {
    let first = anchor.map_or(Position::START, |anchor| anchor.head.position).next();
    (end >= first).then(|| match anchor {
        Some(_) => format!("Every record from position {first} to {end} is valid"),
        None => format!("Every record up to position {end} is valid"),
    })
}

/// What notes do not prove that were verified with the key of `source` alone, as a clause.
pub(super) fn key_of(trust: &Trust, source: &str) -> Option<String> {
    (!trust.unverified.is_empty()).then(|| {
        format!(
            "that the key is the right one: it was taken from the {source}, because a signed note \
             has no key; name it with --key"
        )
    })
}

/// What notes that were not verified do not prove, as clauses.
pub(super) fn unverified(trust: &Trust) -> impl Iterator<Item = String> {
    trust.unverified.iter().map(|(position, _)| {
        format!(
            "that the log signed the trusted checkpoint at position {position}: a signed note has no \
             key; name it with --key"
        )
    })
}

fn statements(signed: LogCheckpoint, trust: &Trust) -> Vec<String> {
    let chain = match signed.head.position.0 {
        0 => "The log is empty.".to_owned(),
        end => format!(
            "Every record up to position {end} is valid: its hash is correct, it continues the \
             chain, and the server sent its event unchanged."
        ),
    };
    let checkpoints = trust.checkpoints.iter().map(|checkpoint| {
        format!(
            "The log contains the trusted checkpoint at position {}{}: nothing up to there was \
             changed, removed or added.",
            checkpoint.head.position,
            signature_clause(checkpoint, trust)
        )
    });
    let checkpoints = checkpoints.chain(cosigned(trust));
    [chain].into_iter().chain(checkpoints).chain([signed_end(signed, trust)]).collect()
}

/// The end of the log that the server signed, as a sentence.
pub(super) fn signed_end(signed: LogCheckpoint, trust: &Trust) -> String {
    let Head { position: end, hash } = signed.head;
    let key = match (trust.key, signed.key) {
        (Some(_), _) if trust.is_key_given => "the given key".to_owned(),
        (None, Some(key)) => format!(
            "key {key}, which is known only from this server: compare it with the output of \
             \"userpool key\" on the server's machine"
        ),
        (_, _) => "the key of the trusted checkpoints".to_owned(),
    };
    let root = signed.root.map(|root| format!(", root hash {root}")).unwrap_or_default();
    format!("The server signed that its log ends at position {end}, hash {hash}{root}, with {key}.")
}
