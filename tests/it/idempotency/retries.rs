//! The same request a second time.

use std::fs;

use futures_util::future::join_all;
use tonic::Code;
use tonic_types::StatusExt as _;
use userpool::proto::ListUserPoolsRequest;

use crate::{
    calls::Call,
    support::{TestServer, metadata, reason},
};

use super::{
    assert_answers_again, assert_log_ends_at, assert_mismatch, one_call_of_each_kind, request_id,
};

#[tokio::test(flavor = "multi_thread")]
async fn a_retry_answers_as_the_first_call_did_and_changes_nothing() {
    let server = TestServer::start().await;
    let mut client = server.client().await;
    let create = Call::create("people").under(&request_id(1));
    let created = create.clone().send(&mut client).await.expect("a user pool");
    assert_answers_again(&mut client, &[(create, created.clone())]).await;
    for (call, number) in [
        (Call::tag(&created.id(), "one"), 2),
        (Call::assign(&created.id(), "people-login"), 3),
        (Call::release(&created.id(), "people-login"), 4),
        (Call::delete(&created.id()), 5),
    ] {
        let call = call.under(&request_id(number));
        let answer = call.clone().send(&mut client).await.expect("an answer");
        assert_answers_again(&mut client, &[(call, answer)]).await;
    }
    assert_log_ends_at(&mut client, 5).await;
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_retry_gets_the_first_answer_after_later_changes() {
    let server = TestServer::start().await;
    let mut client = server.client().await;
    // The last of these deletes the user pool, and then another one gets its domain.
    let calls = one_call_of_each_kind(&mut client).await;
    let other = Call::create("others").send(&mut client).await.expect("a user pool").id();
    Call::assign(&other, "people-login").send(&mut client).await.expect("the freed domain");
    // On a new connection, in reverse order.
    let mut another = server.client().await;
    let backwards: Vec<_> = calls.into_iter().rev().collect();
    assert_answers_again(&mut another, &backwards).await;
    assert_log_ends_at(&mut client, 14).await;
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_retry_is_recognized_after_a_restart() {
    let server = TestServer::start().await;
    let calls = one_call_of_each_kind(&mut server.client().await).await;
    let server = server.restart().await;
    let mut client = server.client().await;
    assert_answers_again(&mut client, &calls).await;
    let other = Call::create("another").under(&request_id(1)).send(&mut client).await;
    assert_mismatch(other, &request_id(1));
    assert_log_ends_at(&mut client, 12).await;
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_retry_is_recognized_after_the_read_model_was_deleted() {
    let server = TestServer::start().await;
    let calls = one_call_of_each_kind(&mut server.client().await).await;
    let delete = |data_dir: &std::path::Path| {
        fs::remove_dir_all(data_dir.join("read_model")).expect("a read model");
    };
    let server = server.restart_after(delete).await;
    let mut client = server.client().await;
    assert_answers_again(&mut client, &calls).await;
    assert_log_ends_at(&mut client, 12).await;
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_of_many_racing_retries_is_carried_out() {
    let server = TestServer::start().await;
    let mut clients = Vec::new();
    for _ in 0..8 {
        clients.push(server.client().await);
    }
    let race = async |call: Call| {
        let calls = clients.iter().cycle().take(64).map(|client| {
            let (call, mut client) = (call.clone(), client.clone());
            async move { call.send(&mut client).await.expect("an answer") }
        });
        let answers = join_all(calls).await;
        assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:?}");
        answers[0].clone()
    };
    let created = race(Call::create("people").under(&request_id(1))).await;
    assert_eq!(created.position, 1);
    let id = created.id();
    for (call, number) in [
        (Call::tag(&id, "one").expecting(1), 2_u8),
        (Call::assign(&id, "people-login").expecting(2), 3),
        (Call::release(&id, "people-login"), 4),
        (Call::delete(&id), 5),
    ] {
        let answer = race(call.under(&request_id(number.into()))).await;
        assert_eq!((answer.revision, answer.position), (number.into(), number.into()));
    }
    let list = ListUserPoolsRequest {
        max_results: Some(60),
        next_token: None,
        ..ListUserPoolsRequest::default()
    };
    let listed = clients[0].clone().list_user_pools(list).await.expect("a list").into_inner();
    assert_eq!(listed.user_pools, []);
    assert_log_ends_at(&mut clients[0].clone(), 5).await;
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_spelling_of_a_request_id_does_not_matter() {
    let server = TestServer::start().await;
    let mut client = server.client().await;
    let hyphenated = request_id(0xabc);
    let simple = hyphenated.replace('-', "");
    let created = Call::create("people").under(&hyphenated).send(&mut client).await;
    let created = created.expect("a user pool");
    let spellings = [
        hyphenated.to_uppercase(),
        simple.to_uppercase(),
        format!("urn:uuid:{hyphenated}"),
        format!("{{{hyphenated}}}"),
        simple,
    ];
    for spelling in spellings {
        let retry = Call::create("people").under(&spelling);
        assert_answers_again(&mut client, &[(retry, created.clone())]).await;
        let other = Call::create("others").under(&spelling).send(&mut client).await;
        assert_mismatch(other, &hyphenated);
    }
    assert_log_ends_at(&mut client, 1).await;
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_id_that_is_not_a_uuid_is_refused() {
    let server = TestServer::start().await;
    let mut client = server.client().await;
    let id = Call::create("people").send(&mut client).await.expect("a user pool").id();
    for request_id in ["", "1", "0193b5f0-7c5e-7d7a-9c55-2d1d8f1b6a0", "\u{130}", "retry please"] {
        for call in [
            Call::create("people"),
            Call::tag(&id, "one"),
            Call::assign(&id, "people-login"),
            Call::release(&id, "people-login"),
            Call::delete(&id),
        ] {
            let refused = call.under(request_id).send(&mut client).await;
            let status = refused.expect_err("a refusal");
            assert_eq!(status.code(), Code::InvalidArgument, "{request_id}");
            let violations = status.get_details_bad_request().expect("violations");
            let fields: Vec<_> =
                violations.field_violations.iter().map(|violation| &violation.field).collect();
            assert_eq!(fields, ["request_id"], "{request_id}");
        }
    }
    assert_log_ends_at(&mut client, 1).await;
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_request_id_every_call_counts() {
    let server = TestServer::start().await;
    let mut client = server.client().await;
    let one = Call::create("people").send(&mut client).await.expect("a user pool");
    let two = Call::create("people").send(&mut client).await.expect("a user pool");
    assert_ne!(one.id(), two.id());
    let delete = Call::delete(&one.id());
    delete.clone().send(&mut client).await.expect("deleted");
    let status = delete.send(&mut client).await.expect_err("a refusal");
    assert_eq!(reason(&status), "USER_POOL_DELETED");
    assert_eq!(metadata(&status, "revision").as_deref(), Some("2"));
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_retry_may_order_its_mask_differently() {
    let server = TestServer::start().await;
    let mut client = server.client().await;
    let id = Call::create("people").send(&mut client).await.expect("a user pool").id();
    let update = |number, mask: &[&str]| {
        let Call::Update(mut request) = Call::tag(&id, &format!("team {number}")) else {
            panic!("an update")
        };
        request.update_mask = mask.iter().map(|path| (*path).to_owned()).collect();
        Call::Update(request).under(&request_id(number))
    };
    for (number, masks, other) in [
        (
            1,
            [
                &["user_pool_tags", "policies"][..],
                &["policies", "user_pool_tags"],
                &["policies", "user_pool_tags", "policies"],
            ],
            &["policies"][..],
        ),
        (2, [&[][..], &["*"], &["policies", "*"]], &["policies"]),
    ] {
        let first = update(number, masks[0]).send(&mut client).await.expect("an answer");
        for mask in masks {
            assert_answers_again(&mut client, &[(update(number, mask), first.clone())]).await;
        }
        assert_mismatch(update(number, other).send(&mut client).await, &request_id(number));
    }
    server.stop().await;
}
