//! Checked requests that read the history.

use prost::Message as _;
use prost_types::Timestamp;

use crate::{
    proto::{
        self, ListUserPoolEventsRequest, ReadDirection, ReplayUserPoolRequest, UserPoolEvent,
        UserPoolEventFilter, UserPoolEventType, VerifyUserPoolHistoryRequest,
        WatchUserPoolEventsRequest, replay_user_pool_request, watch_user_pool_events_request,
    },
    user_pool::{Check, InvalidRequest, UserPoolId, fields},
};

/// How many events a page has where the request does not say.
const PAGE_SIZE: usize = 100;
/// How many it has at most.
const PAGE_SIZE_MAX: usize = 1000;
/// How often a watch with nothing to send says so, in seconds.
const CHECKPOINT_INTERVAL: u64 = 30;

/// Which events are asked for. Conditions are joined by "and".
#[derive(Debug, Clone, Default, PartialEq)]
pub struct EventFilter {
    /// Only events of this user pool.
    pub user_pool_id: Option<UserPoolId>,
    rest: UserPoolEventFilter,
}

/// A page of events.
#[derive(Debug, Clone)]
pub struct EventQuery {
    /// Which events.
    pub filter: EventFilter,
    /// Whether the newest come first.
    pub backward: bool,
    /// How many at most.
    pub page_size: usize,
    /// The token of the page before; empty for the first page.
    pub page_token: String,
    /// Whether each comes with its stored record.
    pub include_records: bool,
}

/// A user pool as it was.
#[derive(Debug, Clone)]
pub struct ReplayQuery {
    /// The user pool.
    pub user_pool_id: UserPoolId,
    /// Up to where.
    pub as_of: ReplayPoint,
}

/// Up to where a history is replayed, inclusive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReplayPoint {
    /// To the end.
    End,
    /// To this revision of the user pool, from 1.
    Revision(u64),
    /// To this position in the log, from 1.
    Position(u64),
    /// To the last event that was recorded at this time or earlier.
    Time(Timestamp),
}

/// Events as they are recorded.
#[derive(Debug, Clone)]
pub struct WatchQuery {
    /// Which events.
    pub filter: EventFilter,
    /// After which position; after the last one there is, where absent.
    pub after: Option<u64>,
    /// How often to say that there is nothing to send, in seconds.
    pub checkpoint_interval: u64,
    /// Whether each comes with its stored record.
    pub include_records: bool,
}

/// A point of the hash chain that a client noted.
#[derive(Debug, Clone, Copy)]
pub struct Noted {
    /// The position of an event, from 1.
    pub position: u64,
    /// The hash of that event.
    pub hash: [u8; 32],
}

impl EventQuery {
    /// Checks a request for a page of events.
    ///
    /// # Errors
    /// Every field rule that it breaks.
    pub fn parse(request: ListUserPoolEventsRequest) -> Result<Self, InvalidRequest> {
        Check::run(|check| check_list(check, &request))?;
        let backward = request.direction() == ReadDirection::Backward;
        let ListUserPoolEventsRequest {
            filter,
            direction: _,
            page_size,
            page_token,
            include_records,
        } = request;
        let page_size = match usize::try_from(page_size).unwrap_or_default() {
            0 => PAGE_SIZE,
            size => size.min(PAGE_SIZE_MAX),
        };
        let filter = EventFilter::new(filter.unwrap_or_default());
        Ok(Self { filter, backward, page_size, page_token, include_records })
    }
}

impl ReplayQuery {
    /// Checks a request to replay a user pool.
    ///
    /// # Errors
    /// Every field rule that it breaks.
    pub fn parse(request: ReplayUserPoolRequest) -> Result<Self, InvalidRequest> {
        Check::run(|check| check_replay(check, &request))?;
        let as_of = match request.as_of {
            None => ReplayPoint::End,
            Some(replay_user_pool_request::AsOf::Revision(revision)) => {
                ReplayPoint::Revision(u64::try_from(revision).unwrap_or_default())
            }
            Some(replay_user_pool_request::AsOf::Position(position)) => {
                ReplayPoint::Position(u64::try_from(position).unwrap_or_default())
            }
            Some(replay_user_pool_request::AsOf::Time(time)) => ReplayPoint::Time(time),
        };
        let user_pool_id = UserPoolId::from_trusted(request.user_pool_id.unwrap_or_default());
        Ok(Self { user_pool_id, as_of })
    }
}

impl WatchQuery {
    /// Checks a request to watch events.
    ///
    /// # Errors
    /// Every field rule that it breaks.
    pub fn parse(request: WatchUserPoolEventsRequest) -> Result<Self, InvalidRequest> {
        Check::run(|check| check_watch(check, &request))?;
        let WatchUserPoolEventsRequest {
            filter,
            start,
            checkpoint_interval_seconds,
            include_records,
        } = request;
        let after = start.map(|watch_user_pool_events_request::Start::AfterPosition(position)| {
            u64::try_from(position).unwrap_or_default()
        });
        let checkpoint_interval = match u64::try_from(checkpoint_interval_seconds) {
            Ok(0) | Err(_) => CHECKPOINT_INTERVAL,
            Ok(seconds) => seconds,
        };
        let filter = EventFilter::new(filter.unwrap_or_default());
        Ok(Self { filter, after, checkpoint_interval, include_records })
    }
}

impl Noted {
    /// Checks a request to verify the history.
    ///
    /// # Errors
    /// Every field rule that it breaks.
    pub fn parse(request: VerifyUserPoolHistoryRequest) -> Result<Option<Self>, InvalidRequest> {
        Check::run(|check| check_verify(check, &request))?;
        let noted = request.expected.unwrap_or_default();
        let position = u64::try_from(noted.position).unwrap_or_default();
        // Nothing noted has no hash; anything noted has one, as was checked.
        let hash = noted.hash.as_slice().try_into().ok();
        Ok(hash.map(|hash| Self { position, hash }))
    }
}

impl EventFilter {
    fn new(filter: UserPoolEventFilter) -> Self {
        Self {
            user_pool_id: filter.user_pool_id.clone().map(UserPoolId::from_trusted),
            rest: filter,
        }
    }

    /// Whether the filter lets every event through.
    #[must_use]
    pub fn matches_all(&self) -> bool {
        self.rest == UserPoolEventFilter::default()
    }

    /// Whether the filter lets the event through.
    #[must_use]
    pub fn matches(&self, event: &UserPoolEvent) -> bool {
        let UserPoolEventFilter {
            user_pool_id,
            types,
            actor_subject,
            start_time,
            end_time,
            peer_address,
        } = &self.rest;
        let time = event.record_time.map(proto::order);
        let actor = event.actor.as_ref();
        let is =
            |wanted: &Option<String>, is: &dyn Fn(&str) -> bool| wanted.as_deref().is_none_or(is);
        is(user_pool_id, &|id| event.user_pool_id == id)
            && (types.is_empty() || types.contains(&event.r#type))
            && is(actor_subject, &|subject| actor.is_some_and(|actor| actor.subject == subject))
            && is(peer_address, &|from| {
                actor.is_some_and(|actor| is_from(&actor.peer_address, from))
            })
            && start_time.is_none_or(|start| time >= Some(proto::order(start)))
            && end_time.is_none_or(|end| time < Some(proto::order(end)))
    }

    /// Whether only events from some time on are asked for.
    #[must_use]
    pub const fn has_start(&self) -> bool {
        self.rest.start_time.is_some()
    }

    /// Whether only events before some time are asked for.
    #[must_use]
    pub const fn has_end(&self) -> bool {
        self.rest.end_time.is_some()
    }

    /// Whether the event was recorded before all those that are asked for.
    #[must_use]
    pub fn is_before(&self, event: &UserPoolEvent) -> bool {
        let start = self.rest.start_time.map(proto::order);
        start.is_some_and(|start| event.record_time.map(proto::order) < Some(start))
    }

    /// Whether the event was recorded before the end of what is asked for.
    #[must_use]
    pub fn is_before_end(&self, event: &UserPoolEvent) -> bool {
        let end = self.rest.end_time.map(proto::order);
        end.is_none_or(|end| event.record_time.map(proto::order) < Some(end))
    }

    /// What tells this filter from others.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        self.rest.encode_to_vec()
    }
}

/// Whether `address`, which has a port, is `wanted`, which may have none.
fn is_from(address: &str, wanted: &str) -> bool {
    let host = address.rsplit_once(':').map_or(address, |(host, _)| host);
    address == wanted || host == wanted || host == format!("[{wanted}]")
}

/// Beyond Cognito: `UserPoolHistoryService`.
fn check_list(check: &mut Check, request: &ListUserPoolEventsRequest) {
    check.message("filter", request.filter.as_ref(), check_filter);
    if request.direction != 0 {
        check.enum_value("direction", Some(request.direction), ReadDirection::as_str_name);
    }
    check.range("page_size", Some(request.page_size), 0..=i32::MAX);
}

/// Beyond Cognito: `UserPoolHistoryService`.
fn check_replay(check: &mut Check, request: &ReplayUserPoolRequest) {
    fields::user_pool_id(check, request.user_pool_id.as_ref());
    match &request.as_of {
        None => (),
        Some(replay_user_pool_request::AsOf::Revision(revision)) => {
            check.range("revision", Some(*revision), 1..=i64::MAX);
        }
        Some(replay_user_pool_request::AsOf::Position(position)) => {
            check.range("position", Some(*position), 1..=i64::MAX);
        }
        Some(replay_user_pool_request::AsOf::Time(time)) => check.time("time", Some(time)),
    }
}

/// Beyond Cognito: `UserPoolHistoryService`.
fn check_watch(check: &mut Check, request: &WatchUserPoolEventsRequest) {
    check.message("filter", request.filter.as_ref(), |check, filter| {
        check_filter(check, filter);
        check.forbid("start_time", filter.start_time.as_ref());
        check.forbid("end_time", filter.end_time.as_ref());
    });
    if let Some(watch_user_pool_events_request::Start::AfterPosition(position)) = request.start {
        check.range("after_position", Some(position), 0..=i64::MAX);
    }
    let interval = request.checkpoint_interval_seconds;
    check.range("checkpoint_interval_seconds", Some(interval), 0..=300);
}

/// Beyond Cognito: `UserPoolHistoryService`.
fn check_verify(check: &mut Check, request: &VerifyUserPoolHistoryRequest) {
    check.message("expected", request.expected.as_ref(), |check, noted| {
        check.range("position", Some(noted.position), 0..=i64::MAX);
        check.bytes("hash", &noted.hash, 32);
    });
}

fn check_filter(check: &mut Check, filter: &UserPoolEventFilter) {
    fields::optional_user_pool_id(check, filter.user_pool_id.as_ref());
    check.enum_values("types", &filter.types, UserPoolEventType::as_str_name);
    check.time("start_time", filter.start_time.as_ref());
    check.time("end_time", filter.end_time.as_ref());
}
