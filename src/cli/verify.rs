//! `userpool verify`: verifying the history of a server without trusting it.

use clap::Args;

use crate::audit::{LogCheckpoint, PublicKey, TrustedCheckpoints};

use super::{
    connection::ConnectionArgs, error::CliError, outcome::Outcome, output::OutputArgs, proof::Proof,
};

#[derive(Debug, Args)]
#[command(
    after_help = "Exit code: 0 if the history is valid, 1 if it is not.\n\nExample:\n  userpool \
                  checkpoint > monday.json\n  userpool verify --checkpoint monday.json"
)]
pub(super) struct VerifyCommand {
    /// Compare the log with a trusted checkpoint, to prove that nothing before it was changed: a
    /// file with the output of "userpool checkpoint", the checkpoints.jsonl of a data directory, or
    /// POSITION:HASH with the hash in hexadecimal. Can be repeated. If omitted, the log is checked
    /// only against itself.
    #[arg(long, value_name = "FILE|POSITION:HASH")]
    checkpoint: Vec<TrustedCheckpoints>,
    /// Require that checkpoints are signed with this public key: a PEM file or 64 hexadecimal
    /// digits, obtained from another source than the server. If omitted, the key of the trusted
    /// checkpoints is required.
    #[arg(long, value_name = "FILE|HEX")]
    key: Option<PublicKey>,
    #[command(flatten)]
    output: OutputArgs,
    #[command(flatten)]
    connection: ConnectionArgs,
}

impl VerifyCommand {
    pub(super) async fn run(self) -> Result<Outcome, CliError> {
        let trusted: Vec<_> = self.checkpoint.into_iter().flat_map(|file| file.0).collect();
        let key = expected_key(self.key, &trusted)?;
        let client = self.connection.connect().await?;
        let proof = Proof::of(&client, &trusted, key, self.key.is_some()).await?;
        proof.print(self.output.or_table())?;
        Ok(if proof.is_valid() { Outcome::Success } else { Outcome::Negative })
    }
}

/// The key that must have signed every checkpoint: the given one, or that of the trusted
/// checkpoints.
fn expected_key(
    given: Option<PublicKey>,
    trusted: &[LogCheckpoint],
) -> Result<Option<PublicKey>, CliError> {
    let mut expected = given;
    for LogCheckpoint { head, key } in trusted {
        let Some(key) = *key else { continue };
        let expected = *expected.get_or_insert(key);
        if key != expected {
            let position = head.position;
            return Err(CliError::message(format!(
                "the trusted checkpoint at position {position} is signed with key {key}, not with \
                 {expected}"
            )));
        }
    }
    Ok(expected)
}
