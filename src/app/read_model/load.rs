//! Loading: how a new read model gets the state after many events, faster than by applying
//! them batch by batch.
//!
//! The states of new user pools have ascending keys, so the store keeps them as they are
//! written once. All else is kept until it is much, because the store merges it with what it
//! has.

use super::{Changes, ReadModel, ReadModelError};

impl ReadModel {
    /// Writes changes if they have more than about `batch` bytes, and returns those that are
    /// not written yet. Nothing is atomic, and the checkpoint is not written: the read model
    /// cannot be opened again before [`finish_loading`](Self::finish_loading).
    pub(in crate::app) fn load(
        &self,
        mut changes: Changes,
        batch: usize,
    ) -> Result<Changes, ReadModelError> {
        if changes.bytes() > batch {
            self.load_new_pools(&mut changes)?;
        }
        if changes.bytes() > batch { self.load_all(changes) } else { Ok(changes) }
    }

    /// Writes the rest of the changes, and the checkpoint.
    pub(in crate::app) fn finish_loading(
        &self,
        mut changes: Changes,
    ) -> Result<(), ReadModelError> {
        self.load_new_pools(&mut changes)?;
        let changes = self.load_all(changes)?;
        self.apply(changes)
    }

    fn load_new_pools(&self, changes: &mut Changes) -> Result<(), ReadModelError> {
        let (states, entries) = changes.take_new_pools(self)?;
        self.store.load(states).map_err(ReadModelError::Engine)?;
        self.index_mut().set_all(&entries);
        Ok(())
    }

    fn load_all(&self, changes: Changes) -> Result<Changes, ReadModelError> {
        let (writes, next) = changes.finish(self)?;
        self.store.load(writes).map_err(ReadModelError::Engine)?;
        let after = Changes::after(next.checkpoint.clone());
        self.index_mut().advance(next);
        Ok(after)
    }
}

#[cfg(test)]
mod tests {
    use std::mem;

    use futures_util::FutureExt as _;
    use proptest::{prelude::*, sample::Index};

    use crate::{
        app::StoredPool,
        proto::{
            DeletedUserPools, ListUserPoolsRequest, UserPool, UserPoolCreated, UserPoolDeleted,
            UserPoolDomainCreated, UserPoolDomainDeleted, UserPoolEvent, UserPoolFilter,
            UserPoolRestored, UserPoolUpdated,
        },
        user_pool::{Event, PoolPageRequest},
    };

    use super::*;

    const CACHE: u64 = 1024 * 1024;

    #[derive(Debug, Default)]
    struct Pool {
        id: String,
        revision: i64,
        domain: Option<String>,
        is_deleted: bool,
    }

    impl Pool {
        fn settings(&self, name: String) -> UserPool {
            let Self { id, domain, .. } = self;
            let (id, domain) = (Some(id.clone()), domain.clone());
            UserPool { id, name: Some(name), domain, ..UserPool::default() }
        }
    }

    /// The events of commands that are chosen at random.
    fn events(choices: &[(Index, Index)]) -> Vec<UserPoolEvent> {
        let mut pools: Vec<Pool> = Vec::new();
        let mut events = Vec::new();
        for (position, (kind, pool)) in (1..).zip(choices) {
            let name = format!("the name of position {position}");
            let kind = if pools.is_empty() { 0 } else { kind.index(5) };
            if kind == 0 {
                let id = format!("us-east-1_{position:09}");
                pools.push(Pool { id, ..Pool::default() });
            }
            let index = if kind == 0 { pools.len() - 1 } else { pool.index(pools.len()) };
            let pool = &mut pools[index];
            pool.revision += 1;
            // A deleted user pool can only be restored.
            let kind = if pool.is_deleted { 4 } else { kind };
            let payload = match (kind, pool.domain.clone()) {
                (0, _) => Event::UserPoolCreated(Box::new(UserPoolCreated {
                    user_pool: Some(pool.settings(name)),
                })),
                (1, Some(domain)) => {
                    pool.domain = None;
                    Event::UserPoolDomainDeleted(UserPoolDomainDeleted { domain })
                }
                (1, None) => {
                    let domain = format!("domain-{position}");
                    pool.domain = Some(domain.clone());
                    Event::UserPoolDomainCreated(UserPoolDomainCreated { domain, settings: None })
                }
                (2, None) => {
                    pool.is_deleted = true;
                    Event::UserPoolDeleted(UserPoolDeleted {})
                }
                (4, before) => {
                    pool.domain = (position % 2 == 0).then(|| format!("domain-{position}"));
                    let was_deleted = mem::take(&mut pool.is_deleted);
                    Event::UserPoolRestored(Box::new(UserPoolRestored {
                        restored_revision: 1,
                        was_deleted,
                        assigned_domains: pool.domain.clone().into_iter().collect(),
                        removed_domains: before.into_iter().collect(),
                        user_pool: Some(pool.settings(name)),
                        ..UserPoolRestored::default()
                    }))
                }
                _ => Event::UserPoolUpdated(Box::new(UserPoolUpdated {
                    user_pool: Some(pool.settings(name)),
                    ..UserPoolUpdated::default()
                })),
            };
            let Pool { id, revision, .. } = &*pool;
            events.push(UserPoolEvent {
                position,
                user_pool_id: id.clone(),
                revision: *revision,
                request_id: Some(uuid::Uuid::from_u128(position.unsigned_abs().into()).to_string()),
                hash: vec![7; 32],
                payload: Some(payload),
                ..UserPoolEvent::default()
            });
        }
        events
    }

    /// All user pools that meet a filter.
    fn found(model: &ReadModel, filter: &UserPoolFilter) -> Vec<StoredPool> {
        let request = ListUserPoolsRequest {
            max_results: Some(1),
            filter: Some(filter.clone()),
            ..ListUserPoolsRequest::default()
        };
        let filter = PoolPageRequest::parse(request).expect("a filter").filter;
        let page = model.find(&filter, None, 100).now_or_never().expect("few user pools");
        page.expect("readable").pools
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 40, ..ProptestConfig::default() })]

        /// Whatever the sizes of the batches.
        #[test]
        fn loading_has_the_same_result_as_applying(
            choices in prop::collection::vec((any::<Index>(), any::<Index>()), 0..80),
            batch in 0..3000_usize,
        ) {
            let events = events(&choices);
            let directory = tempfile::tempdir().expect("a directory");
            let loaded = ReadModel::create(directory.path(), CACHE).expect("created");
            let applied = ReadModel::in_memory();
            let mut changes = loaded.changes();
            for mut event in events.clone() {
                changes.project(&loaded, &mut event).expect("loaded");
                changes = loaded.load(changes, batch).expect("loaded");
            }
            loaded.finish_loading(changes).expect("loaded");
            for mut event in events {
                let mut changes = applied.changes();
                changes.project(&applied, &mut event).expect("applied");
                applied.apply(changes).expect("applied");
            }
            prop_assert_eq!(loaded.digest(), applied.digest());
            prop_assert_eq!(loaded.head(), applied.head());
            drop(loaded);

            let opened = ReadModel::open(directory.path(), CACHE).expect("opened");
            opened.check_states().expect("every state is there");
            for deleted in [DeletedUserPools::Excluded, DeletedUserPools::Only] {
                for filter in [
                    UserPoolFilter::default(),
                    UserPoolFilter { name_prefix: Some("the".to_owned()), ..Default::default() },
                    UserPoolFilter { no_domain: true, ..Default::default() },
                ] {
                    let filter = UserPoolFilter { deleted: deleted.into(), ..filter };
                    prop_assert_eq!(found(&opened, &filter), found(&applied, &filter));
                }
            }
            let counts = |model: &ReadModel| model.event_counts(0, u64::MAX, 100).expect("counts");
            prop_assert_eq!(counts(&opened), counts(&applied));
            prop_assert_eq!(opened.domains("", 100).expect("domains"), applied.domains("", 100).expect("domains"));
        }
    }
}
