//! `userpool verify`.

use clap::Args;

use crate::audit::{LogCheckpoint, PublicKey, TrustedCheckpoints};

use super::{
    connection::Connection, error::CliError, outcome::Outcome, output::Output, proof::Proof,
};

#[derive(Debug, Args)]
#[command(
    after_help = "Exit code: 0 where all of it is proven, 1 where something is not as it must \
                  be.\n\nExample:\n  userpool checkpoint > noted.json\n  userpool verify \
                  --checkpoint noted.json"
)]
pub(super) struct Verify {
    /// What was noted earlier, to prove that nothing before it was changed since: a file with what
    /// "userpool checkpoint" printed, a data directory's checkpoints.jsonl, or POSITION:HASH. May
    /// be given more than once. Absent: the log is only compared with itself.
    #[arg(long, value_name = "FILE|POSITION:HASH")]
    checkpoint: Vec<TrustedCheckpoints>,
    /// The public key that checkpoints must be signed with, as it came by another way: a PEM file
    /// or 64 hexadecimal digits. Absent: the key of the checkpoints that were noted.
    #[arg(long, value_name = "FILE|HEX")]
    key: Option<PublicKey>,
    #[command(flatten)]
    output: Output,
    #[command(flatten)]
    connection: Connection,
}

impl Verify {
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
