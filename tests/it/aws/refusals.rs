//! Refusals by rules, grants and phases, in AWS's form.

use serde_json::json;

use super::{Answer, call, call_with, create, start, start_with};

#[track_caller]
fn assert_refused(answer: &Answer, status: u16, error: &str, text: &str) {
    let (found, message) = answer.error();
    assert_eq!((answer.status, found.as_str()), (status, error), "{message}");
    assert!(message.contains(text), "{message}");
}

#[tokio::test]
async fn a_rule_of_cognito_is_its_exception() {
    let server = start_with(|config| config.limits.user_pools = 2).await;
    let id = create(&server, r#"{"PoolName":"people"}"#).await;
    let other = create(&server, r#"{"PoolName":"others"}"#).await;
    let domain = json!({ "UserPoolId": id, "Domain": "people-login" }).to_string();
    assert_eq!(call(&server, "CreateUserPoolDomain", &domain).await.status, 200);
    let pool = json!({ "UserPoolId": id }).to_string();
    let taken = json!({ "UserPoolId": other, "Domain": "people-login" }).to_string();
    let free = json!({ "UserPoolId": other, "Domain": "free" }).to_string();
    let tags = json!({ "UserPoolId": id, "UserPoolTags": { "aws:a": "b" } }).to_string();
    let page = json!({ "MaxResults": 1, "NextToken": "none" }).to_string();
    let named = r#"{"PoolName":"third"}"#.to_owned();
    for (operation, body, error, text) in [
        ("DeleteUserPool", &pool, "InvalidParameterException", "It has a domain configured"),
        ("CreateUserPoolDomain", &taken, "InvalidParameterException", "already"),
        ("DeleteUserPoolDomain", &free, "InvalidParameterException", ""),
        ("UpdateUserPool", &tags, "UserPoolTaggingException", ""),
        ("ListUserPools", &page, "InvalidParameterException", "page token"),
        ("CreateUserPool", &named, "LimitExceededException", ""),
    ] {
        assert_refused(&call(&server, operation, body).await, 400, error, text);
    }
    let delete = json!({ "UserPoolId": other }).to_string();
    assert_eq!(call(&server, "DeleteUserPool", &delete).await.status, 200);
    let gone = call(&server, "DescribeUserPool", &delete).await;
    assert_refused(&gone, 400, "ResourceNotFoundException", &other);
    server.stop().await;
}

#[tokio::test]
async fn a_caller_without_a_role_is_refused_with_the_remedy() {
    let reader = "anonymous".parse().expect("a pattern");
    let server = start_with(|config| config.grants.readers = vec![reader]).await;
    let list = call(&server, "ListUserPools", r#"{"MaxResults":1}"#).await;
    assert_eq!(list.status, 200);
    let create = call(&server, "CreateUserPool", r#"{"PoolName":"people"}"#).await;
    assert_refused(
        &create,
        400,
        "MissingAuthenticationTokenException",
        "cognito-idp:CreateUserPool requires role writer",
    );
    server.stop().await;
}

#[tokio::test]
async fn a_bearer_token_is_refused() {
    let server = start().await;
    let headers = [("authorization", "Bearer secret-token")];
    let refused = call_with(&server, "ListUserPools", &headers, r#"{"MaxResults":1}"#).await;
    assert_refused(&refused, 400, "IncompleteSignatureException", "not bearer tokens");
    assert!(!refused.body.contains("secret-token"), "{}", refused.body);
    server.stop().await;
}

/// In both modes: a user pool in a region that nobody asked for is worse than a refusal.
#[tokio::test]
async fn a_signature_for_another_region_is_refused() {
    let server = start().await;
    let signed = |region: &str| {
        format!(
            "AWS4-HMAC-SHA256 Credential=AKIA/20171211/{region}/cognito-idp/aws4_request, \
             SignedHeaders=host, Signature=00"
        )
    };
    let list = r#"{"MaxResults":1}"#;
    let own = signed("us-east-1");
    let own = call_with(&server, "ListUserPools", &[("authorization", own.as_str())], list).await;
    assert_eq!(own.status, 200);
    let other = signed("eu-west-1");
    let other = call_with(&server, "ListUserPools", &[("authorization", &other)], list).await;
    assert_refused(
        &other,
        400,
        "InvalidSignatureException",
        "Credential should be scoped to a valid region: this server is us-east-1 (setting \
         region), the request is for eu-west-1.",
    );
    server.stop().await;
}

/// AWS documents 400 for this, with which version 1 of the AWS CLI gives up.
#[tokio::test]
async fn overload_is_429_with_a_delay() {
    let server = start_with(|config| config.capacity.reads = 0).await;
    let refused = call(&server, "ListUserPools", r#"{"MaxResults":1}"#).await;
    assert_refused(&refused, 429, "TooManyRequestsException", "too many reads");
    assert_eq!(refused.header("retry-after"), Some("1"));
    server.stop().await;
}
