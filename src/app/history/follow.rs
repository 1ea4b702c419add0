//! Following the history: the past first, then each new event, with no seam.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use tokio::{
    sync::watch,
    time::{Instant, sleep_until},
};

use crate::{
    event_log::{Head, Position, ReadLimit},
    metrics::Watcher,
    proto::UserPoolEvent,
    user_pool::{EventFilter, Watch},
};

use super::{History, HistoryError, line::Line};

/// How much is read at a time, and so kept in memory for one follower.
const CHUNK: ReadLimit = ReadLimit { records: 64, bytes: 64 * 1024 };

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
    /// Read, and not given out yet.
    read: VecDeque<Arc<UserPoolEvent>>,
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
    /// An event that the filter lets through.
    Event(Box<UserPoolEvent>),
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
                self.watcher.at(self.position.0);
                if self.filter.matches(&event) {
                    self.next_checkpoint = Instant::now() + self.interval;
                    return Ok(Followed::Event(Box::new(self.told(&event))));
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
        self.read.extend(self.history.recent.after(self.position, CHUNK.records));
        if self.read.is_empty() {
            let line = Line::log(&self.history, head).with_records(self.include_records);
            let count = head.0.saturating_sub(self.position.0);
            let events = line.read(self.position.next().0, count, false, CHUNK).await?;
            self.read.extend(events.into_iter().map(Arc::new));
        }
        Ok(())
    }

    /// The event with its record where that was asked for.
    fn told(&self, event: &UserPoolEvent) -> UserPoolEvent {
        let record = event.record.clone().filter(|_| self.include_records);
        UserPoolEvent { record, ..event.clone() }
    }

    fn checkpoint(&mut self) -> Followed {
        let caught_up = self.position >= self.past;
        self.told_caught_up = caught_up;
        self.next_checkpoint = Instant::now() + self.interval;
        Followed::Checkpoint { position: self.position, caught_up }
    }
}
