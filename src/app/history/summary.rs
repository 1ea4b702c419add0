//! Summaries of the events of a page: what each changed, with the values before it, at a bounded
//! cost.

use std::collections::HashMap;

use prost::Message as _;

use crate::{
    proto::{UserPoolEvent, to_unsigned},
    user_pool::{UserPoolId, UserPoolState, replaces_values, summarize},
};

use super::{
    History, HistoryError,
    page::MAX_BYTES,
    replay::{KnownState, state_after},
    sequence::EventSequence,
};

impl History {
    /// The summaries of the events of a page, without those at its end that would make it too
    /// large or too expensive; but at least one, so that pages make progress. At most
    /// `max_searched` events before those of the page are searched for the states that it begins
    /// with; most of these states are in the event just before.
    pub(super) async fn summaries(
        &self,
        events: Vec<UserPoolEvent>,
        max_searched: u64,
    ) -> Result<Vec<UserPoolEvent>, HistoryError> {
        let mut remaining_reads = max_searched;
        let mut first_unknown = None;
        let mut summaries = vec![UserPoolEvent::default(); events.len()];
        for (id, stream) in streams(events) {
            let id = UserPoolId::from_trusted(id);
            let mut known = None;
            for (index, mut event) in stream {
                let Some(payload) = event.payload.take() else { continue };
                let revision = to_unsigned(event.revision);
                let last = revision.saturating_sub(1);
                let before = match &known {
                    Some(KnownState { revision: known, state }) if *known == last => {
                        Some(state.clone())
                    }
                    _ if last == 0 => Some(UserPoolState::Absent),
                    _ if replaces_values(&payload) => {
                        let sequence = EventSequence::revisions(self, &id, last);
                        let found = sequence.state_at_end(known.as_ref(), &mut remaining_reads);
                        let found = found.await?;
                        if found.is_none() {
                            first_unknown = Some(first_unknown.unwrap_or(index).min(index));
                        }
                        found
                    }
                    _ => None,
                };
                let at = event.record_time.unwrap_or_default();
                if let Some(state) = state_after(before.clone(), &payload, at) {
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
