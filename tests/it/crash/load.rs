//! Clients that make changes over several connections until the server is gone.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{Arc, Mutex},
};

use tokio::task::JoinSet;
use tonic::{Status, metadata::MetadataMap};
use tonic_types::StatusExt as _;
use userpool::proto::{
    CreateUserPoolRequest, UpdateUserPoolRequest, VerificationMessageTemplate,
    user_pool_service_client::UserPoolServiceClient,
};

use super::{
    log::{Log, digest},
    server::Server,
};
use crate::{
    calls::{Answer, Call},
    random::Random,
    support::{Client, named},
};

const CONNECTIONS: usize = 3;
const CLIENTS_EACH: usize = 3;
/// The most calls that a client makes.
const CALLS: usize = 60;
/// How many user pools are used at a time.
const POOLS: usize = 60;
/// Domains that all clients try to get.
const CONTENDED: usize = 5;

/// A call that was made.
#[derive(Debug, Clone)]
pub(super) struct Attempt {
    pub(super) call: Call,
    /// Its correlation ID, which is recorded with its event.
    pub(super) mark: String,
    pub(super) has_request_id: bool,
    pub(super) outcome: Outcome,
}

/// The outcome that the client knows.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Outcome {
    Acknowledged {
        revision: i64,
        position: i64,
        /// The user pool in the answer.
        shown: Option<u64>,
    },
    /// Nothing was recorded.
    NotRecorded,
    /// There was no answer.
    Unknown,
}

/// Some calls take long.
impl fmt::Display for Attempt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let call = format!("{:.200}", format!("{:?}", self.call));
        write!(f, "{}, {:?}: {call}", self.mark, self.outcome)
    }
}

impl Attempt {
    /// Makes the call, or retries it.
    pub(super) async fn send(&self, client: &mut Client) -> (Outcome, Option<Answer>) {
        let mut metadata = MetadataMap::new();
        metadata.insert("x-request-id", self.mark.parse().expect("ASCII"));
        match self.call.clone().send_with(client, &metadata).await {
            Ok(answer) => {
                let shown = answer.user_pool.as_ref().map(digest);
                let Answer { revision, position, .. } = answer;
                let outcome = if self.call.restores_nothing(revision) {
                    Outcome::NotRecorded
                } else {
                    Outcome::Acknowledged { revision, position, shown }
                };
                (outcome, Some(answer))
            }
            Err(status) if is_refusal(&status) => (Outcome::NotRecorded, None),
            Err(_) => (Outcome::Unknown, None),
        }
    }
}

/// Whether the server said that nothing was recorded. Such a status has a reason; an
/// error of the transport has none.
fn is_refusal(status: &Status) -> bool {
    let reason = status.get_details_error_info().map(|info| info.reason);
    let reason = reason.unwrap_or_default();
    assert!(!reason.contains("LOG") && reason != "INTERNAL", "{status:?}");
    !reason.is_empty()
}

/// The user pools that the clients know. They may be out of date.
#[derive(Debug, Default)]
struct KnownPools(BTreeMap<String, (i64, Option<String>)>);

impl KnownPools {
    fn learn(&mut self, call: &Call, answer: &Answer) {
        let revision = answer.revision;
        match call {
            Call::Create(_) if self.0.len() < POOLS => {
                self.0.insert(answer.id(), (revision, None));
            }
            Call::Create(_) => (),
            Call::Update(_)
            | Call::UpdateDomain(_)
            | Call::AddCustomAttributes(_)
            | Call::SetMfa(_)
            | Call::Tag(_)
            | Call::Untag(_) => self.set(call.target().as_ref(), revision, |_| ()),
            Call::CreateDomain(request) => {
                let domain = request.domain.clone();
                self.set(request.user_pool_id.as_ref(), revision, |known| *known = domain);
            }
            Call::DeleteDomain(request) => {
                self.set(request.user_pool_id.as_ref(), revision, |known| *known = None);
            }
            // A deleted one may be restored.
            Call::Delete(_) => self.set(call.target().as_ref(), revision, |_| ()),
            Call::Restore(_) => {
                let domain = answer.user_pool.as_ref().and_then(|pool| pool.domain.clone());
                self.set(call.target().as_ref(), revision, |known| *known = domain);
            }
        }
    }

    fn set(
        &mut self,
        id: Option<&String>,
        revision: i64,
        domain: impl FnOnce(&mut Option<String>),
    ) {
        if let Some(known) = id.and_then(|id| self.0.get_mut(id)) {
            known.0 = revision;
            domain(&mut known.1);
        }
    }
}

/// The clients of one run of the server.
pub(super) struct Load(JoinSet<Vec<Attempt>>);

impl Load {
    /// Begins with the state of the log. `name` separates the marks of different
    /// runs.
    pub(super) async fn start(server: &Server, name: &str, log: &Log, random: &mut Random) -> Self {
        let newest = log.active().into_iter().rev().take(POOLS);
        let newest = newest.map(|(shown, pool)| {
            (shown.id.clone().expect("an ID"), (pool.revision, shown.domain.clone()))
        });
        let known = Arc::new(Mutex::new(KnownPools(newest.collect())));
        let mut clients = JoinSet::new();
        for connection in 0..CONNECTIONS {
            let channel = server.channel().await;
            for number in 0..CLIENTS_EACH {
                let client = UserPoolServiceClient::new(channel.clone());
                let name = format!("{name}-{}", connection * CLIENTS_EACH + number);
                clients.spawn(change(client, name, Arc::clone(&known), random.fork()));
            }
        }
        Self(clients)
    }

    /// The calls of the run, after the server is gone.
    pub(super) async fn end(self) -> Vec<Attempt> {
        self.0.join_all().await.into_iter().flatten().collect()
    }
}

/// Calls one after the other until there is no answer.
async fn change(
    mut client: Client,
    name: String,
    known: Arc<Mutex<KnownPools>>,
    mut random: Random,
) -> Vec<Attempt> {
    let mut attempts = Vec::new();
    for number in 0..CALLS {
        let mark = format!("{name}-{number}");
        let mut call = any_call(&mark, &known.lock().expect("no panic"), &mut random);
        let has_request_id = random.chance(60);
        if has_request_id {
            call = call.under(&random.uuid().to_string());
        }
        let mut attempt = Attempt { call, mark, has_request_id, outcome: Outcome::Unknown };
        let (outcome, answer) = attempt.send(&mut client).await;
        attempt.outcome = outcome;
        if let Some(answer) = answer {
            known.lock().expect("no panic").learn(&attempt.call, &answer);
        }
        attempts.push(attempt);
        if outcome == Outcome::Unknown {
            break;
        }
    }
    attempts
}

fn any_call(mark: &str, known: &KnownPools, random: &mut Random) -> Call {
    let ids: Vec<_> = known.0.keys().collect();
    let Some(id) = random.pick(&ids).filter(|_| random.chance(75)) else {
        return create(mark, random);
    };
    let (revision, has) = &known.0[*id];
    let contended = format!("all-{}", random.below(CONTENDED));
    let call = match (random.below(12), has) {
        (0..=4, _) => update(id, mark, random),
        (10, _) => Call::restore(id, (*revision - 1).max(1)),
        (11, _) => Call::restore_with_domains(id, (*revision - 2).max(1)),
        (5, Some(_)) | (6..=8, None) => {
            let own = format!("own-{mark}");
            Call::assign(id, if random.chance(50) { &own } else { &contended })
        }
        (6..=8, Some(prefix)) => Call::release(id, prefix),
        _ => Call::delete(id),
    };
    // A restore that changes nothing is recognized by its revision.
    let is_restore = matches!(call, Call::Restore(_));
    if is_restore || random.chance(40) { call.expecting(*revision) } else { call }
}

fn create(mark: &str, random: &mut Random) -> Call {
    let verification_message_template = large(random);
    Call::Create(Box::new(CreateUserPoolRequest { verification_message_template, ..named(mark) }))
}

fn update(id: &str, mark: &str, random: &mut Random) -> Call {
    Call::Update(Box::new(UpdateUserPoolRequest {
        user_pool_id: Some(id.to_owned()),
        user_pool_tags: [("mark".to_owned(), mark.to_owned())].into(),
        verification_message_template: large(random),
        ..Default::default()
    }))
}

/// Sometimes large enough for sled to keep the value in a file of its own.
fn large(random: &mut Random) -> Option<VerificationMessageTemplate> {
    random.chance(4).then(|| {
        let text = "界".repeat(19_000);
        VerificationMessageTemplate {
            email_message: Some(format!("{text}{{####}}")),
            email_message_by_link: Some(format!("{text}{{##here##}}")),
            ..Default::default()
        }
    })
}
