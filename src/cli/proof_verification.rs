//! Verifying proofs of events from a file, without any server.

use std::{
    collections::BTreeSet,
    fs::File,
    io::{self, BufRead, BufReader},
    iter::zip,
    path::Path,
};

use serde_json::json;

use crate::{
    audit::{
        LogKey, PROOF_HEADER, ProofFileError, ProvenRecord, Quorum, TlogProof,
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
                      server's machine)";

/// The events that a file proves, all with one checkpoint.
struct Proven {
    events: Vec<UserPoolEvent>,
    checkpoint: CheckpointText,
    /// The trusted witnesses that cosigned the checkpoint.
    witnesses: Vec<String>,
}

/// Reads a file, or standard input for `-`, if it begins as a proof. If not, nothing of standard
/// input is consumed.
pub(super) fn read_proofs(file: &Path) -> Result<Option<String>, CliError> {
    let read = || {
        if file == Path::new("-") {
            return read_if_proof(io::stdin().lock());
        }
        if !file.is_file() {
            return Ok(None);
        }
        read_if_proof(BufReader::new(File::open(file)?))
    };
    read().map_err(|error| CliError::file(file, &error))
}

fn read_if_proof(mut reader: impl BufRead) -> io::Result<Option<String>> {
    // A pipe may have only a part of the header yet; no export begins with any part of it.
    let start = reader.fill_buf()?;
    if start.is_empty()
        || zip(start, PROOF_HEADER.as_bytes()).any(|(found, header)| found != header)
    {
        return Ok(None);
    }
    let mut text = String::new();
    reader.read_to_string(&mut text)?;
    Ok(Some(text))
}

/// Verifies the proofs in a file, and prints what they prove and what not.
///
/// # Errors
/// There is no key, or the output cannot be written.
pub(super) fn verify_proofs(
    file: &str,
    key: Option<&LogKey>,
    quorum: Option<&Quorum>,
    format: OutputFormat,
) -> Result<Outcome, CliError> {
    let key = key.ok_or_else(|| CliError::message(NO_KEY))?;
    match verify(file, key, quorum) {
        Ok(proven) => {
            proven.print(format)?;
            Ok(Outcome::Success)
        }
        Err(reason) => {
            match format {
                OutputFormat::Table => print(&format!("INVALID: {reason}."))?,
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
                let witnesses = witnesses.into_iter().map(str::to_owned).collect();
                proven = Some(Proven { events: vec![event], checkpoint, witnesses });
            }
            Some(proven) if proven.checkpoint == checkpoint => proven.events.push(event),
            Some(_) => {
                return Err(format!(
                    "proof {number} has another checkpoint than those before it: verify it alone"
                ));
            }
        }
    }
    proven.ok_or_else(|| "the file has no proof".to_owned())
}

impl Proven {
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
        let what = match (self.history(), self.events.as_slice()) {
            (Some((pool, last)), [_, _, ..]) => {
                format!("Revisions 1 to {last} of user pool {}, without a gap, are", escape(pool))
            }
            (_, [event]) => format!("The event at position {} is", event.position),
            (_, events) => format!("{} events are", events.len()),
        };
        let time = self.checkpoint.time().map(|time| format!(" at {}", escape(time)));
        let witnesses = match self.witnesses.as_slice() {
            [] => String::new(),
            names => format!(", and cosigned by {}", names.join(", ")),
        };
        format!(
            "{what} in the log {} of {} events, whose root hash was signed with the given \
             key{}{witnesses}.",
            escape(origin),
            tree.size,
            time.unwrap_or_default()
        )
    }

    /// The user pool whose whole history up to a revision is proven, and that revision.
    fn history(&self) -> Option<(&str, i64)> {
        let pools: BTreeSet<_> = self.events.iter().map(|event| &event.user_pool_id).collect();
        let revisions = self.events.iter().map(|event| event.revision);
        let is_dense = revisions.eq(1..=i64::try_from(self.events.len()).unwrap_or_default());
        let last = self.events.last().filter(|_| is_dense && pools.len() == 1)?;
        Some((&last.user_pool_id, last.revision))
    }

    /// What is not proven, as clauses.
    fn not_proven(&self) -> Vec<String> {
        let same_log = if self.witnesses.is_empty() {
            "that the signer shows everyone the same log: compare its checkpoint with one that \
             others keep"
        } else {
            "that the signer shows everyone the same log, unless the witnesses are honest"
        };
        let mut clauses = vec![
            same_log.to_owned(),
            "who made the change, from where and when: that is what the server recorded".to_owned(),
        ];
        clauses.push(match self.history() {
            Some((_, last)) => format!(
                "that revision {last} is the last one, and that no other event in the log claims \
                 one of these revisions: only verifying the whole log shows that"
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
