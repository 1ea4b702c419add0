//! Checked requests that read the history.

use std::time::Duration;

use prost_types::Timestamp;

use crate::{
    event_log::{Hash, Head, LogId, Position},
    proto::{
        EventView, HashAnchor, ListUserPoolEventsRequest, ReadDirection, ReplayUserPoolRequest,
        VerifyUserPoolHistoryRequest, WatchUserPoolEventsRequest, replay_user_pool_request::AsOf,
        to_unsigned, watch_user_pool_events_request::Start,
    },
    user_pool::{Check, InvalidRequest, Rule, UserPoolId, fields},
};

use super::{
    EventFilter,
    filter::{check_filter, check_time_range},
};

const DEFAULT_PAGE_SIZE: usize = 100;
const MAX_PAGE_SIZE: usize = 1000;
const DEFAULT_CHECKPOINT_INTERVAL: Duration = Duration::from_secs(30);

/// A request for one page of events.
#[derive(Debug, Clone)]
pub struct EventQuery {
    /// Which events.
    pub filter: EventFilter,
    /// Whether to return the newest events first.
    pub backward: bool,
    /// The maximum number of events.
    pub page_size: usize,
    /// The token of the previous page; empty for the first page.
    pub page_token: String,
    /// Whether to return the stored record with each event.
    pub include_records: bool,
    /// Whether to return summaries instead of full events.
    pub summaries: bool,
}

/// A request to rebuild a user pool from its events.
#[derive(Debug, Clone)]
pub struct ReplayQuery {
    /// The user pool.
    pub user_pool_id: UserPoolId,
    /// The last event to replay.
    pub as_of: ReplayPoint,
}

/// The last event to replay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReplayPoint {
    /// The latest event.
    Latest,
    /// The event with this revision of the user pool.
    Revision(u64),
    /// The last event at or before this position in the log.
    Position(Position),
    /// The last event at or before this time.
    Time(Timestamp),
}

/// A request to follow the events as they are recorded.
#[derive(Debug, Clone)]
pub struct WatchQuery {
    /// Which events.
    pub filter: EventFilter,
    /// The position after which to start; absent for the end of the log.
    pub after: Option<Position>,
    /// The hash that the event at that position must have, if the caller knows it.
    pub after_hash: Option<Hash>,
    /// The ID that the log must have, if the caller knows it.
    pub log_id: Option<LogId>,
    /// How long to send nothing before a checkpoint.
    pub checkpoint_interval: Duration,
    /// Whether to return the stored record with each event.
    pub include_records: bool,
    /// Whether to return summaries instead of full events.
    pub summaries: bool,
}

/// A request to verify the history.
#[derive(Debug, Clone)]
pub struct VerifyQuery {
    /// The event that the history must contain, if the caller knows one.
    pub expected: Option<Head>,
    /// The ID that the log must have, if the caller knows it.
    pub log_id: Option<LogId>,
}

impl EventQuery {
    /// Checks a request to list events.
    ///
    /// # Errors
    /// The field rules that it breaks.
    pub fn parse(request: ListUserPoolEventsRequest) -> Result<Self, InvalidRequest> {
        Check::run(|check| check_list(check, &request))?;
        let backward = request.direction() == ReadDirection::Backward;
        let summaries = match request.view() {
            EventView::Unspecified => !request.include_records,
            EventView::Summary => true,
            EventView::Full => false,
        };
        let ListUserPoolEventsRequest {
            filter,
            direction: _,
            page_size,
            page_token,
            include_records,
            min_position: _,
            view: _,
        } = request;
        let page_size = match usize::try_from(page_size).unwrap_or_default() {
            0 => DEFAULT_PAGE_SIZE,
            size => size.min(MAX_PAGE_SIZE),
        };
        let filter = EventFilter::new(filter.unwrap_or_default());
        Ok(Self { filter, backward, page_size, page_token, include_records, summaries })
    }
}

impl ReplayQuery {
    /// Checks a request to replay a user pool.
    ///
    /// # Errors
    /// The field rules that it breaks.
    pub fn parse(request: ReplayUserPoolRequest) -> Result<Self, InvalidRequest> {
        Check::run(|check| check_replay(check, &request))?;
        let as_of = match request.as_of {
            None => ReplayPoint::Latest,
            Some(AsOf::Revision(revision)) => ReplayPoint::Revision(to_unsigned(revision)),
            Some(AsOf::Position(position)) => ReplayPoint::Position(Position::from_int(position)),
            Some(AsOf::Time(time)) => ReplayPoint::Time(time),
        };
        let user_pool_id = UserPoolId::from_trusted(request.user_pool_id.unwrap_or_default());
        Ok(Self { user_pool_id, as_of })
    }
}

impl WatchQuery {
    /// Checks a request to watch events.
    ///
    /// # Errors
    /// The field rules that it breaks.
    pub fn parse(request: WatchUserPoolEventsRequest) -> Result<Self, InvalidRequest> {
        Check::run(|check| check_watch(check, &request))?;
        let summaries = request.view() == EventView::Summary;
        let WatchUserPoolEventsRequest {
            filter,
            start,
            checkpoint_interval_seconds,
            include_records,
            after_hash,
            log_id,
            view: _,
        } = request;
        let after = start.map(|Start::AfterPosition(position)| Position::from_int(position));
        let checkpoint_interval = match u64::try_from(checkpoint_interval_seconds) {
            Ok(0) | Err(_) => DEFAULT_CHECKPOINT_INTERVAL,
            Ok(seconds) => Duration::from_secs(seconds),
        };
        let filter = EventFilter::new(filter.unwrap_or_default());
        // The check made sure that a present hash has 32 bytes.
        let after_hash = after_hash.as_slice().try_into().ok().map(Hash);
        let log_id = log_id.parse().ok();
        Ok(Self {
            filter,
            after,
            after_hash,
            log_id,
            checkpoint_interval,
            include_records,
            summaries,
        })
    }
}

impl VerifyQuery {
    /// Checks a request to verify the history.
    ///
    /// # Errors
    /// The field rules that it breaks.
    pub fn parse(request: VerifyUserPoolHistoryRequest) -> Result<Self, InvalidRequest> {
        Check::run(|check| check_verify(check, &request))?;
        let HashAnchor { position, hash, log_id } = request.expected.unwrap_or_default();
        let position = Position::from_int(position);
        // The check made sure that the hash of a present anchor has 32 bytes.
        let hash = hash.as_slice().try_into().ok();
        let expected = hash.map(|hash| Head { position, hash: Hash(hash) });
        Ok(Self { expected, log_id: log_id.parse().ok() })
    }
}

/// Checks a request that has no other field than the position that its response must show.
///
/// # Errors
/// The field rule that it breaks.
pub fn parse_min_position(position: Option<i64>) -> Result<Option<i64>, InvalidRequest> {
    Check::run(|check| fields::min_position(check, position))?;
    Ok(position)
}

fn check_list(check: &mut Check, request: &ListUserPoolEventsRequest) {
    check.message("filter", request.filter.as_ref(), |check, filter| {
        check_filter(check, filter);
        check_time_range(check, filter.start_time, filter.end_time);
    });
    if request.direction != 0 {
        check.enum_value("direction", Some(request.direction), ReadDirection::as_str_name);
    }
    check.range("page_size", Some(request.page_size), 0..=i32::MAX);
    check_view(check, request.view, request.include_records);
    fields::min_position(check, request.min_position);
}

fn check_view(check: &mut Check, view: i32, include_records: bool) {
    if view != 0 {
        check.enum_value("view", Some(view), EventView::as_str_name);
    }
    if include_records && view == i32::from(EventView::Summary) {
        let allowed = "must be EVENT_VIEW_FULL or absent, because include_records is set";
        let shown = EventView::Summary.as_str_name();
        check.refuse("view", Rule::Conflict, Some(&shown), allowed, "be EVENT_VIEW_FULL");
    }
}

fn check_replay(check: &mut Check, request: &ReplayUserPoolRequest) {
    fields::user_pool_id(check, request.user_pool_id.as_ref());
    match &request.as_of {
        None => (),
        Some(AsOf::Revision(revision)) => {
            check.range("revision", Some(*revision), 1..=i64::MAX);
        }
        Some(AsOf::Position(position)) => {
            check.range("position", Some(*position), 1..=i64::MAX);
        }
        Some(AsOf::Time(time)) => check.time("time", Some(time)),
    }
    fields::min_position(check, request.min_position);
}

fn check_watch(check: &mut Check, request: &WatchUserPoolEventsRequest) {
    check.message("filter", request.filter.as_ref(), |check, filter| {
        check_filter(check, filter);
        check.forbid("start_time", filter.start_time.as_ref());
        check.forbid("end_time", filter.end_time.as_ref());
    });
    if let Some(Start::AfterPosition(position)) = request.start {
        check.range("after_position", Some(position), 0..=i64::MAX);
    }
    if !request.after_hash.is_empty() {
        if request.start.is_none() {
            check.refuse("after_position", Rule::Required, None, "is required", "not be null");
        }
        check.bytes("after_hash", &request.after_hash, 32);
    }
    let interval = request.checkpoint_interval_seconds;
    check.range("checkpoint_interval_seconds", Some(interval), 0..=300);
    check_log_id(check, &request.log_id);
    check_view(check, request.view, request.include_records);
}

fn check_verify(check: &mut Check, request: &VerifyUserPoolHistoryRequest) {
    check.message("expected", request.expected.as_ref(), |check, anchor| {
        check.range("position", Some(anchor.position), 0..=i64::MAX);
        check.bytes("hash", &anchor.hash, 32);
        check_log_id(check, &anchor.log_id);
    });
    fields::min_position(check, request.min_position);
}

/// Absent is empty.
fn check_log_id(check: &mut Check, id: &str) {
    if !id.is_empty() && id.parse::<LogId>().is_err() {
        let (allowed, constraint) =
            ("must have 32 hexadecimal digits", "have 32 hexadecimal digits");
        check.refuse("log_id", Rule::Pattern, Some(&id), allowed, constraint);
    }
}
