//! Following the history: past events first, then each new one, without a gap.

use std::{collections::VecDeque, time::Duration};

use bytes::Bytes;
use prost::Message as _;
use tokio::{
    sync::watch,
    time::{Instant, sleep_until},
};

use crate::{
    audit::codec,
    event_log::{Hash, Head, Position, ReadLimit, Record},
    proto::UserPoolEvent,
    telemetry::metrics::Watcher,
};

use super::{
    EventFilter, History, HistoryError, WatchQuery, recent::RecentEvent, sequence::EventSequence,
};
use crate::app::LoadError;

/// How much is read at a time, which bounds the memory of one watch.
const CHUNK: ReadLimit = ReadLimit { records: 256, bytes: 64 * 1024 };

/// The maximum number of events before those that are read at a time which are searched for
/// old values. Each of many watches may read an event alone, so this must cost little.
const MAX_SEARCHED: u64 = 512;

/// A watch of the history. A slow one falls behind and catches up; it never misses an
/// event, because the log itself is the queue.
#[derive(Debug)]
pub struct Follow {
    history: History,
    visible: watch::Receiver<Head>,
    draining: watch::Receiver<bool>,
    filter: EventFilter,
    include_records: bool,
    summaries: bool,
    interval: Duration,
    /// The hashes of events that were read but not returned yet, with the events unless the
    /// filter excludes them.
    read: VecDeque<(Hash, Option<Bytes>)>,
    /// The last event that was returned or excluded.
    last: Head,
    /// The end of the history when the watch started.
    head_at_start: Position,
    caught_up_sent: bool,
    next_checkpoint: Instant,
    watcher: Watcher,
    #[cfg(sim_bugs)]
    watched: crate::app::planted_bugs::Watched,
}

/// The next item of a watch.
#[derive(Debug)]
pub enum FollowItem {
    /// An event that the filter matches, encoded.
    Event(Bytes),
    /// Every event up to this position was returned or excluded.
    Checkpoint {
        /// The event to resume after.
        last: Head,
        /// Whether the watch has reached the end that the history had when it started.
        caught_up: bool,
    },
    /// The server is stopping: resume after the last position, on another server or later.
    Draining,
}

impl History {
    /// Follows the history.
    ///
    /// # Errors
    /// The log has another ID; the position to start after is beyond the end, or its event has
    /// another hash; or the user pool of the filter never existed.
    pub async fn follow(&self, watch: WatchQuery) -> Result<Follow, HistoryError> {
        let WatchQuery { filter, after, after_hash, log_id, .. } = watch;
        let WatchQuery { checkpoint_interval: interval, include_records, summaries, .. } = watch;
        if let Some(expected) = log_id {
            self.check_log(expected).await?;
        }
        if let Some(after) = after {
            self.wait_to_watch(after).await?;
        }
        let head = self.head();
        if let Some(id) = &filter.user_pool_id {
            EventSequence::stream(self, id, head.position)?;
        }
        let position = after.unwrap_or(head.position);
        let found = self.hash_at(position, head).await?;
        if let Some(expected) = after_hash
            && expected != found
        {
            return Err(HistoryError::WrongLogHash { position, expected, found });
        }
        Ok(Follow {
            history: self.clone(),
            visible: self.visible.clone(),
            draining: self.draining.clone(),
            filter,
            include_records,
            summaries,
            interval,
            read: VecDeque::new(),
            last: Head { position, hash: found },
            head_at_start: head.position,
            caught_up_sent: false,
            next_checkpoint: Instant::now() + interval,
            watcher: self.watchers.join(position.0),
            #[cfg(sim_bugs)]
            watched: Default::default(),
        })
    }
}

impl Follow {
    /// Waits for the next item.
    ///
    /// # Errors
    /// The log cannot be read.
    pub async fn next(&mut self) -> Result<FollowItem, HistoryError> {
        loop {
            if *self.draining.borrow() {
                return Ok(FollowItem::Draining);
            }
            while let Some((hash, event)) = self.read.pop_front() {
                self.last = Head { position: self.last.position.next(), hash };
                self.watcher.set_position(self.last.position.0);
                if let Some(event) = event {
                    self.next_checkpoint = Instant::now() + self.interval;
                    return Ok(FollowItem::Event(event));
                }
            }
            let caught_up = self.last.position >= self.head_at_start;
            if (caught_up && !self.caught_up_sent) || Instant::now() >= self.next_checkpoint {
                return Ok(self.checkpoint());
            }
            let head = self.visible.borrow_and_update().position;
            if self.last.position < head {
                self.read_on(head).await?;
                continue;
            }
            tokio::select! {
                changed = self.visible.changed() => if changed.is_err() {
                    return Ok(FollowItem::Draining);
                },
                // An error means that the application was dropped; `visible` then fails as well.
                _ = self.draining.changed() => (),
                () = sleep_until(self.next_checkpoint) => (),
            }
        }
    }

    /// Reads the next events: from memory if they are recent, otherwise from the log.
    async fn read_on(&mut self, head: Position) -> Result<(), HistoryError> {
        let Self { history, filter, include_records, last: Head { position, .. }, .. } = self;
        let recent = history.recent.after(*position, CHUNK.records);
        #[cfg(sim_bugs)]
        self.watched.reach(!recent.is_empty());
        if recent.is_empty() {
            let ahead = usize::try_from(head.0.saturating_sub(position.0)).unwrap_or(usize::MAX);
            let limit = ReadLimit { records: ahead.min(CHUNK.records), ..CHUNK };
            let records = history.read(*position, limit).await?;
            if self.summaries {
                self.read = self.summarize(&records).await?;
                return Ok(());
            }
            let sent = |record: &Record| {
                // Only a filter has to decode the event.
                let matches = filter.matches_all()
                    || filter.matches(&codec::decode(record).map_err(LoadError::from)?);
                let event = matches.then(|| codec::encode_served(record, *include_records));
                Ok::<_, HistoryError>((record.hash, event))
            };
            self.read = records.iter().map(sent).collect::<Result<_, _>>()?;
        } else if self.summaries {
            let records: Vec<_> = recent.iter().map(|event| event.record.clone()).collect();
            self.read = self.summarize(&records).await?;
        } else {
            let sent = |event: &RecentEvent| {
                let matches = event.matches(filter).map_err(LoadError::from)?;
                let sent = matches.then(|| event.sent(*include_records));
                Ok::<_, HistoryError>((event.record.hash, sent))
            };
            self.read = recent.iter().map(|event| sent(event)).collect::<Result<_, _>>()?;
        }
        Ok(())
    }

    /// The hashes of the first records, at least of one, with summaries of the events that the
    /// filter matches. Each has its hash, to resume after it.
    async fn summarize(
        &self,
        records: &[Record],
    ) -> Result<VecDeque<(Hash, Option<Bytes>)>, HistoryError> {
        let (mut matching, mut events) = (Vec::with_capacity(records.len()), Vec::new());
        for record in records {
            let event = codec::decode(record).map_err(LoadError::from)?;
            let matches = self.filter.matches(&event);
            matching.push((record.hash, matches));
            events.extend(matches.then_some(event));
        }
        let summaries = self.history.summaries(events, MAX_SEARCHED).await?;
        let mut summaries = summaries.into_iter();
        let read = matching.into_iter().map_while(|(hash, matches)| {
            if !matches {
                return Some((hash, None));
            }
            let summary = UserPoolEvent { hash: hash.0.to_vec(), ..summaries.next()? };
            Some((hash, Some(summary.encode_to_vec().into())))
        });
        Ok(read.collect())
    }

    fn checkpoint(&mut self) -> FollowItem {
        let caught_up = self.last.position >= self.head_at_start;
        self.caught_up_sent = caught_up;
        self.next_checkpoint = Instant::now() + self.interval;
        FollowItem::Checkpoint { last: self.last, caught_up }
    }
}
