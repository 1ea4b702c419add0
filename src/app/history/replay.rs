//! Replays events to compute a past state of a user pool, from the last event before it that has
//! all settings.

use chrono::{DateTime, Utc};
use prost_types::Timestamp;

use crate::{
    event_log::{Position, ReadLimit},
    proto::{self, UserPoolEvent, to_unsigned},
    user_pool::{Event, UserPoolId, UserPoolState, evolve, has_full_state},
};

use super::{History, HistoryError, ReplayPoint, ReplayQuery, sequence::EventSequence};

/// How many events are read at a time.
const CHUNK: ReadLimit = ReadLimit { records: 256, bytes: 1024 * 1024 };

/// A user pool after its event with this revision.
#[derive(Debug)]
pub(super) struct KnownState {
    pub(super) revision: u64,
    pub(super) state: UserPoolState,
}

/// A past state of a user pool, and its last event at that point.
#[derive(Debug)]
pub struct ReplayResult {
    /// The state.
    pub state: UserPoolState,
    /// The last event that was replayed, without its payload.
    pub last: UserPoolEvent,
}

impl History {
    /// Returns when the last event of a user pool was recorded.
    ///
    /// # Errors
    /// See [`HistoryError`].
    pub async fn last_record_time(
        &self,
        user_pool_id: &UserPoolId,
    ) -> Result<Timestamp, HistoryError> {
        let sequence = EventSequence::stream(self, user_pool_id, self.head().position)?;
        sequence.last_record_time().await
    }

    /// Computes the user pool as of a point in time. Points after `now` are refused.
    ///
    /// # Errors
    /// See [`HistoryError`].
    pub async fn replay(
        &self,
        replay: &ReplayQuery,
        now: DateTime<Utc>,
    ) -> Result<ReplayResult, HistoryError> {
        match self.replay_visible(replay, now).await {
            Ok(replayed) => Ok(replayed),
            Err(error) => {
                self.wait_beyond(error).await?;
                self.replay_visible(replay, now).await
            }
        }
    }

    async fn replay_visible(
        &self,
        replay: &ReplayQuery,
        now: DateTime<Utc>,
    ) -> Result<ReplayResult, HistoryError> {
        let ReplayQuery { user_pool_id, as_of } = replay;
        let head = self.head().position;
        let sequence = EventSequence::stream(self, user_pool_id, head)?;
        // The clock may be behind the last event of the log.
        let newest = sequence.last_record_time().await?;
        let now = proto::to_timestamp(now);
        let now = if proto::sort_key(newest) > proto::sort_key(now) { newest } else { now };
        let last = last_place(&sequence, *as_of, head, now).await?;
        let mut unlimited = u64::MAX;
        if let Some(event) = sequence.read(last, 1, false, CHUNK).await?.pop()
            && let Some(state) = EventSequence::revisions(self, user_pool_id, last)
                .state_at_end(None, &mut unlimited)
                .await?
        {
            return Ok(ReplayResult { state, last: UserPoolEvent { payload: None, ..event } });
        }
        let created = sequence.read(1, 1, false, CHUNK).await?;
        Err(before_creation(replay, created.first()))
    }
}

impl EventSequence<'_> {
    /// The state after the last event of a user pool in this sequence, computed from an earlier
    /// event, or from a state that is known already. `None` if that takes more than
    /// `remaining_reads`, the number of events that may still be searched.
    pub(super) async fn state_at_end(
        &self,
        known: Option<&KnownState>,
        remaining_reads: &mut u64,
    ) -> Result<Option<UserPoolState>, HistoryError> {
        let revision = self.length();
        let floor = known.map_or(0, |known| known.revision);
        let (mut state, mut place) = (UserPoolState::Absent, revision);
        let mut limit = ReadLimit { records: 1, ..CHUNK };
        while place > floor {
            let count = (*remaining_reads).min(place - floor);
            if count == 0 {
                return Ok(None);
            }
            let events = self.read(place, count, true, limit).await?;
            let read = u64::try_from(events.len()).unwrap_or(count).max(1);
            *remaining_reads = remaining_reads.saturating_sub(read);
            let full = events.iter().find_map(|event| Some((event, full_state(event)?)));
            if let Some((event, full)) = full {
                (state, place) = (full, to_unsigned(event.revision));
                break;
            }
            place = place.saturating_sub(read);
            limit = CHUNK;
        }
        if let Some(known) = known.filter(|_| place == floor) {
            state = known.state.clone();
        }
        while place < revision {
            let events = self.read(place + 1, revision - place, false, CHUNK).await?;
            if events.is_empty() {
                return Ok(None);
            }
            for event in events {
                place += 1;
                if let Some(payload) = event.payload {
                    state = evolve(state, payload, event.record_time.unwrap_or_default());
                }
            }
        }
        Ok(Some(state))
    }

    async fn last_record_time(&self) -> Result<Timestamp, HistoryError> {
        let last = self.read(self.length(), 1, false, CHUNK).await?;
        Ok(last.first().and_then(|event| event.record_time).unwrap_or_default())
    }
}

/// The state after an event that has all settings.
fn full_state(event: &UserPoolEvent) -> Option<UserPoolState> {
    state_after(None, event.payload.as_ref()?, event.record_time.unwrap_or_default())
}

/// The state after an event, given the state before it, if that is known.
pub(super) fn state_after(
    before: Option<UserPoolState>,
    event: &Event,
    at: Timestamp,
) -> Option<UserPoolState> {
    let before = before.or_else(|| has_full_state(event).then_some(UserPoolState::Absent))?;
    Some(evolve(before, event.clone(), at))
}

/// The place of the last event to replay.
async fn last_place(
    sequence: &EventSequence<'_>,
    as_of: ReplayPoint,
    head: Position,
    now: Timestamp,
) -> Result<u64, HistoryError> {
    let beyond = |what, current| {
        let requested = as_of.shown();
        Err(HistoryError::BeyondEnd { what, requested, current })
    };
    match as_of {
        ReplayPoint::Latest => Ok(sequence.length()),
        ReplayPoint::Revision(revision) if revision > sequence.length() => {
            beyond("revision", sequence.length().to_string())
        }
        ReplayPoint::Revision(revision) => Ok(revision),
        ReplayPoint::Position(position) if position > head => beyond("position", head.to_string()),
        ReplayPoint::Position(position) => sequence.count_up_to(position),
        ReplayPoint::Time(time) if proto::sort_key(time) > proto::sort_key(now) => {
            beyond("time", proto::format_time(now))
        }
        ReplayPoint::Time(time) => {
            let by_then = |event: &UserPoolEvent| {
                event.record_time.map(proto::sort_key) <= Some(proto::sort_key(time))
            };
            sequence.partition_point(by_then).await
        }
    }
}

fn before_creation(replay: &ReplayQuery, created: Option<&UserPoolEvent>) -> HistoryError {
    let time = created.and_then(|event| event.record_time).unwrap_or_default();
    let position = created.map_or(0, |event| event.position);
    let (what, created) = match replay.as_of {
        ReplayPoint::Time(_) => ("time", proto::format_time(time)),
        ReplayPoint::Position(_) | ReplayPoint::Revision(_) | ReplayPoint::Latest => {
            ("position", position.to_string())
        }
    };
    let user_pool_id = replay.user_pool_id.clone();
    HistoryError::BeforeCreation { user_pool_id, what, requested: replay.as_of.shown(), created }
}

impl ReplayPoint {
    fn shown(self) -> String {
        match self {
            Self::Latest => "the latest event".to_owned(),
            Self::Revision(revision) => revision.to_string(),
            Self::Position(position) => position.to_string(),
            Self::Time(time) => proto::format_time(time),
        }
    }
}
