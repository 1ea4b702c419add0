//! The retries of SDKs are safe by themselves.

use serde_json::Value;

use super::{Answer, call, call_with, start};
use crate::support::TestServer;

const INVOCATION: (&str, &str) = ("amz-sdk-invocation-id", "1c388cae-a545-4101-999a-4e8c8d995a33");
const BODY: &str = r#"{"PoolName":"people"}"#;

async fn pools(server: &TestServer) -> usize {
    let listed = call(server, "ListUserPools", r#"{"MaxResults":60}"#).await.json();
    listed["UserPools"].as_array().expect("a list").len()
}

fn id(answer: &Answer) -> Value {
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json()["UserPool"]["Id"].clone()
}

#[tokio::test]
async fn another_attempt_gets_the_answer_of_the_first() {
    let server = start().await;
    let attempt = |number: &'static str| {
        let headers = [INVOCATION, ("amz-sdk-request", number)];
        let server = &server;
        async move { call_with(server, "CreateUserPool", &headers, BODY).await }
    };
    let first = attempt("attempt=1; max=3").await;
    let second = attempt("attempt=2; max=3").await;

    assert_eq!(first.body, second.body);
    assert_eq!(pools(&server).await, 1);
    // Another request with the same ID is a mistake.
    let headers = [INVOCATION, ("amz-sdk-request", "attempt=3; max=3")];
    let other = call_with(&server, "CreateUserPool", &headers, r#"{"PoolName":"b"}"#).await;
    assert_eq!((other.status, other.error().0.as_str()), (400, "InvalidParameterException"));
    server.stop().await;
}

/// A retry can arrive while the first attempt runs.
#[tokio::test(flavor = "multi_thread")]
async fn attempts_at_the_same_time_make_one_user_pool() {
    let server = start().await;
    let headers = [INVOCATION, ("amz-sdk-request", "attempt=1")];
    let attempts = (0..8).map(|_| call_with(&server, "CreateUserPool", &headers, BODY));
    let answers = futures_util::future::join_all(attempts).await;
    let first = id(&answers[0]);
    assert!(answers.iter().all(|answer| id(answer) == first), "{answers:?}");
    assert_eq!(pools(&server).await, 1);
    server.stop().await;
}

#[tokio::test]
async fn without_both_headers_nothing_is_promised() {
    let server = start().await;
    let attempt = ("amz-sdk-request", "attempt=1; max=3");
    let none = ("amz-sdk-invocation-id", "none");
    let nil = ("amz-sdk-invocation-id", "00000000-0000-0000-0000-000000000000");
    for headers in [vec![INVOCATION], vec![attempt], vec![none, attempt], vec![nil, attempt]] {
        let before = pools(&server).await;
        for _ in 0..2 {
            id(&call_with(&server, "CreateUserPool", &headers, BODY).await);
        }
        assert_eq!(pools(&server).await, before + 2, "{headers:?}");
    }
    server.stop().await;
}

#[tokio::test]
async fn a_refused_call_is_not_remembered() {
    let server = start().await;
    let headers = [INVOCATION, ("amz-sdk-request", "attempt=1")];
    let refused = call_with(&server, "CreateUserPool", &headers, r#"{"PoolName":"/"}"#).await;
    assert_eq!(refused.status, 400);
    // The ID of a read is not used.
    let read = call_with(&server, "ListUserPools", &headers, r#"{"MaxResults":1}"#).await;
    assert_eq!(read.status, 200);
    id(&call_with(&server, "CreateUserPool", &headers, BODY).await);
    server.stop().await;
}
