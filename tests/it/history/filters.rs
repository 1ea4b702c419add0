//! Filters find events by their domain, their request and the call that caused them, in a list
//! and in a watch; a condition that no event can meet is refused.

use tonic::{Code, Request};
use tonic_types::StatusExt as _;
use userpool::{
    client::Options,
    proto::{
        ActorKind, CustomDomainConfig, DeleteUserPoolDomainRequest, ListUserPoolEventsRequest,
        UpdateUserPoolDomainRequest, UserPoolEventFilter, UserPoolEventType,
        WatchUserPoolEventsRequest, watch_user_pool_events_request::Start,
        watch_user_pool_events_response::Content,
    },
    transport::Endpoint,
};

use super::{History, history, tagged};
use crate::support::{Client, TestServer, create, domain, fields, named, reason};

const REQUEST_ID: &str = "6D4CF2B1-8A4F-4F5C-9C7F-2F1E0A3B5C7D";
const CERTIFICATE: &str = "arn:aws:acm:us-east-1:123456789012:certificate/1";

/// The positions of the matching events, in a list.
async fn listed(history: &mut History, filter: UserPoolEventFilter) -> Vec<i64> {
    let request = ListUserPoolEventsRequest { filter: Some(filter), ..Default::default() };
    let page = history.list_user_pool_events(request).await.expect("a page").into_inner();
    page.events.iter().map(|event| event.position).collect()
}

/// The positions of the matching events, in a watch from the beginning.
async fn watched(history: &mut History, filter: UserPoolEventFilter) -> Vec<i64> {
    let request = WatchUserPoolEventsRequest {
        filter: Some(filter),
        start: Some(Start::AfterPosition(0)),
        ..Default::default()
    };
    let mut watch = history.watch_user_pool_events(request).await.expect("a watch").into_inner();
    let mut positions = Vec::new();
    loop {
        let message = watch.message().await.expect("a message").expect("an endless watch");
        match message.content.expect("content") {
            Content::Event(event) => positions.push(event.position),
            Content::Checkpoint(checkpoint) => {
                assert!(checkpoint.caught_up);
                return positions;
            }
        }
    }
}

/// Lists and watches.
async fn found(history: &mut History, filter: UserPoolEventFilter) -> Vec<i64> {
    let listed = listed(history, filter.clone()).await;
    assert_eq!(watched(history, filter).await, listed);
    listed
}

fn with_domain(domain: &str) -> UserPoolEventFilter {
    UserPoolEventFilter { domain: Some(domain.to_owned()), ..Default::default() }
}

async fn delete_domain(client: &mut Client, domain: &str, user_pool_id: &str) {
    let request = DeleteUserPoolDomainRequest {
        domain: Some(domain.to_owned()),
        user_pool_id: Some(user_pool_id.to_owned()),
        ..Default::default()
    };
    client.delete_user_pool_domain(request).await.expect("deleted");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_domain_is_found_with_every_user_pool_that_had_it() {
    let server = TestServer::start().await;
    let mut client = server.client().await;
    let people = create(&mut client, "people").await;
    let staff = create(&mut client, "staff").await;
    client.create_user_pool_domain(domain("login", &people)).await.expect("a domain");
    client.create_user_pool_domain(domain("login-2", &staff)).await.expect("a domain");
    let update = UpdateUserPoolDomainRequest {
        domain: Some("login".to_owned()),
        user_pool_id: Some(people.clone()),
        managed_login_version: Some(2),
        ..Default::default()
    };
    client.update_user_pool_domain(update).await.expect("updated");
    delete_domain(&mut client, "login", &people).await;
    delete_domain(&mut client, "login-2", &staff).await;
    client.create_user_pool_domain(domain("login", &staff)).await.expect("a domain");
    let certificate_arn = Some(CERTIFICATE.to_owned());
    let config = CustomDomainConfig { certificate_arn, ..Default::default() };
    let custom = domain("auth.example.com", &people);
    let custom = userpool::proto::CreateUserPoolDomainRequest {
        custom_domain_config: Some(config),
        ..custom
    };
    client.create_user_pool_domain(custom).await.expect("a domain");
    client.update_user_pool(tagged(&people)).await.expect("updated");

    let mut history = history(&server).await;
    assert_eq!(found(&mut history, with_domain("login")).await, [3, 5, 6, 8]);
    assert_eq!(found(&mut history, with_domain("login-2")).await, [4, 7]);
    assert_eq!(found(&mut history, with_domain("auth.example.com")).await, [9]);
    assert!(found(&mut history, with_domain("logi")).await.is_empty());
    let of_staff = UserPoolEventFilter { user_pool_id: Some(staff), ..with_domain("login") };
    assert_eq!(found(&mut history, of_staff).await, [8]);
    let types = vec![
        UserPoolEventType::UserPoolCreated.into(),
        UserPoolEventType::UserPoolDomainDeleted.into(),
    ];
    let deleted = UserPoolEventFilter { types, ..with_domain("login") };
    assert_eq!(found(&mut history, deleted).await, [6]);

    // After a restart, no event is in memory.
    let server = server.restart().await;
    let mut history = super::history(&server).await;
    assert_eq!(found(&mut history, with_domain("login")).await, [3, 5, 6, 8]);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_is_found_by_its_correlation_id_and_its_request_id() {
    let server = TestServer::start().await;
    let mut client = server.client().await;
    let people = create(&mut client, "people").await;
    let mut update = tagged(&people);
    update.request_id = Some(REQUEST_ID.to_owned());
    let mut request = Request::new(update);
    request.metadata_mut().insert("x-request-id", "ticket/4711".parse().expect("a value"));
    client.update_user_pool(request).await.expect("updated");
    let answered = client.create_user_pool(named("staff")).await.expect("a user pool");
    let assigned = answered.metadata().get("x-request-id").expect("an ID");
    let assigned = assigned.to_str().expect("text").to_owned();

    let mut history = history(&server).await;
    let by_correlation = |id: &str| UserPoolEventFilter {
        correlation_id: Some(id.to_owned()),
        ..Default::default()
    };
    assert_eq!(found(&mut history, by_correlation("ticket/4711")).await, [2]);
    assert_eq!(found(&mut history, by_correlation(&assigned)).await, [3]);
    assert!(found(&mut history, by_correlation("ticket/471")).await.is_empty());
    // Any spelling of a UUID finds it.
    let plain = REQUEST_ID.replace('-', "").to_lowercase();
    for id in [REQUEST_ID.to_owned(), REQUEST_ID.to_lowercase(), plain] {
        let filter = UserPoolEventFilter { request_id: Some(id), ..Default::default() };
        assert_eq!(found(&mut history, filter).await, [2]);
    }
    let filter = UserPoolEventFilter {
        request_id: Some(REQUEST_ID.to_owned()),
        ..by_correlation(&assigned)
    };
    assert!(found(&mut history, filter).await.is_empty());
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_condition_that_no_event_can_meet_is_refused() {
    let server = TestServer::start().await;
    let mut history = history(&server).await;
    let none = UserPoolEventFilter::default;
    let address =
        |address: &str| UserPoolEventFilter { peer_address: Some(address.to_owned()), ..none() };
    let created = vec![UserPoolEventType::UserPoolCreated.into()];
    for (filter, field, remedy) in [
        (address("10.1.2.3/8"), "peer_address", "must be 10.0.0.0/8 for the network, or 10.1.2.3"),
        (address("2001:db8::1/32"), "peer_address", "must be 2001:db8::/32 for the network"),
        (address("::ffff:10.1.2.3/104"), "peer_address", "must be 10.0.0.0/8 for the network"),
        (address("0.0.0.0"), "peer_address", "or be absent for all of them"),
        (address("[::]:443"), "peer_address", "or be absent for all of them"),
        (address("192.0.2.7:0"), "peer_address", "must have a port from 1 to 65535"),
        (address("localhost"), "peer_address", "must be an IP address"),
        (
            UserPoolEventFilter { actor_subject: Some("a\n*".to_owned()), ..none() },
            "actor_subject",
            "must have no control characters",
        ),
        (
            UserPoolEventFilter { correlation_id: Some("x".repeat(129)), ..none() },
            "correlation_id",
            "must have 1 to 128 visible ASCII characters, has 129 bytes",
        ),
        (
            UserPoolEventFilter { correlation_id: Some(String::new()), ..none() },
            "correlation_id",
            "has 0 bytes",
        ),
        (
            UserPoolEventFilter { correlation_id: Some("two words".to_owned()), ..none() },
            "correlation_id",
            "visible ASCII",
        ),
        (
            UserPoolEventFilter { request_id: Some("4711".to_owned()), ..none() },
            "request_id",
            "must be a UUID",
        ),
        (
            UserPoolEventFilter { request_id: Some(uuid::Uuid::nil().to_string()), ..none() },
            "request_id",
            "must not be the nil UUID",
        ),
        (with_domain(""), "domain", "must have 1 to 63 characters"),
        (with_domain("Login"), "domain", "lower-case letters"),
        (with_domain(&"a".repeat(64)), "domain", "must have 1 to 63 characters"),
        (
            UserPoolEventFilter { types: created, ..with_domain("login") },
            "types",
            "USER_POOL_EVENT_TYPE_USER_POOL_DOMAIN_CREATED",
        ),
    ] {
        let list = ListUserPoolEventsRequest { filter: Some(filter.clone()), ..Default::default() };
        let watch =
            WatchUserPoolEventsRequest { filter: Some(filter.clone()), ..Default::default() };
        let listed = history.list_user_pool_events(list).await.expect_err("refused");
        let watched = history.watch_user_pool_events(watch).await.expect_err("refused");
        for refused in [listed, watched] {
            assert_eq!(refused.code(), Code::InvalidArgument, "{filter:?}");
            assert_eq!(reason(&refused), "INVALID_REQUEST");
            let named = fields(&refused);
            assert!(named.iter().all(|named| *named == format!("filter.{field}")), "{named:?}");
            let described =
                format!("{:?}", tonic_types::StatusExt::get_details_bad_request(&refused));
            assert!(described.contains(remedy), "{described} lacks {remedy}");
        }
    }
    let types = vec![UserPoolEventType::UserPoolCreated.into()];
    let filter = Some(UserPoolEventFilter { types, ..with_domain("login") });
    let list = ListUserPoolEventsRequest { filter, ..Default::default() };
    let refused = history.list_user_pool_events(list).await.expect_err("refused");
    let shown = "Value 'USER_POOL_EVENT_TYPE_USER_POOL_CREATED' at 'filter.types'";
    assert!(refused.message().contains(shown), "{refused}");
    for accepted in
        ["10.0.0.0/8", "::ffff:10.0.0.0/104", "2001:db8::/32", "0.0.0.0/0", "::1", "[::1]"]
    {
        assert!(listed(&mut history, address(accepted)).await.is_empty(), "{accepted}");
    }
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn actors_are_found_by_their_kind() {
    let socket = |config: &mut userpool::server::Config| {
        config.listen = Endpoint::Unix(config.data_dir.join("socket"));
    };
    let server = TestServer::with(socket).await;
    let local = Options::to(server.endpoint.clone()).connect().await.expect("connected");
    local.create_user_pool(named("people")).await.expect("a user pool");
    let directory = server.stop().await;
    let server = TestServer::with(|config| config.data_dir = directory.path().into()).await;
    create(&mut server.client().await, "staff").await;

    let mut history = history(&server).await;
    let of = |kind: ActorKind, subject: Option<&str>| UserPoolEventFilter {
        actor_kind: kind.into(),
        actor_subject: subject.map(str::to_owned),
        ..Default::default()
    };
    for (filter, expected) in [
        (of(ActorKind::LocalProcess, None), vec![1]),
        (of(ActorKind::LocalProcess, Some("uid=*")), vec![1]),
        (of(ActorKind::Anonymous, None), vec![2]),
        (of(ActorKind::Anonymous, Some("")), vec![2]),
        (of(ActorKind::Anonymous, Some("*")), vec![2]),
        (of(ActorKind::Token, Some("uid=*")), vec![]),
        (of(ActorKind::Unspecified, Some("**")), vec![1, 2]),
    ] {
        assert_eq!(found(&mut history, filter.clone()).await, expected, "{filter:?}");
    }
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_no_actor_of_a_kind_has_is_refused() {
    let server = TestServer::start().await;
    let mut history = history(&server).await;
    let none = UserPoolEventFilter::default;
    let of = |kind: ActorKind| UserPoolEventFilter { actor_kind: kind.into(), ..none() };
    let address =
        |address: &str| UserPoolEventFilter { peer_address: Some(address.to_owned()), ..none() };
    for (filter, field, remedy) in [
        (
            UserPoolEventFilter {
                actor_subject: Some("uid=*".to_owned()),
                ..of(ActorKind::Anonymous)
            },
            "actor_subject",
            "must be empty or absent, because actor_kind is ACTOR_KIND_ANONYMOUS",
        ),
        (
            UserPoolEventFilter { actor_subject: Some(String::new()), ..of(ActorKind::Token) },
            "actor_subject",
            "must not be empty, because actor_kind is ACTOR_KIND_TOKEN",
        ),
        (
            UserPoolEventFilter {
                actor_kind: ActorKind::LocalProcess.into(),
                ..address("192.0.2.7")
            },
            "peer_address",
            "must be absent, because actor_kind is ACTOR_KIND_LOCAL_PROCESS",
        ),
        (
            UserPoolEventFilter { actor_kind: 5, ..none() },
            "actor_kind",
            "ACTOR_KIND_LOCAL_PROCESS, ACTOR_KIND_ACCESS_KEY",
        ),
    ] {
        let list = ListUserPoolEventsRequest { filter: Some(filter), ..Default::default() };
        let refused = history.list_user_pool_events(list).await.expect_err("refused");
        assert_eq!(fields(&refused), [format!("filter.{field}")]);
        let details = refused.get_details_bad_request().expect("violations");
        let description = &details.field_violations[0].description;
        assert!(description.contains(remedy), "{description} lacks {remedy}");
    }
    server.stop().await;
}

/// The numbers of the types have a gap.
#[tokio::test(flavor = "multi_thread")]
async fn every_type_can_be_named_at_once() {
    let server = TestServer::start().await;
    create(&mut server.client().await, "people").await;
    let types: Vec<_> =
        (1..100).filter(|kind| UserPoolEventType::try_from(*kind).is_ok()).collect();
    assert_eq!(types.len(), 11);
    let mut history = history(&server).await;
    let filter = UserPoolEventFilter { types: types.clone(), ..Default::default() };
    assert_eq!(found(&mut history, filter).await, [1]);
    let filter = Some(UserPoolEventFilter { types: vec![6], ..Default::default() });
    let request = ListUserPoolEventsRequest { filter, ..Default::default() };
    let refused = history.list_user_pool_events(request).await.expect_err("no such type");
    let details = refused.get_details_bad_request().expect("violations");
    for name in types.iter().filter_map(|kind| UserPoolEventType::try_from(*kind).ok()) {
        let names = &details.field_violations[0].description;
        assert!(names.contains(name.as_str_name()), "{}: {names}", name.as_str_name());
    }
    server.stop().await;
}
