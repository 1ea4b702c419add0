//! A batch while it is put together: the events decided so far, and the state
//! that they lead to. Nothing of it has happened before it is appended.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::{
    event_log::Position,
    proto::{self, UserPool, UserPoolEvent},
    user_pool::{Checked, Command, Event, Facts, Target, UserPoolId, UserPoolState, decide},
};

use super::{
    Context, ExecuteError, LoadError, Outcome, ReadModel, Settings, Source, codec,
    stored::StoredPool,
};

/// How often an ID is drawn for a new user pool until one is free.
const ID_DRAWS: usize = 8;

/// What a command comes to.
pub(super) enum Decision {
    /// An answer, to be given once the batch is durable.
    Answer(Result<Box<Outcome>, ExecuteError>),
    /// The same for a retry of a command that is on its way.
    Repeated(Box<Outcome>),
    /// Whatever the event at this position, recorded long ago, led to.
    Recorded {
        /// Where the event is.
        position: i64,
    },
}

/// What was decided so far.
#[derive(Debug, Default)]
pub(super) struct Batch {
    pub(super) events: Vec<UserPoolEvent>,
    pub(super) pools: HashMap<UserPoolId, StoredPool>,
    domains: HashMap<String, Option<UserPoolId>>,
    requests: HashMap<Uuid, ([u8; 32], Outcome)>,
    created: u64,
    deleted: u64,
}

/// Decides commands, and puts what they lead to in a batch.
pub(super) struct Deciding<'a> {
    pub(super) read_model: &'a ReadModel,
    pub(super) source: &'a dyn Source,
    pub(super) settings: &'a Settings,
    pub(super) batch: &'a mut Batch,
    /// Where the batch begins.
    pub(super) head: Position,
    /// The time of the last event, which the next one is not before.
    pub(super) last_time: &'a mut DateTime<Utc>,
}

impl Deciding<'_> {
    /// Decides one command on the state that the ones before it lead to.
    pub(super) fn decide(&mut self, checked: Checked, context: &Context) -> Decision {
        let decided = self.try_decide(checked, context);
        decided.unwrap_or_else(|error| Decision::Answer(Err(error)))
    }

    fn try_decide(
        &mut self,
        checked: Checked,
        context: &Context,
    ) -> Result<Decision, ExecuteError> {
        let Checked { target, command, options } = checked;
        if let Some(request_id) = options.request_id
            && let Some(decided) = self.decided_before(request_id, context.fingerprint)?
        {
            return Ok(decided);
        }
        let (user_pool_id, pool) = self.load(target)?;
        let facts = Facts {
            user_pool_id,
            revision: pool.revision,
            domain_owner: self.domain_owner(&command)?,
            user_pool_count: self.user_pool_count()?,
            limits: self.settings.limits,
        };
        let decided = decide(&pool.state(), &facts, options.expected_revision, command)?;

        let at = self.source.now().max(*self.last_time);
        let mut after = pool;
        let mut events = Vec::new();
        for payload in decided {
            let event =
                self.envelope(&facts.user_pool_id, &after, payload.clone(), at, events.len());
            after = after.after(payload, event.position, proto::timestamp(at));
            let request_id = options.request_id.map(|id| id.to_string());
            let request_fingerprint = request_id.is_some().then(|| context.fingerprint.to_vec());
            events.push(UserPoolEvent {
                actor: Some(context.actor.clone()),
                request_id,
                request_fingerprint,
                correlation_id: context.correlation_id.clone(),
                traceparent: context.traceparent.clone(),
                ..event
            });
        }
        let outcome = Outcome {
            user_pool: UserPool::from(after.clone()),
            revision: after.revision,
            position: after.position,
        };
        if options.validate_only {
            return Ok(Decision::Answer(Ok(Box::new(outcome))));
        }
        // From here on nothing can fail: the batch changes as a whole.
        if let (Some(request_id), false) = (options.request_id, events.is_empty()) {
            self.batch.requests.insert(request_id, (context.fingerprint, outcome.clone()));
        }
        for event in &events {
            self.note(&facts.user_pool_id, event.payload.as_ref());
        }
        *self.last_time = at;
        self.batch.pools.insert(facts.user_pool_id, after);
        self.batch.events.extend(events);
        Ok(Decision::Answer(Ok(Box::new(outcome))))
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
        let ahead =
            i64::try_from(self.batch.events.len().saturating_add(index)).unwrap_or(i64::MAX);
        UserPoolEvent {
            position: self.head.next().to_int().saturating_add(ahead),
            user_pool_id: id.to_string(),
            revision: pool.revision.saturating_add(1),
            event_id: self.source.uuid().to_string(),
            r#type: codec::event_type(&payload).into(),
            record_time: Some(proto::timestamp(at)),
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
        let reused = || ExecuteError::RequestIdReused { request_id };
        if let Some((known, outcome)) = self.batch.requests.get(&request_id) {
            let same = *known == fingerprint;
            return if same {
                Ok(Some(Decision::Repeated(Box::new(outcome.clone()))))
            } else {
                Err(reused())
            };
        }
        match self.read_model.request(request_id).map_err(LoadError::from)? {
            None => Ok(None),
            Some(known) if known.fingerprint == fingerprint => {
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
                for _ in 0..ID_DRAWS {
                    let suffix = self.source.user_pool_suffix();
                    let id = UserPoolId::new(format!("{}_{suffix}", self.settings.region));
                    let pool = self.pool(&id)?;
                    if pool.state() == UserPoolState::Absent {
                        return Ok((id, pool));
                    }
                }
                tracing::error!("no free user pool ID was drawn; is the randomness broken?");
                Err(ExecuteError::Fault)
            }
        }
    }

    fn pool(&self, id: &UserPoolId) -> Result<StoredPool, LoadError> {
        match self.batch.pools.get(id) {
            Some(pool) => Ok(pool.clone()),
            None => Ok(self.read_model.pool(id)?.unwrap_or_default()),
        }
    }

    fn domain_owner(&self, command: &Command) -> Result<Option<UserPoolId>, LoadError> {
        let prefix = match command {
            Command::CreateDomain(prefix) | Command::DeleteDomain(prefix) => prefix.as_str(),
            Command::Create(_) | Command::Update(_) | Command::Delete => return Ok(None),
        };
        match self.batch.domains.get(prefix) {
            Some(owner) => Ok(owner.clone()),
            None => Ok(self.read_model.domain(prefix)?.map(|domain| domain.user_pool_id)),
        }
    }

    fn user_pool_count(&self) -> Result<u64, LoadError> {
        let projected = self.read_model.user_pool_count()?;
        let Batch { created, deleted, .. } = *self.batch;
        Ok(projected.saturating_add(created).saturating_sub(deleted))
    }

    fn note(&mut self, id: &UserPoolId, event: Option<&Event>) {
        match event {
            Some(Event::UserPoolCreated(_)) => self.batch.created += 1,
            Some(Event::UserPoolDeleted(_)) => self.batch.deleted += 1,
            Some(Event::UserPoolDomainCreated(created)) => {
                self.batch.domains.insert(created.domain.clone(), Some(id.clone()));
            }
            Some(Event::UserPoolDomainDeleted(deleted)) => {
                self.batch.domains.insert(deleted.domain.clone(), None);
            }
            Some(Event::UserPoolUpdated(_) | Event::UserPoolStatusChanged(_)) | None => (),
        }
    }
}
