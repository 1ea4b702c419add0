//! Pages of events: what matches a filter, bounded in events, bytes and work.

use prost::Message as _;

use crate::{
    event_log::{Position, ReadLimit},
    proto::UserPoolEvent,
};

use super::{EventQuery, History, HistoryError, line::Line};

/// How many bytes of events a page has at most, unless its one event has more.
/// gRPC clients stop at 4 MiB.
const BYTES: usize = 1024 * 1024;
/// How many events are looked at for one page, so that a filter which matches
/// next to nothing does not keep a call busy for as long as the log is.
const SCAN: u64 = 10_000;
/// How many events are read at a time, and how many at least: those that the page
/// still has room for may be few, but the filter may leave out many.
const CHUNK: ReadLimit = ReadLimit { records: 256, bytes: BYTES };
const SMALL_CHUNK: usize = 16;

/// A page of events.
#[derive(Debug, Default)]
pub struct EventPage {
    /// The events, in the order that was asked for.
    pub events: Vec<UserPoolEvent>,
    /// The place where the next page begins; none after the last page.
    pub next: Option<u64>,
    /// The last position that was visible when the page was read.
    pub head: Position,
}

impl History {
    /// The page of events that begins at `start`, the [`EventPage::next`] of the
    /// page before, or at the first one.
    ///
    /// # Errors
    /// See [`HistoryError`].
    pub async fn page(
        &self,
        query: &EventQuery,
        start: Option<u64>,
    ) -> Result<EventPage, HistoryError> {
        let head = self.head()?.position;
        let line = match &query.filter.user_pool_id {
            Some(id) => Line::stream(self, id, head)?,
            None => Line::log(self, head),
        }
        .with_records(query.include_records);
        let mut page = EventPage { head, ..EventPage::default() };
        let mut bytes = 0_usize;
        let mut scanned = 0_u64;
        let mut place = match start {
            Some(place) => place,
            None => first_place(&line, query).await?,
        };
        while (1..=line.length()).contains(&place) {
            if scanned >= SCAN || page.events.len() >= query.page_size {
                page.next = Some(place);
                return Ok(page);
            }
            let left = query.page_size.saturating_sub(page.events.len()).max(SMALL_CHUNK);
            let chunk = ReadLimit { records: left.min(CHUNK.records), ..CHUNK };
            let chunk = line.read(place, SCAN - scanned, query.backward, chunk).await?;
            for event in chunk {
                let past = if query.backward {
                    query.filter.is_before(&event)
                } else {
                    !query.filter.is_before_end(&event)
                };
                if past {
                    return Ok(page);
                }
                if query.filter.matches(&event) {
                    bytes = bytes.saturating_add(event.encoded_len());
                    let full = page.events.len() >= query.page_size || bytes > BYTES;
                    if full && !page.events.is_empty() {
                        page.next = Some(place);
                        return Ok(page);
                    }
                    page.events.push(event);
                }
                scanned += 1;
                place = if query.backward { place - 1 } else { place + 1 };
            }
        }
        Ok(page)
    }
}

/// Where the first page begins: the nearest place within the filter's times.
async fn first_place(line: &Line<'_>, query: &EventQuery) -> Result<u64, HistoryError> {
    match (query.backward, query.filter.has_start(), query.filter.has_end()) {
        (false, false, _) => Ok(1),
        (true, _, false) => Ok(line.length()),
        (false, true, _) => Ok(line.count_while(|event| query.filter.is_before(event)).await? + 1),
        (true, _, true) => line.count_while(|event| query.filter.is_before_end(event)).await,
    }
}
