//! What many clients asked and were told, and the log that it must agree with.

use std::collections::BTreeSet;

/// A moment: what happened before has a smaller one.
pub(crate) type Moment = u64;

/// What a client asked for. Every change has a number of its own, which the server
/// records with the event as the correlation ID.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Asked {
    Create,
    /// The settings afterwards name the change.
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
    Describe {
        pool: String,
    },
    DescribeDomain {
        prefix: String,
    },
    ListPools,
    ListEvents,
}

/// What it was told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Told {
    /// The change is recorded at this place.
    Recorded { revision: i64, position: i64 },
    /// Nothing that can be relied on: it may or may not be recorded, now or later.
    Nothing,
    /// That it is not recorded, for no reason that lies in the state.
    NotRecorded,
    /// A refusal that the state must justify. Where an earlier try of the same
    /// change got no answer, that one may be recorded all the same.
    Refused { refusal: Refusal, tried_before: bool },
    /// A user pool as it is.
    Pool(Shown),
    /// The user pool that has the prefix.
    Owner(Option<String>),
    /// All user pools that are there, with their revisions.
    Pools(Vec<(String, i64)>),
    /// Where the log ends.
    Head(i64),
}

/// Why a change was refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Refusal {
    NotFound,
    Deleted { revision: i64 },
    Revision { current: i64 },
    HasDomain { domain: String },
    DomainTaken,
    DomainNotFound,
}

/// A user pool as it is shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Shown {
    pub(crate) revision: i64,
    pub(crate) position: i64,
    /// The change that its settings name.
    pub(crate) value: u64,
    pub(crate) domain: Option<String>,
}

/// One call and its answer.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    pub(crate) number: u64,
    pub(crate) asked: Asked,
    pub(crate) told: Told,
    /// Before the (first) request left.
    pub(crate) invoked: Moment,
    /// After the answer came; without one, never.
    pub(crate) returned: Moment,
}

/// An event as it was recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Recorded {
    pub(crate) position: i64,
    pub(crate) pool: String,
    pub(crate) revision: i64,
    /// The change that it was recorded for.
    pub(crate) number: u64,
    pub(crate) what: What,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum What {
    Created { value: u64 },
    Updated { value: u64 },
    Deleted,
    Assigned { prefix: String },
    Released { prefix: String },
}

/// What is wrong with a history.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Objection {
    /// The log has a gap at this position.
    Gap { position: i64 },
    /// An event cannot have happened in the state that it met.
    Impossible { position: i64, why: &'static str },
    /// An event that nobody asked for.
    Invented { position: i64 },
    /// One change was recorded twice.
    Twice { number: u64 },
    /// What was acknowledged is not there.
    Lost { number: u64 },
    /// What was acknowledged is at another place than the answer said.
    Elsewhere { number: u64, position: i64 },
    /// Recorded, though the answer said that it was not.
    RecordedAllTheSame { number: u64 },
    /// The log has a later change before an earlier one: this one was acknowledged
    /// before the other was asked for.
    OutOfOrder { number: u64, before: u64 },
    /// No state that there was during the call explains the answer.
    Unexplained { number: u64, from: i64, to: i64 },
}

/// Prefixes and user pools that a list may show, and so must be in the log.
pub(crate) fn pools(log: &[Recorded]) -> BTreeSet<&str> {
    log.iter().map(|event| event.pool.as_str()).collect()
}
