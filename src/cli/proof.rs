//! `userpool proof`: a file that proves that an event is in the log.

use std::str::FromStr;

use clap::{ArgGroup, Args, ValueHint};
use tonic::Status;
use tonic_types::StatusExt as _;
use uuid::Uuid;

use crate::{
    audit::{
        LogKey, Note, NoteError, ProofFileError, PublicKey, TlogProof, TrustError,
        TrustedCheckpoint, TrustedCheckpoints, decode_with_record,
    },
    client::Client,
    event_log::{Hash, Record},
    proto::{
        ErrorReason, GetCheckpointKeyRequest, GetInclusionProofRequest, GetInclusionProofResponse,
        GetSignedCheckpointRequest, SignedCheckpoint, UserPoolEvent,
    },
    telemetry::error_chain,
};

use super::{
    checkpoint::NOT_WITNESSED,
    connection::ConnectionArgs,
    error::{CliError, has_reason},
    os_argument,
    outcome::Outcome,
    output::print,
    text::escape,
};

#[derive(Debug, Args)]
#[command(group = ArgGroup::new("proven").required(true))]
#[command(after_help = "Examples:\n  userpool proof 120 > event.tlog-proof\n  userpool proof \
                        us-east-1_tXLpktx5t:7 > event.tlog-proof\n  userpool proof --pool \
                        us-east-1_tXLpktx5t > history.tlog-proof\n  userpool proof 120 \
                        --checkpoint monday.json > event.tlog-proof\n  userpool verify \
                        event.tlog-proof --key key.pem")]
pub(super) struct ProofCommand {
    /// Prove this event: its position in the log (120), or a user pool and a revision
    /// (us-east-1_tXLpktx5t:7).
    #[arg(value_name = "EVENT", group = "proven")]
    event: Option<EventName>,
    /// Prove every event of this user pool, which may be deleted, as of one checkpoint. The file
    /// has one proof after another.
    #[arg(long, value_name = "POOL", group = "proven")]
    pool: Option<String>,
    /// End in the newest checkpoint that witnesses cosigned, instead of the newest of all.
    #[arg(long, conflicts_with = "checkpoint")]
    witnessed: bool,
    /// End the proof in this checkpoint, which an auditor has already, instead of the newest one of
    /// the server: a file with the output of "userpool checkpoint" (JSON or a signed note). Of
    /// several, the newest is used.
    #[arg(long, value_name = "FILE", value_parser = os_argument::checkpoints(), value_hint = ValueHint::FilePath)]
    checkpoint: Option<TrustedCheckpoints>,
    #[command(flatten)]
    connection: ConnectionArgs,
}

/// The name of an event.
#[derive(Debug, Clone, PartialEq, Eq)]
enum EventName {
    Position(i64),
    Revision(String, i64),
}

/// The checkpoint that proofs end in.
#[derive(Debug, Clone)]
struct ProofCheckpoint {
    note: Note,
    /// The key that signed it, as the server says.
    key: LogKey,
    tree_size: i64,
    /// Whether it was kept by the user, rather than sent by the server.
    is_kept: bool,
}

/// Why a proof cannot end in a checkpoint.
const NO_NOTE: &str = "a proof ends in a signed checkpoint with a root hash, which POSITION:HASH and \
                       checkpoints of builds before the first release do not have; name a file with \
                       the output of \"userpool checkpoint\"";

impl ProofCommand {
    pub(super) async fn run(self) -> Result<Outcome, CliError> {
        let client = self.connection.connect().await?;
        let checkpoint = match self.checkpoint {
            Some(TrustedCheckpoints(kept)) => Some(ProofCheckpoint::newest(&client, kept).await?),
            None if self.witnessed => Some(witnessed(&client).await?),
            None => None,
        };
        match (self.event, self.pool) {
            (Some(event), _) => {
                let (proof, _) = prove(&client, &event, checkpoint).await?;
                print_proof(&proof)?;
            }
            (None, Some(pool)) => prove_history(&client, &pool, checkpoint).await?,
            (None, None) => (),
        }
        Ok(Outcome::Success)
    }
}

impl EventName {
    fn request(&self, tree_size: Option<i64>) -> GetInclusionProofRequest {
        let request = GetInclusionProofRequest { tree_size, ..GetInclusionProofRequest::default() };
        match self {
            Self::Position(position) => {
                GetInclusionProofRequest { position: Some(*position), ..request }
            }
            Self::Revision(id, revision) => GetInclusionProofRequest {
                user_pool_id: Some(id.clone()),
                revision: Some(*revision),
                ..request
            },
        }
    }

    /// Checks that a record is that of this event.
    fn check(&self, record: &Record) -> Result<(), CliError> {
        let event = decode_with_record(record).map_err(CliError::other)?;
        let UserPoolEvent { position, user_pool_id, revision, .. } = event;
        let is_requested = match self {
            Self::Position(requested) => *requested == position,
            Self::Revision(id, requested) => *id == user_pool_id && *requested == revision,
        };
        if is_requested {
            return Ok(());
        }
        Err(CliError::message(format!(
            "the server proved another event than the requested one: position {position}, \
             revision {revision} of user pool {}",
            escape(&user_pool_id)
        )))
    }
}

/// Reads `POSITION` or `POOL:REVISION`.
impl FromStr for EventName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let number = |text: &str| text.parse().ok().filter(|number: &i64| *number > 0);
        let name = match text.rsplit_once(':') {
            Some((pool, revision)) if !pool.is_empty() => {
                number(revision).map(|revision| Self::Revision(pool.to_owned(), revision))
            }
            Some(_) => None,
            None => number(text).map(Self::Position),
        };
        name.ok_or_else(|| {
            let expected =
                "expected a position (120), or a user pool and a revision (us-east-1_tXLpktx5t:7)";
            match Uuid::try_parse(text) {
                Ok(_) => format!(
                    "{expected}; an event ID does not show where the event is: \"userpool events -o \
                     jsonl\" shows its position"
                ),
                Err(_) => expected.to_owned(),
            }
        })
    }
}

/// Prints the proofs of all events of a user pool that `checkpoint` has, or else the newest one.
async fn prove_history(
    client: &Client,
    pool: &str,
    checkpoint: Option<ProofCheckpoint>,
) -> Result<(), CliError> {
    let revision = |revision| EventName::Revision(pool.to_owned(), revision);
    let (first, mut checkpoint) = prove(client, &revision(1), checkpoint).await?;
    print_proof(&first)?;
    for number in 2.. {
        let proof;
        (proof, checkpoint) = match prove(client, &revision(number), Some(checkpoint)).await {
            Err(CliError::Rpc(status)) if has_reason(&status, ErrorReason::BeyondEnd) => break,
            result => result?,
        };
        print_proof(&proof)?;
    }
    Ok(())
}

/// Requests the proof of an event, and verifies it. It ends in `checkpoint`, or else in the one of
/// the response. Returns that checkpoint as well.
async fn prove(
    client: &Client,
    event: &EventName,
    checkpoint: Option<ProofCheckpoint>,
) -> Result<(TlogProof, ProofCheckpoint), CliError> {
    if let (EventName::Position(position), Some(kept)) = (event, &checkpoint)
        && kept.is_kept
        && *position > kept.tree_size
    {
        return Err(CliError::message(format!(
            "the checkpoint is at position {}, older than the event at position {position}",
            kept.tree_size
        )));
    }
    let request = event.request(checkpoint.as_ref().map(|checkpoint| checkpoint.tree_size));
    let response = client.get_inclusion_proof(request).await;
    let response = response.map_err(|status| match (event, &checkpoint) {
        (EventName::Position(_), Some(kept)) if kept.is_kept => truncated(status, kept.tree_size),
        (EventName::Position(_) | EventName::Revision(..), _) => status.into(),
    })?;
    let GetInclusionProofResponse { record, leaf_index, hashes, .. } = response;
    let checkpoint = match (checkpoint, response.checkpoint) {
        (Some(checkpoint), _) => checkpoint,
        (None, Some(signed)) => ProofCheckpoint::parse(&signed)?,
        (None, None) => return Err(malformed()),
    };
    let hashes = hashes.iter().map(|hash| hash.as_slice().try_into().map(Hash));
    let hashes = hashes.collect::<Result<_, _>>().map_err(|_| malformed())?;
    let index = u64::try_from(leaf_index).map_err(|_| malformed())?;
    let proof = TlogProof { record, index, hashes, checkpoint: checkpoint.note.clone() };
    let proven = proof.verify(&checkpoint.key).map_err(|error| checkpoint.explain(error))?;
    event.check(&proven.record)?;
    Ok((proof, checkpoint))
}

/// The refusal of a server whose log ends before the checkpoint that the user kept, in words that do
/// not sound as if it would grow.
fn truncated(status: Status, tree_size: i64) -> CliError {
    let metadata = status.get_details_error_info().map(|info| info.metadata).unwrap_or_default();
    match (metadata.get("requested"), metadata.get("current")) {
        (Some(requested), Some(end)) if *requested == tree_size.to_string() => {
            CliError::message(format!(
                "the log of the server ends at position {end}, before the given checkpoint at \
                 position {tree_size}: history was truncated, or it is another log"
            ))
        }
        (_, _) => status.into(),
    }
}

/// The newest checkpoint that witnesses cosigned.
async fn witnessed(client: &Client) -> Result<ProofCheckpoint, CliError> {
    let signed = client.get_signed_checkpoint(GetSignedCheckpointRequest::default()).await?;
    let none = || CliError::message(NOT_WITNESSED);
    ProofCheckpoint::parse(&signed.witnessed.ok_or_else(none)?)
}

impl ProofCheckpoint {
    fn parse(signed: &SignedCheckpoint) -> Result<Self, CliError> {
        let note = Note::parse(&signed.note).map_err(CliError::other)?;
        let key = signed.public_key.as_slice().try_into().map_err(|_| malformed())?;
        let key = LogKey { name: None, key: PublicKey(key) };
        Ok(Self { note, key, tree_size: signed.position, is_kept: false })
    }

    /// The newest of these checkpoints.
    async fn newest(client: &Client, kept: Vec<TrustedCheckpoint>) -> Result<Self, CliError> {
        let newest = kept.into_iter().max_by_key(|kept| kept.stated.head.position);
        let TrustedCheckpoint { stated, note } =
            newest.ok_or_else(|| CliError::message("there is no checkpoint"))?;
        let note = note.ok_or_else(|| CliError::message(NO_NOTE))?;
        let position = stated.head.position;
        let key = if let Some(key) = stated.key {
            LogKey { name: None, key }
        } else {
            // A bare note does not have it.
            let key = client.get_checkpoint_key(GetCheckpointKeyRequest {}).await?.public_key;
            let key = PublicKey(key.as_slice().try_into().map_err(|_| malformed())?);
            let key = LogKey { name: None, key };
            if let Err(source) = key.verify(&note) {
                if matches!(source, NoteError::WrongSignature(_)) {
                    return Err(CliError::argument(TrustError::Note { position, source }));
                }
                return Err(CliError::message(format!(
                    "the given checkpoint at position {position} is not signed with the key of the \
                     server, so it or the server is the wrong one: {source}"
                )));
            }
            key
        };
        Ok(Self { note, key, tree_size: position.to_int(), is_kept: true })
    }

    /// Why a proof of the server does not end in this checkpoint.
    fn explain(&self, error: ProofFileError) -> CliError {
        if !self.is_kept {
            return CliError::other(error);
        }
        CliError::message(format!(
            "the server has no proof that ends in the given checkpoint at position {}: {}; if its \
             log does not continue that checkpoint, \"userpool consistency\" shows it",
            self.tree_size,
            error_chain(&error)
        ))
    }
}

fn malformed() -> CliError {
    CliError::message("the server sent a malformed proof")
}

fn print_proof(proof: &TlogProof) -> Result<(), CliError> {
    print(proof.to_string().trim_end_matches('\n'))
}
