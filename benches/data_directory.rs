//! Data directories as a server leaves them, with any number of events.

use std::path::Path;

use bytes::Bytes;
use prost::Message as _;
use prost_types::Timestamp;
use userpool::{
    app::{Source as _, SystemSource},
    event_log::{EventLog as _, SledLog},
    proto::{
        Actor, ActorKind, CreateUserPoolRequest, DescribeUserPoolRequest, UserPool,
        UserPoolCreated, UserPoolEvent, UserPoolEventType, UserPoolUpdated,
        user_pool_event::Payload,
    },
    server::data_dir::DataDir,
    user_pool::{CheckedCommand, DomainOwners, Facts, Limits, UserPoolId, UserPoolState, decide},
};
use uuid::Builder;

use crate::varied_pools::{self, Random};

/// The user pool with many events.
pub(crate) const POOL: &str = "us-east-1_AbCdEfGhI";
/// How many user pools differ in more than their names. The log divides its records into
/// much smaller packs, so it does not see that they repeat.
pub(crate) const VARIED: usize = 1_000;
/// The time of the first event, in milliseconds.
const BEGIN: u64 = 1_512_993_600_000;
/// The time between two events, in milliseconds.
const INTERVAL: u64 = 7;
const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// The content of a directory.
#[derive(Debug)]
pub(crate) struct DataDirectory {
    /// The number of events.
    pub(crate) events: u64,
    /// How many of them are those of [`POOL`]; every other user pool has one.
    pub(crate) own: u64,
}

impl DataDirectory {
    /// Writes the log, and returns the number of appended bytes. There is no read
    /// model: the first server builds it.
    pub(crate) async fn write(&self, data_dir: &Path) -> u64 {
        let now = SystemSource.now();
        drop(DataDir::open(data_dir, "us-east-1", now).expect("a directory"));
        let log = SledLog::open(&data_dir.join("log")).expect("a log");
        let pools: Vec<UserPool> =
            varied_pools::requests(VARIED).into_iter().map(user_pool).collect();
        let (mut position, mut bytes) = (0, 0);
        while position < self.events {
            let batch = 4096.min(self.events - position);
            let bodies: Vec<Bytes> = (position + 1..=position + batch)
                .map(|position| self.body(position, &pools))
                .collect();
            bytes += bodies.iter().map(|body| u64::try_from(body.len()).unwrap_or(0)).sum::<u64>();
            let head = *log.head().borrow();
            log.append(head, bodies).await.expect("appended");
            position += batch;
        }
        bytes
    }

    /// The user pool has every n-th event, and the others one each.
    fn body(&self, position: u64, pools: &[UserPool]) -> Bytes {
        let every = self.events.checked_div(self.own).unwrap_or(u64::MAX);
        let (id, revision) = if position.is_multiple_of(every) {
            (POOL.to_owned(), position / every)
        } else {
            (id_at(position), 1)
        };
        let index = usize::try_from(position).expect("a small number") % pools.len();
        let mut pool = pools.get(index).expect("a user pool").clone();
        pool.id = Some(id.clone());
        pool.name = Some(format!("{}-{position}", pool.name.unwrap_or_default()));
        let user_pool = Some(pool);
        let (kind, payload) = if revision == 1 {
            let created = UserPoolCreated { user_pool };
            (UserPoolEventType::UserPoolCreated, Payload::UserPoolCreated(Box::new(created)))
        } else {
            let changed_paths = vec!["user_pool_tags".to_owned()];
            let updated = UserPoolUpdated { changed_paths, user_pool };
            (UserPoolEventType::UserPoolUpdated, Payload::UserPoolUpdated(Box::new(updated)))
        };
        let event = UserPoolEvent {
            user_pool_id: id,
            revision: i64::try_from(revision).expect("a small number"),
            r#type: kind.into(),
            payload: Some(payload),
            ..envelope(position)
        };
        event.encode_to_vec().into()
    }
}

/// What a server records next to a change.
fn envelope(position: u64) -> UserPoolEvent {
    let mut random = Random(position);
    let milliseconds = BEGIN + position * INTERVAL;
    let mut uuid = || {
        let (high, low) = (random.number().to_be_bytes(), random.number().to_be_bytes());
        let mut bytes = [0; 10];
        bytes.iter_mut().zip(high.into_iter().chain(low)).for_each(|(byte, random)| *byte = random);
        Builder::from_unix_timestamp_millis(milliseconds, &bytes).into_uuid().to_string()
    };
    UserPoolEvent {
        position: i64::try_from(position).expect("a small number"),
        event_id: uuid(),
        correlation_id: uuid(),
        record_time: Some(Timestamp {
            seconds: i64::try_from(milliseconds / 1000).expect("a small number"),
            nanos: i32::try_from(milliseconds % 1000 * 1_000_000).expect("a small number"),
        }),
        actor: Some(Actor {
            kind: ActorKind::Anonymous.into(),
            peer_address: format!("127.0.0.1:{}", 32_768 + random.below(28_000)),
            user_agent: "tonic/0.14".to_owned(),
            ..Actor::default()
        }),
        schema_version: 1,
        ..UserPoolEvent::default()
    }
}

/// The user pool that the server makes of a request.
fn user_pool(request: CreateUserPoolRequest) -> UserPool {
    let limits = Limits::default();
    let id = DescribeUserPoolRequest {
        user_pool_id: Some(POOL.to_owned()),
        ..DescribeUserPoolRequest::default()
    };
    let facts = Facts {
        user_pool_id: UserPoolId::parse(id).expect("an ID"),
        revision: 0,
        domain_owners: DomainOwners::new(),
        user_pool_count: 0,
        limits,
    };
    let command = CheckedCommand::create_user_pool(request, &limits).expect("valid").command;
    let events = decide(&UserPoolState::Absent, &facts, None, command).expect("accepted");
    match events.into_iter().next() {
        Some(Payload::UserPoolCreated(created)) => created.user_pool.expect("a user pool"),
        Some(_) | None => UserPool::default(),
    }
}

/// The user pool that was created at a position, unless that is [`POOL`]. IDs are not in
/// the order of their positions, as those of a server.
pub(crate) fn id_at(position: u64) -> String {
    let mut random = Random(position);
    let mut id = "us-east-1_".to_owned();
    id.extend((0..9).map(|_| char::from(random.pick(ALPHABET))));
    id
}
