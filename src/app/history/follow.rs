//! Following the history: the past first, then each new event, with no seam.

use std::{collections::VecDeque, time::Duration};

use bytes::Bytes;
use tokio::{
    sync::watch,
    time::{Instant, sleep_until},
};

use crate::{
    audit::codec,
    event_log::{Head, Position, ReadLimit, Record},
    telemetry::metrics::Watcher,
};

use super::{EventFilter, History, HistoryError, Watch, line::Line, recent::Recorded};
use crate::app::LoadError;

/// How much is read at a time, and so kept in memory for one follower.
const CHUNK: ReadLimit = ReadLimit { records: 256, bytes: 64 * 1024 };

/// A follower. A slow one falls behind and catches up; it never misses an event,
/// because the log itself is the queue.
#[derive(Debug)]
pub struct Follow {
    history: History,
    visible: watch::Receiver<Head>,
    draining: watch::Receiver<bool>,
    filter: EventFilter,
    include_records: bool,
    interval: Duration,
    /// Read, and not given out yet: for each position the event, or nothing where the
    /// filter leaves it out.
    read: VecDeque<Option<Bytes>>,
    /// The last position that was dealt with.
    position: Position,
    /// Where the history ended when this began.
    past: Position,
    told_caught_up: bool,
    next_checkpoint: Instant,
    watcher: Watcher,
}

/// What a follower is told.
#[derive(Debug)]
pub enum Followed {
    /// An event that the filter lets through, encoded.
    Event(Bytes),
    /// Nothing up to this position is left to tell.
    Checkpoint {
        /// Where to resume after.
        position: Position,
        /// Whether everything that was there at the beginning has been told.
        caught_up: bool,
    },
    /// The server stops. Go on after the last position, elsewhere or later.
    Draining,
}

impl History {
    /// Follows the history.
    ///
    /// # Errors
    /// The position to start after is beyond the end, or the user pool of the
    /// filter never was.
    pub fn follow(&self, watch: Watch) -> Result<Follow, HistoryError> {
        let Watch { filter, after, checkpoint_interval, include_records } = watch;
        let past = self.head()?.position;
        if let Some(id) = &filter.user_pool_id {
            Line::stream(self, id, past)?;
        }
        let position = after.map_or(past, Position);
        if position > past {
            let (requested, current) = (position.to_string(), past.to_string());
            return Err(HistoryError::BeyondEnd { what: "position", requested, current });
        }
        let interval = Duration::from_secs(checkpoint_interval);
        Ok(Follow {
            history: self.clone(),
            visible: self.visible.clone(),
            draining: self.draining.clone(),
            filter,
            include_records,
            interval,
            read: VecDeque::new(),
            position,
            past,
            told_caught_up: false,
            next_checkpoint: Instant::now() + interval,
            watcher: self.watchers.join(position.0),
        })
    }
}

impl Follow {
    /// What comes next; waits for it.
    ///
    /// # Errors
    /// The log cannot be read.
    pub async fn next(&mut self) -> Result<Followed, HistoryError> {
        loop {
            if *self.draining.borrow() {
                return Ok(Followed::Draining);
            }
            while let Some(event) = self.read.pop_front() {
                self.position = self.position.next();
                self.watcher.set_position(self.position.0);
                if let Some(event) = event {
                    self.next_checkpoint = Instant::now() + self.interval;
                    return Ok(Followed::Event(event));
                }
            }
            let caught_up = self.position >= self.past;
            if (caught_up && !self.told_caught_up) || Instant::now() >= self.next_checkpoint {
                return Ok(self.checkpoint());
            }
            let head = self.visible.borrow_and_update().position;
            if self.position < head {
                self.read_on(head).await?;
                continue;
            }
            tokio::select! {
                changed = self.visible.changed() => if changed.is_err() {
                    return Ok(Followed::Draining);
                },
                // An error means that the server is gone, which `visible` tells.
                _ = self.draining.changed() => (),
                () = sleep_until(self.next_checkpoint) => (),
            }
        }
    }

    /// Reads what comes next: from memory for those who follow closely.
    async fn read_on(&mut self, head: Position) -> Result<(), HistoryError> {
        let Self { history, filter, include_records, position, .. } = self;
        let recent = history.recent.after(*position, CHUNK.records);
        if recent.is_empty() {
            let ahead = usize::try_from(head.0.saturating_sub(position.0)).unwrap_or(usize::MAX);
            let limit = ReadLimit { records: ahead.min(CHUNK.records), ..CHUNK };
            let records = history.log.read(*position, limit).await?;
            let sent = |record: &Record| {
                // Only a filter has to know what is in an event.
                let matches = filter.matches_all()
                    || filter.matches(&codec::decode(record).map_err(LoadError::from)?);
                Ok::<_, HistoryError>(matches.then(|| codec::sent(record, *include_records)))
            };
            self.read = records.iter().map(sent).collect::<Result<_, _>>()?;
        } else {
            let sent = |event: &Recorded| {
                filter.matches(&event.event).then(|| event.sent(*include_records))
            };
            self.read = recent.iter().map(|event| sent(event)).collect();
        }
        Ok(())
    }

    fn checkpoint(&mut self) -> Followed {
        let caught_up = self.position >= self.past;
        self.told_caught_up = caught_up;
        self.next_checkpoint = Instant::now() + self.interval;
        Followed::Checkpoint { position: self.position, caught_up }
    }
}
