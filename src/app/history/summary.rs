//! Summaries of the events of a page: what each changed, with the values before it, at a bounded
//! cost.

use std::collections::HashMap;

use prost::Message as _;
use prost_types::Timestamp;

use crate::{
    event_log::ReadLimit,
    proto::{UserPoolEvent, to_unsigned},
    user_pool::{
        Event, UserPoolId, UserPoolState, evolve, has_whole_state, replaces_values, summarize,
    },
};

use super::{History, HistoryError, page::MAX_BYTES, sequence::EventSequence};

/// The maximum number of events before those of a page that are searched for the states that
/// the page begins with. Most states are in the event just before.
const MAX_SEARCHED: u64 = 10_000;
/// How many of them are read at a time, after the first one.
const CHUNK: ReadLimit = ReadLimit { records: 256, bytes: MAX_BYTES };

/// A user pool after its event with this revision.
#[derive(Debug)]
struct KnownState {
    revision: u64,
    state: UserPoolState,
}

impl History {
    /// The summaries of the events of a page, without those at its end that would make it too
    /// large or too expensive; but at least one, so that pages make progress.
    pub(super) async fn summaries(
        &self,
        events: Vec<UserPoolEvent>,
    ) -> Result<Vec<UserPoolEvent>, HistoryError> {
        let mut remaining_reads = MAX_SEARCHED;
        let mut first_unknown = None;
        let mut summaries = vec![UserPoolEvent::default(); events.len()];
        for (id, stream) in streams(events) {
            let id = UserPoolId::from_trusted(id);
            let mut known = None;
            for (index, mut event) in stream {
                let Some(payload) = event.payload.take() else { continue };
                let revision = to_unsigned(event.revision);
                let before = match &known {
                    Some(KnownState { revision: last, state }) if last + 1 == revision => {
                        Some(state.clone())
                    }
                    _ if revision == 1 => Some(UserPoolState::Absent),
                    _ if replaces_values(&payload) => {
                        let last = revision.saturating_sub(1);
                        let found =
                            self.state_at(&id, last, known.as_ref(), &mut remaining_reads).await?;
                        if found.is_none() {
                            first_unknown = Some(first_unknown.unwrap_or(index).min(index));
                        }
                        found
                    }
                    _ => None,
                };
                if let Some(state) = after(before.clone(), &payload) {
                    known = Some(KnownState { revision, state });
                }
                event.payload = Some(payload);
                if let Some(place) = summaries.get_mut(index) {
                    *place = summarize(event, before.as_ref());
                }
            }
        }
        // The next page begins with an event that was too expensive for this one.
        let end = first_unknown.filter(|first| *first > 0).unwrap_or(summaries.len());
        let mut bytes = 0_usize;
        let fits = |summary: &UserPoolEvent| {
            bytes = bytes.saturating_add(summary.encoded_len());
            bytes <= MAX_BYTES
        };
        let fitting = summaries.iter().take(end).map(fits).take_while(|fits| *fits).count();
        summaries.truncate(fitting.max(1));
        Ok(summaries)
    }

    /// A user pool at a revision, computed from its last event before that which has the whole
    /// state, or from a state that is known already. `None` if that takes more than
    /// `remaining_reads`, the number of events that may still be searched.
    async fn state_at(
        &self,
        id: &UserPoolId,
        revision: u64,
        known: Option<&KnownState>,
        remaining_reads: &mut u64,
    ) -> Result<Option<UserPoolState>, HistoryError> {
        let sequence = EventSequence::revisions(self, id, revision);
        let floor = known.map_or(0, |known| known.revision);
        let (mut state, mut place) = (UserPoolState::Absent, revision);
        let mut limit = ReadLimit { records: 1, ..CHUNK };
        while place > floor {
            let count = (*remaining_reads).min(place - floor);
            if count == 0 {
                return Ok(None);
            }
            let events = sequence.read(place, count, true, limit).await?;
            let read = u64::try_from(events.len()).unwrap_or(count).max(1);
            *remaining_reads = remaining_reads.saturating_sub(read);
            let is_whole =
                |event: &&UserPoolEvent| event.payload.as_ref().is_some_and(has_whole_state);
            if let Some(whole) = events.iter().find(is_whole) {
                place = to_unsigned(whole.revision);
                state = whole
                    .payload
                    .as_ref()
                    .and_then(|payload| after(None, payload))
                    .unwrap_or_default();
                break;
            }
            place = place.saturating_sub(read);
            limit = CHUNK;
        }
        if let Some(known) = known.filter(|_| place == floor) {
            state = known.state.clone();
        }
        while place < revision {
            let events = sequence.read(place + 1, revision - place, false, CHUNK).await?;
            if events.is_empty() {
                return Ok(None);
            }
            for event in events {
                place += 1;
                if let Some(payload) = event.payload {
                    state = evolve(state, payload, Timestamp::default());
                }
            }
        }
        Ok(Some(state))
    }
}

/// The state after an event, given the state before it, if that is known.
fn after(before: Option<UserPoolState>, event: &Event) -> Option<UserPoolState> {
    let before = before.or_else(|| has_whole_state(event).then_some(UserPoolState::Absent))?;
    Some(evolve(before, event.clone(), Timestamp::default()))
}

/// The events of each user pool, by revision, each with its index; in the order of the first
/// event of each in the page.
fn streams(events: Vec<UserPoolEvent>) -> Vec<(String, Vec<(usize, UserPoolEvent)>)> {
    let mut streams: Vec<(String, Vec<(usize, UserPoolEvent)>)> = Vec::new();
    let mut places = HashMap::new();
    for (index, event) in events.into_iter().enumerate() {
        let id = event.user_pool_id.clone();
        let place = *places.entry(id.clone()).or_insert(streams.len());
        match streams.get_mut(place) {
            Some((_, stream)) => stream.push((index, event)),
            None => streams.push((id, vec![(index, event)])),
        }
    }
    for (_, stream) in &mut streams {
        stream.sort_by_key(|(_, event)| event.revision);
    }
    streams
}
