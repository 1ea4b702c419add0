//! `userpool checkpoint`: a signed checkpoint, or the key that verifies it.

use clap::Args;
use serde_json::json;

use crate::{
    event_log::Hash,
    proto::{GetCheckpointKeyRequest, GetSignedCheckpointRequest, SignedCheckpoint},
};

use super::{
    connection::ConnectionArgs,
    error::CliError,
    outcome::Outcome,
    output::{JsonOutputArgs, OutputFormat, print},
    text::format_time,
};

/// Why there is no checkpoint to print, or to end a proof in.
pub(super) const NOT_WITNESSED: &str =
    "no witness has cosigned a checkpoint of this server yet: serve --witness names those to ask";

#[derive(Debug, Args)]
#[command(after_help = "Example, collect checkpoints in a file on another machine:\n  userpool \
                        checkpoint -o jsonl >> checkpoints.jsonl\n  userpool verify \
                        --checkpoint checkpoints.jsonl")]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag")]
pub(super) struct CheckpointCommand {
    /// Print the public key that verifies checkpoints, in PEM, instead of a checkpoint.
    #[arg(long)]
    key: bool,
    /// Print the same key with the name of the log, as tools for signed notes read it
    /// (NAME+HASH+KEY), instead of a checkpoint.
    #[arg(long, conflicts_with = "key")]
    verifier_key: bool,
    /// Print only the signed note of the checkpoint, as tools for transparency logs read it.
    #[arg(long, conflicts_with_all = ["key", "verifier_key", "output"])]
    note: bool,
    /// Print the newest checkpoint that witnesses cosigned, instead of one of now.
    #[arg(long, conflicts_with_all = ["key", "verifier_key"])]
    witnessed: bool,
    #[command(flatten)]
    output: JsonOutputArgs,
    #[command(flatten)]
    connection: ConnectionArgs,
}

impl CheckpointCommand {
    pub(super) async fn run(self) -> Result<Outcome, CliError> {
        let client = self.connection.connect().await?;
        if self.key || self.verifier_key {
            let request = GetCheckpointKeyRequest {};
            let key = client.get_checkpoint_key(request).await?;
            let text = if self.key { &key.public_key_pem } else { &key.verifier_key };
            print(text.trim_end())?;
            return Ok(Outcome::Success);
        }
        let request = GetSignedCheckpointRequest::default();
        let signed = client.get_signed_checkpoint(request).await?;
        let checkpoint = if self.witnessed {
            signed.witnessed.ok_or_else(|| CliError::message(NOT_WITNESSED))?
        } else {
            signed.checkpoint.unwrap_or_default()
        };
        if self.note {
            print(checkpoint.note.trim_end())?;
            return Ok(Outcome::Success);
        }
        match self.output.format() {
            format @ OutputFormat::Table => format.value(&to_hexadecimal(&checkpoint))?,
            format @ (OutputFormat::Json | OutputFormat::Jsonl) => format.message(&checkpoint)?,
        }
        Ok(Outcome::Success)
    }
}

/// Formats the checkpoint with its bytes in hexadecimal, as verify accepts them.
fn to_hexadecimal(checkpoint: &SignedCheckpoint) -> serde_json::Value {
    let SignedCheckpoint { position, hash, time: at, public_key, log_id, root_hash, .. } =
        checkpoint;
    let hexadecimal = |bytes: &[u8]| bytes.try_into().map(Hash).unwrap_or_default().to_string();
    json!({
        "position": position,
        "hash": hexadecimal(hash),
        "root_hash": hexadecimal(root_hash),
        "log_id": log_id,
        "time": format_time(*at),
        "public_key": hexadecimal(public_key),
    })
}
