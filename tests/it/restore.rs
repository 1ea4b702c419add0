//! `RestoreUserPool` sets a user pool back to what it was at a revision, as one event, and says
//! what it kept.

mod deleted;
mod domains;

use tonic::{Code, Status};
use userpool::proto::{
    DescribeUserPoolRequest, DescribeUserPoolResponse, EventChange, EventView, KeptField,
    KeptFieldReason, ListUserPoolEventsRequest, ReadDirection, ReplayUserPoolRequest,
    RestoreUserPoolRequest, RestoreUserPoolResponse, UserPool, UserPoolEvent, UserPoolEventType,
    UserPoolRestored, mfa_configuration::Value as Mfa, replay_user_pool_request::AsOf,
    user_pool_event::Payload, user_pool_history_service_client::UserPoolHistoryServiceClient,
};

use crate::{
    calls::Call,
    json::{data, request},
    support::{Client, TestServer, create, fields, metadata, reason},
};

const REQUEST_ID: &str = "0193b5f0-7c5e-7d7a-9c55-2d1d8f1b6a01";

fn to(id: &str, revision: i64) -> RestoreUserPoolRequest {
    RestoreUserPoolRequest {
        user_pool_id: Some(id.to_owned()),
        revision: Some(revision),
        ..RestoreUserPoolRequest::default()
    }
}

async fn restore(
    client: &mut Client,
    request: RestoreUserPoolRequest,
) -> Result<RestoreUserPoolResponse, Status> {
    Ok(client.restore_user_pool(request).await?.into_inner())
}

async fn describe(client: &mut Client, id: &str) -> Result<DescribeUserPoolResponse, Status> {
    let request = DescribeUserPoolRequest {
        user_pool_id: Some(id.to_owned()),
        ..DescribeUserPoolRequest::default()
    };
    Ok(client.describe_user_pool(request).await?.into_inner())
}

/// The user pool at a revision.
async fn past(server: &TestServer, id: &str, revision: i64) -> UserPool {
    let request = ReplayUserPoolRequest {
        user_pool_id: Some(id.to_owned()),
        as_of: Some(AsOf::Revision(revision)),
        ..ReplayUserPoolRequest::default()
    };
    let mut history = UserPoolHistoryServiceClient::new(server.channel().await);
    let replayed = history.replay_user_pool(request).await.expect("a past state").into_inner();
    replayed.user_pool.expect("a user pool")
}

async fn last_event(server: &TestServer) -> UserPoolEvent {
    last_event_in(server, EventView::Full).await
}

async fn last_event_in(server: &TestServer, view: EventView) -> UserPoolEvent {
    let request = ListUserPoolEventsRequest {
        direction: ReadDirection::Backward.into(),
        page_size: 1,
        view: view.into(),
        ..ListUserPoolEventsRequest::default()
    };
    let mut history = UserPoolHistoryServiceClient::new(server.channel().await);
    let page = history.list_user_pool_events(request).await.expect("a page").into_inner();
    page.events.into_iter().next().expect("an event")
}

fn restored(event: &UserPoolEvent) -> &UserPoolRestored {
    assert_eq!(event.r#type(), UserPoolEventType::UserPoolRestored);
    match event.payload.as_ref() {
        Some(Payload::UserPoolRestored(restored)) => restored,
        other => unreachable!("{other:?}"),
    }
}

/// Only the modification time differs between two user pools.
fn assert_same(one: &UserPool, other: &UserPool) {
    let timeless = |pool: &UserPool| UserPool { last_modified_date: None, ..pool.clone() };
    assert_eq!(timeless(one), timeless(other));
}

/// What was kept: the paths and the reasons.
fn kept(answer: &RestoreUserPoolResponse) -> Vec<(&str, KeptFieldReason)> {
    let kept = answer.kept.iter();
    kept.map(|KeptField { path, reason, description }| {
        assert!(!description.is_empty());
        (path.as_str(), KeptFieldReason::try_from(*reason).expect("a reason"))
    })
    .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_update_is_undone() {
    let server = TestServer::start().await;
    let mut client = server.client().await;
    for file in ["create-user-pool-full.json", "create-user-pool-today.json"] {
        let created = Call::Create(Box::new(request(data(file))));
        let id = created.send(&mut client).await.expect("a user pool").id();
        let before = past(&server, &id, 1).await;
        let bad = Call::tag(&id, "bad").send(&mut client).await.expect("updated");
        assert_ne!(bad.user_pool.expect("a user pool").policies, before.policies);

        let answer = restore(&mut client, to(&id, 1)).await.expect("restored");
        let pool = answer.user_pool.clone().expect("a user pool");
        assert_same(&pool, &before);
        assert_eq!(kept(&answer), []);
        assert_eq!((answer.revision, answer.position), (3, bad.position + 1));
        let described = describe(&mut client, &id).await.expect("described");
        assert_eq!(described.user_pool.as_ref(), Some(&pool));
        assert_eq!((described.revision, described.position), (3, answer.position));

        let event = last_event(&server).await;
        assert_eq!(pool.last_modified_date, event.record_time);
        assert_eq!(pool.creation_date, before.creation_date);
        let restored = restored(&event);
        assert_eq!((restored.restored_revision, restored.was_deleted), (1, false));
        assert!(restored.changed_paths.contains(&"user_pool_tags".to_owned()));
        assert!(restored.changed_paths.is_sorted());
        assert!(!restored.changed_paths.iter().any(|path| path.contains("modified")));
        // The event has the whole state, so that it can be replayed without the earlier ones.
        assert_same(
            &UserPool { arn: None, ..pool.clone() },
            restored.user_pool.as_ref().expect("a pool"),
        );

        // The undo can be undone.
        let again = restore(&mut client, to(&id, 2)).await.expect("restored");
        assert_same(&again.user_pool.expect("a user pool"), &past(&server, &id, 2).await);
    }
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_name_tags_and_mfa_factors_come_back() {
    let server = TestServer::start().await;
    let mut client = server.client().await;
    let id = create(&mut client, "people").await;
    for call in [
        Call::set_tag(&id, "team", "one"),
        Call::set_mfa(&id, Mfa::On),
        // Revision 3 is the good state.
        Call::set_mfa(&id, Mfa::Off),
        Call::remove_tag(&id, "team"),
    ] {
        call.send(&mut client).await.expect("changed");
    }
    let Call::Update(mut rename) = Call::tag(&id, "two") else { unreachable!("an update") };
    rename.pool_name = Some("persons".to_owned());
    Call::Update(rename).send(&mut client).await.expect("renamed");

    let answer = restore(&mut client, to(&id, 3)).await.expect("restored");
    let pool = answer.user_pool.expect("a user pool");
    assert_same(&pool, &past(&server, &id, 3).await);
    assert_eq!(pool.name(), "people");
    assert_eq!(pool.user_pool_tags, [("team".to_owned(), "one".to_owned())].into());
    assert_eq!(pool.mfa_configuration(), Mfa::On);
    assert_eq!(pool.software_token_mfa.and_then(|token| token.enabled), Some(true));
    let event = last_event(&server).await;
    let paths = ["mfa_configuration", "pool_name", "sms_mfa", "software_token_mfa"];
    let changed = &restored(&event).changed_paths;
    assert!(paths.iter().all(|path| changed.iter().any(|changed| changed == path)), "{changed:?}");
    server.stop().await;
}

/// An update cannot turn MFA on, but a restored state had it on.
#[tokio::test(flavor = "multi_thread")]
async fn mfa_of_the_creation_comes_back() {
    let server = TestServer::start().await;
    let mut client = server.client().await;
    let created = Call::Create(Box::new(request(data("create-user-pool-full.json"))));
    let created = created.send(&mut client).await.expect("a user pool");
    let id = created.id();
    assert_eq!(created.user_pool.expect("a user pool").mfa_configuration(), Mfa::Optional);
    Call::tag(&id, "bad").send(&mut client).await.expect("MFA is off");
    let answer = restore(&mut client, to(&id, 1)).await.expect("restored");
    assert_eq!(answer.user_pool.expect("a user pool").mfa_configuration(), Mfa::Optional);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn custom_attributes_that_came_later_stay() {
    let server = TestServer::start().await;
    let mut client = server.client().await;
    let id = create(&mut client, "people").await;
    Call::set_tag(&id, "team", "one").send(&mut client).await.expect("tagged");
    Call::add_attribute(&id, "plan").send(&mut client).await.expect("added");
    let schema = past(&server, &id, 3).await.schema_attributes;

    let answer = restore(&mut client, to(&id, 1)).await.expect("restored");
    assert_eq!(kept(&answer), [("schema_attributes", KeptFieldReason::Immutable)]);
    assert!(answer.kept[0].description.contains("never be removed"));
    let pool = answer.user_pool.expect("a user pool");
    assert!(pool.user_pool_tags.is_empty());
    assert_eq!(pool.schema_attributes, schema);
    assert_eq!(restored(&last_event(&server).await).changed_paths, ["user_pool_tags"]);
    // The attribute is still taken.
    let again = Call::add_attribute(&id, "plan").send(&mut client).await.expect_err("refused");
    assert_eq!(reason(&again), "INVALID_REQUEST");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restore_that_changes_nothing_records_nothing() {
    let server = TestServer::start().await;
    let mut client = server.client().await;
    let id = create(&mut client, "people").await;
    Call::add_attribute(&id, "plan").send(&mut client).await.expect("added");
    Call::assign(&id, "people-login").send(&mut client).await.expect("assigned");
    let before = describe(&mut client, &id).await.expect("described");
    for revision in [1, 2, 3] {
        let answer = restore(&mut client, to(&id, revision)).await.expect("an answer");
        assert_eq!((answer.revision, answer.position), (3, 3));
        assert_eq!(answer.user_pool, before.user_pool);
    }
    let answer = restore(&mut client, to(&id, 1)).await.expect("an answer");
    let (domain, schema) = (KeptFieldReason::DomainNotRequested, KeptFieldReason::Immutable);
    assert_eq!(kept(&answer), [("domain", domain), ("schema_attributes", schema)]);
    assert_eq!(describe(&mut client, &id).await.expect("described"), before);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revision_that_cannot_be_restored_is_refused() {
    let server = TestServer::start().await;
    let mut client = server.client().await;
    let id = create(&mut client, "people").await;
    let beyond = restore(&mut client, to(&id, 9)).await.expect_err("refused");
    assert_eq!((beyond.code(), reason(&beyond).as_str()), (Code::OutOfRange, "BEYOND_END"));
    assert_eq!(beyond.message(), "revision 9 does not exist yet; the latest is 1");
    assert_eq!(metadata(&beyond, "current").as_deref(), Some("1"));

    let never = restore(&mut client, to("us-east-1_never0000", 1)).await.expect_err("refused");
    assert_eq!((never.code(), reason(&never).as_str()), (Code::NotFound, "USER_POOL_NOT_FOUND"));

    let nothing = restore(&mut client, RestoreUserPoolRequest::default()).await;
    assert_eq!(fields(&nothing.expect_err("refused")), ["user_pool_id", "revision"]);
    let wrong = RestoreUserPoolRequest {
        request_id: Some("x".to_owned()),
        expected_revision: Some(0),
        ..to(&id, 0)
    };
    let wrong = restore(&mut client, wrong).await.expect_err("refused");
    assert_eq!(wrong.code(), Code::InvalidArgument);
    assert_eq!(fields(&wrong), ["revision", "request_id", "expected_revision"]);
    assert_eq!(describe(&mut client, &id).await.expect("described").head_position, 1);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn another_revision_than_the_expected_one_is_refused() {
    let server = TestServer::start().await;
    let mut client = server.client().await;
    let id = create(&mut client, "people").await;
    Call::tag(&id, "one").send(&mut client).await.expect("updated");
    let expecting =
        |expected| RestoreUserPoolRequest { expected_revision: Some(expected), ..to(&id, 1) };
    let refused = restore(&mut client, expecting(1)).await.expect_err("refused");
    assert_eq!((refused.code(), reason(&refused).as_str()), (Code::Aborted, "REVISION_MISMATCH"));
    assert_eq!(metadata(&refused, "current_revision").as_deref(), Some("2"));
    let answer = restore(&mut client, expecting(2)).await.expect("restored");
    assert_eq!(answer.revision, 3);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_validated_restore_shows_its_result_and_records_nothing() {
    let server = TestServer::start().await;
    let mut client = server.client().await;
    let id = create(&mut client, "people").await;
    Call::tag(&id, "one").send(&mut client).await.expect("updated");
    Call::add_attribute(&id, "plan").send(&mut client).await.expect("added");
    let before = describe(&mut client, &id).await.expect("described");
    let validated = RestoreUserPoolRequest { validate_only: true, ..to(&id, 1) };
    let validated = restore(&mut client, validated).await.expect("an answer");
    assert_eq!((validated.revision, validated.position), (4, 0));
    assert_eq!(describe(&mut client, &id).await.expect("described"), before);
    let answer = restore(&mut client, to(&id, 1)).await.expect("restored");
    assert_eq!(answer.kept, validated.kept);
    assert_same(&answer.user_pool.expect("a pool"), &validated.user_pool.expect("a pool"));
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_retry_of_a_restore_gets_the_first_answer() {
    let server = TestServer::start().await;
    let mut client = server.client().await;
    let id = create(&mut client, "people").await;
    Call::tag(&id, "one").send(&mut client).await.expect("updated");
    Call::add_attribute(&id, "plan").send(&mut client).await.expect("added");
    let first = RestoreUserPoolRequest {
        request_id: Some(REQUEST_ID.to_owned()),
        expected_revision: Some(3),
        ..to(&id, 1)
    };
    let answer = restore(&mut client, first.clone()).await.expect("restored");
    assert_eq!(restore(&mut client, first.clone()).await.expect("the same"), answer);
    Call::tag(&id, "two").send(&mut client).await.expect("updated");
    Call::delete(&id).send(&mut client).await.expect("deleted");
    assert_eq!(restore(&mut client, first.clone()).await.expect("the same"), answer);

    let server = server.restart().await;
    let mut client = server.client().await;
    assert_eq!(restore(&mut client, first.clone()).await.expect("the same"), answer);
    for other in [
        RestoreUserPoolRequest { revision: Some(2), ..first.clone() },
        RestoreUserPoolRequest { restore_domain: true, ..first.clone() },
        RestoreUserPoolRequest { expected_revision: None, ..first },
    ] {
        let refused = restore(&mut client, other).await.expect_err("refused");
        assert_eq!(refused.code(), Code::AlreadyExists);
        assert_eq!(reason(&refused), "IDEMPOTENCY_MISMATCH");
    }
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_summary_says_what_was_restored() {
    let server = TestServer::start().await;
    let mut client = server.client().await;
    let id = create(&mut client, "people").await;
    for call in [
        Call::assign(&id, "people-login"),
        Call::set_tag(&id, "team", "one"),
        Call::release(&id, "people-login"),
        Call::set_tag(&id, "team", "two"),
        Call::delete(&id),
        Call::restore_with_domains(&id, 3),
        Call::restore(&id, 2),
    ] {
        let is_restore = matches!(call, Call::Restore(_));
        let revision = call.send(&mut client).await.expect("changed").revision;
        if !is_restore {
            continue;
        }
        let event = last_event_in(&server, EventView::Summary).await;
        let changes: Vec<_> = event.changes.iter().map(change).collect();
        let (to, tag) = ("restored_revision", "user_pool_tags.team");
        let expected = if revision == 7 {
            vec![
                (to, None, Some("3")),
                ("deleted", Some("true"), None),
                (tag, Some("two"), Some("one")),
                ("domain", None, Some("people-login")),
            ]
        } else {
            vec![(to, None, Some("2")), (tag, Some("one"), None)]
        };
        assert_eq!(changes, expected);
    }
    server.stop().await;
}

/// The path and the values of a change.
fn change(change: &EventChange) -> (&str, Option<&str>, Option<&str>) {
    (&change.path, change.old_value.as_deref(), change.new_value.as_deref())
}
