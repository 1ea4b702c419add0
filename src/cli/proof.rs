//! `userpool proof`: a file that proves that an event is in the log.

use std::str::FromStr;

use clap::Args;

use crate::{
    audit::{LogKey, Note, PublicKey, TlogProof},
    client::Client,
    event_log::Hash,
    proto::{ErrorReason, GetInclusionProofRequest, GetInclusionProofResponse},
};

use super::{
    connection::ConnectionArgs,
    error::{CliError, has_reason},
    outcome::Outcome,
    output::print,
};

#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  userpool proof 120 > event.tlog-proof\n  userpool proof \
                        us-east-1_tXLpktx5t:7 > event.tlog-proof\n  userpool proof --pool \
                        us-east-1_tXLpktx5t > history.tlog-proof\n  userpool verify \
                        event.tlog-proof --key key.pem")]
pub(super) struct ProofCommand {
    /// Prove this event: its position in the log (120), or a user pool and a revision
    /// (us-east-1_tXLpktx5t:7).
    #[arg(value_name = "EVENT", required_unless_present = "pool")]
    event: Option<EventName>,
    /// Prove every event of this user pool, which may be deleted, as of one checkpoint. The file
    /// has one proof after another.
    #[arg(long, value_name = "POOL", conflicts_with = "event")]
    pool: Option<String>,
    #[command(flatten)]
    connection: ConnectionArgs,
}

/// The name of an event.
#[derive(Debug, Clone, PartialEq, Eq)]
enum EventName {
    Position(i64),
    Revision(String, i64),
}

impl ProofCommand {
    pub(super) async fn run(self) -> Result<Outcome, CliError> {
        let client = self.connection.connect().await?;
        match (self.event, self.pool) {
            (Some(event), _) => {
                let (proof, _) = prove(&client, event.request(None), None).await?;
                print_proof(&proof)?;
            }
            (None, Some(pool)) => prove_history(&client, &pool).await?,
            (None, None) => (),
        }
        Ok(Outcome::Success)
    }
}

impl EventName {
    fn request(self, tree_size: Option<i64>) -> GetInclusionProofRequest {
        let request = GetInclusionProofRequest { tree_size, ..GetInclusionProofRequest::default() };
        match self {
            Self::Position(position) => {
                GetInclusionProofRequest { position: Some(position), ..request }
            }
            Self::Revision(id, revision) => GetInclusionProofRequest {
                user_pool_id: Some(id),
                revision: Some(revision),
                ..request
            },
        }
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
            "expected a position (120), or a user pool and a revision (us-east-1_tXLpktx5t:7)"
                .to_owned()
        })
    }
}

/// Prints the proofs of all events of a user pool that the newest checkpoint has.
async fn prove_history(client: &Client, pool: &str) -> Result<(), CliError> {
    let revision = |revision| EventName::Revision(pool.to_owned(), revision);
    let (first, size) = prove(client, revision(1).request(None), None).await?;
    let checkpoint = first.checkpoint.clone();
    print_proof(&first)?;
    for number in 2.. {
        let request = revision(number).request(Some(size));
        match prove(client, request, Some(&checkpoint)).await {
            Ok((proof, _)) => print_proof(&proof)?,
            Err(CliError::Rpc(status)) if has_reason(&status, ErrorReason::BeyondEnd) => break,
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Requests a proof, and checks it. It ends in `checkpoint`, or else in the one of the response.
/// Returns the size of the tree as well.
async fn prove(
    client: &Client,
    request: GetInclusionProofRequest,
    checkpoint: Option<&Note>,
) -> Result<(TlogProof, i64), CliError> {
    let wrong = || CliError::message("the server sent a proof that is wrong");
    let response = client.get_inclusion_proof(request).await?;
    let GetInclusionProofResponse { record, leaf_index, tree_size, hashes, .. } = response;
    let signed = response.checkpoint;
    let checkpoint = match (checkpoint, &signed) {
        (Some(checkpoint), _) => checkpoint.clone(),
        (None, Some(signed)) => Note::parse(&signed.note).map_err(CliError::other)?,
        (None, None) => return Err(wrong()),
    };
    let hashes = hashes.iter().map(|hash| hash.as_slice().try_into().map(Hash));
    let hashes = hashes.collect::<Result<_, _>>().map_err(|_| wrong())?;
    let index = u64::try_from(leaf_index).map_err(|_| wrong())?;
    let proof = TlogProof { record, index, hashes, checkpoint };
    if let Some(signed) = signed {
        let key = signed.public_key.as_slice().try_into().map_err(|_| wrong())?;
        let key = LogKey { name: None, key: PublicKey(key) };
        proof.verify(&key).map_err(CliError::other)?;
    }
    Ok((proof, tree_size))
}

fn print_proof(proof: &TlogProof) -> Result<(), CliError> {
    print(proof.to_string().trim_end_matches('\n'))
}
