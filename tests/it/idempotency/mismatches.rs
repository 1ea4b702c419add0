//! A different request with the same ID, and the calls that leave an ID unused.

use futures_util::future::join_all;
use tonic::Code;
use userpool::proto::mfa_configuration::Value as Mfa;

use crate::{
    calls::Call,
    support::{TestServer, metadata, reason},
};

use super::{
    assert_answers_again, assert_log_ends_at, assert_mismatch, one_call_of_each_kind, request_id,
};

#[tokio::test(flavor = "multi_thread")]
async fn another_request_under_a_used_id_is_refused() {
    let server = TestServer::start().await;
    let mut client = server.client().await;
    let calls = one_call_of_each_kind(&mut client).await;
    let id = calls[0].1.id();
    // For each call a request that differs in one member.
    for (call, number) in [
        (Call::create("persons"), 1),
        (Call::tag(&id, "two").expecting(1), 2),
        (Call::tag(&id, "one").expecting(2), 2),
        (Call::tag(&id, "one"), 2),
        (Call::tag("us-east-1_other", "one").expecting(1), 2),
        (Call::assign(&id, "persons-login"), 3),
        (Call::assign("us-east-1_other", "people-login"), 3),
        (Call::release(&id, "persons-login").expecting(3), 4),
        (Call::set_tag(&id, "stage", "live"), 5),
        (Call::remove_tag(&id, "team"), 6),
        (Call::add_attribute(&id, "paid"), 7),
        (Call::set_mfa(&id, Mfa::On), 8),
        (Call::set_login_version(&id, "people-again", 1), 10),
        (Call::delete("us-east-1_other"), 12),
    ] {
        let other = call.under(&request_id(number)).send(&mut client).await;
        assert_mismatch(other, &request_id(number));
    }
    assert_answers_again(&mut client, &calls).await;
    assert_log_ends_at(&mut client, 12).await;
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn another_method_under_a_used_id_is_refused() {
    let server = TestServer::start().await;
    let mut client = server.client().await;
    let calls = one_call_of_each_kind(&mut client).await;
    let id = calls[0].1.id();
    for (number, (used, _)) in (1..).zip(&calls) {
        for other in [
            Call::create("people"),
            Call::tag(&id, "one").expecting(1),
            Call::assign(&id, "people-login"),
            Call::release(&id, "people-login").expecting(3),
            Call::set_login_version(&id, "people-again", 2),
            Call::set_tag(&id, "stage", "test"),
            Call::remove_tag(&id, "stage"),
            Call::add_attribute(&id, "plan"),
            Call::set_mfa(&id, Mfa::Optional),
            // The same bytes as a request to create a domain without its prefix.
            Call::delete(&id),
        ] {
            if std::mem::discriminant(&other) != std::mem::discriminant(used) {
                let refused = other.under(&request_id(number)).send(&mut client).await;
                assert_mismatch(refused, &request_id(number));
            }
        }
    }
    assert_log_ends_at(&mut client, 12).await;
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_of_two_racing_requests_under_one_id_is_refused() {
    let server = TestServer::start().await;
    let mut clients = Vec::new();
    for _ in 0..8 {
        clients.push(server.client().await);
    }
    let calls = clients.iter().enumerate().map(|(index, client)| {
        let name = if index % 2 == 0 { "people" } else { "others" };
        let (call, mut client) = (Call::create(name).under(&request_id(1)), client.clone());
        async move { (name, call.send(&mut client).await) }
    });
    let mut won = Vec::new();
    for (name, answer) in join_all(calls).await {
        match answer {
            Ok(answer) => won.push((name, answer)),
            refused => assert_mismatch(refused, &request_id(1)),
        }
    }
    assert_eq!(won.len(), 4, "{won:?}");
    assert!(won.iter().all(|winner| *winner == won[0]), "{won:?}");
    assert_log_ends_at(&mut clients[0].clone(), 1).await;
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_call_leaves_its_id_unused() {
    let server = TestServer::start().await;
    let mut client = server.client().await;
    let owner = Call::create("owner").send(&mut client).await.expect("a user pool").id();
    let id = Call::create("people").send(&mut client).await.expect("a user pool").id();
    Call::assign(&owner, "people-login").send(&mut client).await.expect("a domain");

    let assign = Call::assign(&id, "people-login").under(&request_id(1));
    let taken = assign.clone().send(&mut client).await.expect_err("a refusal");
    assert_eq!(reason(&taken), "DOMAIN_TAKEN");
    Call::release(&owner, "people-login").send(&mut client).await.expect("released");
    let assigned = assign.clone().send(&mut client).await.expect("a domain");
    assert_eq!((assigned.revision, assigned.position), (2, 5));
    assert_answers_again(&mut client, &[(assign, assigned)]).await;

    // A request that breaks a field rule is not remembered either.
    let bad = Call::create("プール").under(&request_id(2)).send(&mut client).await;
    assert_eq!(bad.expect_err("a refusal").code(), Code::InvalidArgument);
    Call::create("pool").under(&request_id(2)).send(&mut client).await.expect("a user pool");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_changed_nothing_leaves_its_id_unused() {
    let server = TestServer::start().await;
    let mut client = server.client().await;
    let id = Call::create("people").send(&mut client).await.expect("a user pool").id();
    let tagged = Call::tag(&id, "one").send(&mut client).await.expect("tagged");

    let same = Call::tag(&id, "one").under(&request_id(1)).send(&mut client).await;
    assert_eq!(same.expect("no change"), tagged);
    let other = Call::tag(&id, "two").under(&request_id(1)).send(&mut client).await;
    let other = other.expect("tagged");
    assert_eq!((other.revision, other.position), (3, 3));
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stale_revision_is_refused_with_both_numbers() {
    let server = TestServer::start().await;
    let mut client = server.client().await;
    let id = Call::create("people").send(&mut client).await.expect("a user pool").id();
    Call::assign(&id, "people-login").send(&mut client).await.expect("a domain");
    for call in [
        Call::tag(&id, "one"),
        Call::assign(&id, "another"),
        Call::release(&id, "people-login"),
        Call::delete(&id),
    ] {
        for expected in [1, 3] {
            let call = call.clone().expecting(expected).under(&request_id(1));
            let status = call.send(&mut client).await.expect_err("a refusal");
            assert_eq!(status.code(), Code::Aborted);
            assert_eq!(reason(&status), "REVISION_MISMATCH");
            let expected = Some(expected.to_string());
            assert_eq!(metadata(&status, "expected_revision"), expected);
            assert_eq!(metadata(&status, "current_revision").as_deref(), Some("2"));
            assert_eq!(metadata(&status, "user_pool_id").as_ref(), Some(&id));
        }
    }
    // Nothing was recorded, and the ID was not remembered.
    let tagged = Call::tag(&id, "one").expecting(2).under(&request_id(1)).send(&mut client).await;
    assert_eq!(tagged.expect("tagged").position, 3);
    server.stop().await;
}
