//! Verifying proofs of events from a file, without any server.

use std::cmp::Ordering;

use serde_json::json;

use crate::{
    audit::{
        LogCheckpoint, LogKey, ProofFileError, ProvenRecord, Quorum, TlogProof, Trust,
        checkpoint::CheckpointText, decode_with_record,
    },
    proto::{self, ActorKind, UserPoolEvent},
    telemetry::error_chain,
};

use super::{
    error::CliError,
    event::EventLayout,
    outcome::Outcome,
    output::{OutputFormat, print},
    text::escape,
};

/// Why a proof needs a key.
const NO_KEY: &str = "a proof is verified with the key of the log, obtained from another source \
                      than the proof: name it with --key (\"userpool key\" prints it on the \
                      server's machine), or a checkpoint in JSON, which has it, with --checkpoint";

/// The events that a file proves, all with one checkpoint.
struct Proven {
    events: Vec<UserPoolEvent>,
    checkpoint: CheckpointText,
    /// Whether that is a trusted checkpoint.
    is_trusted: bool,
    /// Whether the key was given, rather than that of a trusted checkpoint.
    is_key_given: bool,
    /// The trusted witnesses that cosigned the checkpoint.
    witnesses: Vec<String>,
    /// Whether more than half of the witnesses had to cosign it.
    is_majority: bool,
}

/// Verifies the proofs in a file, and prints what they prove and what not.
///
/// # Errors
/// There is no key, or no trusted checkpoint to compare the proofs with; or the output cannot be
/// written.
pub(super) fn verify_proofs(
    file: &str,
    given: Option<LogKey>,
    trust: &Trust,
    quorum: Option<&Quorum>,
    format: OutputFormat,
) -> Result<Outcome, CliError> {
    let key = given.or_else(|| trust.key.map(|key| LogKey { name: None, key }));
    let key = key.ok_or_else(|| CliError::argument(NO_KEY))?;
    let verified = match verify(file, &key, quorum) {
        Ok(proven) => proven.compare(trust)?,
        Err(reason) => Err(reason),
    };
    match verified {
        Ok(proven) => {
            proven.print(format)?;
            Ok(Outcome::Success)
        }
        Err(reason) => {
            match format {
                OutputFormat::Table => print(&format!("INVALID: {}.", escape(&reason)))?,
                OutputFormat::Json | OutputFormat::Jsonl => {
                    format.value(&json!({ "valid": false, "problem": { "reason": reason } }))?;
                }
            }
            Ok(Outcome::Negative)
        }
    }
}

/// Returns what the proofs in a file prove, or why they do not.
fn verify(file: &str, key: &LogKey, quorum: Option<&Quorum>) -> Result<Proven, String> {
    let explain = |error: ProofFileError| error_chain(&error);
    let mut proven: Option<Proven> = None;
    for (number, proof) in (1..).zip(TlogProof::parse_all(file).map_err(explain)?) {
        let verified = proof.verify(key).map_err(explain);
        let ProvenRecord { record, checkpoint } =
            verified.map_err(|reason| format!("proof {number}: {reason}"))?;
        let witnesses = quorum.map(|quorum| quorum.verify(&proof.checkpoint)).transpose();
        let witnesses = witnesses.map_err(|error| format!("proof {number}: {error}"))?;
        let event = decode_with_record(&record).map_err(|error| error_chain(&error))?;
        match &mut proven {
            None => {
                let witnesses = witnesses.unwrap_or_default();
                let is_majority = quorum.is_some_and(Quorum::is_majority);
                let witnesses = witnesses.into_iter().map(str::to_owned).collect();
                proven = Some(Proven::new(event, checkpoint, witnesses, is_majority));
            }
            Some(proven) if proven.checkpoint == checkpoint => proven.events.push(event),
            Some(_) => {
                return Err(format!(
                    "proof {number} has another checkpoint than those before it: verify it alone"
                ));
            }
        }
    }
    let proven = proven.ok_or_else(|| "the file has no proof".to_owned())?;
    check_history(&proven.events)?;
    Ok(proven)
}

/// Checks that several events are the history of one user pool, from revision 1 on. That the
/// last ones are missing does not show.
fn check_history(events: &[UserPoolEvent]) -> Result<(), String> {
    let (Some(first), [_, _, ..]) = (events.first(), events) else { return Ok(()) };
    let (pool, mut next, mut missing) = (&first.user_pool_id, 1, Vec::new());
    for (number, UserPoolEvent { user_pool_id, revision, .. }) in (1..).zip(events) {
        if user_pool_id != pool {
            return Err(format!(
                "proof {number} is of user pool {user_pool_id}, but those before it of {pool}: a \
                 file with several proofs is the history of one user pool; verify other proofs alone"
            ));
        }
        let last = revision.saturating_sub(1);
        match next.cmp(revision) {
            Ordering::Equal => (),
            Ordering::Less if next == last => missing.push(next.to_string()),
            Ordering::Less => missing.push(format!("{next} to {last}")),
            Ordering::Greater => {
                return Err(format!(
                    "proof {number} is of revision {revision}, which does not follow revision {}",
                    next.saturating_sub(1)
                ));
            }
        }
        next = revision.saturating_add(1);
    }
    if missing.is_empty() {
        return Ok(());
    }
    let last = next.saturating_sub(1);
    let revisions = if matches!(missing.as_slice(), [one] if !one.contains(' ')) {
        "revision"
    } else {
        "revisions"
    };
    Err(format!(
        "the history of user pool {pool} up to revision {last} lacks {revisions} {}: each proof in \
         the file is right, but some were left out; \"userpool proof --pool {pool}\" writes all of \
         them",
        missing.join(", ")
    ))
}

impl Proven {
    fn new(
        event: UserPoolEvent,
        checkpoint: CheckpointText,
        witnesses: Vec<String>,
        is_majority: bool,
    ) -> Self {
        Self {
            events: vec![event],
            checkpoint,
            is_trusted: false,
            is_key_given: true,
            witnesses,
            is_majority,
        }
    }

    /// Compares the checkpoint with the trusted one at its position, if there are such.
    fn compare(self, trust: &Trust) -> Result<Result<Self, String>, CliError> {
        let is_key_given = trust.is_key_given;
        if trust.checkpoints.is_empty() {
            return Ok(Ok(Self { is_key_given, ..self }));
        }
        let size = self.checkpoint.tree.size;
        // The last hash alone does not say what the root is.
        let at_end = |kept: &&LogCheckpoint| kept.head.position.0 == size && kept.root.is_some();
        let mut trusted = trust.checkpoints.iter().filter(at_end).peekable();
        let stated = LogCheckpoint::from_text(&self.checkpoint);
        let (Some(stated), Some(_)) = (stated, trusted.peek()) else {
            return Err(CliError::argument(format!(
                "the proof ends in a checkpoint at position {size}, and no trusted one with a root \
                 hash is there: ask for a proof that ends in a trusted checkpoint with \"userpool proof \
                 --checkpoint\""
            )));
        };
        let differs = trusted.find_map(|trusted| stated.check_continues(trusted, &[]).err());
        Ok(match differs {
            None => Ok(Self { is_trusted: true, is_key_given, ..self }),
            Some(cause) => Err(format!(
                "the proof does not end in the trusted checkpoint at position {size}: {}",
                error_chain(&cause)
            )),
        })
    }

    fn print(&self, format: OutputFormat) -> Result<(), CliError> {
        if format != OutputFormat::Table {
            let CheckpointText { origin, tree, .. } = &self.checkpoint;
            let events: Result<Vec<_>, _> = self.events.iter().map(proto::to_json).collect();
            return format.value(&json!({
                "valid": true,
                "log": origin,
                "size": tree.size.to_string(),
                "root_hash": tree.root.to_string(),
                "time": self.checkpoint.time(),
                "witnesses": self.witnesses,
                "proven": [self.statement()],
                "not_proven": self.not_proven(),
                "events": events?,
            }));
        }
        print(&self.statement())?;
        print("")?;
        print(&EventLayout::Log.heading())?;
        for event in &self.events {
            print(&EventLayout::Log.line(event))?;
        }
        if let [event] = self.events.as_slice() {
            print("")?;
            for (name, value) in details(event) {
                print(&format!("{name:<15} {}", escape(&value)))?;
            }
        }
        print("")?;
        for clause in self.not_proven() {
            print(&format!("Not proven: {clause}."))?;
        }
        Ok(())
    }

    /// What is proven, as a sentence.
    fn statement(&self) -> String {
        let CheckpointText { origin, tree, .. } = &self.checkpoint;
        let what = match (self.history(), self.events.first()) {
            (Some(UserPoolEvent { user_pool_id, revision, .. }), _) => format!(
                "Revisions 1 to {revision} of user pool {}, without a gap, are",
                escape(user_pool_id)
            ),
            (None, event) => {
                format!("The event at position {} is", event.map_or(0, |event| event.position))
            }
        };
        let time = self.checkpoint.time().map(|time| format!(" at {}", escape(time)));
        let key = if self.is_key_given { "given key" } else { "key of the trusted checkpoint" };
        let witnesses = match self.witnesses.as_slice() {
            [] => String::new(),
            names => format!(", and cosigned by {}", names.join(", ")),
        };
        let trusted =
            if self.is_trusted { " The proof ends in the trusted checkpoint." } else { "" };
        format!(
            "{what} in the log {} of {} events, whose root hash was signed with the \
             {key}{}{witnesses}.{trusted}",
            escape(origin),
            tree.size,
            time.unwrap_or_default()
        )
    }

    /// The last event of the history that is proven, unless it is one event that is.
    fn history(&self) -> Option<&UserPoolEvent> {
        match self.events.as_slice() {
            [_, .., last] => Some(last),
            [_] | [] => None,
        }
    }

    /// What is not proven, as clauses.
    fn not_proven(&self) -> Vec<String> {
        let same_log = if self.witnesses.is_empty() {
            "that the signer shows everyone the same log: compare its checkpoint with one that \
             others keep"
        } else if !self.is_majority {
            "that the signer shows everyone the same log: a quorum of at most half of the witnesses \
             could have cosigned another one as well; require more than half with --quorum"
        } else {
            "that the signer shows everyone the same log, unless the witnesses are honest"
        };
        let mut clauses = vec![
            same_log.to_owned(),
            "who made the change, from where and when: that is what the server recorded".to_owned(),
        ];
        clauses.push(match self.history() {
            Some(UserPoolEvent { revision, .. }) => format!(
                "that revision {revision} is the last one, because a file without the last ones looks \
                 the same, and that no other event in the log claims one of these revisions: only \
                 verifying the whole log shows that"
            ),
            None => "what happened to the user pool before and after".to_owned(),
        });
        clauses
    }
}

/// The parts of an event that its line does not have, and that are not empty.
fn details(event: &UserPoolEvent) -> Vec<(&'static str, String)> {
    let actor = event.actor.clone().unwrap_or_default();
    let kind = ActorKind::try_from(actor.kind).unwrap_or_default().as_str_name();
    let kind = kind.trim_start_matches("ACTOR_KIND_").to_lowercase().replace('_', " ");
    let details = [
        ("user pool", format!("{}, revision {}", event.user_pool_id, event.revision)),
        ("actor kind", kind),
        ("subject", actor.subject),
        ("address", actor.peer_address),
        ("request ID", event.request_id.clone().unwrap_or_default()),
        ("correlation ID", event.correlation_id.clone()),
        ("event ID", event.event_id.clone()),
    ];
    details.into_iter().filter(|(_, value)| !value.is_empty()).collect()
}
