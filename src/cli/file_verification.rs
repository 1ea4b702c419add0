//! Verifying exports: every hash is computed here, and nothing is imported.

use std::path::PathBuf;

use crate::{
    audit::{ImportError, LogCheckpoint, MismatchCause, RangeAnchor, Trust, Verifier},
    event_log::{Head, Position},
    user_pool::{Assumption, Assumptions, Subjects},
};

use super::{
    audit_file::Export,
    error::CliError,
    report::{Report, Statements, cosigned, signature_clause, unverified, valid_records},
    text::escape,
};

/// Verifies consecutive exports, up to the end of the last one or the first mismatch.
///
/// # Errors
/// An export cannot be read, or there is nothing to compare a trusted checkpoint or key with.
pub(super) fn verify_exports(
    exports: Vec<(PathBuf, Export)>,
    trust: &Trust,
) -> Result<Report, CliError> {
    if trust.checkpoints.is_empty() && trust.is_key_given {
        return Err(CliError::message(
            "an export has no signature that --key could verify; name a signed checkpoint with \
             --checkpoint as well",
        ));
    }
    let mut verifier = match Verifier::new(trust.checkpoints.iter().copied()) {
        Ok(verifier) => verifier,
        Err(mismatch) => return Ok(Report::invalid(Head::default(), mismatch)),
    };
    for (file, mut export) in exports {
        loop {
            match export.next_page(&mut verifier) {
                Ok(page) if page.is_empty() => break,
                Ok(_) => (),
                Err(ImportError::Line { line, source }) => {
                    let place = format!("{}, line {line}", file.display());
                    return Ok(Report::invalid_exports(&verifier, source).at(place));
                }
                Err(error) => {
                    let error = CliError::in_file(&file, &error);
                    let valid = valid_records(verifier.anchor(), verifier.head().position);
                    return Err(CliError::message(match valid {
                        None => error.to_string(),
                        Some(valid) => format!("{error}; {}", valid.replacen('E', "e", 1)),
                    }));
                }
            }
        }
    }
    if let Err(mismatch) = verifier.finish() {
        let is_short = matches!(mismatch.cause, MismatchCause::Truncated(_));
        let report = Report::invalid_exports(&verifier, mismatch);
        let remedy = "If the exports end before that checkpoint on purpose, verify them together \
                      with the next one, or without the checkpoint.";
        return Ok(if is_short { report.with_remedy(remedy) } else { report });
    }
    let compared = |head: Head| !verifier.before_range().contains(&head);
    if !trust.checkpoints.is_empty() && !trust.heads().any(compared) {
        let first = verifier.anchor().map_or(1, |anchor| anchor.head.position.next().0);
        return Err(CliError::message(format!(
            "every trusted checkpoint lies before position {first}, where the export begins, so \
             there is nothing to compare it with; verify it together with the exports before it"
        )));
    }
    Ok(Report::valid_exports(verifier.head(), verifier.anchor(), statements(&verifier, trust)))
}

fn statements(verifier: &Verifier, trust: &Trust) -> Statements {
    let Head { position: end, hash } = verifier.head();
    let anchor = verifier.anchor();
    let (first, rules) = match anchor {
        None => (format!("up to position {end}"), "those before it"),
        Some(anchor) => (
            format!("from position {} to {end}", anchor.head.position.next()),
            "those before it in the range",
        ),
    };
    let chain = match anchor.map_or(Position::START, |anchor| anchor.head.position) {
        start if start == end => "The range has no record.".to_owned(),
        _ => format!(
            "Every record {first} is valid: its hash is correct, it continues the chain, its event \
             is unchanged, and a command could have recorded the event after {rules}."
        ),
    };
    let (compared, before): (Vec<_>, Vec<_>) = trust
        .checkpoints
        .iter()
        .partition(|checkpoint| !verifier.before_range().contains(&checkpoint.head));
    let contained = compared.iter().map(|checkpoint| contained(checkpoint, trust, anchor));
    let id = verifier.log_id().filter(|_| anchor.is_none() && end > Position::START);
    let id = id.map(|id| format!("The ID of the log is {id}, and its last hash is {hash}."));
    let proven = [chain].into_iter().chain(id).chain(contained).chain(cosigned(trust)).collect();

    let last = compared.iter().map(|checkpoint| checkpoint.head.position).max();
    let original = match last {
        None => Some(
            "that the history is the original one: it was compared with no trusted checkpoint \
             (--checkpoint), and whoever rewrites a log computes new hashes"
                .to_owned(),
        ),
        Some(last) if last < end => Some(format!(
            "that the events after position {last} are the original ones: no trusted checkpoint is \
             later"
        )),
        Some(_) => None,
    };
    let states_id = |checkpoint: &LogCheckpoint| checkpoint.log_id.is_some();
    let range = anchor.filter(|_| !compared.iter().any(states_id));
    let range = range.map(|anchor| stated_anchor(anchor, last.is_some()));
    let before = before.iter().map(|checkpoint| {
        format!(
            "that the log contains the trusted checkpoint at position {}: it lies before the range",
            checkpoint.head.position
        )
    });
    // Without the first records there is no Merkle tree.
    let roots = compared.iter().filter(|it| it.root.is_some() && verifier.root().is_none());
    let roots = roots.map(|checkpoint| {
        format!(
            "that the trusted checkpoint at position {} has the root hash of the records: it \
             follows only from all of them, from the first one on",
            checkpoint.head.position
        )
    });
    let end = format!("that the log ends at position {end}: later events may be missing");
    let assumed = verifier.assumptions().into_iter().flat_map(Assumptions::iter);
    let assumed = assumed.map(|(assumption, subjects)| assumed_fact(assumption, subjects));
    let compared = original.into_iter().chain(range).chain(before).chain(roots);
    let not_proven = unverified(trust).chain(compared).chain([end]).chain(assumed).collect();
    Statements { proven, not_proven }
}

fn contained(checkpoint: &LogCheckpoint, trust: &Trust, anchor: Option<RangeAnchor>) -> String {
    let signed = signature_clause(checkpoint, trust);
    let position = checkpoint.head.position;
    match anchor {
        Some(anchor) if anchor.head.position == position => {
            format!("The range follows the trusted checkpoint at position {position}{signed}.")
        }
        Some(_) | None => format!(
            "The exports contain the trusted checkpoint at position {position}{signed}: nothing up \
             to there was changed, removed or added."
        ),
    }
}

/// What only the export says of the record before it.
fn stated_anchor(anchor: RangeAnchor, is_compared: bool) -> String {
    let RangeAnchor { head, log_id } = anchor;
    if is_compared {
        return format!("that the log has the ID {log_id}, which only the export says");
    }
    format!("that the range follows {head} in the log {log_id}, which only the export says")
}

/// What the rules need to know of the events before the range.
fn assumed_fact(assumption: Assumption, subjects: &Subjects) -> String {
    let Subjects { count, examples } = subjects;
    let fact = match assumption {
        Assumption::Exists => "user pools existed at the revision before, and were not deleted",
        Assumption::KeepsDomain => "updates kept the domains of their user pools",
        Assumption::IsDeletable => {
            "user pools had no domain and no protection when they were deleted"
        }
        Assumption::OwnsDomain => "domains belonged to the user pools that changed them",
        Assumption::DomainIsFree => "domains had no owner when they were assigned",
    };
    let more = usize::try_from(*count).unwrap_or(usize::MAX) > examples.len();
    let names = escape(&examples.join(", "));
    let names = if more { format!("{names}, …") } else { names };
    format!("that {fact}, which depends on events before the range ({count}: {names})")
}
