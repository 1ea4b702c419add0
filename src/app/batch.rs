//! A batch while it is put together: the events decided so far, and the state
//! that they lead to. Nothing of it has happened before it is appended.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::{
    event_log::Position,
    proto::{self, UserPool, UserPoolEvent},
    user_pool::{
        Checked, Command, Event, Facts, Limits, Target, UserPoolId, UserPoolState, decide,
    },
};

use super::{
    Context, ExecuteError, LoadError, Outcome, ReadModel, Source, codec, stored::StoredPool,
};

/// How often an ID is drawn for a new user pool until one is free.
const ID_DRAWS: usize = 8;

/// What a command comes to.
pub(super) enum Decided {
    /// An answer, to be given once the batch is durable.
    Answer(Result<Box<Outcome>, ExecuteError>),
    /// Whatever the event at this position, recorded long ago, led to.
    Recorded {
        /// Where the event is.
        position: i64,
    },
}

/// The batch.
pub(super) struct Batch<'a> {
    read_model: &'a ReadModel,
    source: &'a dyn Source,
    region: &'a str,
    limits: Limits,
    head: Position,
    last_time: DateTime<Utc>,
    events: Vec<UserPoolEvent>,
    pools: HashMap<UserPoolId, StoredPool>,
    domains: HashMap<String, Option<UserPoolId>>,
    requests: HashMap<Uuid, ([u8; 32], Outcome)>,
    created: u64,
    deleted: u64,
}

impl<'a> Batch<'a> {
    pub(super) fn new(
        read_model: &'a ReadModel,
        source: &'a dyn Source,
        region: &'a str,
        limits: Limits,
        head: Position,
        last_time: DateTime<Utc>,
    ) -> Self {
        Self {
            read_model,
            source,
            region,
            limits,
            head,
            last_time,
            events: Vec::new(),
            pools: HashMap::new(),
            domains: HashMap::new(),
            requests: HashMap::new(),
            created: 0,
            deleted: 0,
        }
    }

    /// The events to append, and the time of the last one.
    pub(super) fn finish(self) -> (Vec<UserPoolEvent>, DateTime<Utc>) {
        (self.events, self.last_time)
    }

    /// Decides one command on the state that the ones before it lead to.
    pub(super) fn decide(&mut self, checked: Checked, context: &Context) -> Decided {
        let decided = self.try_decide(checked, context);
        decided.unwrap_or_else(|error| Decided::Answer(Err(error)))
    }

    fn try_decide(&mut self, checked: Checked, context: &Context) -> Result<Decided, ExecuteError> {
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
            limits: self.limits,
        };
        let decided = decide(&pool.state(), &facts, options.expected_revision, command)?;

        let at = self.source.now().max(self.last_time);
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
            return Ok(Decided::Answer(Ok(Box::new(outcome))));
        }
        // From here on nothing can fail: the batch changes as a whole.
        if let (Some(request_id), false) = (options.request_id, events.is_empty()) {
            self.requests.insert(request_id, (context.fingerprint, outcome.clone()));
        }
        for event in &events {
            self.note(&facts.user_pool_id, event.payload.as_ref());
        }
        self.last_time = at;
        self.pools.insert(facts.user_pool_id, after);
        self.events.extend(events);
        Ok(Decided::Answer(Ok(Box::new(outcome))))
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
        let ahead = i64::try_from(self.events.len().saturating_add(index)).unwrap_or(i64::MAX);
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
    ) -> Result<Option<Decided>, ExecuteError> {
        let reused = || ExecuteError::RequestIdReused { request_id };
        if let Some((known, outcome)) = self.requests.get(&request_id) {
            let same = *known == fingerprint;
            return if same {
                Ok(Some(Decided::Answer(Ok(Box::new(outcome.clone())))))
            } else {
                Err(reused())
            };
        }
        match self.read_model.request(request_id).map_err(LoadError::from)? {
            None => Ok(None),
            Some(known) if known.fingerprint == fingerprint => {
                Ok(Some(Decided::Recorded { position: known.position }))
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
                    let id = UserPoolId::new(format!("{}_{suffix}", self.region));
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
        match self.pools.get(id) {
            Some(pool) => Ok(pool.clone()),
            None => Ok(self.read_model.pool(id)?.unwrap_or_default()),
        }
    }

    fn domain_owner(&self, command: &Command) -> Result<Option<UserPoolId>, LoadError> {
        let prefix = match command {
            Command::CreateDomain(prefix) | Command::DeleteDomain(prefix) => prefix.as_str(),
            Command::Create(_) | Command::Update(_) | Command::Delete => return Ok(None),
        };
        match self.domains.get(prefix) {
            Some(owner) => Ok(owner.clone()),
            None => Ok(self.read_model.domain(prefix)?.map(|domain| domain.user_pool_id)),
        }
    }

    fn user_pool_count(&self) -> Result<u64, LoadError> {
        let before = self.read_model.user_pool_count()?;
        Ok(before.saturating_add(self.created).saturating_sub(self.deleted))
    }

    fn note(&mut self, id: &UserPoolId, event: Option<&Event>) {
        match event {
            Some(Event::UserPoolCreated(_)) => self.created += 1,
            Some(Event::UserPoolDeleted(_)) => self.deleted += 1,
            Some(Event::UserPoolDomainCreated(created)) => {
                self.domains.insert(created.domain.clone(), Some(id.clone()));
            }
            Some(Event::UserPoolDomainDeleted(deleted)) => {
                self.domains.insert(deleted.domain.clone(), None);
            }
            Some(Event::UserPoolUpdated(_) | Event::UserPoolStatusChanged(_)) | None => (),
        }
    }
}
