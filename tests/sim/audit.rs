//! What a node shows of its history and of its user pools at the end: all of it, and the same in
//! every way that it can be read.

use std::{collections::BTreeMap, fmt::Debug, sync::Arc};

use prost::Message as _;
use tonic::Status;
use userpool::{
    event_log::Record,
    proto::{
        DescribeLogRequest, EventView, GetSignedCheckpointRequest, ListUserPoolDomainsRequest,
        ListUserPoolEventsRequest, ListUserPoolsRequest, ReadDirection, ReplayUserPoolRequest,
        UserPool, UserPoolEvent, VerifyUserPoolHistoryRequest, replay_user_pool_request::AsOf,
        user_pool_history_service_client::UserPoolHistoryServiceClient,
        user_pool_service_client::UserPoolServiceClient,
    },
    user_pool::{UserPoolState, evolve},
};

use crate::{network::Network, random::Random, world::World};

/// How many past states are compared.
const REPLAYS: usize = 5;

/// The states of a user pool, each with the position that it begins at.
type States = Vec<(i64, UserPoolState)>;

/// Reads everything that a node shows.
///
/// # Errors
/// It is not what the log says.
pub(crate) async fn audit(
    world: &Arc<World>,
    node: usize,
    random: &mut Random,
) -> Result<(), String> {
    let network = Network::to(world, node);
    let mut auditor = Auditor {
        pools: UserPoolServiceClient::new(network.clone()),
        history: UserPoolHistoryServiceClient::new(network),
        records: world.records().await,
        random,
    };
    let audited = auditor.audit().await;
    audited.map_err(|Difference(why)| format!("node {node}, at the end: {why}"))
}

/// What a node shows that is not right.
struct Difference(String);

impl From<Status> for Difference {
    fn from(status: Status) -> Self {
        Self(format!("a read failed: {status}"))
    }
}

struct Auditor<'a> {
    pools: UserPoolServiceClient<Network>,
    history: UserPoolHistoryServiceClient<Network>,
    records: Vec<Record>,
    random: &'a mut Random,
}

impl Auditor<'_> {
    async fn audit(&mut self) -> Result<(), Difference> {
        let states = self.states();
        self.check_ends().await?;
        for direction in [ReadDirection::Forward, ReadDirection::Backward] {
            self.check_events(direction).await?;
        }
        self.check_pools(&states).await?;
        for _ in 0..REPLAYS {
            self.check_past(&states).await?;
        }
        Ok(())
    }

    /// The states that follow from the log.
    fn states(&self) -> BTreeMap<String, States> {
        let mut states = BTreeMap::<String, States>::new();
        for record in &self.records {
            let event = UserPoolEvent::decode(record.body.clone()).expect("an event");
            let pool = states.entry(event.user_pool_id).or_default();
            let before = pool.last().map(|(_, state)| state.clone()).unwrap_or_default();
            let at = event.record_time.unwrap_or_default();
            let state = evolve(before, event.payload.expect("a payload"), at);
            pool.push((event.position, state));
        }
        states
    }

    /// The description of the log, its verification and a checkpoint have the same end.
    async fn check_ends(&mut self) -> Result<(), Difference> {
        let last = self.records.last();
        let position = last.map_or(0, |record| record.position.to_int());
        let hash = last.map(|record| record.hash.0.to_vec());
        let described = self.history.describe_log(DescribeLogRequest::default()).await;
        let described = described?.into_inner().head.unwrap_or_default();
        let verified =
            self.history.verify_user_pool_history(VerifyUserPoolHistoryRequest::default());
        let verified = verified.await?.into_inner();
        let signed = self.history.get_signed_checkpoint(GetSignedCheckpointRequest::default());
        let signed = signed.await?.into_inner().checkpoint.unwrap_or_default();
        if !verified.valid || verified.event_count != position {
            return Err(Difference(format!("it is not valid up to {position}: {verified:?}")));
        }
        let root = verified.root_hash;
        let verified = verified.head.unwrap_or_default();
        let ends = [
            (described.position, described.hash),
            (verified.position, verified.hash),
            (signed.position, signed.hash),
        ];
        for (told, told_hash) in ends {
            let hash = hash.clone().unwrap_or_else(|| told_hash.clone());
            same("an end of the log", &(told, told_hash), &(position, hash))?;
        }
        same("the root of the checkpoint", &signed.root_hash, &root)
    }

    /// Pages of events have each event once, in order.
    async fn check_events(&mut self, direction: ReadDirection) -> Result<(), Difference> {
        let page_size = i32::try_from(self.random.below(40) + 1).expect("a small number");
        let (mut listed, mut page_token) = (Vec::new(), String::new());
        loop {
            let request = ListUserPoolEventsRequest {
                direction: direction.into(),
                page_size,
                page_token,
                view: EventView::Full.into(),
                ..Default::default()
            };
            let page = self.history.list_user_pool_events(request).await?.into_inner();
            listed.extend(page.events.into_iter().map(|event| (event.position, event.hash)));
            page_token = page.next_page_token;
            if page_token.is_empty() {
                break;
            }
        }
        let records = self.records.iter();
        let mut recorded: Vec<_> =
            records.map(|record| (record.position.to_int(), record.hash.0.to_vec())).collect();
        if direction == ReadDirection::Backward {
            recorded.reverse();
        }
        same("a list of events", &listed, &recorded)
    }

    /// Pages of user pools and of domains have each of them once.
    async fn check_pools(&mut self, states: &BTreeMap<String, States>) -> Result<(), Difference> {
        let max_results = Some(i32::try_from(self.random.below(5) + 1).expect("a small number"));
        let (mut listed, mut next_token) = (Vec::new(), None);
        loop {
            let request = ListUserPoolsRequest { max_results, next_token, ..Default::default() };
            let page = self.pools.list_user_pools(request).await?.into_inner();
            listed.extend(page.user_pools.into_iter().filter_map(|pool| pool.id));
            next_token = page.next_token;
            if next_token.is_none() {
                break;
            }
        }
        let (mut domains, mut next_token) = (BTreeMap::new(), None);
        loop {
            let request =
                ListUserPoolDomainsRequest { max_results, next_token, ..Default::default() };
            let page = self.pools.list_user_pool_domains(request).await?.into_inner();
            let page_domains = page.domains.into_iter();
            domains.extend(page_domains.map(|domain| (domain.domain, domain.user_pool_id)));
            next_token = page.next_token;
            if next_token.is_none() {
                break;
            }
        }
        let last = states.values().filter_map(|states| states.last()?.1.user_pool());
        let active: Vec<&UserPool> = last.collect();
        let mut ids: Vec<String> = active.iter().filter_map(|pool| pool.id.clone()).collect();
        ids.sort();
        listed.sort();
        same("a list of user pools", &listed, &ids)?;
        let with_domain = active.into_iter().filter(|pool| pool.domain.is_some());
        let owners = with_domain.map(|pool| (pool.domain.clone(), pool.id.clone())).collect();
        same("a list of domains", &domains, &owners)
    }

    /// A past state of a user pool is the one that follows from the events up to then.
    async fn check_past(&mut self, states: &BTreeMap<String, States>) -> Result<(), Difference> {
        let pools: Vec<_> = states.iter().collect();
        let Some((id, states)) = self.random.pick(&pools).copied() else { return Ok(()) };
        let revision = self.random.below(states.len());
        let (position, state) = &states[revision];
        let revision = i64::try_from(revision + 1).expect("a small number");
        let as_of = match self.random.below(3) {
            0 => AsOf::Revision(revision),
            1 => AsOf::Position(*position),
            _ => match states.get(usize::try_from(revision).expect("a small number")) {
                Some((next, _)) => AsOf::Position(next - 1),
                None => AsOf::Revision(revision),
            },
        };
        let request = ReplayUserPoolRequest {
            user_pool_id: Some(id.clone()),
            as_of: Some(as_of),
            ..Default::default()
        };
        let past = self.history.replay_user_pool(request).await?.into_inner();
        // It is not recorded, because it follows from the ID.
        let user_pool = past.user_pool.map(|pool| UserPool { arn: None, ..pool });
        let found = (past.revision, past.position, past.deleted, user_pool);
        let is_deleted = matches!(state, UserPoolState::Deleted(_));
        let expected = (revision, *position, is_deleted, state.last_user_pool().cloned());
        same("a past state", &found, &expected)
    }
}

fn same<T: PartialEq + Debug>(what: &str, found: &T, expected: &T) -> Result<(), Difference> {
    if found == expected {
        return Ok(());
    }
    Err(Difference(format!("{what} is {found:?}, not {expected:?}")))
}
