//! `validate_only`: the answer of the real call, but nothing is recorded.

use tonic::Status;
use tonic_types::StatusExt as _;
use userpool::proto::{UserPool, mfa_configuration::Value as Mfa};

use crate::{
    calls::{Answer, Call},
    support::{TestServer, describe, reason},
};

use super::{
    assert_answers_again, assert_log_ends_at, assert_mismatch, one_call_of_each_kind, request_id,
};

/// An answer without the parts that differ between any two calls: times, a new ID, and its
/// ARN.
fn comparable(answer: Answer) -> Answer {
    let user_pool = answer.user_pool.map(|pool| UserPool {
        id: None,
        arn: None,
        creation_date: None,
        last_modified_date: None,
        ..pool
    });
    Answer { user_pool, position: 0, ..answer }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_validated_call_gets_the_real_answer_and_records_nothing() {
    let server = TestServer::start().await;
    let mut client = server.client().await;
    let create = Call::create("people");
    let validated = create.clone().only_validated().send(&mut client).await.expect("valid");
    let created = create.send(&mut client).await.expect("a user pool");
    assert_eq!(created.position, 1);
    assert_eq!(validated.position, 0);
    assert_eq!(comparable(validated), comparable(created.clone()));

    let id = created.id();
    for (call, position) in [
        (Call::tag(&id, "one"), 2),
        (Call::assign(&id, "people-login"), 3),
        (Call::set_login_version(&id, "people-login", 2), 4),
        (Call::release(&id, "people-login"), 5),
        (Call::set_tag(&id, "stage", "test"), 6),
        (Call::remove_tag(&id, "stage"), 7),
        (Call::add_attribute(&id, "plan"), 8),
        (Call::set_mfa(&id, Mfa::On), 9),
    ] {
        let before = describe(&mut client, &id).await.expect("a user pool");
        let validated = call.clone().only_validated().send(&mut client).await.expect("valid");
        assert_eq!(validated.position, 0);
        assert_eq!(describe(&mut client, &id).await.expect("a user pool"), before);
        let answer = call.send(&mut client).await.expect("an answer");
        assert_eq!(answer.position, position);
        assert_eq!(comparable(validated), comparable(answer));
    }
    let validated = Call::delete(&id).only_validated().send(&mut client).await.expect("valid");
    assert_eq!((validated.revision, validated.position), (10, 0));
    describe(&mut client, &id).await.expect("still there");
    assert_log_ends_at(&mut client, 9).await;
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_validated_call_is_refused_as_the_real_one() {
    let server = TestServer::start().await;
    let mut client = server.client().await;
    let id = Call::create("people").send(&mut client).await.expect("a user pool").id();
    Call::assign(&id, "people-login").send(&mut client).await.expect("a domain");
    for (call, expected) in [
        (Call::create("プール"), "INVALID_REQUEST"),
        (Call::tag(&id, "one").expecting(1), "REVISION_MISMATCH"),
        (Call::tag("us-east-1_other", "one"), "USER_POOL_NOT_FOUND"),
        (Call::assign(&id, "another"), "USER_POOL_HAS_DOMAIN"),
        (Call::release(&id, "another"), "DOMAIN_NOT_FOUND"),
        (Call::set_login_version(&id, "another", 2), "DOMAIN_NOT_FOUND"),
        (Call::set_tag("us-east-1_other", "stage", "test"), "USER_POOL_NOT_FOUND"),
        (Call::remove_tag(&id, "stage").expecting(1), "REVISION_MISMATCH"),
        (Call::add_attribute(&id, "p lan"), "INVALID_REQUEST"),
        (Call::set_mfa("us-east-1_other", Mfa::On), "USER_POOL_NOT_FOUND"),
        (Call::delete(&id), "USER_POOL_HAS_DOMAIN"),
    ] {
        let real = call.clone().send(&mut client).await.expect_err("a refusal");
        let validated = call.only_validated().send(&mut client).await.expect_err("a refusal");
        assert_eq!(reason(&validated), expected);
        assert_eq!(validated.code(), real.code());
        assert_eq!(validated.message(), real.message());
        let info = |status: &Status| status.get_details_error_info().expect("an ErrorInfo");
        assert_eq!(info(&validated).metadata, info(&real).metadata);
    }
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_validated_call_leaves_its_id_unused() {
    let server = TestServer::start().await;
    let mut client = server.client().await;
    let validated = Call::create("people").only_validated().under(&request_id(1));
    validated.clone().send(&mut client).await.expect("valid");
    // For another request too, and for the same one that is now carried out.
    Call::create("others")
        .only_validated()
        .under(&request_id(1))
        .send(&mut client)
        .await
        .expect("valid");
    let create = Call::create("people").under(&request_id(1));
    let created = create.clone().send(&mut client).await.expect("a user pool");
    assert_eq!(created.position, 1);
    assert_answers_again(&mut client, &[(create, created)]).await;
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_validated_retry_gets_the_answer_without_a_position() {
    let server = TestServer::start().await;
    let mut client = server.client().await;
    let calls = one_call_of_each_kind(&mut client).await;
    for (call, first) in calls {
        let validated = call.only_validated().send(&mut client).await.expect("valid");
        assert_eq!(validated, Answer { position: 0, ..first });
    }
    let other = Call::create("others").only_validated().under(&request_id(1));
    assert_mismatch(other.send(&mut client).await, &request_id(1));
    assert_log_ends_at(&mut client, 12).await;
    server.stop().await;
}
