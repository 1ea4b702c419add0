//! A retry with the same `request_id` gets the first answer and changes nothing; a
//! call that recorded nothing is not remembered.

mod mismatches;
mod retries;
mod validation;

use tonic::{Code, Status, transport::Channel};
use userpool::proto::{
    mfa_configuration::Value as Mfa, user_pool_service_client::UserPoolServiceClient,
};

use crate::{
    calls::{Answer, Call},
    support::{metadata, reason},
};

type Client = UserPoolServiceClient<Channel>;

/// A UUID for each call of a test.
fn request_id(number: u128) -> String {
    uuid::Uuid::from_u128(0x0193_b5f0_7c5e_7d7a_9c55_0000_0000_0000 + number).to_string()
}

/// One call of each kind, each with its own request ID, and its answer: the lifecycle
/// of a user pool, at positions 1 to 12.
async fn one_call_of_each_kind(client: &mut Client) -> Vec<(Call, Answer)> {
    let create = Call::create("people").under(&request_id(1));
    let created = create.clone().send(client).await.expect("a user pool");
    let id = created.id();
    let mut life = vec![(create, created)];
    for (call, number) in [
        (Call::tag(&id, "one").expecting(1), 2),
        (Call::assign(&id, "people-login"), 3),
        (Call::release(&id, "people-login").expecting(3), 4),
        (Call::set_tag(&id, "stage", "test"), 5),
        (Call::remove_tag(&id, "stage"), 6),
        (Call::add_attribute(&id, "plan"), 7),
        (Call::set_mfa(&id, Mfa::Optional), 8),
        (Call::assign(&id, "people-again"), 9),
        (Call::set_login_version(&id, "people-again", 2), 10),
        (Call::release(&id, "people-again"), 11),
        (Call::delete(&id), 12),
    ] {
        let call = call.under(&request_id(number));
        let answer = call.clone().send(client).await.expect("an answer");
        life.push((call, answer));
    }
    life
}

/// Whether each call gets its first answer.
async fn assert_answers_again(client: &mut Client, calls: &[(Call, Answer)]) {
    for (call, first) in calls {
        let again = call.clone().send(client).await.expect("the same answer");
        assert_eq!(&again, first, "{call:?}");
    }
}

/// Checks that the log ends at `position`: the next change is recorded after it.
async fn assert_log_ends_at(client: &mut Client, position: i64) {
    let next = Call::create("next").send(client).await.expect("a user pool");
    assert_eq!(next.position, position + 1);
}

fn assert_mismatch(refused: Result<Answer, Status>, request_id: &str) {
    let status = refused.expect_err("a refusal");
    assert_eq!(status.code(), Code::AlreadyExists, "{status:?}");
    assert_eq!(reason(&status), "IDEMPOTENCY_MISMATCH");
    assert_eq!(metadata(&status, "request_id").as_deref(), Some(request_id));
}
