//! A deleted user pool comes back under its ID, at its place, and its history goes on.

use std::fs;

use tonic::Code;
use tonic_types::StatusExt as _;
use userpool::{
    proto::{
        DescribeLogRequest, ListUserPoolEventsRequest, ListUserPoolsRequest, UpdateUserPoolRequest,
        UserPoolEventFilter, VerifyUserPoolHistoryRequest, deletion_protection,
        user_pool_history_service_client::UserPoolHistoryServiceClient,
    },
    transport::Endpoint,
    user_pool::Limits,
};

use crate::{
    calls::Call,
    metrics::Reading,
    support::{Client, TestServer, create, fields, reason},
};

use super::{assert_same, describe, last_event, past, restore, restored, to};

/// The IDs of the user pools in the list, and how many there are.
async fn listed(server: &TestServer) -> (Vec<String>, i64) {
    let mut client = server.client().await;
    let request = ListUserPoolsRequest { max_results: Some(60), ..ListUserPoolsRequest::default() };
    let page = client.list_user_pools(request).await.expect("a page").into_inner();
    let mut history = UserPoolHistoryServiceClient::new(server.channel().await);
    let log = history.describe_log(DescribeLogRequest::default()).await.expect("described");
    let ids = page.user_pools.into_iter().filter_map(|pool| pool.id).collect();
    (ids, log.into_inner().user_pool_count)
}

async fn create_three(client: &mut Client) -> [String; 3] {
    let mut ids = Vec::new();
    for name in ["first", "second", "third"] {
        ids.push(create(client, name).await);
    }
    ids.try_into().expect("three")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_user_pool_comes_back_under_its_id() {
    let server = TestServer::start().await;
    let mut client = server.client().await;
    let [first, second, third] = create_three(&mut client).await;
    Call::tag(&second, "one").send(&mut client).await.expect("updated");
    let before = past(&server, &second, 2).await;
    Call::delete(&second).send(&mut client).await.expect("deleted");
    assert_eq!(listed(&server).await, (vec![first.clone(), third.clone()], 2));

    let answer = restore(&mut client, to(&second, 2)).await.expect("restored");
    assert_eq!((answer.revision, answer.position), (4, 6));
    assert_same(answer.user_pool.as_ref().expect("a user pool"), &before);
    let event = last_event(&server).await;
    let event = restored(&event);
    assert!(event.was_deleted);
    assert!(event.changed_paths.is_empty(), "{event:?}");
    let described = describe(&mut client, &second).await.expect("described");
    assert_eq!(described.user_pool, answer.user_pool);
    // At the place of its creation.
    let all = vec![first.clone(), second.clone(), third.clone()];
    assert_eq!(listed(&server).await, (all.clone(), 3));

    let mut history = UserPoolHistoryServiceClient::new(server.channel().await);
    let filter = UserPoolEventFilter {
        user_pool_id: Some(second.clone()),
        ..UserPoolEventFilter::default()
    };
    let request =
        ListUserPoolEventsRequest { filter: Some(filter), ..ListUserPoolEventsRequest::default() };
    let events = history.list_user_pool_events(request).await.expect("a page").into_inner().events;
    let revisions: Vec<_> = events.iter().map(|event| event.revision).collect();
    assert_eq!(revisions, [1, 2, 3, 4]);
    let verified = history.verify_user_pool_history(VerifyUserPoolHistoryRequest::default()).await;
    assert!(verified.expect("verified").into_inner().valid);

    // It can be changed, deleted and restored again.
    Call::tag(&second, "two").send(&mut client).await.expect("updated");
    Call::delete(&second).send(&mut client).await.expect("deleted");
    assert_eq!(listed(&server).await, (vec![first, third], 2));
    let gone = describe(&mut client, &second).await.expect_err("deleted");
    assert_eq!(reason(&gone), "USER_POOL_DELETED");
    let answer = restore(&mut client, to(&second, 5)).await.expect("restored");
    assert_eq!(answer.revision, 7);
    assert_eq!(listed(&server).await, (all, 3));
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restored_user_pool_survives_restarts_and_rebuilds() {
    let server = TestServer::start().await;
    let mut client = server.client().await;
    let [first, second, third] = create_three(&mut client).await;
    for id in [&first, &second] {
        Call::assign(id, &format!("login-{}", &id[10..]))
            .send(&mut client)
            .await
            .expect("assigned");
        Call::release(id, &format!("login-{}", &id[10..])).send(&mut client).await.expect("freed");
        Call::delete(id).send(&mut client).await.expect("deleted");
    }
    // Restored in the life of another read model than the one that it was deleted in.
    let server = server.restart().await;
    let mut client = server.client().await;
    for id in [&first, &second] {
        Call::restore_with_domains(id, 2).send(&mut client).await.expect("restored");
    }
    Call::delete(&third).send(&mut client).await.expect("deleted");
    let shown = (
        describe(&mut client, &first).await.expect("described"),
        describe(&mut client, &second).await.expect("described"),
        listed(&server).await,
    );
    assert_eq!(
        shown.0.user_pool.as_ref().and_then(|pool| pool.domain.as_deref()),
        Some(&*format!("login-{}", &first[10..]))
    );
    let rebuild = |data_dir: &std::path::Path| {
        fs::remove_dir_all(data_dir.join("read_model")).expect("a read model");
    };
    let mut server = server.restart().await;
    for _ in 0..2 {
        let mut client = server.client().await;
        let found = (
            describe(&mut client, &first).await.expect("described"),
            describe(&mut client, &second).await.expect("described"),
            listed(&server).await,
        );
        assert_eq!(found, shown);
        server = server.restart_after(rebuild).await;
    }
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_revision_of_a_deletion_is_refused() {
    let server = TestServer::start().await;
    let mut client = server.client().await;
    let id = create(&mut client, "people").await;
    Call::delete(&id).send(&mut client).await.expect("deleted");
    for again in [false, true] {
        let refused = restore(&mut client, to(&id, 2)).await.expect_err("refused");
        assert_eq!(refused.code(), Code::InvalidArgument, "{again}");
        assert_eq!(fields(&refused), ["revision"]);
        assert_eq!(
            refused.message(),
            "The user pool was deleted at revision 2, so there is nothing to restore. Restore \
             revision 1, the last one before that."
        );
        let violation = &refused.get_details_bad_request().expect("violations").field_violations[0];
        assert_eq!(
            (violation.reason.as_str(), violation.description.as_str()),
            (
                "CONFLICT",
                "must not be 2, at which the user pool was deleted; 1 is the last revision before \
                 that"
            )
        );
        restore(&mut client, to(&id, 1)).await.expect("restored");
    }
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_expected_revision_of_a_deleted_user_pool_is_its_deletion() {
    let server = TestServer::start().await;
    let mut client = server.client().await;
    let id = create(&mut client, "people").await;
    Call::delete(&id).send(&mut client).await.expect("deleted");
    let early = Call::restore(&id, 1).expecting(1).send(&mut client).await.expect_err("refused");
    assert_eq!(reason(&early), "REVISION_MISMATCH");
    let validated = Call::restore(&id, 1).expecting(2).only_validated();
    assert_eq!(validated.send(&mut client).await.expect("an answer").revision, 3);
    let gone = describe(&mut client, &id).await.expect_err("still deleted");
    assert_eq!(reason(&gone), "USER_POOL_DELETED");
    Call::restore(&id, 1).expecting(2).send(&mut client).await.expect("restored");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restored_user_pool_counts_towards_the_limit() {
    let limits = Limits { user_pools: 2, ..Limits::default() };
    let server = TestServer::with(|config| config.limits = limits).await;
    let mut client = server.client().await;
    let id = create(&mut client, "people").await;
    Call::delete(&id).send(&mut client).await.expect("deleted");
    let others = [create(&mut client, "one").await, create(&mut client, "two").await];
    let full = restore(&mut client, to(&id, 1)).await.expect_err("refused");
    assert_eq!(full.code(), Code::ResourceExhausted);
    assert_eq!(reason(&full), "LIMIT_EXCEEDED");
    Call::delete(&others[0]).send(&mut client).await.expect("deleted");
    restore(&mut client, to(&id, 1)).await.expect("restored");
    let full = restore(&mut client, to(&others[0], 1)).await.expect_err("refused");
    assert_eq!(reason(&full), "LIMIT_EXCEEDED");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restored_protection_from_deletion_holds() {
    let server = TestServer::start().await;
    let mut client = server.client().await;
    let id = create(&mut client, "people").await;
    let protect = |value: deletion_protection::Value| {
        Call::Update(Box::new(UpdateUserPoolRequest {
            user_pool_id: Some(id.clone()),
            deletion_protection: Some(value.into()),
            ..UpdateUserPoolRequest::default()
        }))
    };
    protect(deletion_protection::Value::Active).send(&mut client).await.expect("protected");
    protect(deletion_protection::Value::Inactive).send(&mut client).await.expect("unprotected");
    Call::delete(&id).send(&mut client).await.expect("deleted");
    restore(&mut client, to(&id, 2)).await.expect("restored");
    let refused = Call::delete(&id).send(&mut client).await.expect_err("protected");
    assert_eq!(reason(&refused), "USER_POOL_DELETION_PROTECTED");
    restore(&mut client, to(&id, 1)).await.expect("restored");
    Call::delete(&id).send(&mut client).await.expect("deleted");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_metrics_count_restored_user_pools() {
    let listen = Endpoint::Tcp("127.0.0.1:0".to_owned());
    let server = TestServer::with(|config| config.metrics_listen = Some(listen)).await;
    let metrics = server.metrics.as_ref().expect("metrics");
    let mut client = server.client().await;
    let id = create(&mut client, "people").await;
    Call::delete(&id).send(&mut client).await.expect("deleted");
    let user_pools = async || Reading::of(metrics).await.value("userpool_user_pools");
    assert!(user_pools().await < 0.5);
    restore(&mut client, to(&id, 1)).await.expect("restored");
    assert!(user_pools().await > 0.5);
    server.stop().await;
}
