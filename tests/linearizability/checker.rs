//! Whether a history is linearizable, with the log as the order of the changes.
//!
//! The log gives the order of the changes, so no search is needed: each change must
//! take effect between its request and its answer, and each read must match the state
//! at some position, not before the position of any read that returned earlier.
//! Choosing the earliest position for each read leaves the most room for later reads,
//! so if that fails, every choice fails.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet, BinaryHeap},
};

use super::history::{
    Entry, EventKind, Moment, Objection, Operation, Outcome, RecordedEvent, Refusal, ShownPool,
    pools,
};

/// The state of a user pool after one of its events.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Pool {
    revision: i64,
    position: i64,
    value: u64,
    domain: Option<String>,
    deleted: bool,
}

/// All past states: for each user pool and prefix, its states with the position from
/// which each holds.
#[derive(Debug, Default)]
struct States {
    pools: BTreeMap<String, Vec<(i64, Pool)>>,
    owners: BTreeMap<String, Vec<(i64, Option<String>)>>,
    /// How many user pools there were.
    counts: Vec<(i64, u64)>,
}

/// Checks a history against its log.
pub(crate) fn check(history: &[Entry], log: &[RecordedEvent]) -> Result<(), Objection> {
    let states = States::of(log)?;
    let changes: BTreeMap<u64, &Entry> =
        history.iter().filter(|entry| entry.operation.changes()).map(|e| (e.number, e)).collect();
    attributed(log, &changes)?;
    acknowledged(log, &changes)?;
    in_order(log, &changes)?;
    explained(history, log, &changes, &states)
}

impl Operation {
    const fn changes(&self) -> bool {
        match self {
            Self::Create
            | Self::Update { .. }
            | Self::Delete { .. }
            | Self::Assign { .. }
            | Self::Release { .. }
            | Self::Restore { .. } => true,
            Self::Describe { .. }
            | Self::DescribeDomain { .. }
            | Self::ListPools
            | Self::ListEvents => false,
        }
    }

    /// Whether this operation explains the event.
    fn explains(&self, number: u64, event: &RecordedEvent) -> bool {
        match (self, &event.kind) {
            (Self::Create, EventKind::Created { value }) => *value == number,
            (Self::Update { pool, expected_revision }, EventKind::Updated { value }) => {
                let fits = expected_revision.is_none_or(|expected| expected + 1 == event.revision);
                *pool == event.pool && *value == number && fits
            }
            (Self::Delete { pool }, EventKind::Deleted) => *pool == event.pool,
            (
                Self::Restore { pool, revision: wanted, .. },
                EventKind::Restored { revision, .. },
            ) => *pool == event.pool && wanted == revision,
            (Self::Assign { pool, prefix: operation }, EventKind::Assigned { prefix })
            | (Self::Release { pool, prefix: operation }, EventKind::Released { prefix }) => {
                *pool == event.pool && operation == prefix
            }
            (_, _) => false,
        }
    }
}

impl States {
    /// The states that follow from the log, if it is consistent.
    fn of(log: &[RecordedEvent]) -> Result<Self, Objection> {
        let mut states = Self::default();
        for (event, position) in log.iter().zip(1..) {
            if event.position != position {
                return Err(Objection::Gap { position });
            }
            states.record(event).map_err(|why| Objection::Impossible { position, why })?;
        }
        Ok(states)
    }

    fn record(&mut self, event: &RecordedEvent) -> Result<(), &'static str> {
        let RecordedEvent { position, pool: id, revision, number: _, kind } = event;
        let before = self.pool(id, *position).cloned();
        if before.as_ref().map_or(0, |pool| pool.revision) + 1 != *revision {
            return Err("a revision was skipped or given twice");
        }
        let before_is_active = before.as_ref().is_some_and(|pool| !pool.deleted);
        let after = match (before, kind) {
            (None, EventKind::Created { value }) => Pool {
                revision: 1,
                position: *position,
                value: *value,
                domain: None,
                deleted: false,
            },
            (None, _) => return Err("the user pool was never created"),
            (Some(_), EventKind::Created { .. }) => return Err("the user pool was created twice"),
            (Some(pool), kind) if pool.deleted && !matches!(kind, EventKind::Restored { .. }) => {
                return Err("the user pool was deleted");
            }
            (Some(pool), kind) => {
                let pool = Pool { revision: *revision, position: *position, ..pool };
                self.after(pool, id, *position, kind)?
            }
        };
        let count = self.count(*position);
        let count = match (before_is_active, after.deleted) {
            (false, false) => count + 1,
            (true, true) => count - 1,
            (true, false) | (false, true) => count,
        };
        self.counts.push((*position, count));
        self.pools.entry(id.clone()).or_default().push((*position, after));
        Ok(())
    }

    fn after(
        &mut self,
        pool: Pool,
        id: &str,
        position: i64,
        kind: &EventKind,
    ) -> Result<Pool, &'static str> {
        match kind {
            EventKind::Created { value } | EventKind::Updated { value } => {
                Ok(Pool { value: *value, ..pool })
            }
            EventKind::Deleted if pool.domain.is_some() => Err("the user pool has a domain"),
            EventKind::Deleted => Ok(Pool { deleted: true, ..pool }),
            EventKind::Assigned { prefix } => {
                if pool.domain.is_some() {
                    return Err("the user pool has a domain");
                }
                if self.owner(prefix, position).is_some() {
                    return Err("the domain has an owner");
                }
                let owner = Some(id.to_owned());
                self.owners.entry(prefix.clone()).or_default().push((position, owner));
                Ok(Pool { domain: Some(prefix.clone()), ..pool })
            }
            EventKind::Released { prefix } => {
                if pool.domain.as_ref() != Some(prefix) {
                    return Err("the user pool does not have that domain");
                }
                self.owners.entry(prefix.clone()).or_default().push((position, None));
                Ok(Pool { domain: None, ..pool })
            }
            EventKind::Restored { revision, value, domain, was_deleted } => {
                let past = self.past(id, *revision).filter(|past| !past.deleted);
                let past = past.ok_or("there is nothing to restore")?.clone();
                if (past.value, pool.deleted) != (*value, *was_deleted) {
                    return Err("the user pool is not restored to what it was");
                }
                if *domain != pool.domain && *domain != past.domain {
                    return Err("the user pool gets a domain that it did not have");
                }
                if (pool.value, pool.deleted, &pool.domain) == (*value, false, domain) {
                    return Err("nothing was restored");
                }
                if *domain != pool.domain {
                    if domain.as_ref().is_some_and(|name| self.owner(name, position).is_some()) {
                        return Err("the domain has an owner");
                    }
                    for (name, owner) in [(&pool.domain, None), (domain, Some(id.to_owned()))] {
                        let Some(name) = name else { continue };
                        self.owners.entry(name.clone()).or_default().push((position, owner));
                    }
                }
                Ok(Pool { value: *value, domain: domain.clone(), deleted: false, ..pool })
            }
        }
    }

    /// The state of the user pool at a revision.
    fn past(&self, id: &str, revision: i64) -> Option<&Pool> {
        let states = self.pools.get(id)?.iter().map(|(_, pool)| pool);
        states.into_iter().find(|pool| pool.revision == revision)
    }

    /// The state of the user pool after this position.
    fn pool(&self, id: &str, position: i64) -> Option<&Pool> {
        at(self.pools.get(id)?, position)
    }

    /// How many user pools there were after this position.
    fn count(&self, position: i64) -> u64 {
        at(&self.counts, position).copied().unwrap_or_default()
    }

    fn owner(&self, prefix: &str, position: i64) -> Option<&str> {
        at(self.owners.get(prefix)?, position)?.as_deref()
    }
}

fn at<T>(timeline: &[(i64, T)], position: i64) -> Option<&T> {
    let until = timeline.partition_point(|(from, _)| *from <= position);
    Some(&timeline.get(until.checked_sub(1)?)?.1)
}

/// Every event has an operation, and every operation has at most one event.
fn attributed(log: &[RecordedEvent], changes: &BTreeMap<u64, &Entry>) -> Result<(), Objection> {
    let mut seen = BTreeSet::new();
    for event in log {
        let operation = changes.get(&event.number).map(|entry| &entry.operation);
        if !operation.is_some_and(|operation| operation.explains(event.number, event)) {
            return Err(Objection::Unrequested { position: event.position });
        }
        if !seen.insert(event.number) {
            return Err(Objection::Duplicate { number: event.number });
        }
    }
    Ok(())
}

/// Every acknowledged change is at the position in its answer, and no denied change
/// is in the log.
fn acknowledged(log: &[RecordedEvent], changes: &BTreeMap<u64, &Entry>) -> Result<(), Objection> {
    let recorded: BTreeMap<u64, &RecordedEvent> =
        log.iter().map(|event| (event.number, event)).collect();
    for (number, entry) in changes {
        let (number, event) = (*number, recorded.get(number));
        match (&entry.outcome, event) {
            (Outcome::Recorded { .. }, None) => return Err(Objection::Lost { number }),
            (Outcome::Recorded { revision, position }, Some(event))
                if (event.revision, event.position) != (*revision, *position) =>
            {
                return Err(Objection::WrongPosition { number, position: event.position });
            }
            (Outcome::Restored(shown), Some(event))
                if (event.revision, event.position) != (shown.revision, shown.position) =>
            {
                return Err(Objection::WrongPosition { number, position: event.position });
            }
            (Outcome::NotRecorded | Outcome::Refused { tried_before: false, .. }, Some(_)) => {
                return Err(Objection::DeniedButRecorded { number });
            }
            (_, _) => (),
        }
    }
    Ok(())
}

/// When the recorded result of a change was acknowledged; any other change may take
/// effect at any time after its request.
fn answered(entry: &Entry) -> Moment {
    if matches!(entry.outcome, Outcome::Recorded { .. } | Outcome::Restored(_)) {
        entry.returned
    } else {
        Moment::MAX
    }
}

/// No change is recorded before one that was acknowledged before its request.
fn in_order(log: &[RecordedEvent], changes: &BTreeMap<u64, &Entry>) -> Result<(), Objection> {
    let mut latest = (0, 0);
    for event in log {
        let entry = changes[&event.number];
        latest = latest.max((entry.invoked, event.number));
        if answered(entry) < latest.0 {
            return Err(Objection::OutOfOrder { number: event.number, before: latest.1 });
        }
    }
    Ok(())
}

/// Every read and every refusal matches the state at some position.
fn explained(
    history: &[Entry],
    log: &[RecordedEvent],
    changes: &BTreeMap<u64, &Entry>,
    states: &States,
) -> Result<(), Objection> {
    // The least position that a read must see, by the times of the answers.
    let mut floors: Vec<(Moment, i64)> = log
        .iter()
        .map(|event| (answered(changes[&event.number]), event.position))
        .filter(|(answered, _)| *answered < Moment::MAX)
        .collect();
    floors.sort_unstable();
    raise(&mut floors);
    // The greatest position that a read may see: the log only grows, so an event is
    // not visible before the requests of all events up to it.
    let mut operation = 0;
    let earliest: Vec<Moment> = log
        .iter()
        .map(|event| {
            operation = changes[&event.number].invoked.max(operation);
            operation
        })
        .collect();

    let mut reads: Vec<&Entry> = history
        .iter()
        .filter(|entry| {
            !matches!(
                entry.outcome,
                Outcome::Recorded { .. } | Outcome::Nothing | Outcome::NotRecorded
            )
        })
        .collect();
    reads.sort_unstable_by_key(|entry| entry.invoked);
    // The chosen positions, by the end of the read.
    let mut ended: BinaryHeap<Reverse<(Moment, i64)>> = BinaryHeap::new();
    let mut seen = 0;
    for read in reads {
        while let Some(Reverse((returned, place))) = ended.peek().copied() {
            if returned > read.invoked {
                break;
            }
            seen = seen.max(place);
            ended.pop();
        }
        let known = floors.partition_point(|(answered, _)| *answered < read.invoked);
        let known = known.checked_sub(1).map_or(0, |last| floors[last].1);
        let from = known.max(seen);
        let to = earliest.partition_point(|earliest| *earliest < read.returned);
        let to = i64::try_from(to).expect("a small number");
        let place = place(read, states, log, from, to);
        let place = place.ok_or(Objection::Unexplained { number: read.number, from, to })?;
        ended.push(Reverse((read.returned, place)));
    }
    Ok(())
}

/// Makes each position at least as high as those before it.
fn raise(floors: &mut [(Moment, i64)]) {
    let mut highest = 0;
    for (_, place) in floors {
        highest = highest.max(*place);
        *place = highest;
    }
}

/// The first position in `from..=to` at which the answer is right.
fn place(read: &Entry, states: &States, log: &[RecordedEvent], from: i64, to: i64) -> Option<i64> {
    match &read.outcome {
        Outcome::Head(head) => (from..=to).contains(head).then_some(*head),
        // A list is read item by item and is checked the same way.
        Outcome::Pools(listed) => {
            let listed: BTreeMap<&str, i64> =
                listed.iter().map(|(id, revision)| (id.as_str(), *revision)).collect();
            let known = pools(log);
            if listed.keys().any(|id| !known.contains(id)) {
                return None;
            }
            let each = known.into_iter().all(|id| {
                (from..=to).any(|place| {
                    let pool = states.pool(id, place).filter(|pool| !pool.deleted);
                    pool.map(|pool| pool.revision) == listed.get(id).copied()
                })
            });
            each.then_some(from)
        }
        Outcome::Recorded { .. }
        | Outcome::Nothing
        | Outcome::NotRecorded
        | Outcome::Refused { .. }
        | Outcome::Pool(_)
        | Outcome::Restored(_)
        | Outcome::Owner(_) => (from..=to).find(|place| explains(read, states, *place)),
    }
}

/// Whether the answer is right at a position.
fn explains(read: &Entry, states: &States, place: i64) -> bool {
    let pool = |id: &str| states.pool(id, place);
    let active = |id: &str| pool(id).filter(|pool| !pool.deleted);
    let is_at = |id: &str, shown: &ShownPool| {
        active(id).is_some_and(|pool| {
            (pool.revision, pool.position, pool.value)
                == (shown.revision, shown.position, shown.value)
                && pool.domain == shown.domain
        })
    };
    match (&read.operation, &read.outcome) {
        (Operation::Describe { pool: id }, Outcome::Pool(shown)) => is_at(id, shown),
        // Also of one that changed nothing, and so is not in the log.
        (Operation::Restore { pool: id, revision, domain }, Outcome::Restored(shown)) => {
            let past = states.past(id, *revision).filter(|past| !past.deleted);
            is_at(id, shown)
                && past.is_some_and(|past| {
                    past.value == shown.value && (!domain || past.domain == shown.domain)
                })
        }
        (
            Operation::Restore { pool: id, revision, .. },
            Outcome::Refused { refusal: Refusal::BeyondEnd { current }, .. },
        ) => current < revision && pool(id).is_some_and(|pool| pool.revision == *current),
        (
            Operation::Restore { pool: id, revision, .. },
            Outcome::Refused { refusal: Refusal::Deletion, .. },
        ) => {
            let has_come = pool(id).is_some_and(|pool| pool.revision >= *revision);
            has_come && states.past(id, *revision).is_some_and(|past| past.deleted)
        }
        (
            Operation::Restore { pool: id, revision, domain: true },
            Outcome::Refused { refusal: Refusal::DomainTaken, .. },
        ) => {
            let past = states.past(id, *revision).and_then(|past| past.domain.as_deref());
            let owner = past.and_then(|prefix| states.owner(prefix, place));
            owner.is_some_and(|owner| owner != id)
        }
        (
            Operation::Create | Operation::Restore { .. },
            Outcome::Refused { refusal: Refusal::TooManyPools { limit }, .. },
        ) => states.count(place) == *limit,
        (Operation::DescribeDomain { prefix }, Outcome::Owner(owner)) => {
            states.owner(prefix, place) == owner.as_deref()
        }
        (
            Operation::Describe { pool: id }
            | Operation::Update { pool: id, .. }
            | Operation::Delete { pool: id }
            | Operation::Restore { pool: id, .. }
            | Operation::Assign { pool: id, .. },
            Outcome::Refused { refusal: Refusal::NotFound, .. },
        ) => pool(id).is_none(),
        (
            Operation::Describe { pool: id }
            | Operation::Update { pool: id, .. }
            | Operation::Delete { pool: id }
            | Operation::Assign { pool: id, .. },
            Outcome::Refused { refusal: Refusal::Deleted { revision }, .. },
        ) => pool(id).is_some_and(|pool| pool.deleted && pool.revision == *revision),
        (
            Operation::Update { pool: id, expected_revision },
            Outcome::Refused { refusal: Refusal::Revision { current }, .. },
        ) => {
            *expected_revision != Some(*current)
                && active(id).is_some_and(|pool| pool.revision == *current)
        }
        (
            Operation::Delete { pool: id } | Operation::Assign { pool: id, .. },
            Outcome::Refused { refusal: Refusal::HasDomain { domain }, .. },
        ) => active(id).is_some_and(|pool| pool.domain.as_ref() == Some(domain)),
        (
            Operation::Assign { pool: id, prefix },
            Outcome::Refused { refusal: Refusal::DomainTaken, .. },
        ) => {
            active(id).is_some_and(|pool| pool.domain.is_none())
                && states.owner(prefix, place).is_some()
        }
        (
            Operation::Release { pool: id, prefix },
            Outcome::Refused { refusal: Refusal::DomainNotFound, .. },
        ) => active(id).is_none_or(|pool| pool.domain.as_ref() != Some(prefix)),
        (_, _) => false,
    }
}
