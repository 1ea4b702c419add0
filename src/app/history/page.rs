//! Pages of the events that match a filter, bounded in events, bytes and work.

use std::mem;

use prost::Message as _;

use crate::{
    event_log::{Position, ReadLimit},
    proto::UserPoolEvent,
};

use super::{EventQuery, History, HistoryError, sequence::EventSequence};

/// The maximum bytes of events in a page, unless a single event is larger. gRPC clients
/// refuse messages over 4 MiB.
pub(super) const MAX_BYTES: usize = 1024 * 1024;
/// The maximum number of events before a page that are searched for its old values.
const MAX_SEARCHED: u64 = 10_000;
/// The maximum number of events read for one page, so that a filter that matches few
/// events does not read the whole log in one call.
const MAX_SCANNED: u64 = 10_000;
/// How many events are read at a time.
const CHUNK: ReadLimit = ReadLimit { records: 256, bytes: MAX_BYTES };
/// The minimum number of events read at a time: even if the page has little room left,
/// the filter may exclude many.
const MIN_CHUNK: usize = 16;

/// A page of events.
#[derive(Debug, Default)]
pub struct EventPage {
    /// The events, in the requested order.
    pub events: Vec<UserPoolEvent>,
    /// The start of the next page; `None` on the last page.
    pub next: Option<u64>,
    /// The last position that was visible when the page was read.
    pub head: Position,
}

impl History {
    /// Returns the page that begins at `start`, the [`EventPage::next`] of the previous
    /// page, or the first page.
    ///
    /// # Errors
    /// See [`HistoryError`].
    pub async fn page(
        &self,
        query: &EventQuery,
        start: Option<u64>,
    ) -> Result<EventPage, HistoryError> {
        let mut page = self.page_of_full_events(query, start).await?;
        if query.summaries {
            let place = |event: &UserPoolEvent| match query.filter.user_pool_id {
                Some(_) => event.revision,
                None => event.position,
            };
            let places: Vec<_> = page.events.iter().map(place).collect();
            page.events = self.summaries(mem::take(&mut page.events), MAX_SEARCHED).await?;
            // The next page begins with the first event that was left out.
            let left_out = places.get(page.events.len());
            page.next = left_out.and_then(|place| u64::try_from(*place).ok()).or(page.next);
        }
        Ok(page)
    }

    async fn page_of_full_events(
        &self,
        query: &EventQuery,
        start: Option<u64>,
    ) -> Result<EventPage, HistoryError> {
        let mut head = self.head().position;
        let mut sequence = EventSequence::of(self, query, head)?;
        // The page before may be from a server that shows more.
        if start.is_some_and(|place| place > sequence.length()) {
            self.wait_for_end().await?;
            head = self.head().position;
            sequence = EventSequence::of(self, query, head)?;
        }
        let mut page = EventPage { head, ..EventPage::default() };
        let mut bytes = 0_usize;
        let mut scanned = 0_u64;
        // If the page may end before an event because of its time, every event must be decoded.
        let may_pass =
            if query.backward { query.filter.has_start() } else { query.filter.has_end() };
        let mut place = match start {
            Some(place) => place,
            None => first_place(&sequence, query).await?,
        };
        while (1..=sequence.length()).contains(&place) {
            if scanned >= MAX_SCANNED || page.events.len() >= query.page_size {
                page.next = Some(place);
                return Ok(page);
            }
            let left = query.page_size.saturating_sub(page.events.len()).max(MIN_CHUNK);
            // The more events the filter has excluded, the more it is likely to exclude.
            let records = left.max(usize::try_from(scanned).unwrap_or(usize::MAX));
            let chunk = ReadLimit { records: records.min(CHUNK.records), ..CHUNK };
            let chunk = sequence.read_records(place, MAX_SCANNED - scanned, query.backward, chunk);
            for record in chunk.await? {
                let next = if query.backward { place - 1 } else { place + 1 };
                if !may_pass && !query.filter.may_match(&record.body) {
                    (scanned, place) = (scanned + 1, next);
                    continue;
                }
                let event = sequence.event(&record)?;
                let past = if query.backward {
                    query.filter.is_before_start(&event)
                } else {
                    !query.filter.is_before_end(&event)
                };
                if past {
                    return Ok(page);
                }
                if query.filter.matches(&event) {
                    bytes = bytes.saturating_add(event.encoded_len());
                    let full = page.events.len() >= query.page_size || bytes > MAX_BYTES;
                    if full && !page.events.is_empty() {
                        page.next = Some(place);
                        return Ok(page);
                    }
                    page.events.push(event);
                }
                (scanned, place) = (scanned + 1, next);
            }
        }
        Ok(page)
    }
}

impl<'a> EventSequence<'a> {
    /// The events that a query selects from, up to `head`.
    fn of(history: &'a History, query: &EventQuery, head: Position) -> Result<Self, HistoryError> {
        let sequence = match &query.filter.user_pool_id {
            Some(id) => Self::stream(history, id, head)?,
            None => Self::log(history, head),
        };
        Ok(sequence.with_records(query.include_records))
    }
}

/// The start of the first page: the first event within the time range of the filter.
async fn first_place(
    sequence: &EventSequence<'_>,
    query: &EventQuery,
) -> Result<u64, HistoryError> {
    match (query.backward, query.filter.has_start(), query.filter.has_end()) {
        (false, false, _) => Ok(1),
        (true, _, false) => Ok(sequence.length()),
        (false, true, _) => {
            Ok(sequence.partition_point(|event| query.filter.is_before_start(event)).await? + 1)
        }
        (true, _, true) => {
            sequence.partition_point(|event| query.filter.is_before_end(event)).await
        }
    }
}
