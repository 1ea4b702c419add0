//! Whether a history is linearizable, with the log as the order of the changes.
//!
//! The log says in which order the changes happened, so nothing need be searched:
//! each change must lie between its request and its answer, and each read must find
//! a place among them that explains it, not before what any read that ended earlier
//! has seen. Taking the earliest such place for each read leaves most room for
//! those after it, so if that fails, everything does.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet, BinaryHeap},
};

use super::history::{Asked, Entry, Moment, Objection, Recorded, Refusal, Told, What, pools};

/// A user pool after one of its events.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Pool {
    revision: i64,
    position: i64,
    value: u64,
    domain: Option<String>,
    deleted: bool,
}

/// Everything that ever was: for each user pool and prefix, what it was from which
/// position on.
#[derive(Debug, Default)]
struct Past {
    pools: BTreeMap<String, Vec<(i64, Pool)>>,
    owners: BTreeMap<String, Vec<(i64, Option<String>)>>,
}

/// Checks a history against the log that it led to.
pub(crate) fn check(history: &[Entry], log: &[Recorded]) -> Result<(), Objection> {
    let past = Past::of(log)?;
    let changes: BTreeMap<u64, &Entry> =
        history.iter().filter(|entry| entry.asked.changes()).map(|e| (e.number, e)).collect();
    attributed(log, &changes)?;
    acknowledged(log, &changes)?;
    in_order(log, &changes)?;
    explained(history, log, &changes, &past)
}

impl Asked {
    const fn changes(&self) -> bool {
        match self {
            Self::Create
            | Self::Update { .. }
            | Self::Delete { .. }
            | Self::Assign { .. }
            | Self::Release { .. } => true,
            Self::Describe { .. }
            | Self::DescribeDomain { .. }
            | Self::ListPools
            | Self::ListEvents => false,
        }
    }

    /// Whether this is what an event was recorded for.
    fn led_to(&self, number: u64, event: &Recorded) -> bool {
        match (self, &event.what) {
            (Self::Create, What::Created { value }) => *value == number,
            (Self::Update { pool, expected_revision }, What::Updated { value }) => {
                let fits = expected_revision.is_none_or(|expected| expected + 1 == event.revision);
                *pool == event.pool && *value == number && fits
            }
            (Self::Delete { pool }, What::Deleted) => *pool == event.pool,
            (Self::Assign { pool, prefix: asked }, What::Assigned { prefix })
            | (Self::Release { pool, prefix: asked }, What::Released { prefix }) => {
                *pool == event.pool && asked == prefix
            }
            (_, _) => false,
        }
    }
}

impl Past {
    /// The past that the log tells, if it is one.
    fn of(log: &[Recorded]) -> Result<Self, Objection> {
        let mut past = Self::default();
        for (event, position) in log.iter().zip(1..) {
            if event.position != position {
                return Err(Objection::Gap { position });
            }
            past.record(event).map_err(|why| Objection::Impossible { position, why })?;
        }
        Ok(past)
    }

    fn record(&mut self, event: &Recorded) -> Result<(), &'static str> {
        let Recorded { position, pool: id, revision, number: _, what } = event;
        let before = self.pool(id, *position).cloned();
        if before.as_ref().map_or(0, |pool| pool.revision) + 1 != *revision {
            return Err("a revision was skipped or given twice");
        }
        let after = match (before, what) {
            (None, What::Created { value }) => Pool {
                revision: 1,
                position: *position,
                value: *value,
                domain: None,
                deleted: false,
            },
            (None, _) => return Err("the user pool was never created"),
            (Some(_), What::Created { .. }) => return Err("the user pool was created twice"),
            (Some(pool), _) if pool.deleted => return Err("the user pool was deleted"),
            (Some(pool), what) => {
                let pool = Pool { revision: *revision, position: *position, ..pool };
                self.after(pool, id, *position, what)?
            }
        };
        self.pools.entry(id.clone()).or_default().push((*position, after));
        Ok(())
    }

    fn after(
        &mut self,
        pool: Pool,
        id: &str,
        position: i64,
        what: &What,
    ) -> Result<Pool, &'static str> {
        match what {
            What::Created { value } | What::Updated { value } => Ok(Pool { value: *value, ..pool }),
            What::Deleted if pool.domain.is_some() => Err("the user pool has a domain"),
            What::Deleted => Ok(Pool { deleted: true, ..pool }),
            What::Assigned { prefix } => {
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
            What::Released { prefix } => {
                if pool.domain.as_ref() != Some(prefix) {
                    return Err("the user pool does not have that domain");
                }
                self.owners.entry(prefix.clone()).or_default().push((position, None));
                Ok(Pool { domain: None, ..pool })
            }
        }
    }

    /// The user pool as it was after this position.
    fn pool(&self, id: &str, position: i64) -> Option<&Pool> {
        at(self.pools.get(id)?, position)
    }

    fn owner(&self, prefix: &str, position: i64) -> Option<&str> {
        at(self.owners.get(prefix)?, position)?.as_deref()
    }
}

fn at<T>(timeline: &[(i64, T)], position: i64) -> Option<&T> {
    let until = timeline.partition_point(|(from, _)| *from <= position);
    Some(&timeline.get(until.checked_sub(1)?)?.1)
}

/// Every event is what somebody asked for, and nobody got twice what they asked
/// for once.
fn attributed(log: &[Recorded], changes: &BTreeMap<u64, &Entry>) -> Result<(), Objection> {
    let mut seen = BTreeSet::new();
    for event in log {
        let asked = changes.get(&event.number).map(|entry| &entry.asked);
        if !asked.is_some_and(|asked| asked.led_to(event.number, event)) {
            return Err(Objection::Invented { position: event.position });
        }
        if !seen.insert(event.number) {
            return Err(Objection::Twice { number: event.number });
        }
    }
    Ok(())
}

/// What was acknowledged is where the answer said, and what was denied is nowhere.
fn acknowledged(log: &[Recorded], changes: &BTreeMap<u64, &Entry>) -> Result<(), Objection> {
    let recorded: BTreeMap<u64, &Recorded> =
        log.iter().map(|event| (event.number, event)).collect();
    for (number, entry) in changes {
        let (number, event) = (*number, recorded.get(number));
        match (&entry.told, event) {
            (Told::Recorded { .. }, None) => return Err(Objection::Lost { number }),
            (Told::Recorded { revision, position }, Some(event))
                if (event.revision, event.position) != (*revision, *position) =>
            {
                return Err(Objection::Elsewhere { number, position: event.position });
            }
            (Told::NotRecorded | Told::Refused { tried_before: false, .. }, Some(_)) => {
                return Err(Objection::RecordedAllTheSame { number });
            }
            (_, _) => (),
        }
    }
    Ok(())
}

/// When a change was answered with what is recorded; other changes may take effect
/// at any time after they were asked for.
fn answered(entry: &Entry) -> Moment {
    if matches!(entry.told, Told::Recorded { .. }) { entry.returned } else { Moment::MAX }
}

/// No change lies before one that had been acknowledged when it was asked for.
fn in_order(log: &[Recorded], changes: &BTreeMap<u64, &Entry>) -> Result<(), Objection> {
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

/// Every read and every refusal has a place in the log that explains it.
fn explained(
    history: &[Entry],
    log: &[Recorded],
    changes: &BTreeMap<u64, &Entry>,
    past: &Past,
) -> Result<(), Objection> {
    // What must have been visible from which moment on: answers, by when they came.
    let mut floors: Vec<(Moment, i64)> = log
        .iter()
        .map(|event| (answered(changes[&event.number]), event.position))
        .filter(|(answered, _)| *answered < Moment::MAX)
        .collect();
    floors.sort_unstable();
    raise(&mut floors);
    // What cannot have happened before which moment: the log only grows, so an
    // event is not there before those before it were asked for.
    let mut asked = 0;
    let earliest: Vec<Moment> = log
        .iter()
        .map(|event| {
            asked = changes[&event.number].invoked.max(asked);
            asked
        })
        .collect();

    let mut reads: Vec<&Entry> = history
        .iter()
        .filter(|entry| {
            !matches!(entry.told, Told::Recorded { .. } | Told::Nothing | Told::NotRecorded)
        })
        .collect();
    reads.sort_unstable_by_key(|entry| entry.invoked);
    // Places that were taken, by when the read ended.
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
        let place = place(read, past, log, from, to);
        let place = place.ok_or(Objection::Unexplained { number: read.number, from, to })?;
        ended.push(Reverse((read.returned, place)));
    }
    Ok(())
}

/// Makes each place at least as high as those before it.
fn raise(floors: &mut [(Moment, i64)]) {
    let mut highest = 0;
    for (_, place) in floors {
        highest = highest.max(*place);
        *place = highest;
    }
}

/// The first place in `from..=to` at which the answer is true.
fn place(read: &Entry, past: &Past, log: &[Recorded], from: i64, to: i64) -> Option<i64> {
    match &read.told {
        Told::Head(head) => (from..=to).contains(head).then_some(*head),
        // A list is read item by item, and so is its truth.
        Told::Pools(listed) => {
            let listed: BTreeMap<&str, i64> =
                listed.iter().map(|(id, revision)| (id.as_str(), *revision)).collect();
            let known = pools(log);
            if listed.keys().any(|id| !known.contains(id)) {
                return None;
            }
            let each = known.into_iter().all(|id| {
                (from..=to).any(|place| {
                    let pool = past.pool(id, place).filter(|pool| !pool.deleted);
                    pool.map(|pool| pool.revision) == listed.get(id).copied()
                })
            });
            each.then_some(from)
        }
        Told::Recorded { .. }
        | Told::Nothing
        | Told::NotRecorded
        | Told::Refused { .. }
        | Told::Pool(_)
        | Told::Owner(_) => (from..=to).find(|place| explains(read, past, *place)),
    }
}

/// Whether the answer is true at a place.
fn explains(read: &Entry, past: &Past, place: i64) -> bool {
    let pool = |id: &str| past.pool(id, place);
    let active = |id: &str| pool(id).filter(|pool| !pool.deleted);
    match (&read.asked, &read.told) {
        (Asked::Describe { pool: id }, Told::Pool(shown)) => active(id).is_some_and(|pool| {
            (pool.revision, pool.position, pool.value)
                == (shown.revision, shown.position, shown.value)
                && pool.domain == shown.domain
        }),
        (Asked::DescribeDomain { prefix }, Told::Owner(owner)) => {
            past.owner(prefix, place) == owner.as_deref()
        }
        (
            Asked::Describe { pool: id }
            | Asked::Update { pool: id, .. }
            | Asked::Delete { pool: id }
            | Asked::Assign { pool: id, .. },
            Told::Refused { refusal: Refusal::NotFound, .. },
        ) => pool(id).is_none(),
        (
            Asked::Describe { pool: id }
            | Asked::Update { pool: id, .. }
            | Asked::Delete { pool: id }
            | Asked::Assign { pool: id, .. },
            Told::Refused { refusal: Refusal::Deleted { revision }, .. },
        ) => pool(id).is_some_and(|pool| pool.deleted && pool.revision == *revision),
        (
            Asked::Update { pool: id, expected_revision },
            Told::Refused { refusal: Refusal::Revision { current }, .. },
        ) => {
            *expected_revision != Some(*current)
                && active(id).is_some_and(|pool| pool.revision == *current)
        }
        (
            Asked::Delete { pool: id } | Asked::Assign { pool: id, .. },
            Told::Refused { refusal: Refusal::HasDomain { domain }, .. },
        ) => active(id).is_some_and(|pool| pool.domain.as_ref() == Some(domain)),
        (
            Asked::Assign { pool: id, prefix },
            Told::Refused { refusal: Refusal::DomainTaken, .. },
        ) => {
            active(id).is_some_and(|pool| pool.domain.is_none())
                && past.owner(prefix, place).is_some()
        }
        (
            Asked::Release { pool: id, prefix },
            Told::Refused { refusal: Refusal::DomainNotFound, .. },
        ) => active(id).is_none_or(|pool| pool.domain.as_ref() != Some(prefix)),
        (_, _) => false,
    }
}
