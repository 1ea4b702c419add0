//! Verifying the history of a server without trusting it: every hash is computed here.

use tonic::{Code, Status};
use tonic_types::StatusExt as _;

use crate::{
    audit::{LogCheckpoint, Mismatch, MismatchCause, PublicKey, Trust, Verifier},
    client::{Client, Watch},
    event_log::{Position, Record},
    proto::{
        GetSignedCheckpointRequest, SignedCheckpoint, WatchUserPoolEventsRequest,
        watch_user_pool_events_request::Start, watch_user_pool_events_response::Content,
    },
};

use super::{connection::next_message, error::CliError, progress, report::Report, text::escape};

/// How many caught-up reports are accepted before the events up to the signed checkpoint
/// have arrived. An honest server can send one early, because it signs later.
const MAX_EARLY_REPORTS: u32 = 3;

/// Takes a record that is verified.
type TakeRecord<'a> = dyn FnMut(&Record) -> Result<(), CliError> + 'a;

/// Why a verification ends early.
enum VerifyError {
    /// A request failed.
    Request(CliError),
    /// The history is invalid.
    Mismatch(Mismatch),
}

/// Verifies the history of a server, up to its end or the first mismatch.
///
/// # Errors
/// A request failed.
pub(super) async fn verify_history(client: &Client, trust: &Trust) -> Result<Report, CliError> {
    let mut verifier = Verifier::default();
    match verify(client, trust, &mut verifier, &mut |_| Ok(())).await {
        Ok((checkpoint, signed)) => Ok(Report::valid(checkpoint, signed, trust)),
        Err(VerifyError::Mismatch(mismatch)) => Ok(Report::invalid(verifier.head(), mismatch)),
        Err(VerifyError::Request(error)) => Err(error),
    }
}

/// Verifies the history of a server, and passes each record on as soon as it is verified. Returns
/// the checkpoint of its end, or the first mismatch.
///
/// # Errors
/// A request failed, or a record was not taken.
pub(super) async fn copy_history(
    client: &Client,
    trust: &Trust,
    take: &mut TakeRecord<'_>,
) -> Result<Result<SignedCheckpoint, Mismatch>, CliError> {
    match verify(client, trust, &mut Verifier::default(), take).await {
        Ok((_, signed)) => Ok(Ok(signed)),
        Err(VerifyError::Mismatch(mismatch)) => Ok(Err(mismatch)),
        Err(VerifyError::Request(error)) => Err(error),
    }
}

/// Returns the checkpoint that the server signed at the end.
async fn verify(
    client: &Client,
    trust: &Trust,
    verifier: &mut Verifier,
    take: &mut TakeRecord<'_>,
) -> Result<(LogCheckpoint, SignedCheckpoint), VerifyError> {
    *verifier = Verifier::new(trust.checkpoints.iter().copied())?;
    // For the progress bar, and to refuse changed notes before the log is blamed for them.
    let signed = signed_checkpoint(client).await?;
    check_unchanged(trust, &signed)?;
    let bar = progress::new_bar(u64::try_from(signed.position).unwrap_or_default());
    let request = WatchUserPoolEventsRequest {
        start: Some(Start::AfterPosition(0)),
        checkpoint_interval_seconds: 1,
        include_records: true,
        ..WatchUserPoolEventsRequest::default()
    };
    let mut events = client.watch(request).await?;
    while !take_message(client, &mut events, verifier, take).await? {
        bar.set_position(verifier.head().position.0);
    }
    bar.finish_and_clear();
    // Requested now, so that it covers every event that the server has sent.
    let signed = signed_checkpoint(client).await?;
    let checkpoint =
        LogCheckpoint::verify(&signed).map_err(|error| verifier.mismatch_at_head(error))?;
    let mut reports = 0;
    while verifier.head().position < checkpoint.head.position && reports <= MAX_EARLY_REPORTS {
        reports += u32::from(take_message(client, &mut events, verifier, take).await?);
    }
    verifier.finish_signed(checkpoint, trust)?;
    Ok((checkpoint, signed))
}

/// Takes the next message of the server. Returns whether it reports that it has sent
/// everything that was recorded when the watch began.
async fn take_message(
    client: &Client,
    events: &mut Watch,
    verifier: &mut Verifier,
    take: &mut TakeRecord<'_>,
) -> Result<bool, VerifyError> {
    match next_message(client, events).await {
        Ok(Content::Event(event)) => {
            take(&verifier.push_event(&event)?)?;
            Ok(false)
        }
        Ok(Content::Checkpoint(checkpoint)) => {
            let position = Position::from_int(checkpoint.position);
            if position > verifier.head().position {
                return Err(verifier.mismatch_at_next(MismatchCause::Withheld(position)).into());
            }
            Ok(checkpoint.caught_up)
        }
        Err(status) if status.code() == Code::DataLoss => Err(damage(&status, verifier).into()),
        Err(status) => Err(status.into()),
    }
}

/// The damage that the server reports of its own log.
fn damage(status: &Status, verifier: &Verifier) -> Mismatch {
    let mismatch = verifier.mismatch_at_next(MismatchCause::Damaged(escape(status.message())));
    let stated = status.get_details_error_info();
    let stated = stated.and_then(|info| info.metadata.get("position")?.parse().ok());
    Mismatch { position: stated.map_or(mismatch.position, Position), ..mismatch }
}

/// Checks that no trusted note was changed after the log of the server signed it.
///
/// # Errors
/// The argument with the note is wrong.
pub(super) fn check_unchanged(trust: &Trust, signed: &SignedCheckpoint) -> Result<(), CliError> {
    let Ok(key) = signed.public_key.as_slice().try_into() else { return Ok(()) };
    trust.check_unchanged(PublicKey(key)).map_err(CliError::argument)
}

/// The newest checkpoint of a server, of which nothing is verified.
pub(super) async fn signed_checkpoint(client: &Client) -> Result<SignedCheckpoint, CliError> {
    let response = client.get_signed_checkpoint(GetSignedCheckpointRequest::default()).await?;
    Ok(response.checkpoint.unwrap_or_default())
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
