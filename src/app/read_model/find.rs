//! Lists of user pools: all of them, or those that meet a filter.
//!
//! A list reads the rows in which user pools can be found that meet its filter, in their order.
//! A row alone does not put a user pool in the list: its verified state must meet the filter. The
//! place of a user pool in a list is the key of its row without the prefix.

use std::collections::BTreeMap;

use bytes::Bytes;
use prost::Message as _;
use tokio::task;

use crate::{
    app::stored::{StoredDomain, StoredPool},
    proto::DeletedUserPools,
    user_pool::PoolFilter,
};

use super::{
    Damage, ReadModel, ReadModelError,
    index::{Index, sum_of},
    key,
};

/// How many user pools a page examines at most, so that a filter that few meet does not read
/// all of them in one call.
const MAX_EXAMINED: usize = 10_000;
/// How many user pools are examined at a time, so that a runtime thread is blocked for about a
/// millisecond.
const MAX_STEP: usize = 64;
/// Sorts after every place with the same prefix.
const AFTER_PREFIX: [u8; 9] = [0xff; 9];

/// A page of user pools.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct PoolPage {
    /// The user pools, in the order of the list.
    pub pools: Vec<StoredPool>,
    /// The place after which the next page begins; `None` on the last page.
    pub next: Option<Vec<u8>>,
}

/// The rows in which user pools can be found that meet a filter.
#[derive(Debug)]
struct Rows {
    /// The first bytes of their keys. Rows with different prefixes are merged by their places.
    key_prefixes: &'static [u8],
    /// The first place.
    first: Vec<u8>,
    /// The last place.
    last: Vec<u8>,
}

/// A row, and the user pool that it finds.
struct Candidate {
    place: Vec<u8>,
    id: String,
    /// The position of its creation, if the row has it.
    created: Option<u64>,
    /// The stored state, if it was read together with those of other rows.
    stored: Option<Bytes>,
}

/// What a step through the rows has found.
struct Step {
    pools: Vec<(Vec<u8>, StoredPool)>,
    examined: usize,
    /// The place of the last row. `None` at the end.
    last: Option<Vec<u8>>,
}

impl Rows {
    fn of(filter: &PoolFilter) -> Self {
        let conditions = filter.conditions();
        let deleted = conditions.deleted();
        let by = |excluded: &'static [u8], only, included| match deleted {
            DeletedUserPools::Unspecified | DeletedUserPools::Excluded => excluded,
            DeletedUserPools::Only => only,
            DeletedUserPools::Included => included,
        };
        let with_prefix = |key_prefixes, prefix: &str| Self {
            key_prefixes,
            first: prefix.into(),
            last: [prefix.as_bytes(), &AFTER_PREFIX].concat(),
        };
        if let Some(domain) = &conditions.domain {
            let place = domain.as_bytes().to_vec();
            return Self { key_prefixes: b"d", first: place.clone(), last: place };
        }
        if let Some(prefix) = &conditions.domain_prefix {
            return with_prefix(b"d", prefix);
        }
        if let Some(prefix) = &conditions.name_prefix {
            return with_prefix(by(b"n", b"s", b"ns"), prefix);
        }
        if conditions.no_domain {
            return with_prefix(by(b"u", b"g", b"ug"), "");
        }
        with_prefix(by(b"e", b"g", b"eg"), "")
    }
}

impl ReadModel {
    /// The page of the user pools that meet `filter` and come after `place`.
    pub(in crate::app) async fn find(
        &self,
        filter: &PoolFilter,
        place: Option<Vec<u8>>,
        limit: usize,
    ) -> Result<PoolPage, ReadModelError> {
        let rows = Rows::of(filter);
        let (mut found, mut place, mut examined) = (Vec::new(), place, 0_usize);
        loop {
            // One more than the page holds, to know whether there is a next page.
            let missing = limit.saturating_add(1).saturating_sub(found.len());
            // If the first rows did not suffice, the filter excludes many.
            let count = if examined == 0 { missing.min(MAX_STEP) } else { MAX_STEP };
            let count = count.min(MAX_EXAMINED.saturating_sub(examined));
            let step = self.checked(|| self.step(&rows, filter, place.as_deref(), count))?;
            examined = examined.saturating_add(step.examined);
            found.extend(step.pools);
            place = step.last;
            if found.len() > limit {
                found.truncate(limit);
                place = found.last().map(|(place, _)| place.clone());
                break;
            }
            if place.is_none() || examined >= MAX_EXAMINED {
                break;
            }
            task::yield_now().await;
        }
        Ok(PoolPage { pools: found.into_iter().map(|(_, pool)| pool).collect(), next: place })
    }

    /// Examines the user pools of at most `count` rows after `place`.
    fn step(
        &self,
        rows: &Rows,
        filter: &PoolFilter,
        place: Option<&[u8]>,
        count: usize,
    ) -> Result<Step, ReadModelError> {
        let candidates = self.candidates(rows, place, count)?;
        let examined = candidates.len();
        let last = candidates.last().filter(|_| examined == count);
        let last = last.map(|candidate| candidate.place.clone());
        let mut pools = Vec::new();
        for candidate in candidates {
            let pool = self.candidate_pool(&candidate)?;
            let place = candidate.place;
            let is_listed = pool.user_pool.as_ref().is_some_and(|settings| {
                let first_domain = filter.first_domain(settings);
                filter.matches(settings, pool.deleted)
                    && first_domain.is_none_or(|domain| domain.as_bytes() == place)
            });
            if is_listed {
                pools.push((place, pool));
            }
        }
        Ok(Step { pools, examined, last })
    }

    /// The first `count` rows after `place`.
    fn candidates(
        &self,
        rows: &Rows,
        place: Option<&[u8]>,
        count: usize,
    ) -> Result<Vec<Candidate>, ReadModelError> {
        // No place sorts between one and the same with a zero byte appended.
        let after = place.map(|place| [place, &[0]].concat()).unwrap_or_default();
        let first = after.max(rows.first.clone());
        let (mut candidates, mut pages) = (Vec::new(), Vec::new());
        {
            // No batch is applied meanwhile: a user pool that is deleted or restored moves from
            // one row to another, and must be found in exactly one of them.
            let _index = self.index();
            for prefix in rows.key_prefixes {
                let key = |place: &[u8]| [&[*prefix], place].concat();
                let page = self.range(key(&first)..=key(&rows.last), count)?;
                for row in &page {
                    candidates.push(self.candidate(*prefix, row)?);
                }
                pages.push((*prefix, page));
            }
        }
        if rows.key_prefixes.len() > 1 {
            candidates.sort_by(|one, other| one.place.cmp(&other.place));
            candidates.truncate(count);
        }
        let mut states = BTreeMap::new();
        for (prefix, page) in &pages {
            states.extend(self.states_of(*prefix, page)?);
        }
        for candidate in &mut candidates {
            candidate.stored = candidate.created.and_then(|created| states.remove(&created));
        }
        Ok(candidates)
    }

    /// The user pool that a row finds. Its state is not read.
    fn candidate(
        &self,
        prefix: u8,
        (key, value): &(Bytes, Bytes),
    ) -> Result<Candidate, ReadModelError> {
        let place = key.get(1..).unwrap_or_default().to_vec();
        let created = (prefix != b'd').then(|| key::position(key));
        let id = match created.filter(|_| value.is_empty()) {
            Some(created) => self.stored_entry(created)?.unwrap_or_default().user_pool_id,
            None => StoredDomain::decode(value.clone())?.user_pool_id,
        };
        Ok(Candidate { place, id, created, stored: None })
    }

    /// The stored states of a range of entries, by the position of the creation. None for other
    /// rows, which are not in the order of states.
    fn states_of(
        &self,
        prefix: u8,
        page: &[(Bytes, Bytes)],
    ) -> Result<BTreeMap<u64, Bytes>, ReadModelError> {
        let is_deleted = match prefix {
            b'e' => false,
            b'g' => true,
            _ => return Ok(BTreeMap::new()),
        };
        let (Some((first, _)), Some((last, _))) = (page.first(), page.last()) else {
            return Ok(BTreeMap::new());
        };
        let state = |entry: &[u8]| key::entry_and_state(is_deleted, key::position(entry)).1;
        let states = self.range(state(first)..=state(last), usize::MAX)?;
        Ok(states.into_iter().map(|(key, stored)| (key::position(&key), stored)).collect())
    }

    /// The verified state of a user pool, which may have been read from a range.
    fn candidate_pool(&self, candidate: &Candidate) -> Result<StoredPool, ReadModelError> {
        let Candidate { id, created, stored, .. } = candidate;
        let entry = |index: &Index| {
            index.get(id).filter(|entry| created.is_none_or(|created| created == entry.created))
        };
        let sum = entry(&self.index()).map(|entry| entry.sum);
        let stored = match stored.as_ref().filter(|stored| Some(sum_of(stored)) == sum) {
            Some(stored) => Some(stored.clone()),
            // Not read yet, or a batch may have been applied since.
            None => self.state(entry)?,
        };
        let created = created.unwrap_or_default();
        Ok(StoredPool::decode(stored.ok_or(Damage::State { created })?)?)
    }
}
