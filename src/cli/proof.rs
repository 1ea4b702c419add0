//! Verifying the history of a server without trusting it: every hash is computed here.

use serde_json::{Value, json};
use tonic::{Code, Status};
use tonic_types::StatusExt as _;

use crate::{
    audit::{LogCheckpoint, Mismatch, MismatchCause, PublicKey, Verifier},
    client::{Client, Watch},
    event_log::{Hash, Position},
    proto::{
        self, GetSignedCheckpointRequest, SignedCheckpoint, WatchUserPoolEventsRequest,
        watch_user_pool_events_request::Start, watch_user_pool_events_response::Content,
    },
    telemetry::error_chain,
};

use super::{
    connection::next_message,
    error::CliError,
    output::{OutputFormat, print},
    progress,
    text::escape,
};

/// How often the server may report that it has sent everything before it has sent the
/// event that it signed. It may have reported so before it signed.
const MAX_EARLY_REPORTS: u32 = 3;

/// The result of verifying the history of a server.
pub(super) struct Proof {
    verifier: Verifier,
    /// The statements that are proven, in sentences.
    proven: Vec<String>,
    /// The checkpoint that the server signed at the end.
    signed: Option<SignedCheckpoint>,
    mismatch: Option<Mismatch>,
}

/// Why a verification ends early.
enum VerifyError {
    /// A request failed.
    Request(CliError),
    /// The history is wrong.
    Mismatch(Mismatch),
}

impl Proof {
    /// Verifies the history of a server, up to the first mismatch. `key` must have signed
    /// the checkpoint of the server.
    ///
    /// # Errors
    /// A request failed.
    pub(super) async fn of(
        client: &Client,
        trusted: &[LogCheckpoint],
        key: Option<PublicKey>,
        key_was_given: bool,
    ) -> Result<Self, CliError> {
        let mut proof = Self {
            verifier: Verifier::default(),
            proven: Vec::new(),
            signed: None,
            mismatch: None,
        };
        match proof.verify(client, trusted, key, key_was_given).await {
            Ok(()) => (),
            Err(VerifyError::Mismatch(mismatch)) => proof.mismatch = Some(mismatch),
            Err(VerifyError::Request(error)) => return Err(error),
        }
        Ok(proof)
    }

    pub(super) const fn is_valid(&self) -> bool {
        self.mismatch.is_none()
    }

    async fn verify(
        &mut self,
        client: &Client,
        trusted: &[LogCheckpoint],
        key: Option<PublicKey>,
        key_was_given: bool,
    ) -> Result<(), VerifyError> {
        self.verifier = Verifier::new(trusted.iter().map(|checkpoint| checkpoint.head))?;
        // The length of the log is for the progress bar alone.
        let length = signed_checkpoint(client).await?.position;
        let bar = progress::new_bar(u64::try_from(length).unwrap_or_default());
        let request = WatchUserPoolEventsRequest {
            start: Some(Start::AfterPosition(0)),
            checkpoint_interval_seconds: 1,
            include_records: true,
            ..WatchUserPoolEventsRequest::default()
        };
        let mut events = client.watch(request).await?;
        while !self.next(client, &mut events).await? {
            bar.set_position(self.verifier.head().position.0);
        }
        bar.finish_and_clear();
        // Requested now, so that it covers every event that the server has sent.
        let signed = signed_checkpoint(client).await?;
        let checkpoint =
            LogCheckpoint::verify(&signed).map_err(|error| self.verifier.here(error))?;
        let mut reports = 0;
        while self.verifier.head().position < checkpoint.head.position
            && reports <= MAX_EARLY_REPORTS
        {
            reports += u32::from(self.next(client, &mut events).await?);
        }
        self.verifier.finish_signed(checkpoint, key)?;
        self.conclude(trusted, &signed, key.is_some(), key_was_given);
        self.signed = Some(signed);
        Ok(())
    }

    /// Takes the next message of the server. Returns whether it reports that it has sent
    /// everything that was recorded when the watch began.
    async fn next(&mut self, client: &Client, events: &mut Watch) -> Result<bool, VerifyError> {
        let sent = next_message(client, events).await;
        match sent
            .map_err(|status| self.damaged(&status).map_or(status.into(), VerifyError::Mismatch))?
        {
            Content::Event(event) => {
                self.verifier.push_event(&event)?;
                Ok(false)
            }
            Content::Checkpoint(checkpoint) => {
                let position = Position(u64::try_from(checkpoint.position).unwrap_or_default());
                if position > self.verifier.head().position {
                    return Err(self.verifier.next(MismatchCause::Withheld(position)).into());
                }
                Ok(checkpoint.caught_up)
            }
        }
    }

    /// The damage that the server reports of its own log, if that is why it sends no more.
    fn damaged(&self, status: &Status) -> Option<Mismatch> {
        if status.code() != Code::DataLoss {
            return None;
        }
        let mismatch = self.verifier.next(MismatchCause::Damaged(escape(status.message())));
        let stated = status.get_details_error_info();
        let stated = stated.and_then(|info| info.metadata.get("position")?.parse().ok());
        Some(Mismatch { position: stated.map_or(mismatch.position, Position), ..mismatch })
    }

    fn conclude(
        &mut self,
        trusted: &[LogCheckpoint],
        signed: &SignedCheckpoint,
        key_is_known: bool,
        key_was_given: bool,
    ) {
        let head = self.verifier.head();
        self.proven.push(match head.position.0 {
            0 => "The log is empty.".to_owned(),
            last => format!(
                "Every record up to position {last} is valid: its hash is right, it continues the \
                 chain, and the server sent its event unchanged."
            ),
        });
        for LogCheckpoint { head, key } in trusted {
            let by = match (key, key_was_given) {
                (Some(_), true) => ", signed with the given key",
                (Some(_), false) => ", signed",
                (None, _) => "",
            };
            self.proven.push(format!(
                "The log contains the trusted checkpoint at position {}{by}: nothing up to there \
                 was changed, removed or added.",
                head.position
            ));
        }
        let key: Option<[u8; 32]> = signed.public_key.as_slice().try_into().ok();
        let key = Hash(key.unwrap_or_default());
        let with = match (key_was_given, key_is_known) {
            (true, _) => "with the given key".to_owned(),
            (false, true) => "with the key of the trusted checkpoints".to_owned(),
            (false, false) => format!(
                "with key {key}, which is known only from this server: compare it with the output \
                 of \"userpool key\" on the server's machine"
            ),
        };
        self.proven.push(format!(
            "The server signed that its log ends at position {}, hash {}, {with}.",
            head.position, head.hash
        ));
    }

    pub(super) fn print(&self, format: OutputFormat) -> Result<(), CliError> {
        if format != OutputFormat::Table {
            return format.value(&self.to_json());
        }
        self.proven.iter().try_for_each(|sentence| print(sentence))?;
        let Some(Mismatch { position, cause }) = &self.mismatch else { return Ok(()) };
        let red = anstyle::AnsiColor::Red.on_default().bold();
        let before = position.0.saturating_sub(1).min(self.verifier.head().position.0);
        if before > 0 {
            print(&format!("Every record up to position {before} is valid."))?;
        }
        let reason = error_chain(cause);
        print(&format!("{red}INVALID{red:#} at position {position}: {reason}."))
    }

    fn to_json(&self) -> Value {
        let head = self.verifier.head();
        let mut document = json!({
            "valid": self.is_valid(),
            "position": head.position.to_string(),
            "hash": head.hash.to_string(),
            "proven": self.proven,
        });
        let mut insert = |member: &str, value: Value| {
            if let Some(document) = document.as_object_mut() {
                document.insert(member.to_owned(), value);
            }
        };
        if let Some(Mismatch { position, cause }) = &self.mismatch {
            let (position, reason) = (position.to_string(), error_chain(cause));
            insert("problem", json!({ "position": position, "reason": reason }));
        }
        if let Some(signed) = &self.signed {
            insert("checkpoint", proto::to_json(signed));
        }
        document
    }
}

async fn signed_checkpoint(client: &Client) -> Result<SignedCheckpoint, CliError> {
    let request = GetSignedCheckpointRequest {};
    let answer = client.get_signed_checkpoint(request).await?;
    Ok(answer.checkpoint.unwrap_or_default())
}

impl From<Mismatch> for VerifyError {
    fn from(mismatch: Mismatch) -> Self {
        Self::Mismatch(mismatch)
    }
}

impl<E: Into<CliError>> From<E> for VerifyError {
    fn from(error: E) -> Self {
        Self::Request(error.into())
    }
}
