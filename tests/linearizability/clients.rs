//! Clients that make random calls and record the outcomes.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use http_body::Body;
use tonic::{Code, Request, Status, client::GrpcService};
use tonic_types::StatusExt as _;
use userpool::proto::{
    CreateUserPoolDomainRequest, CreateUserPoolRequest, DeleteUserPoolDomainRequest,
    DeleteUserPoolRequest, DescribeUserPoolDomainRequest, DescribeUserPoolRequest,
    ListUserPoolEventsRequest, ListUserPoolsRequest, RestoreUserPoolRequest, UpdateUserPoolRequest,
    UserPool, user_pool_history_service_client::UserPoolHistoryServiceClient,
    user_pool_service_client::UserPoolServiceClient,
};
use uuid::Uuid;

use super::history::{Entry, Moment, Operation, Outcome, Refusal, ShownPool};
use crate::random::Random;

/// Few, so that clients compete for them.
const PREFIXES: [&str; 4] = ["one", "two", "three", "four"];
/// The number of user pools among which clients choose.
const POOLS: usize = 8;
/// The tag with the number of the last change of a user pool.
const TAG: &str = "change";
/// How often a call is tried.
const MAX_TRIES: usize = 100;
/// The largest number of pools on a page.
const PAGE: usize = 60;

/// The shared state of all clients of a run.
#[derive(Debug, Default)]
pub(crate) struct Run {
    clock: AtomicU64,
    numbers: AtomicU64,
    /// User pools that were created, oldest first.
    pools: Mutex<Vec<String>>,
    history: Mutex<Vec<Entry>>,
}

impl Run {
    fn now(&self) -> Moment {
        self.clock.fetch_add(1, Ordering::SeqCst)
    }

    /// The history so far.
    pub(crate) fn history(&self) -> Vec<Entry> {
        self.history.lock().expect("no panic").clone()
    }

    /// The number of answers.
    pub(crate) fn answers(&self) -> usize {
        self.history.lock().expect("no panic").len()
    }
}

/// One client.
#[derive(Debug, Clone)]
pub(crate) struct Worker<C> {
    run: Arc<Run>,
    random: Random,
    pools: UserPoolServiceClient<C>,
    events: UserPoolHistoryServiceClient<C>,
    /// Whether it cancels some calls before they are answered.
    impatient: bool,
}

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// The server is gone.
struct Gone;

impl<C> Worker<C>
where
    C: GrpcService<tonic::body::Body, Future: Send> + Clone + Send,
    C::ResponseBody: Body<Data = Bytes, Error: Into<BoxError> + Send> + Send + 'static,
{
    /// A client on a channel.
    pub(crate) fn new(run: &Arc<Run>, random: Random, channel: C, impatient: bool) -> Self {
        Self {
            run: Arc::clone(run),
            random,
            pools: UserPoolServiceClient::new(channel.clone()),
            events: UserPoolHistoryServiceClient::new(channel),
            impatient,
        }
    }

    /// Makes this many calls, or stops when the server is gone.
    pub(crate) async fn work(mut self, times: usize) {
        for _ in 0..times {
            let operation = self.choose();
            if self.ask(operation).await.is_err() {
                return;
            }
        }
    }

    fn choose(&mut self) -> Operation {
        let pools = self.run.pools.lock().expect("no panic");
        let newest = pools[pools.len().saturating_sub(POOLS)..].to_vec();
        drop(pools);
        let Some(pool) = self.random.pick(&newest).cloned() else { return Operation::Create };
        let prefix = (*self.random.pick(&PREFIXES).expect("a prefix")).to_owned();
        match self.random.below(23) {
            0 => Operation::Create,
            1..=5 => {
                // Revisions are small, so guesses are sometimes right.
                let expected = self.random.once_in(2).then(|| self.random.below(12) + 1);
                let expected_revision = expected.map(|n| i64::try_from(n).expect("a small number"));
                Operation::Update { pool, expected_revision }
            }
            6 => Operation::Delete { pool },
            7..=9 => Operation::Assign { pool, prefix },
            10..=12 => Operation::Release { pool, prefix },
            13..=15 => Operation::Describe { pool },
            16 | 17 => Operation::DescribeDomain { prefix },
            18 => Operation::ListPools,
            20..=22 => {
                let revision = i64::try_from(self.random.below(12) + 1).expect("a small number");
                Operation::Restore { pool, revision, domain: self.random.once_in(2) }
            }
            _ => Operation::ListEvents,
        }
    }

    /// Makes a call, retries it if it got no answer and a retry is safe, and records
    /// the outcome.
    async fn ask(&mut self, operation: Operation) -> Result<(), Gone> {
        let number = self.run.numbers.fetch_add(1, Ordering::SeqCst);
        let request_id = self
            .random
            .once_in(2)
            .then(|| Uuid::from_u64_pair(self.random.next(), self.random.next()).to_string());
        let invoked = self.run.now();
        let mut tried_before = false;
        let mut gone = false;
        let mut tries = 0;
        let outcome = loop {
            tries += 1;
            let answer = self.send(number, &operation, request_id.as_deref()).await;
            match answer {
                Ok(outcome) => break Some(outcome),
                Err(status) => match refused(&status) {
                    Some(Outcome::Refused { refusal, .. }) => {
                        break Some(Outcome::Refused { refusal, tried_before });
                    }
                    // This attempt recorded nothing; an earlier one may have.
                    Some(_) if tried_before => break None,
                    Some(outcome) => break Some(outcome),
                    None => {
                        gone = tries == MAX_TRIES || is_gone(&status);
                        if gone || request_id.is_none() {
                            break None;
                        }
                        tried_before = true;
                    }
                },
            }
        };
        let outcome = outcome.unwrap_or(Outcome::Nothing);
        let returned = self.run.now();
        self.run.history.lock().expect("no panic").push(Entry {
            number,
            operation,
            outcome,
            invoked,
            returned,
        });
        if gone { Err(Gone) } else { Ok(()) }
    }

    /// The request, with the number of its change.
    fn request<M>(&mut self, number: u64, message: M) -> Request<M> {
        let mut request = Request::new(message);
        let number = format!("change-{number}").parse().expect("ASCII");
        request.metadata_mut().insert("x-request-id", number);
        if self.impatient && self.random.once_in(6) {
            // As long as a fast call takes, a slow one, or one that waits for the log.
            let longest = *self.random.pick(&[6000, 60_000, 600_000]).expect("a duration");
            let microseconds = u64::try_from(self.random.below(longest)).expect("a small number");
            request.set_timeout(Duration::from_micros(microseconds));
        }
        request
    }

    async fn send(
        &mut self,
        number: u64,
        operation: &Operation,
        request_id: Option<&str>,
    ) -> Result<Outcome, Status> {
        let request_id = request_id.map(str::to_owned);
        match operation {
            Operation::Create => {
                let user_pool_tags = tags(number);
                let pool_name = Some("a".to_owned());
                let message = CreateUserPoolRequest {
                    pool_name,
                    request_id,
                    user_pool_tags,
                    ..Default::default()
                };
                let request = self.request(number, message);
                let created = self.pools.create_user_pool(request).await?.into_inner();
                let pool = created.user_pool.expect("a user pool");
                self.run.pools.lock().expect("no panic").push(pool.id.expect("an ID"));
                Ok(Outcome::Recorded { revision: created.revision, position: created.position })
            }
            Operation::Update { pool, expected_revision } => {
                let message = UpdateUserPoolRequest {
                    user_pool_id: Some(pool.clone()),
                    user_pool_tags: tags(number),
                    expected_revision: *expected_revision,
                    request_id,
                    ..Default::default()
                };
                let request = self.request(number, message);
                let answer = self.pools.update_user_pool(request).await?.into_inner();
                Ok(Outcome::Recorded { revision: answer.revision, position: answer.position })
            }
            Operation::Delete { pool } => {
                let user_pool_id = Some(pool.clone());
                let message =
                    DeleteUserPoolRequest { user_pool_id, request_id, ..Default::default() };
                let request = self.request(number, message);
                let answer = self.pools.delete_user_pool(request).await?.into_inner();
                Ok(Outcome::Recorded { revision: answer.revision, position: answer.position })
            }
            Operation::Assign { pool, prefix } => {
                let message = CreateUserPoolDomainRequest {
                    domain: Some(prefix.clone()),
                    user_pool_id: Some(pool.clone()),
                    request_id,
                    ..Default::default()
                };
                let request = self.request(number, message);
                let answer = self.pools.create_user_pool_domain(request).await?.into_inner();
                Ok(Outcome::Recorded { revision: answer.revision, position: answer.position })
            }
            Operation::Release { pool, prefix } => {
                let message = DeleteUserPoolDomainRequest {
                    domain: Some(prefix.clone()),
                    user_pool_id: Some(pool.clone()),
                    request_id,
                    ..Default::default()
                };
                let request = self.request(number, message);
                let answer = self.pools.delete_user_pool_domain(request).await?.into_inner();
                Ok(Outcome::Recorded { revision: answer.revision, position: answer.position })
            }
            Operation::Restore { pool, revision, domain } => {
                let message = RestoreUserPoolRequest {
                    user_pool_id: Some(pool.clone()),
                    revision: Some(*revision),
                    restore_domain: *domain,
                    request_id,
                    ..Default::default()
                };
                let request = self.request(number, message);
                let answer = self.pools.restore_user_pool(request).await?.into_inner();
                let pool = answer.user_pool.expect("a user pool");
                Ok(Outcome::Restored(shown_pool(pool, answer.revision, answer.position)))
            }
            Operation::Describe { .. }
            | Operation::DescribeDomain { .. }
            | Operation::ListPools
            | Operation::ListEvents => self.read(number, operation).await,
        }
    }

    async fn read(&mut self, number: u64, operation: &Operation) -> Result<Outcome, Status> {
        match operation {
            Operation::Describe { pool } => {
                let message = DescribeUserPoolRequest {
                    user_pool_id: Some(pool.clone()),
                    ..DescribeUserPoolRequest::default()
                };
                let request = self.request(number, message);
                let shown = self.pools.describe_user_pool(request).await?.into_inner();
                let pool = shown.user_pool.expect("a user pool");
                Ok(Outcome::Pool(shown_pool(pool, shown.revision, shown.position)))
            }
            Operation::DescribeDomain { prefix } => {
                let message = DescribeUserPoolDomainRequest {
                    domain: Some(prefix.clone()),
                    ..DescribeUserPoolDomainRequest::default()
                };
                let request = self.request(number, message);
                let shown = self.pools.describe_user_pool_domain(request).await?.into_inner();
                Ok(Outcome::Owner(shown.domain_description.and_then(|shown| shown.user_pool_id)))
            }
            Operation::ListPools => {
                let max_results = Some(60);
                let mut listed = Vec::new();
                let mut next_token = None;
                loop {
                    let message = ListUserPoolsRequest {
                        max_results,
                        next_token,
                        ..ListUserPoolsRequest::default()
                    };
                    let request = self.request(number, message);
                    let page = self.pools.list_user_pools(request).await?.into_inner();
                    assert!(page.next_token.is_none() || page.user_pools.len() == PAGE);
                    listed.extend(
                        page.user_pools.into_iter().filter_map(|p| Some((p.id?, p.revision))),
                    );
                    next_token = page.next_token;
                    if next_token.is_none() {
                        return Ok(Outcome::Pools(listed));
                    }
                }
            }
            Operation::ListEvents => {
                let message = ListUserPoolEventsRequest { page_size: 1, ..Default::default() };
                let request = self.request(number, message);
                let page = self.events.list_user_pool_events(request).await?.into_inner();
                Ok(Outcome::Head(page.head_position))
            }
            Operation::Create
            | Operation::Update { .. }
            | Operation::Delete { .. }
            | Operation::Assign { .. }
            | Operation::Release { .. }
            | Operation::Restore { .. } => unreachable!("{operation:?} is no read"),
        }
    }
}

fn tags(number: u64) -> BTreeMap<String, String> {
    [(TAG.to_owned(), number.to_string())].into()
}

fn shown_pool(pool: UserPool, revision: i64, position: i64) -> ShownPool {
    ShownPool { revision, position, value: value(&pool), domain: pool.domain }
}

/// The number of the last change, from the settings of a user pool.
pub(crate) fn value(pool: &UserPool) -> u64 {
    pool.user_pool_tags.get(TAG).and_then(|value| value.parse().ok()).expect("a number")
}

/// Whether the server will not answer any more.
fn is_gone(status: &Status) -> bool {
    let info = status.get_details_error_info();
    // Another server may answer, or this one later. One that has failed ends, and says nothing.
    let is_unknown = info.is_some_and(|info| info.reason == "LOG_UNAVAILABLE");
    !is_unknown && status.code() != Code::Cancelled && status.code() != Code::DeadlineExceeded
}

/// The certain meaning of a status, if it has one.
fn refused(status: &Status) -> Option<Outcome> {
    let known = |refusal| Some(Outcome::Refused { refusal, tried_before: false });
    // A refusal of the server has a reason; any other status comes from the
    // connection.
    let info = status.get_details_error_info()?;
    let number = |key: &str| info.metadata[key].parse().expect("a number");
    let count = |key: &str| info.metadata[key].parse().expect("a number");
    match info.reason.as_str() {
        "LOG_UNAVAILABLE" | "DEADLINE_EXCEEDED" | "LOG_FORKED" => None,
        "STARTING" | "SHUTTING_DOWN" | "OVERLOADED" | "LOG_UNREACHABLE" | "BEHIND" => {
            Some(Outcome::NotRecorded)
        }
        "USER_POOL_NOT_FOUND" => known(Refusal::NotFound),
        "USER_POOL_DELETED" => known(Refusal::Deleted { revision: number("revision") }),
        "REVISION_MISMATCH" => known(Refusal::Revision { current: number("current_revision") }),
        "USER_POOL_HAS_DOMAIN" => {
            known(Refusal::HasDomain { domain: info.metadata["domain"].clone() })
        }
        "DOMAIN_TAKEN" => known(Refusal::DomainTaken),
        "DOMAIN_NOT_FOUND" => known(Refusal::DomainNotFound),
        "BEYOND_END" => known(Refusal::BeyondEnd { current: number("current") }),
        "INVALID_REQUEST" => known(Refusal::Deletion),
        "LIMIT_EXCEEDED" => known(Refusal::TooManyPools { limit: count("limit") }),
        other => unreachable!("{other}: {status}"),
    }
}
