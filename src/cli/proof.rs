//! What a history proves, computed here: the server is asked, and not believed.

use serde_json::{Value, json};
use tonic::{Code, Status};
use tonic_types::StatusExt as _;

use crate::{
    audit::checkpoint,
    client::{Client, Watch},
    event_log::{Hash, Position},
    proto::{
        self, GetSignedCheckpointRequest, SignedCheckpoint, WatchUserPoolEventsRequest,
        watch_user_pool_events_request::Start, watch_user_pool_events_response::Content,
    },
    telemetry::error_chain,
};

use super::{
    CliError,
    chain::{Chain, Problem, Reason},
    connection::next_in_time,
    noted::{Checkpoint, Key},
    output::{Format, print, printable},
    progress,
};

/// How often the server may say that nothing is left, once it has signed that there
/// is more. It may have said so before it signed.
const PATIENCE: u32 = 3;

/// What was found out.
pub(super) struct Proof {
    chain: Chain,
    /// What is true, in sentences.
    proven: Vec<String>,
    /// What the server signed at the end.
    signed: Option<SignedCheckpoint>,
    problem: Option<Problem>,
}

/// Why the proof stops: the server cannot be asked, or it is wrong.
enum Stop {
    Asking(CliError),
    Wrong(Problem),
}

impl Proof {
    /// Everything that can be found out, up to the first thing that is not as it
    /// must be. `key` is what checkpoints must be signed with.
    ///
    /// # Errors
    /// The server cannot be asked.
    pub(super) async fn of(
        client: &Client,
        noted: &[Checkpoint],
        key: Option<Key>,
        key_was_given: bool,
    ) -> Result<Self, CliError> {
        let mut proof =
            Self { chain: Chain::default(), proven: Vec::new(), signed: None, problem: None };
        match proof.carry_out(client, noted, key, key_was_given).await {
            Ok(()) => (),
            Err(Stop::Wrong(problem)) => proof.problem = Some(problem),
            Err(Stop::Asking(error)) => return Err(error),
        }
        Ok(proof)
    }

    pub(super) const fn holds(&self) -> bool {
        self.problem.is_none()
    }

    async fn carry_out(
        &mut self,
        client: &Client,
        noted: &[Checkpoint],
        key: Option<Key>,
        key_was_given: bool,
    ) -> Result<(), Stop> {
        self.chain = Chain::with(noted)?;
        // How long the log is, for the progress alone.
        let length = signed_checkpoint(client).await?.position;
        let bar = progress::bar(u64::try_from(length).unwrap_or_default());
        let request = WatchUserPoolEventsRequest {
            start: Some(Start::AfterPosition(0)),
            checkpoint_interval_seconds: 1,
            include_records: true,
            ..WatchUserPoolEventsRequest::default()
        };
        let mut events = client.watch(request).await?;
        while !self.next(client, &mut events).await? {
            bar.set_position(self.chain.head.position.0);
        }
        bar.finish_and_clear();
        self.chain.end()?;
        // Asked for now, so that it covers everything that was shown until now.
        let signed = signed_checkpoint(client).await?;
        let position = self.chain.head.position;
        let bad = |text: String| Problem { position, reason: Reason::BadCheckpoint(text) };
        let head = checkpoint::verify(&signed).map_err(|error| bad(error.to_string()))?;
        let mut nothing_left = 0;
        while self.chain.head.position < head.position {
            nothing_left += u32::from(self.next(client, &mut events).await?);
            if nothing_left > PATIENCE {
                return Err(self.withheld(head.position).into());
            }
        }
        let (end, found) = (self.chain.head.position, self.chain.head.hash);
        if end > head.position {
            let reason = Reason::EarlyCheckpoint(end);
            return Err(Problem { position: head.position, reason }.into());
        }
        if found != head.hash {
            let reason = Reason::OtherCheckpoint { found, signed: head.hash };
            return Err(Problem { position: end, reason }.into());
        }
        let stated: Option<Key> = signed.public_key.as_slice().try_into().ok().map(Key);
        if let (Some(expected), Some(stated)) = (key, stated)
            && expected != stated
        {
            let (stated, expected) = (Hash(stated.0), Hash(expected.0));
            return Err(bad(format!("it is signed with key {stated}, not with {expected}")).into());
        }
        self.conclude(noted, &signed, key.is_some(), key_was_given);
        self.signed = Some(signed);
        Ok(())
    }

    /// Takes what the server sends next; whether that is word that nothing is left
    /// of what was there at the beginning.
    async fn next(&mut self, client: &Client, events: &mut Watch) -> Result<bool, Stop> {
        let sent = next_in_time(client, events).await;
        match sent.map_err(|status| self.damaged(&status).map_or(status.into(), Stop::Wrong))? {
            Content::Event(event) => {
                self.chain.push(&event)?;
                Ok(false)
            }
            Content::Checkpoint(checkpoint) => {
                let position = Position(u64::try_from(checkpoint.position).unwrap_or_default());
                if position > self.chain.head.position {
                    return Err(self.withheld(position).into());
                }
                Ok(checkpoint.caught_up)
            }
        }
    }

    /// That the next event is not shown, though there are events up to `position`.
    fn withheld(&self, position: Position) -> Problem {
        Problem { position: self.chain.head.position.next(), reason: Reason::Withheld(position) }
    }

    /// What the server says of its own log, where that is why it sends no more.
    fn damaged(&self, status: &Status) -> Option<Problem> {
        if status.code() != Code::DataLoss {
            return None;
        }
        let stated = status.get_details_error_info();
        let stated = stated.and_then(|info| info.metadata.get("position")?.parse().ok());
        let position = stated.map_or(self.chain.head.position.next(), Position);
        let reason = Reason::Damaged(printable(status.message()));
        Some(Problem { position, reason })
    }

    fn conclude(
        &mut self,
        noted: &[Checkpoint],
        signed: &SignedCheckpoint,
        key_is_known: bool,
        key_was_given: bool,
    ) {
        let head = self.chain.head;
        self.proven.push(match head.position.0 {
            0 => "The log is empty.".to_owned(),
            last => format!(
                "Every record up to position {last} has the hash that it states and names the one \
                 before it, and every event is shown as it was recorded."
            ),
        });
        for Checkpoint { head, key } in noted {
            let by = match (key, key_was_given) {
                (Some(_), true) => ", signed with the key that was given",
                (Some(_), false) => ", signed",
                (None, _) => "",
            };
            self.proven.push(format!(
                "The log has what was noted at position {}{by}: nothing up to there was changed, \
                 removed or added.",
                head.position
            ));
        }
        let key: Option<[u8; 32]> = signed.public_key.as_slice().try_into().ok();
        let key = Hash(key.unwrap_or_default());
        let whose = match (key_was_given, key_is_known) {
            (true, _) => "with the key that was given".to_owned(),
            (false, true) => "with the key of what was noted".to_owned(),
            (false, false) => format!(
                "with key {key}, which is known from the server alone: compare it with what \
                 \"userpool key\" prints on the server's machine"
            ),
        };
        self.proven.push(format!(
            "The server signs that its log ends at position {}, hash {}, {whose}.",
            head.position, head.hash
        ));
    }

    pub(super) fn print(&self, format: Format) -> Result<(), CliError> {
        if format != Format::Table {
            return format.value(&self.to_json());
        }
        self.proven.iter().try_for_each(|sentence| print(sentence))?;
        let Some(Problem { position, reason }) = &self.problem else { return Ok(()) };
        let red = anstyle::AnsiColor::Red.on_default().bold();
        let before = position.0.saturating_sub(1).min(self.chain.head.position.0);
        if before > 0 {
            print(&format!("Every record up to position {before} is right."))?;
        }
        let reason = error_chain(reason);
        print(&format!("{red}NOT PROVEN{red:#} at position {position}: {reason}."))
    }

    fn to_json(&self) -> Value {
        let head = self.chain.head;
        let mut document = json!({
            "valid": self.problem.is_none(),
            "position": head.position.to_string(),
            "hash": head.hash.to_string(),
            "proven": self.proven,
        });
        let mut insert = |member: &str, value: Value| {
            if let Some(document) = document.as_object_mut() {
                document.insert(member.to_owned(), value);
            }
        };
        if let Some(Problem { position, reason }) = &self.problem {
            let (position, reason) = (position.to_string(), error_chain(reason));
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

impl From<Problem> for Stop {
    fn from(problem: Problem) -> Self {
        Self::Wrong(problem)
    }
}

impl<E: Into<CliError>> From<E> for Stop {
    fn from(error: E) -> Self {
        Self::Asking(error.into())
    }
}
