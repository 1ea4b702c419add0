//! `userpool checkpoint`.

use clap::Args;
use serde_json::json;

use crate::{
    event_log::Hash,
    proto::{GetCheckpointKeyRequest, GetSignedCheckpointRequest, SignedCheckpoint},
};

use super::{
    connection::Connection,
    error::CliError,
    outcome::Outcome,
    output::{Format, Output, print},
    text::time,
};

#[derive(Debug, Args)]
#[command(after_help = "Example, a file of notes, one a line, to be kept where the server is \
                        not:\n  userpool checkpoint -o jsonl >> noted.jsonl\n  userpool verify \
                        --checkpoint noted.jsonl")]
pub(super) struct Checkpoint {
    /// Print the public key that checkpoints are signed with, in PEM, instead.
    #[arg(long)]
    key: bool,
    #[command(flatten)]
    output: Output,
    #[command(flatten)]
    connection: Connection,
}

impl Checkpoint {
    pub(super) async fn run(self) -> Result<Outcome, CliError> {
        let client = self.connection.connect().await?;
        if self.key {
            let request = GetCheckpointKeyRequest {};
            let key = client.get_checkpoint_key(request).await?;
            print(key.public_key_pem.trim_end())?;
            return Ok(Outcome::Success);
        }
        let request = GetSignedCheckpointRequest {};
        let signed = client.get_signed_checkpoint(request).await?;
        let checkpoint = signed.checkpoint.unwrap_or_default();
        match self.output.or_json() {
            format @ Format::Table => format.value(&read(&checkpoint))?,
            format @ (Format::Json | Format::Jsonl) => format.message(&checkpoint)?,
        }
        Ok(Outcome::Success)
    }
}

/// The checkpoint with its bytes in hexadecimal, as verify takes them.
fn read(checkpoint: &SignedCheckpoint) -> serde_json::Value {
    let SignedCheckpoint { position, hash, time: at, public_key, signature: _ } = checkpoint;
    let hexadecimal = |bytes: &[u8]| bytes.try_into().map(Hash).unwrap_or_default().to_string();
    json!({
        "position": position,
        "hash": hexadecimal(hash),
        "time": time(*at),
        "public_key": hexadecimal(public_key),
    })
}
