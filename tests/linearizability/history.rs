//! The calls of many clients with their outcomes, and the log that they must agree
//! with.

use std::collections::BTreeSet;

/// A moment: earlier ones have smaller numbers.
pub(crate) type Moment = u64;

/// The operation of a call. Every change has its own number, which the server records
/// with the event as the correlation ID.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Operation {
    Create,
    /// The number is in the settings afterwards.
    Update {
        pool: String,
        expected_revision: Option<i64>,
    },
    Delete {
        pool: String,
    },
    Assign {
        pool: String,
        prefix: String,
    },
    Release {
        pool: String,
        prefix: String,
    },
    /// Sets a user pool back to a revision, with or without its domain.
    Restore {
        pool: String,
        revision: i64,
        domain: bool,
    },
    Describe {
        pool: String,
    },
    DescribeDomain {
        prefix: String,
    },
    ListPools,
    ListEvents,
}

/// What the client knows after the call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// The change is recorded at this position.
    Recorded { revision: i64, position: i64 },
    /// Unknown: it may or may not be recorded, now or later.
    Nothing,
    /// It is not recorded, for a reason outside the state.
    NotRecorded,
    /// A refusal that the state must justify. If an earlier attempt of the same
    /// change got no answer, that one may still be recorded.
    Refused { refusal: Refusal, tried_before: bool },
    /// The state of a user pool.
    Pool(ShownPool),
    /// The state of a user pool that was restored. It may not have changed.
    Restored(ShownPool),
    /// The user pool that has the prefix.
    Owner(Option<String>),
    /// All existing user pools, with their revisions.
    Pools(Vec<(String, i64)>),
    /// The end of the log.
    Head(i64),
}

/// Why a change was refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Refusal {
    NotFound,
    Deleted {
        revision: i64,
    },
    Revision {
        current: i64,
    },
    HasDomain {
        domain: String,
    },
    DomainTaken,
    DomainNotFound,
    /// The user pool does not have the revision yet.
    BeyondEnd {
        current: i64,
    },
    /// The user pool was deleted at the revision.
    Deletion,
    /// There are as many user pools as allowed.
    TooManyPools {
        limit: u64,
    },
}

/// A user pool in an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ShownPool {
    pub(crate) revision: i64,
    pub(crate) position: i64,
    /// The number of the last change, from its settings.
    pub(crate) value: u64,
    pub(crate) domain: Option<String>,
}

/// One call and its answer.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    pub(crate) number: u64,
    pub(crate) operation: Operation,
    pub(crate) outcome: Outcome,
    /// Before the first attempt was sent.
    pub(crate) invoked: Moment,
    /// After the answer arrived; without an answer, never.
    pub(crate) returned: Moment,
}

/// A recorded event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RecordedEvent {
    pub(crate) position: i64,
    pub(crate) pool: String,
    pub(crate) revision: i64,
    /// The number of its change.
    pub(crate) number: u64,
    pub(crate) kind: EventKind,
}

/// The kind of an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum EventKind {
    Created { value: u64 },
    Updated { value: u64 },
    Deleted,
    Assigned { prefix: String },
    Released { prefix: String },
    Restored { revision: i64, value: u64, domain: Option<String>, was_deleted: bool },
}

/// What is wrong with a history.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Objection {
    /// The log has a gap at this position.
    Gap { position: i64 },
    /// An event cannot have happened in the state that it met.
    Impossible { position: i64, why: &'static str },
    /// An event without an operation.
    Unrequested { position: i64 },
    /// One change was recorded twice.
    Duplicate { number: u64 },
    /// An acknowledged change is not in the log.
    Lost { number: u64 },
    /// An acknowledged change is not at the position in its answer.
    WrongPosition { number: u64, position: i64 },
    /// A denied change is in the log.
    DeniedButRecorded { number: u64 },
    /// The log has a later change before an earlier one: this one was acknowledged
    /// before the request of the other.
    OutOfOrder { number: u64, before: u64 },
    /// No state during the call explains the answer.
    Unexplained { number: u64, from: i64, to: i64 },
}

/// The user pools in the log, which a list may show.
pub(crate) fn pools(log: &[RecordedEvent]) -> BTreeSet<&str> {
    log.iter().map(|event| event.pool.as_str()).collect()
}
