//! Decides commands into a batch, which holds the events so far and the state after them.
//! Nothing takes effect before the batch is appended.

use std::collections::HashMap;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::{
    audit::codec,
    event_log::Head,
    proto::{self, UserPoolEvent},
    user_pool::{
        CheckedCommand, Command, DomainOwners, Event, Facts, Target, UserPoolId, UserPoolState,
        decide,
    },
};

use super::{
    Context, ExecuteError, LoadError, Outcome, ReadModel, Settings, Source,
    clock::Clock,
    read_model::{Changes, IndexChange},
    stored::{EncodedPool, StoredPool},
};

#[cfg(sim_bugs)]
use super::planted_bugs::{Branch, PlantedBug};

/// How many IDs are generated for a new user pool until one is free.
const MAX_ID_ATTEMPTS: usize = 8;

/// The result of deciding a command.
pub(super) enum Decision {
    /// The answer, to be sent once the batch is durable.
    Answer(Result<Outcome, ExecuteError>),
    /// The answer to a retry of a command in the same batch.
    Repeated(Outcome),
    /// A retry of a command that was recorded before: the answer is in its event.
    Recorded {
        /// The position of the event.
        position: i64,
    },
}

/// Decided events that are not appended yet.
#[derive(Debug)]
pub(super) struct Batch {
    /// The head of the log that it is appended to.
    pub(super) expected: Head,
    /// The bodies of its records.
    pub(super) bodies: Vec<Bytes>,
    /// Their events, without the payloads, which are no longer needed.
    pub(super) events: Vec<UserPoolEvent>,
    /// The changes to the read model that the events cause.
    pub(super) changes: Changes,
    requests: HashMap<Uuid, ([u8; 32], Outcome)>,
}

impl Batch {
    /// An empty batch after the last projected record.
    pub(super) fn new(changes: Changes) -> Self {
        let (bodies, events, requests) = Default::default();
        Self { expected: changes.head(), bodies, events, changes, requests }
    }
}

/// Decides commands and adds their events to a batch.
pub(super) struct Decider<'a> {
    pub(super) read_model: &'a ReadModel,
    pub(super) source: &'a dyn Source,
    pub(super) clock: &'a Clock,
    pub(super) settings: &'a Settings,
    /// The time of the clock that all writers share, if there is one.
    pub(super) shared_time: Option<DateTime<Utc>>,
    pub(super) batch: Batch,
}

impl Decider<'_> {
    /// Decides one command on the state after the commands before it.
    pub(super) fn decide(&mut self, checked: CheckedCommand, context: &Context) -> Decision {
        let decided = self.try_decide(checked, context);
        decided.unwrap_or_else(|error| Decision::Answer(Err(error)))
    }

    fn try_decide(
        &mut self,
        checked: CheckedCommand,
        context: &Context,
    ) -> Result<Decision, ExecuteError> {
        let CheckedCommand { target, command, options } = checked;
        if let Some(request_id) = options.request_id
            && let Some(decided) = self.decided_before(request_id, context.fingerprint)?
        {
            return Ok(decided);
        }
        let (user_pool_id, pool) = self.load(target)?;
        let facts = Facts {
            user_pool_id,
            revision: pool.revision,
            domain_owners: self.domain_owners(&command)?,
            user_pool_count: self.batch.changes.user_pool_count(),
            limits: self.settings.limits,
        };
        let decided = decide(&pool.state(), &facts, options.expected_revision, command)?;

        let Facts { user_pool_id: id, .. } = facts;
        let at = self.clock.time(self.batch.changes.record_time(), self.shared_time)?;
        let mut new_pool = pool;
        let mut events = Vec::with_capacity(decided.len());
        for payload in decided {
            let request_id = options.request_id.map(|id| id.to_string());
            let request_fingerprint = request_id.is_some().then(|| context.fingerprint.to_vec());
            let mut event = UserPoolEvent {
                actor: Some(context.actor.clone()),
                request_id,
                request_fingerprint,
                correlation_id: context.correlation_id.clone(),
                traceparent: context.traceparent.clone(),
                ..self.envelope(&id, &new_pool, payload, at, events.len())
            };
            let body = codec::encode(&event);
            let Some(payload) = event.payload.take() else { continue };
            let index_change = IndexChange::by(&payload);
            new_pool = new_pool.apply(payload, event.position, proto::to_timestamp(at));
            events.push((event, body, index_change));
        }
        // Encoded once, for the answer and for the read model.
        let encoded = EncodedPool::from(&new_pool);
        let outcome = Outcome::new(encoded.clone(), !events.is_empty());
        if options.validate_only || events.is_empty() {
            return Ok(Decision::Answer(Ok(outcome)));
        }
        // Nothing below can fail, so a command changes the batch completely or not at all.
        if let Some(request_id) = options.request_id {
            self.batch.requests.insert(request_id, (context.fingerprint, outcome.clone()));
        }
        for (event, body, index_change) in events {
            self.batch.changes.add(&event, index_change, new_pool.created_position);
            self.batch.bodies.push(body);
            self.batch.events.push(event);
        }
        self.batch.changes.put(id, encoded);
        Ok(Decision::Answer(Ok(outcome)))
    }

    /// The event that follows those of this batch and `index` more.
    fn envelope(
        &self,
        id: &UserPoolId,
        pool: &StoredPool,
        payload: Event,
        at: DateTime<Utc>,
        index: usize,
    ) -> UserPoolEvent {
        let before = i64::try_from(self.batch.changes.position()).unwrap_or(i64::MAX);
        let place = i64::try_from(index).unwrap_or(i64::MAX).saturating_add(1);
        UserPoolEvent {
            position: before.saturating_add(place),
            user_pool_id: id.to_string(),
            revision: pool.revision.saturating_add(1),
            event_id: self.source.uuid().to_string(),
            r#type: codec::event_type(&payload).into(),
            record_time: Some(proto::to_timestamp(at)),
            schema_version: codec::SCHEMA_VERSION,
            payload: Some(payload),
            ..UserPoolEvent::default()
        }
    }

    fn decided_before(
        &self,
        request_id: Uuid,
        fingerprint: [u8; 32],
    ) -> Result<Option<Decision>, ExecuteError> {
        #[cfg(sim_bugs)]
        if PlantedBug::RequestIdIgnored.is_planted() {
            return Ok(None);
        }
        let reused = || ExecuteError::RequestIdReused { request_id };
        if let Some((known, outcome)) = self.batch.requests.get(&request_id) {
            let same = *known == fingerprint;
            #[cfg(sim_bugs)]
            Branch::RepeatedFromBatch.reach();
            return if same {
                Ok(Some(Decision::Repeated(outcome.clone())))
            } else {
                Err(reused())
            };
        }
        match self.read_model.request(request_id).map_err(LoadError::from)? {
            None => Ok(None),
            Some(known) if known.fingerprint == fingerprint => {
                #[cfg(sim_bugs)]
                Branch::RepeatedFromLog.reach();
                Ok(Some(Decision::Recorded { position: known.position }))
            }
            Some(_) => Err(reused()),
        }
    }

    fn load(&self, target: Target) -> Result<(UserPoolId, StoredPool), ExecuteError> {
        match target {
            Target::Existing(id) => {
                let pool = self.pool(&id)?;
                Ok((id, pool))
            }
            Target::New => {
                for _ in 0..MAX_ID_ATTEMPTS {
                    let suffix = self.source.user_pool_suffix();
                    let id = UserPoolId::from_trusted(format!("{}_{suffix}", self.settings.region));
                    let pool = self.pool(&id)?;
                    if pool.state() == UserPoolState::Absent {
                        return Ok((id, pool));
                    }
                }
                tracing::error!(
                    "cannot find a free user pool ID; the source of randomness may be broken"
                );
                Err(ExecuteError::Fault)
            }
        }
    }

    fn pool(&self, id: &UserPoolId) -> Result<StoredPool, LoadError> {
        Ok(self.batch.changes.pool(self.read_model, id)?)
    }

    fn domain_owners(&self, command: &Command) -> Result<DomainOwners, LoadError> {
        Ok(self.batch.changes.owners(self.read_model, command.assigned_domains())?)
    }
}
