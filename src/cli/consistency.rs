//! `userpool consistency`: that the log of a server continues checkpoints, without its events.

use clap::{Args, ValueHint};

use crate::{
    audit::{LogCheckpoint, Mismatch, MismatchCause, Trust, TrustedCheckpoints},
    client::Client,
    event_log::{Hash, Position},
    proto::{GetConsistencyProofRequest, SignedCheckpoint},
};

use super::{
    connection::ConnectionArgs,
    error::CliError,
    os_argument::{self, LogKeyArgs, QuorumArgs},
    outcome::Outcome,
    output::TableOutputArgs,
    remote_verification::{check_unchanged, signed_checkpoint},
    report::{Report, Statements, cosigned, key_of, signed_end},
};

#[derive(Debug, Args)]
#[command(
    after_help = "Exit code: 0 if the log continues every checkpoint, 1 if it does not, 2 if the command \
                  line or a checkpoint is invalid.\n\nExample:\n  \
                  userpool checkpoint > monday.json\n  userpool consistency monday.json"
)]
pub(super) struct ConsistencyCommand {
    /// Prove that the log continues this checkpoint: a file with the output of "userpool
    /// checkpoint" (JSON or a signed note), or the checkpoints.jsonl of a data directory. Of several
    /// checkpoints, each must continue the one before it, and the log of the server the last one.
    #[arg(value_name = "CHECKPOINT", required = true, value_parser = os_argument::checkpoints(), value_hint = ValueHint::FilePath)]
    checkpoints: Vec<TrustedCheckpoints>,
    #[command(flatten)]
    key: LogKeyArgs,
    #[command(flatten)]
    quorum: QuorumArgs,
    #[command(flatten)]
    output: TableOutputArgs,
    #[command(flatten)]
    connection: ConnectionArgs,
}

/// What the proofs of a server show.
struct Continued {
    /// The newest checkpoint, which the server signed.
    newest: LogCheckpoint,
    signed: SignedCheckpoint,
    /// A sentence for each checkpoint that is continued.
    proven: Vec<String>,
}

impl ConsistencyCommand {
    pub(super) async fn run(self) -> Result<Outcome, CliError> {
        let format = self.output.format();
        let quorum = self.quorum.quorum()?;
        let trust = Trust::with_quorum(self.checkpoints, self.key.key.as_ref(), quorum.as_ref());
        let mut trust = trust.map_err(CliError::argument)?;
        trust.checkpoints.sort_by_key(|checkpoint| checkpoint.head.position);
        if let Some(rootless) = trust.checkpoints.iter().find(|kept| kept.root.is_none()) {
            return Err(CliError::argument(format!(
                "the checkpoint at position {} has no root hash, which POSITION:HASH and checkpoints \
                 of builds before the first release do not have; \"userpool verify --checkpoint\" \
                 compares it with every event",
                rootless.head.position
            )));
        }
        let client = self.connection.connect().await?;
        let report = match prove(&client, &trust).await? {
            Ok(Continued { newest, signed, proven }) => {
                let always = [
                    "anything of the events themselves: \"userpool verify\" verifies those".to_owned(),
                    "that the server shows everyone the same log: compare its checkpoint with one that \
                     others keep"
                        .to_owned(),
                ];
                let not_proven = key_of(&trust, "server").into_iter().chain(always).collect();
                let statements = Statements { proven, not_proven };
                Report::continued(newest.head, signed, statements)
            }
            Err(mismatch) => Report::not_continued(mismatch),
        };
        report.print(format)?;
        Ok(if report.is_valid() { Outcome::Success } else { Outcome::Negative })
    }
}

/// Requests the newest checkpoint, and the proofs that each continues the one before it. Returns
/// the first one that does not.
async fn prove(client: &Client, trust: &Trust) -> Result<Result<Continued, Mismatch>, CliError> {
    let signed = signed_checkpoint(client).await?;
    let position = Position::from_int(signed.position);
    check_unchanged(trust, &signed)?;
    let newest = match LogCheckpoint::verify(&signed) {
        Ok(newest) => newest,
        Err(error) => return Ok(Err(Mismatch { position, cause: error.into() })),
    };
    // Another log has another key, too.
    let compared = |old| newest.check_log_id(old).map_err(|cause| (old.head.position, cause));
    let compared = trust.checkpoints.iter().try_for_each(compared);
    let checked = || trust.check_key(newest).map_err(|cause| (position, cause));
    if let Err((position, cause)) = compared.and_then(|()| checked()) {
        return Ok(Err(Mismatch { position, cause }));
    }
    let mut proven = Vec::new();
    let later = trust.checkpoints.iter().skip(1).chain([&newest]);
    for (old, new) in trust.checkpoints.iter().zip(later) {
        let (old_end, new_end) = (old.head.position, new.head.position);
        if new_end < old_end {
            let cause = MismatchCause::Truncated(new_end);
            return Ok(Err(Mismatch { position: new_end.next(), cause }));
        }
        let hashes = if old_end == new_end { Vec::new() } else { hashes(client, old, new).await? };
        if let Err(cause) = new.check_continues(old, &hashes) {
            return Ok(Err(Mismatch { position: old_end, cause }));
        }
        proven.push(format!(
            "The log at position {old_end} is a prefix of the log at position {new_end}: nothing up to \
             position {old_end} was changed, removed or added."
        ));
    }
    proven.extend(cosigned(trust));
    proven.push(signed_end(newest, trust));
    Ok(Ok(Continued { newest, signed, proven }))
}

/// The hashes of the proof that one checkpoint continues another.
async fn hashes(
    client: &Client,
    old: &LogCheckpoint,
    new: &LogCheckpoint,
) -> Result<Vec<Hash>, CliError> {
    let request = GetConsistencyProofRequest {
        old_size: old.head.position.to_int(),
        new_size: Some(new.head.position.to_int()),
        ..GetConsistencyProofRequest::default()
    };
    let hashes = client.get_consistency_proof(request).await?.hashes;
    let hashes = hashes.iter().map(|hash| hash.as_slice().try_into().map(Hash));
    let hashes = hashes.collect::<Result<_, _>>();
    hashes.map_err(|_| CliError::message("the server sent a malformed proof"))
}
