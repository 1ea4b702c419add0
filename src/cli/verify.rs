//! `userpool verify`.

use clap::Args;

use crate::event_log::Hash;

use super::{
    Answer, CliError,
    connection::Connection,
    failure::told,
    noted::{Checkpoint, Key, Noted},
    output::Output,
    proof::Proof,
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
    checkpoint: Vec<Noted>,
    /// The public key that checkpoints must be signed with, as it came by another way: a PEM file
    /// or 64 hexadecimal digits. Absent: the key of the checkpoints that were noted.
    #[arg(long, value_name = "FILE|HEX")]
    key: Option<Key>,
    #[command(flatten)]
    output: Output,
    #[command(flatten)]
    connection: Connection,
}

impl Verify {
    pub(super) async fn run(self) -> Result<Answer, CliError> {
        let noted: Vec<_> = self.checkpoint.into_iter().flat_map(|Noted(noted)| noted).collect();
        let key = expected_key(self.key, &noted)?;
        let client = self.connection.connect().await?;
        let proof = Proof::of(&client, &noted, key, self.key.is_some()).await?;
        proof.print(self.output.or_table())?;
        Ok(if proof.holds() { Answer::Yes } else { Answer::No })
    }
}

/// The key that all checkpoints must have: the one that is given, or the one of
/// those that were noted.
fn expected_key(given: Option<Key>, noted: &[Checkpoint]) -> Result<Option<Key>, CliError> {
    let mut expected = given;
    for Checkpoint { head, key } in noted {
        let Some(key) = *key else { continue };
        let expected = *expected.get_or_insert(key);
        if key != expected {
            let (position, key, expected) = (head.position, Hash(key.0), Hash(expected.0));
            return Err(told(format!(
                "the checkpoint noted at position {position} is signed with key {key}, not with \
                 {expected}"
            )));
        }
    }
    Ok(expected)
}
