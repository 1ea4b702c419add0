//! The read model shows what the log says, or it is rebuilt: nothing else is ever served.

mod lost_records;
mod restored;

use std::{error::Error as _, fs, path::Path, sync::Arc};

use prost::Message as _;
use prost_types::Timestamp;
use tempfile::TempDir;
use tonic::Code;
use userpool::{
    app::StoredPool,
    event_log::{EventLog as _, Head, MemoryLog},
    proto::{
        CreateUserPoolRequest, CustomDomainConfig, DescribeUserPoolDomainRequest, DomainSettings,
        ListUserPoolsRequest, UserPool, UserPoolCreated, UserPoolDeleted, UserPoolDomainCreated,
        UserPoolDomainDeleted, UserPoolDomainUpdated, UserPoolEvent, UserPoolEventType,
        UserPoolTagged, UserPoolUpdated, user_pool_event::Payload,
    },
    server::{Server, ServerError},
};
use xxhash_rust::xxh3::xxh3_64;

use crate::support::{
    Client, FixedSource, TestServer, change_database, change_read_model, config, create, describe,
    domain, named,
};

/// The checkpoint, as it is stored.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Checkpoint {
    #[prost(uint32, tag = "1")]
    form: u32,
    #[prost(uint64, tag = "2")]
    position: u64,
    #[prost(bytes = "vec", tag = "3")]
    hash: Vec<u8>,
    #[prost(message, optional, tag = "4")]
    record_time: Option<Timestamp>,
    #[prost(uint64, tag = "5")]
    user_pool_count: u64,
    #[prost(fixed64, tag = "6")]
    pub(crate) digest: u64,
    #[prost(bool, tag = "7")]
    damaged: bool,
    #[prost(uint64, tag = "8")]
    last_created: u64,
}

/// An entry of the index, as it is stored.
#[derive(Clone, PartialEq, prost::Message)]
struct Entry {
    #[prost(string, tag = "1")]
    user_pool_id: String,
    #[prost(fixed64, tag = "2")]
    sum: u64,
}

/// Changes the state of a user pool in the read model of a stopped server, with its sum and
/// the digest, so that nothing shows it.
pub(crate) fn forge_state(read_model: &Path, id: &str, change: impl FnOnce(&mut StoredPool)) {
    change_read_model(read_model, |states, index| {
        let entries = index.prefix("e").map(|entry| entry.into_inner().expect("readable"));
        let (key, mut entry) = entries
            .map(|(key, entry)| (key, Entry::decode(&*entry).expect("an entry")))
            .find(|(_, entry)| entry.user_pool_id == id)
            .expect("a user pool");
        let state_key = [b"p", &key[1..]].concat();
        let state = states.get(&state_key).expect("readable").expect("a state");
        let mut pool = StoredPool::decode(&*state).expect("a state");
        change(&mut pool);
        let state = pool.encode_to_vec();
        let checkpoint = index.get("m").expect("readable").expect("a checkpoint");
        let mut checkpoint = Checkpoint::decode(&*checkpoint).expect("a checkpoint");
        checkpoint.digest = checkpoint.digest.wrapping_sub(entry.sum).wrapping_add(xxh3_64(&state));
        entry.sum = xxh3_64(&state);
        states.insert(state_key, state).expect("written");
        index.insert(key, entry.encode_to_vec()).expect("written");
        index.insert("m", checkpoint.encode_to_vec()).expect("written");
    });
}

/// How many user pools are created before one of them is damaged.
const OTHERS: u64 = 200;

/// The IDs and the names of all user pools.
async fn listed(client: &mut Client) -> Result<Vec<String>, tonic::Status> {
    let mut list = ListUserPoolsRequest {
        max_results: Some(60),
        next_token: None,
        ..ListUserPoolsRequest::default()
    };
    let mut pools = Vec::new();
    loop {
        let page = client.list_user_pools(list.clone()).await?.into_inner();
        let names = page.user_pools.into_iter().map(|pool| Some((pool.id?, pool.name?)));
        pools.extend(names.flatten().map(|(id, name)| format!("{id} {name}")));
        if page.next_token.is_none() {
            return Ok(pools);
        }
        list.next_token = page.next_token;
    }
}

/// Damages that only a comparison of the states with their entries shows.
#[tokio::test(flavor = "multi_thread")]
async fn a_state_that_is_not_the_last_one_is_never_served() {
    type Change = fn(&fjall::Keyspace, Vec<u8>);
    let changes: [(&str, Change); 3] = [
        ("changed", |states, key| {
            let state = states.get(&key).expect("readable").expect("a state");
            let mut pool = StoredPool::decode(&*state).expect("a state");
            pool.user_pool.as_mut().expect("a user pool").name = Some("forged".to_owned());
            states.insert(key, pool.encode_to_vec()).expect("written");
        }),
        ("removed", |states, key| states.remove(key).expect("removed")),
        ("that of another user pool", |states, key| {
            let other = [b"p".as_slice(), &1_u64.to_be_bytes()].concat();
            let state = states.get(other).expect("readable").expect("a state");
            states.insert(key, state).expect("written");
        }),
    ];
    for (what, change) in changes {
        let server = TestServer::start().await;
        let mut client = server.client().await;
        // The server checks the others first.
        let mut id = String::new();
        for _ in 0..OTHERS {
            id = create(&mut client, "people").await;
        }
        // The start checks the one that was changed last.
        create(&mut client, "last").await;
        let before = describe(&mut client, &id).await.expect("described");

        let server = server
            .restart_after(|data_dir| {
                change_read_model(&data_dir.join("read_model"), |states, _| {
                    change(states, [b"p".as_slice(), &OTHERS.to_be_bytes()].concat());
                });
            })
            .await;

        // The server ends as soon as it has found the damage, which may be at once.
        if let Ok(mut client) = server.try_client().await {
            if let Ok(listed) = listed(&mut client).await {
                assert!(listed.contains(&format!("{id} people")), "{what}");
            }
            let refused = describe(&mut client, &id).await.expect_err(what);
            // An error of the connection has a source; an answer of the server has none.
            let is_closed = refused.source().is_some();
            assert!(is_closed || refused.code() == Code::Unavailable, "{refused}");
        }
        let (directory, ended) = server.ended_in().await;
        assert!(matches!(ended, Err(ServerError::ReadModelFailed)), "{what}: {ended:?}");
        let server = TestServer::start_in(directory).await;
        assert_eq!(describe(&mut server.client().await, &id).await.expect(what), before);
        server.stop().await;
    }
}

/// The server finds the damage before any call for the user pool.
#[tokio::test(flavor = "multi_thread")]
async fn damage_is_found_without_a_call() {
    let server = TestServer::start().await;
    create(&mut server.client().await, "people").await;
    create(&mut server.client().await, "last").await;
    let server = server
        .restart_after(|data_dir| {
            change_read_model(&data_dir.join("read_model"), |states, _| {
                let key = [b"p".as_slice(), &1_u64.to_be_bytes()].concat();
                states.insert(key, "damaged").expect("written");
            });
        })
        .await;
    let ended = server.ended().await;
    assert!(matches!(ended, Err(ServerError::ReadModelFailed)), "{ended:?}");
}

/// Removes the first row whose key begins with this letter.
fn remove_row(index: &fjall::Keyspace, letter: &str) {
    let row = index.prefix(letter).next().expect("a row");
    index.remove(row.into_inner().expect("readable").0).expect("removed");
}

/// Damages that the start notices.
#[tokio::test(flavor = "multi_thread")]
async fn an_index_that_contradicts_its_digest_is_rebuilt() {
    type Change = fn(&fjall::Keyspace, &fjall::Keyspace);
    let changes: [(&str, Change); 8] = [
        ("it was not built to the end", |_, index| index.remove("m").expect("removed")),
        ("a domain is missing", |_, index| remove_row(index, "d")),
        ("a request is missing", |_, index| remove_row(index, "i")),
        ("a revision is missing", |_, index| remove_row(index, "r")),
        ("an entry is missing", |_, index| {
            let key = [b"e".as_slice(), &1_u64.to_be_bytes()].concat();
            index.remove(key).expect("removed");
        }),
        ("an entry is changed", |_, index| {
            let key = [b"e".as_slice(), &1_u64.to_be_bytes()].concat();
            let entry = index.get(&key).expect("readable").expect("an entry");
            let mut entry = Entry::decode(&*entry).expect("an entry");
            entry.sum ^= 1;
            index.insert(key, entry.encode_to_vec()).expect("written");
        }),
        ("the states are older than the index", |states, _| {
            // The first one was changed last.
            let key = [b"p".as_slice(), &1_u64.to_be_bytes()].concat();
            let state = states.get(&key).expect("readable").expect("a state");
            let mut pool = StoredPool::decode(&*state).expect("a state");
            pool.revision -= 1;
            states.insert(key, pool.encode_to_vec()).expect("written");
        }),
        ("damage was found before", |_, index| {
            let checkpoint = index.get("m").expect("readable").expect("a checkpoint");
            let checkpoint = Checkpoint::decode(&*checkpoint).expect("a checkpoint");
            let checkpoint = Checkpoint { damaged: true, ..checkpoint };
            index.insert("m", checkpoint.encode_to_vec()).expect("written");
        }),
    ];
    for (what, change) in changes {
        let server = TestServer::start().await;
        let mut client = server.client().await;
        let id = create(&mut client, "people").await;
        let request_id = Some("0193b5f0-7c5e-7d7a-9c55-2d1d8f1b6a01".to_owned());
        let others = CreateUserPoolRequest { request_id, ..named("others") };
        client.create_user_pool(others).await.expect("created");
        client.create_user_pool_domain(domain("login", &id)).await.expect("assigned");
        let before = describe(&mut client, &id).await.expect("described");

        let server = server
            .restart_after(|data_dir| {
                let read_model = data_dir.join("read_model");
                // If the server used it as it is, it would show this state.
                forge_state(&read_model, &id, |pool| pool.user_pool = None);
                change_read_model(&read_model, change);
            })
            .await;

        assert_eq!(describe(&mut server.client().await, &id).await.expect(what), before);
        server.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_read_model_of_an_earlier_version_is_replaced() {
    let server = TestServer::start().await;
    let id = create(&mut server.client().await, "people").await;

    let server = server
        .restart_after(|data_dir| {
            let read_model = data_dir.join("read_model");
            fs::remove_dir_all(&read_model).expect("removed");
            // It was a sled database.
            change_database(&read_model, |db| {
                db.insert("u", "old").expect("written");
            });
        })
        .await;

    describe(&mut server.client().await, &id).await.expect("described");
    let read_model = server.data_dir().join("read_model");
    assert!(!read_model.join("db").exists());
    server.stop().await;
}

/// An event of a user pool for a log that no command has written.
pub(crate) fn event(position: i64, id: &str, revision: i64, payload: Payload) -> UserPoolEvent {
    let r#type = match &payload {
        Payload::UserPoolCreated(_) => UserPoolEventType::UserPoolCreated,
        Payload::UserPoolUpdated(_) => UserPoolEventType::UserPoolUpdated,
        Payload::UserPoolDeleted(_) => UserPoolEventType::UserPoolDeleted,
        Payload::UserPoolDomainCreated(_) => UserPoolEventType::UserPoolDomainCreated,
        Payload::UserPoolDomainDeleted(_) => UserPoolEventType::UserPoolDomainDeleted,
        Payload::UserPoolDomainUpdated(_) => UserPoolEventType::UserPoolDomainUpdated,
        Payload::UserPoolTagged(_) => UserPoolEventType::UserPoolTagged,
        Payload::UserPoolUntagged(_) => UserPoolEventType::UserPoolUntagged,
        Payload::CustomAttributesAdded(_) => UserPoolEventType::CustomAttributesAdded,
        Payload::UserPoolMfaConfigSet(_) => UserPoolEventType::UserPoolMfaConfigSet,
        Payload::UserPoolRestored(_) => UserPoolEventType::UserPoolRestored,
    };
    UserPoolEvent {
        position,
        user_pool_id: id.to_owned(),
        revision,
        event_id: format!("event-{position}"),
        r#type: r#type.into(),
        record_time: Some(Timestamp { seconds: position, nanos: 0 }),
        schema_version: 1,
        payload: Some(payload),
        ..Default::default()
    }
}

fn settings(id: &str, domain: Option<&str>) -> UserPool {
    let domain = domain.map(str::to_owned);
    UserPool { id: Some(id.to_owned()), domain, ..Default::default() }
}

pub(crate) fn created(id: &str) -> Payload {
    created_with(settings(id, None))
}

fn created_with(settings: UserPool) -> Payload {
    Payload::UserPoolCreated(Box::new(UserPoolCreated { user_pool: Some(settings) }))
}

fn updated(id: &str, domain: Option<&str>) -> Payload {
    let user_pool = Some(settings(id, domain));
    Payload::UserPoolUpdated(Box::new(UserPoolUpdated { user_pool, ..Default::default() }))
}

fn assigned(domain: &str) -> Payload {
    Payload::UserPoolDomainCreated(UserPoolDomainCreated {
        domain: domain.to_owned(),
        settings: None,
    })
}

fn assigned_custom(domain: &str) -> Payload {
    let custom_domain_config = Some(CustomDomainConfig::default());
    let settings = Some(DomainSettings { custom_domain_config, managed_login_version: None });
    Payload::UserPoolDomainCreated(UserPoolDomainCreated { domain: domain.to_owned(), settings })
}

fn domain_updated(domain: &str, custom_domain_config: Option<CustomDomainConfig>) -> Payload {
    let settings = DomainSettings { custom_domain_config, managed_login_version: Some(2) };
    let (domain, settings) = (domain.to_owned(), Some(settings));
    Payload::UserPoolDomainUpdated(UserPoolDomainUpdated { domain, settings })
}

fn tagged() -> Payload {
    Payload::UserPoolTagged(UserPoolTagged { tags: [].into() })
}

fn removed(domain: &str) -> Payload {
    Payload::UserPoolDomainDeleted(UserPoolDomainDeleted { domain: domain.to_owned() })
}

pub(crate) fn deleted() -> Payload {
    Payload::UserPoolDeleted(UserPoolDeleted {})
}

/// A user pool, the revision of an event and its payload.
type Written<'a> = (&'a str, i64, Payload);

/// A log whose chain is right, but which no command could have written, is named.
#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_the_rules_could_not_have_written_is_refused() {
    let (a, b) = ("us-east-1_aaaaaaaaa", "us-east-1_bbbbbbbbb");
    let logs: [(&str, Vec<Written<'_>>); 11] = [
        (
            "revision 3 of user pool us-east-1_aaaaaaaaa follows revision 1",
            vec![(a, 1, created(a)), (a, 3, updated(a, None))],
        ),
        (
            "revision 1 of user pool us-east-1_aaaaaaaaa follows revision 1",
            vec![(a, 1, created(a)), (a, 1, updated(a, None))],
        ),
        (
            "user pool us-east-1_aaaaaaaaa is created again",
            vec![(a, 1, created(a)), (a, 2, created(a))],
        ),
        (
            "user pool us-east-1_aaaaaaaaa is changed, but was never created",
            vec![(b, 1, created(b)), (a, 1, updated(a, None))],
        ),
        (
            "user pool us-east-1_aaaaaaaaa is changed after its deletion",
            vec![(a, 1, created(a)), (a, 2, deleted()), (a, 3, updated(a, None))],
        ),
        (
            "user pool us-east-1_aaaaaaaaa is deleted while it has a domain",
            vec![(a, 1, created(a)), (a, 2, assigned("login")), (a, 3, deleted())],
        ),
        (
            "the settings of user pool us-east-1_aaaaaaaaa have the ID of another one",
            vec![(a, 1, created(a)), (a, 2, updated(b, None))],
        ),
        (
            "an update changes the domain of user pool us-east-1_aaaaaaaaa",
            vec![(a, 1, created(a)), (a, 2, updated(a, Some("login")))],
        ),
        (
            "user pool us-east-1_aaaaaaaaa gets a second domain",
            vec![(a, 1, created(a)), (a, 2, assigned("login")), (a, 3, assigned("signin"))],
        ),
        (
            "domain login is assigned to user pool us-east-1_bbbbbbbbb, but another one owns it",
            vec![
                (a, 1, created(a)),
                (b, 1, created(b)),
                (a, 2, assigned("login")),
                (b, 2, assigned("login")),
            ],
        ),
        (
            "domain login is removed from user pool us-east-1_aaaaaaaaa, which does not own it",
            vec![(a, 1, created(a)), (a, 2, removed("login"))],
        ),
    ];
    assert_refused(logs).await;
}

/// The same for the events that came later.
#[tokio::test(flavor = "multi_thread")]
async fn later_events_that_the_rules_could_not_have_written_too() {
    let (a, b) = ("us-east-1_aaaaaaaaa", "us-east-1_bbbbbbbbb");
    let certificate = || Some(CustomDomainConfig::default());
    let logs: [(&str, Vec<Written<'_>>); 10] = [
        (
            "user pool us-east-1_aaaaaaaaa is created with a domain",
            vec![(b, 1, created(b)), (a, 1, created_with(settings(a, Some("login"))))],
        ),
        (
            "user pool us-east-1_aaaaaaaaa is created with a domain",
            vec![(
                a,
                1,
                created_with(UserPool {
                    custom_domain_settings: Some(DomainSettings::default()),
                    ..settings(a, None)
                }),
            )],
        ),
        (
            "user pool us-east-1_aaaaaaaaa gets a second domain",
            vec![
                (a, 1, created(a)),
                (a, 2, assigned("login")),
                (a, 3, assigned_custom("a.example.com")),
                (a, 4, assigned_custom("b.example.com")),
            ],
        ),
        (
            "user pool us-east-1_aaaaaaaaa is deleted while it has a domain",
            vec![(a, 1, created(a)), (a, 2, assigned_custom("a.example.com")), (a, 3, deleted())],
        ),
        (
            "an update changes the domain of user pool us-east-1_aaaaaaaaa",
            vec![
                (a, 1, created(a)),
                (a, 2, assigned_custom("a.example.com")),
                (a, 3, updated(a, None)),
            ],
        ),
        (
            "domain a.example.com is removed from user pool us-east-1_aaaaaaaaa, which does not \
             own it",
            vec![
                (a, 1, created(a)),
                (a, 2, assigned_custom("a.example.com")),
                (a, 3, removed("a.example.com")),
                (a, 4, removed("a.example.com")),
            ],
        ),
        (
            "domain login of user pool us-east-1_bbbbbbbbb is updated, which does not own it",
            vec![
                (a, 1, created(a)),
                (b, 1, created(b)),
                (a, 2, assigned("login")),
                (a, 3, domain_updated("login", None)),
                (b, 2, domain_updated("login", None)),
            ],
        ),
        (
            "an update of domain login of user pool us-east-1_aaaaaaaaa changes its kind",
            vec![
                (a, 1, created(a)),
                (a, 2, assigned("login")),
                (a, 3, domain_updated("login", certificate())),
            ],
        ),
        (
            "an update of domain a.example.com of user pool us-east-1_aaaaaaaaa changes its kind",
            vec![
                (a, 1, created(a)),
                (a, 2, assigned_custom("a.example.com")),
                (a, 3, domain_updated("a.example.com", certificate())),
                (a, 4, domain_updated("a.example.com", None)),
            ],
        ),
        (
            "user pool us-east-1_aaaaaaaaa is changed after its deletion",
            vec![(a, 1, created(a)), (a, 2, deleted()), (a, 3, tagged())],
        ),
    ];
    assert_refused(logs).await;
}

/// Checks that each log is refused for its contradiction.
async fn assert_refused<'a>(logs: impl IntoIterator<Item = (&'a str, Vec<Written<'a>>)>) {
    for (contradiction, events) in logs {
        let last = events.len();
        let log = MemoryLog::default();
        let bodies = (1..).zip(events).map(|(position, (id, revision, payload))| {
            event(position, id, revision, payload).encode_to_vec().into()
        });
        log.append(Head::default(), bodies.collect()).await.expect("appended");
        let end = log.latest().await.expect("readable").position;
        let verification = userpool::audit::verify(&log, end, &[], &|_| ()).await;
        let mismatch = verification.expect("readable").mismatch.expect(contradiction);
        assert_eq!(mismatch.position, end);
        assert_eq!(mismatch.cause.to_string(), contradiction);
        let directory = TempDir::new().expect("a directory");
        let read_model = directory.path().join("read_model");
        let source = Arc::new(FixedSource::default());
        let started =
            Server::on(Arc::new(log), &read_model, config(directory.path()), source).await;
        let error = started.expect_err(contradiction);
        let text = userpool::telemetry::error_chain(&error);
        assert!(text.ends_with(contradiction), "{text}");
        assert!(text.contains(&format!("the event at position {last} contradicts")), "{text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_owner_of_a_domain_survives_a_restart() {
    let server = TestServer::start().await;
    let mut client = server.client().await;
    let id = create(&mut client, "people").await;
    client.create_user_pool_domain(domain("login", &id)).await.expect("assigned");
    let other = client.create_user_pool(named("others")).await.expect("created").into_inner();
    let other = other.user_pool.and_then(|pool| pool.id).expect("an ID");

    let server = server.restart().await;

    let mut client = server.client().await;
    let request = DescribeUserPoolDomainRequest {
        domain: Some("login".to_owned()),
        ..DescribeUserPoolDomainRequest::default()
    };
    let shown = client.describe_user_pool_domain(request).await.expect("described").into_inner();
    let owner = shown.domain_description.and_then(|domain| domain.user_pool_id);
    assert_eq!(owner, Some(id));
    client.create_user_pool_domain(domain("login", &other)).await.expect_err("owned");
    server.stop().await;
}
