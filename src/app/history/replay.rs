//! A user pool as it was: its events, one after the other, up to a point.

use chrono::{DateTime, Utc};
use prost_types::Timestamp;

use crate::{
    event_log::{Position, ReadLimit},
    proto::{self, UserPool, UserPoolEvent},
    user_pool::{UserPoolState, evolve},
};

use super::{AsOf, History, HistoryError, Replay, line::Line};

/// How many events are read at a time.
const CHUNK: ReadLimit = ReadLimit { records: 256, bytes: 1024 * 1024 };

/// A user pool as it was, and how its history stood then.
#[derive(Debug, Default)]
pub struct Replayed {
    /// As it was; as it was last, where it had been deleted by then.
    pub user_pool: UserPool,
    /// Whether it had been deleted.
    pub deleted: bool,
    /// The last event that was replayed, without its payload.
    pub last: UserPoolEvent,
}

impl History {
    /// The user pool as of a point, computed from its events. `now` is the time
    /// beyond which nothing is known.
    ///
    /// # Errors
    /// See [`HistoryError`].
    pub async fn replay(
        &self,
        replay: &Replay,
        now: DateTime<Utc>,
    ) -> Result<Replayed, HistoryError> {
        let Replay { user_pool_id, as_of } = replay;
        let head = self.head()?.position;
        let line = Line::stream(self, user_pool_id, head)?;
        // The clock may be behind the log, whose times never go back.
        let newest = line.read(line.length(), 1, false, CHUNK).await?;
        let newest = newest.first().and_then(|event| event.record_time).unwrap_or_default();
        let now = proto::timestamp(now);
        let now = if proto::order(newest) > proto::order(now) { newest } else { now };
        let last = last_place(&line, *as_of, head, now).await?;
        let mut state = UserPoolState::Absent;
        let mut replayed = Replayed::default();
        let mut place = 1;
        while place <= last {
            for mut event in line.read(place, last - place + 1, false, CHUNK).await? {
                place += 1;
                let at = event.record_time.unwrap_or_default();
                if let Some(payload) = event.payload.take() {
                    state = evolve(state, payload, at);
                }
                if let Some(pool) = state.user_pool() {
                    replayed.user_pool = pool.clone();
                }
                replayed.last = event;
            }
        }
        replayed.deleted = state == UserPoolState::Deleted;
        if last > 0 {
            return Ok(replayed);
        }
        let created = line.read(1, 1, false, CHUNK).await?;
        Err(before_creation(replay, created.first()))
    }
}

/// The last place in the line to replay.
async fn last_place(
    line: &Line<'_>,
    as_of: AsOf,
    head: Position,
    now: Timestamp,
) -> Result<u64, HistoryError> {
    let beyond = |what, current| {
        let requested = as_of.shown();
        Err(HistoryError::BeyondEnd { what, requested, current })
    };
    match as_of {
        AsOf::End => Ok(line.length()),
        AsOf::Revision(revision) if revision > line.length() => {
            beyond("revision", line.length().to_string())
        }
        AsOf::Revision(revision) => Ok(revision),
        AsOf::Position(position) if position > head.0 => beyond("position", head.to_string()),
        AsOf::Position(position) => line.places_up_to(Position(position)),
        AsOf::Time(time) if proto::order(time) > proto::order(now) => {
            beyond("time", proto::shown(now))
        }
        AsOf::Time(time) => {
            let by_then = |event: &UserPoolEvent| {
                event.record_time.map(proto::order) <= Some(proto::order(time))
            };
            line.count_while(by_then).await
        }
    }
}

fn before_creation(replay: &Replay, created: Option<&UserPoolEvent>) -> HistoryError {
    let time = created.and_then(|event| event.record_time).unwrap_or_default();
    let position = created.map_or(0, |event| event.position);
    let (what, created) = match replay.as_of {
        AsOf::Time(_) => ("time", proto::shown(time)),
        AsOf::Position(_) | AsOf::Revision(_) | AsOf::End => ("position", position.to_string()),
    };
    let user_pool_id = replay.user_pool_id.clone();
    HistoryError::BeforeCreation { user_pool_id, what, requested: replay.as_of.shown(), created }
}

impl AsOf {
    fn shown(self) -> String {
        match self {
            Self::End => "the end".to_owned(),
            Self::Revision(number) | Self::Position(number) => number.to_string(),
            Self::Time(time) => proto::shown(time),
        }
    }
}
