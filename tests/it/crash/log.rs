//! The log, folded by the rules alone: what a server must show.

use std::{
    collections::{BTreeMap, HashMap},
    hash::{DefaultHasher, Hash as _, Hasher as _},
};

use prost::Message as _;
use prost_types::Timestamp;
use userpool::{
    audit,
    event_log::Head,
    proto::{UserPool, UserPoolEvent},
    user_pool::{Event, UserPoolState, assigned_domains, evolve, removed_domains},
};

/// The log, as far as it was read.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Log {
    pub(super) head: Head,
    pub(super) pools: BTreeMap<String, Pool>,
    pub(super) domains: BTreeMap<String, String>,
    /// The events by the mark of their request.
    pub(super) marks: HashMap<String, RecordedEvent>,
    last_time: Option<Timestamp>,
}

/// A user pool, deleted or not.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Pool {
    pub(super) state: UserPoolState,
    pub(super) revision: i64,
    pub(super) position: i64,
    pub(super) created_position: i64,
}

/// An event.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct RecordedEvent {
    pub(super) position: i64,
    pub(super) revision: i64,
    /// The user pool that it leads to.
    pub(super) shown: Option<u64>,
}

impl Log {
    /// Applies the next event, which must have the next position, be complete, and be
    /// possible.
    pub(super) fn follow(&mut self, event: &UserPoolEvent) {
        let record = audit::extract_record(event).expect("the record of the event");
        record.check_follows(self.head).expect("the record that continues the log");
        assert_eq!(event.previous_hash, self.head.hash.0, "at {}", event.position);
        assert_eq!(event.hash, record.hash.0, "at {}", event.position);
        self.head = record.head();

        let at = event.record_time.expect("a time");
        let before = self.last_time.replace(at).map(|at| (at.seconds, at.nanos));
        assert!(before <= Some((at.seconds, at.nanos)), "time goes back at {}", event.position);
        let payload = event.payload.clone().expect("a payload");
        self.note_domain(&event.user_pool_id, &payload);

        let pool = self.pools.entry(event.user_pool_id.clone()).or_default();
        let is_deleted = matches!(pool.state, UserPoolState::Deleted(_));
        let restores = matches!(payload, Event::UserPoolRestored(_));
        assert!(!is_deleted || restores, "an event after the end: {event:?}");
        assert_eq!(event.revision, pool.revision + 1, "revisions are dense: {event:?}");
        if pool.revision == 0 {
            pool.created_position = event.position;
        }
        pool.state = evolve(std::mem::take(&mut pool.state), payload, at);
        (pool.revision, pool.position) = (event.revision, event.position);

        let shown = pool.state.user_pool().map(digest);
        let recorded = RecordedEvent { position: event.position, revision: event.revision, shown };
        let twice = self.marks.insert(event.correlation_id.clone(), recorded);
        assert_eq!(twice, None, "recorded twice: {event:?}");
    }

    fn note_domain(&mut self, id: &str, payload: &Event) {
        for domain in removed_domains(payload) {
            let owner = self.domains.remove(domain);
            assert_eq!(owner.as_deref(), Some(id), "only its owner releases a domain");
        }
        for domain in assigned_domains(payload) {
            let taken = self.domains.insert(domain.clone(), id.to_owned());
            assert_eq!(taken, None, "a domain has one owner");
        }
    }

    /// The existing user pools, oldest first.
    pub(super) fn active(&self) -> Vec<(&UserPool, &Pool)> {
        let pools = self.pools.values();
        let mut active: Vec<_> =
            pools.filter_map(|pool| pool.state.user_pool().map(|shown| (shown, pool))).collect();
        active.sort_by_key(|(_, pool)| pool.created_position);
        active
    }
}

/// A digest that stands for a user pool, whose ARN is not in the log.
pub(super) fn digest(pool: &UserPool) -> u64 {
    let mut hasher = DefaultHasher::new();
    UserPool { arn: None, ..pool.clone() }.encode_to_vec().hash(&mut hasher);
    hasher.finish()
}
