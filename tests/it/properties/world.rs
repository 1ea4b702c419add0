//! The rules alone: every user pool that ever existed, with its events.

use std::collections::BTreeMap;

use prost_types::Timestamp;
use userpool::{
    proto::{
        DescribeUserPoolRequest, KeptField, UpdateUserPoolRequest, UserPool, UserPoolRestored,
        mfa_configuration,
    },
    user_pool::{
        CheckedCommand, Command, Event, Facts, InvalidRequest, Limits, Rejection, UserPoolArns,
        UserPoolId, UserPoolState, assigned_domains, decide, evolve, kept_fields, removed_domains,
        to_update_request,
    },
};

use crate::calls::Call;

/// User pools by their IDs.
#[derive(Debug, Default)]
pub(super) struct World {
    pub(super) pools: BTreeMap<String, Pool>,
    pub(super) domains: BTreeMap<String, String>,
    events: i64,
}

/// A user pool and its events.
#[derive(Debug, Default)]
pub(super) struct Pool {
    pub(super) state: UserPoolState,
    events: Vec<(Event, Timestamp)>,
}

impl Pool {
    pub(super) fn revision(&self) -> i64 {
        i64::try_from(self.events.len()).expect("a small number")
    }
}

impl World {
    /// Applies a call to the user pool `id` by the rules. Returns the resulting
    /// revision.
    pub(super) fn carry_out(&mut self, id: &str, call: Call) -> Result<i64, Rejection> {
        let mut past = UserPoolState::Absent;
        if let Call::Restore(request) = &call {
            if !self.pools.contains_key(id) {
                return Err(Rejection::NotFound { user_pool_id: user_pool_id(id) });
            }
            past = self.past(id, request.revision.expect("a revision"));
        }
        let CheckedCommand { command, options, .. } = checked(call, past)?;
        let updates = matches!(
            command,
            Command::Update(_)
                | Command::UpdateDomain(_)
                | Command::Tag(_)
                | Command::Untag(_)
                | Command::SetMfaConfig(_)
                | Command::Restore(_)
        );
        let (state, facts) = self.facts(id, &command);
        let decided = decide(&state, &facts, options.expected_revision, command)?;
        if decided.is_empty() {
            assert!(updates, "only an update may change nothing");
            return Ok(facts.revision);
        }
        for event in decided {
            self.record(id, event);
        }
        Ok(self.pools[id].revision())
    }

    /// Whether the user pool exists.
    pub(super) fn is_active(&self, id: &str) -> bool {
        self.pools.get(id).is_some_and(|pool| pool.state.user_pool().is_some())
    }

    fn facts(&self, id: &str, command: &Command) -> (UserPoolState, Facts) {
        let owner = |name: &str| Some((name.to_owned(), user_pool_id(self.domains.get(name)?)));
        let domain_owners = command.assigned_domains().into_iter().filter_map(owner).collect();
        let pool = self.pools.get(id);
        let facts = Facts {
            user_pool_id: user_pool_id(id),
            revision: pool.map_or(0, Pool::revision),
            domain_owners,
            user_pool_count: 0,
            limits: Limits::default(),
        };
        (pool.map(|pool| pool.state.clone()).unwrap_or_default(), facts)
    }

    fn record(&mut self, id: &str, event: Event) {
        self.events += 1;
        let at = Timestamp { seconds: self.events, nanos: 0 };
        for domain in removed_domains(&event) {
            let owner = self.domains.remove(domain);
            assert_eq!(owner.as_deref(), Some(id), "only its owner releases a domain");
        }
        for domain in assigned_domains(&event) {
            let taken = self.domains.insert(domain.clone(), id.to_owned());
            assert_eq!(taken, None, "a domain has one owner");
        }
        match &event {
            Event::UserPoolRestored(restored) => self.assert_restored(id, restored),
            Event::UserPoolUpdated(updated) => {
                let paths = &updated.changed_paths;
                assert!(!paths.is_empty(), "an update that is recorded changes something");
                assert!(paths.is_sorted_by(|one, next| one < next), "{paths:?}");
                let before = self.pools.get(id).and_then(|pool| pool.state.user_pool());
                let on = Some(mfa_configuration::Value::On.into());
                let is_on =
                    |pool: Option<&UserPool>| pool.map(|pool| pool.mfa_configuration) == Some(on);
                let has_factor = before.is_some_and(|pool| {
                    let software_token = pool.software_token_mfa.unwrap_or_default();
                    pool.sms_mfa == Some(true) || software_token.enabled == Some(true)
                });
                let may_turn_on = is_on(before) || has_factor;
                assert!(may_turn_on || !is_on(updated.user_pool.as_ref()), "MFA is turned on");
            }
            Event::UserPoolDomainUpdated(updated) => {
                assert_eq!(self.domains.get(&updated.domain).map(String::as_str), Some(id));
            }
            Event::UserPoolTagged(tagged) => assert!(!tagged.tags.is_empty()),
            Event::UserPoolUntagged(untagged) => assert!(!untagged.tag_keys.is_empty()),
            Event::UserPoolCreated(_)
            | Event::UserPoolDeleted(_)
            | Event::UserPoolDomainCreated(_)
            | Event::UserPoolDomainDeleted(_)
            | Event::CustomAttributesAdded(_)
            | Event::UserPoolMfaConfigSet(_) => (),
        }
        let pool = self.pools.entry(id.to_owned()).or_default();
        let is_deleted = matches!(pool.state, UserPoolState::Deleted(_));
        let restores = matches!(event, Event::UserPoolRestored(_));
        assert!(!is_deleted || restores, "a deleted user pool is only restored");
        pool.state = evolve(pool.state.clone(), event.clone(), at);
        pool.events.push((event, at));
    }

    /// The state of a user pool at a revision.
    fn past(&self, id: &str, revision: i64) -> UserPoolState {
        let count = usize::try_from(revision).expect("a small number");
        replay(&self.pools[id].events[..count])
    }

    /// A restored user pool is as it was, except for what it has to keep.
    fn assert_restored(&self, id: &str, restored: &UserPoolRestored) {
        let paths = &restored.changed_paths;
        assert!(restored.was_deleted || !paths.is_empty(), "it changes something");
        assert!(paths.is_sorted_by(|one, next| one < next), "{paths:?}");
        let past = self.past(id, restored.restored_revision);
        let past = past.user_pool().expect("a user pool");
        let now = restored.user_pool.as_ref().expect("a user pool");
        for KeptField { path, .. } in kept_fields(past, now) {
            assert!(path == "schema_attributes" || path.starts_with("domain"), "{path}");
        }
        assert!(now.schema_attributes.starts_with(&past.schema_attributes));
        assert_eq!(now.creation_date, past.creation_date);
    }

    /// The invariants of a user pool.
    pub(super) fn assert_sound(&self) {
        let mut shown = BTreeMap::new();
        for (id, pool) in &self.pools {
            let replayed = replay(&pool.events);
            assert_eq!(replayed, pool.state, "events lead to the state");
            assert_eq!(replay(&pool.events), replayed, "replaying twice is equal");
            if let Some(pool) = pool.state.user_pool() {
                assert_eq!(pool.id.as_ref(), Some(id));
                if let Some(domain) = &pool.domain {
                    assert_eq!(shown.insert(domain.clone(), id.clone()), None, "one owner each");
                }
                self.assert_settled(id, pool);
            }
        }
        assert_eq!(shown, self.domains, "each domain is shown by its owner");
    }

    /// Sending back the settings as they are shown changes nothing.
    fn assert_settled(&self, id: &str, pool: &UserPool) {
        for update_mask in [Vec::new(), vec!["*".to_owned()]] {
            let request = UpdateUserPoolRequest { update_mask, ..to_update_request(pool.clone()) };
            let update = Call::Update(Box::new(request));
            let command = checked(update, UserPoolState::Absent).expect("an update").command;
            let (state, facts) = self.facts(id, &command);
            assert_eq!(decide(&state, &facts, None, command), Ok(Vec::new()));
        }
    }
}

fn user_pool_id(id: &str) -> UserPoolId {
    let user_pool_id = Some(id.to_owned());
    UserPoolId::parse(DescribeUserPoolRequest {
        user_pool_id,
        ..DescribeUserPoolRequest::default()
    })
    .expect("a legal ID")
}

fn replay(events: &[(Event, Timestamp)]) -> UserPoolState {
    let events = events.iter().cloned();
    events.fold(UserPoolState::Absent, |state, (event, at)| evolve(state, event, at))
}

/// The command of a call, which restores the state `past` if it restores one.
fn checked(call: Call, past: UserPoolState) -> Result<CheckedCommand, InvalidRequest> {
    let limits = Limits::default();
    let arns = UserPoolArns::new("us-east-1", "123456789012");
    let checked = match call {
        Call::Create(request) => CheckedCommand::create_user_pool(*request, &limits),
        Call::Update(request) => CheckedCommand::update_user_pool(*request),
        Call::Delete(request) => CheckedCommand::delete_user_pool(request),
        Call::CreateDomain(request) => CheckedCommand::create_user_pool_domain(request),
        Call::UpdateDomain(request) => CheckedCommand::update_user_pool_domain(request),
        Call::DeleteDomain(request) => CheckedCommand::delete_user_pool_domain(request),
        Call::AddCustomAttributes(request) => CheckedCommand::add_custom_attributes(request),
        Call::SetMfa(request) => CheckedCommand::set_user_pool_mfa_config(request),
        Call::Tag(request) => CheckedCommand::tag_resource(request, &arns, &limits),
        Call::Untag(request) => CheckedCommand::untag_resource(request, &arns),
        // The user pool may have been deleted then.
        Call::Restore(request) => return CheckedCommand::restore_user_pool(request, past),
    };
    Ok(checked.expect("a legal request"))
}
