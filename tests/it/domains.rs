//! Domain prefixes: one per user pool, globally unique, without reserved words, shown
//! while they exist, and free after they are deleted. `custom` has custom domains.

mod custom;

use serde_json::{Value, json};
use tonic::{Code, Status, transport::Channel};
use tonic_types::StatusExt as _;
use userpool::proto::{
    CreateUserPoolDomainResponse, DeleteUserPoolDomainRequest, DeleteUserPoolRequest,
    DescribeUserPoolDomainRequest, DescribeUserPoolRequest,
    user_pool_service_client::UserPoolServiceClient,
};

use crate::{
    json::shown,
    support::{TestServer, create, domain, metadata, reason},
};

type Client = UserPoolServiceClient<Channel>;

async fn take(
    client: &mut Client,
    prefix: &str,
    id: &str,
) -> Result<CreateUserPoolDomainResponse, Status> {
    Ok(client.create_user_pool_domain(domain(prefix, id)).await?.into_inner())
}

async fn free(client: &mut Client, prefix: &str, id: &str) -> Result<i64, Status> {
    let request = DeleteUserPoolDomainRequest {
        domain: Some(prefix.to_owned()),
        user_pool_id: Some(id.to_owned()),
        ..DeleteUserPoolDomainRequest::default()
    };
    Ok(client.delete_user_pool_domain(request).await?.into_inner().revision)
}

async fn describe(client: &mut Client, prefix: &str) -> Value {
    let request = DescribeUserPoolDomainRequest {
        domain: Some(prefix.to_owned()),
        ..DescribeUserPoolDomainRequest::default()
    };
    let answer = client.describe_user_pool_domain(request).await.expect("an answer").into_inner();
    shown(&answer)["DomainDescription"].clone()
}

/// What DescribeUserPool shows: the domain, and the modification time.
async fn pool(client: &mut Client, id: &str) -> Value {
    let request = DescribeUserPoolRequest {
        user_pool_id: Some(id.to_owned()),
        ..DescribeUserPoolRequest::default()
    };
    shown(&client.describe_user_pool(request).await.expect("a user pool").into_inner())
}

fn assert_status<T: std::fmt::Debug>(
    answer: Result<T, Status>,
    code: Code,
    expected: &str,
    text: &str,
    aws_error: &str,
) -> Status {
    let status = answer.expect_err(text);
    assert_eq!((status.code(), status.message()), (code, text));
    assert_eq!(reason(&status), expected);
    assert_eq!(metadata(&status, "aws_error").as_deref(), Some(aws_error));
    status
}

#[tokio::test]
async fn a_domain_is_shown_with_its_user_pool_and_by_its_prefix() {
    let server = TestServer::start().await;
    let mut client = server.client().await;
    let id = create(&mut client, "people").await;
    let before = pool(&mut client, &id).await;
    assert_eq!(before["UserPool"].get("Domain"), None);

    let answer = take(&mut client, "people-login", &id).await.expect("assigned");
    assert_eq!((answer.revision, answer.position), (2, 2));
    // It changes only the member that it adds to the user pool.
    let mut expected = before.clone();
    expected["UserPool"]["Domain"] = json!("people-login");
    expected["revision"] = json!("2");
    expected["position"] = json!("2");
    expected["headPosition"] = json!("2");
    assert_eq!(pool(&mut client, &id).await, expected);
    let description = json!({
        "UserPoolId": id, "AWSAccountId": "123456789012", "Domain": "people-login",
        "Status": "ACTIVE",
    });
    let described = describe(&mut client, "people-login").await;
    assert_eq!(described, description);

    assert_eq!(free(&mut client, "people-login", &id).await.expect("freed"), 3);
    let mut expected = before;
    expected["revision"] = json!("3");
    expected["position"] = json!("3");
    expected["headPosition"] = json!("3");
    assert_eq!(pool(&mut client, &id).await, expected);
    server.stop().await;
}

#[tokio::test]
async fn an_unused_prefix_has_an_empty_description() {
    let server = TestServer::start().await;
    let mut client = server.client().await;
    let nothing = json!({});
    assert_eq!(describe(&mut client, "people").await, nothing);
    let id = create(&mut client, "people").await;
    take(&mut client, "people", &id).await.expect("assigned");
    assert_eq!(describe(&mut client, "people2").await, nothing);
    free(&mut client, "people", &id).await.expect("freed");
    assert_eq!(describe(&mut client, "people").await, nothing);
    // Reserved prefixes can be looked up.
    assert_eq!(describe(&mut client, "aws-people").await, nothing);
    server.stop().await;
}

#[tokio::test]
async fn a_prefix_has_1_to_63_letters_digits_and_inner_hyphens() {
    let server = TestServer::start().await;
    let mut client = server.client().await;
    let longest = "a".repeat(63);
    for good in ["a", "0", "a-b", "a--0", longest.as_str()] {
        let id = create(&mut client, "people").await;
        take(&mut client, good, &id).await.expect(good);
    }
    let id = create(&mut client, "people").await;
    let too_long = "a".repeat(64);
    for bad in ["", "-", "-a", "a-", "A", "a_b", "a.b", "é", "a\n", too_long.as_str()] {
        let status = take(&mut client, bad, &id).await.expect_err(bad);
        assert_eq!(status.code(), Code::InvalidArgument, "{bad}");
        let violations = status.get_details_bad_request().expect("details").field_violations;
        assert!(violations.iter().all(|violation| violation.field == "domain"), "{bad}");
    }
    server.stop().await;
}

#[tokio::test]
async fn a_prefix_has_no_reserved_word() {
    let server = TestServer::start().await;
    let mut client = server.client().await;
    for (prefix, word) in [
        ("cognito", "cognito"),
        ("newcognito", "cognito"),
        ("my-cognito-pool", "cognito"),
        ("amazon", "amazon"),
        ("amazonas", "amazon"),
        ("an-amazon-pool", "amazon"),
        ("aws", "aws"),
        ("aws-people", "aws"),
        ("people-aws", "aws"),
        ("cdkpf-aws-zz9x", "aws"),
    ] {
        // Whether or not the user pool exists.
        let answer = take(&mut client, prefix, "us-east-1_AbCdEfGhI").await;
        let text = format!("Domain cannot contain reserved word: {word}");
        let code = Code::InvalidArgument;
        let aws_error = "InvalidParameterException";
        let status = assert_status(answer, code, "INVALID_REQUEST", &text, aws_error);
        let violations = status.get_details_bad_request().expect("details").field_violations;
        assert_eq!((violations.len(), violations[0].field.as_str()), (1, "domain"));
        assert_eq!(violations[0].reason, "RESERVED");
    }
    for prefix in ["awsome", "laws", "paws-and-claws", "ama-zon", "cogni-to"] {
        let id = create(&mut client, "people").await;
        take(&mut client, prefix, &id).await.expect(prefix);
    }
    server.stop().await;
}

#[tokio::test]
async fn a_user_pool_has_one_domain() {
    let server = TestServer::start().await;
    let mut client = server.client().await;
    let id = create(&mut client, "people").await;
    take(&mut client, "people", &id).await.expect("assigned");
    // The prefix that it already has is no exception.
    for prefix in ["people", "people2"] {
        let answer = take(&mut client, prefix, &id).await;
        let status = assert_status(
            answer,
            Code::FailedPrecondition,
            "USER_POOL_HAS_DOMAIN",
            "User pool already has a domain configured.",
            "InvalidParameterException",
        );
        assert_eq!(metadata(&status, "domain").as_deref(), Some("people"));
        assert_eq!(metadata(&status, "user_pool_id"), Some(id.clone()));
    }
    assert_eq!(describe(&mut client, "people2").await, json!({}));
    server.stop().await;
}

#[tokio::test]
async fn a_prefix_belongs_to_one_user_pool_until_it_is_freed() {
    let server = TestServer::start().await;
    let mut client = server.client().await;
    let (one, other) = (create(&mut client, "one").await, create(&mut client, "other").await);
    take(&mut client, "people", &one).await.expect("assigned");
    let status = assert_status(
        take(&mut client, "people", &other).await,
        Code::AlreadyExists,
        "DOMAIN_TAKEN",
        "Domain already associated with another user pool.",
        "InvalidParameterException",
    );
    assert_eq!(metadata(&status, "domain").as_deref(), Some("people"));
    assert_eq!(metadata(&status, "user_pool_id"), None, "the owner is not disclosed");

    free(&mut client, "people", &one).await.expect("freed");
    take(&mut client, "people", &other).await.expect("taken at once");
    let described = describe(&mut client, "people").await;
    assert_eq!(described["UserPoolId"], json!(other));
    server.stop().await;
}

#[tokio::test]
async fn a_domain_is_deleted_only_by_its_own_name() {
    let server = TestServer::start().await;
    let mut client = server.client().await;
    let (one, other) = (create(&mut client, "one").await, create(&mut client, "other").await);
    take(&mut client, "people", &one).await.expect("assigned");
    for (prefix, id) in [
        ("people2", one.as_str()),
        ("people", other.as_str()),
        ("people", "us-east-1_AbCdEfGhI"),
        ("aws-people", one.as_str()),
    ] {
        let status = assert_status(
            free(&mut client, prefix, id).await,
            Code::NotFound,
            "DOMAIN_NOT_FOUND",
            "No such domain or user pool exists.",
            "InvalidParameterException",
        );
        assert_eq!(metadata(&status, "domain").as_deref(), Some(prefix));
        assert_eq!(metadata(&status, "user_pool_id").as_deref(), Some(id));
    }
    let described = describe(&mut client, "people").await;
    assert_eq!(described["UserPoolId"], json!(one));
    server.stop().await;
}

#[tokio::test]
async fn a_user_pool_with_a_domain_cannot_be_deleted() {
    let server = TestServer::start().await;
    let mut client = server.client().await;
    let id = create(&mut client, "people").await;
    take(&mut client, "people", &id).await.expect("assigned");
    let delete = || DeleteUserPoolRequest {
        user_pool_id: Some(id.clone()),
        ..DeleteUserPoolRequest::default()
    };
    let status = assert_status(
        client.delete_user_pool(delete()).await,
        Code::FailedPrecondition,
        "USER_POOL_HAS_DOMAIN",
        "User pool cannot be deleted. It has a domain configured that should be deleted first.",
        "InvalidParameterException",
    );
    assert_eq!(metadata(&status, "domain").as_deref(), Some("people"));
    assert_eq!(pool(&mut client, &id).await["revision"], json!("2"), "nothing was recorded");

    free(&mut client, "people", &id).await.expect("freed");
    client.delete_user_pool(delete()).await.expect("deleted");
    assert_status(
        free(&mut client, "people", &id).await,
        Code::NotFound,
        "DOMAIN_NOT_FOUND",
        "No such domain or user pool exists.",
        "InvalidParameterException",
    );
    server.stop().await;
}
