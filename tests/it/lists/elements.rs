//! The members that the lists show of each user pool and of each domain.

use std::slice;

use userpool::proto::{
    CreateUserPoolRequest, DescribeUserPoolDomainRequest, DescribeUserPoolRequest,
    DomainDescription, LambdaConfig, ListUserPoolDomainsRequest, ListUserPoolsRequest,
    UserPoolDescription, user_pool_domain_status,
};

use crate::{
    calls::Call,
    support::{TestServer, create, named},
};

use super::{Client, List};

async fn listed(client: &mut Client) -> Vec<UserPoolDescription> {
    let request = ListUserPoolsRequest {
        max_results: Some(60),
        next_token: None,
        ..ListUserPoolsRequest::default()
    };
    client.list_user_pools(request).await.expect("a page").into_inner().user_pools
}

#[tokio::test(flavor = "multi_thread")]
async fn a_listed_user_pool_has_cognitos_members() {
    let server = TestServer::start().await;
    let mut client = server.client().await;
    let arn = "arn:aws:lambda:us-east-1:123456789012:function:pre-sign-up".to_owned();
    let lambda_config = Some(LambdaConfig { pre_sign_up: Some(arn), ..Default::default() });
    let request = CreateUserPoolRequest { lambda_config: lambda_config.clone(), ..named("people") };
    let created = client.create_user_pool(request).await.expect("a user pool").into_inner();
    let created = created.user_pool.expect("a user pool");
    let expected = UserPoolDescription {
        id: created.id.clone(),
        name: Some("people".to_owned()),
        lambda_config,
        status: None,
        last_modified_date: created.creation_date,
        creation_date: created.creation_date,
        revision: 1,
        ..UserPoolDescription::default()
    };
    assert_eq!(listed(&mut client).await, slice::from_ref(&expected));

    // An update without triggers removes them.
    let id = created.id.expect("an ID");
    Call::tag(&id, "one").send(&mut client).await.expect("tagged");
    let described =
        DescribeUserPoolRequest { user_pool_id: Some(id), ..DescribeUserPoolRequest::default() };
    let described = client.describe_user_pool(described).await.expect("a user pool").into_inner();
    let last_modified_date = described.user_pool.expect("a user pool").last_modified_date;
    assert_ne!(last_modified_date, created.creation_date);
    let lambda_config = Some(LambdaConfig::default());
    let expected =
        UserPoolDescription { last_modified_date, lambda_config, revision: 2, ..expected };
    assert_eq!(listed(&mut client).await, [expected]);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn user_pools_may_have_the_same_name() {
    let server = TestServer::start().await;
    let mut client = server.client().await;
    let ids = [create(&mut client, "people").await, create(&mut client, "people").await];
    assert_eq!(List::UserPools.all(&mut client, 60).await, ids);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_listed_domain_is_the_described_one() {
    let server = TestServer::start().await;
    let mut client = server.client().await;
    let id = create(&mut client, "people").await;
    Call::assign(&id, "people-login").send(&mut client).await.expect("a domain");
    let expected = DomainDescription {
        user_pool_id: Some(id),
        aws_account_id: Some("123456789012".to_owned()),
        domain: Some("people-login".to_owned()),
        status: Some(user_pool_domain_status::Value::Active.into()),
        ..Default::default()
    };
    let request = ListUserPoolDomainsRequest {
        max_results: Some(60),
        next_token: None,
        ..ListUserPoolDomainsRequest::default()
    };
    let listed = client.list_user_pool_domains(request).await.expect("a page").into_inner();
    assert_eq!(listed.domains, slice::from_ref(&expected));
    let request = DescribeUserPoolDomainRequest {
        domain: Some("people-login".to_owned()),
        ..DescribeUserPoolDomainRequest::default()
    };
    let described = client.describe_user_pool_domain(request).await.expect("one").into_inner();
    assert_eq!(described.domain_description, Some(expected));
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn domains_are_in_the_order_of_their_prefixes() {
    let server = TestServer::start().await;
    let mut client = server.client().await;
    let longest = "z".repeat(63);
    // Some are prefixes of others, and a hyphen sorts before a digit before a letter.
    let sorted = ["0", "a", "a-b", "a0", "aa", "ab", "b", "z", longest.as_str()];
    for prefix in ["b", "aa", "z", "a0", longest.as_str(), "a", "0", "a-b", "ab"] {
        let id = create(&mut client, "people").await;
        Call::assign(&id, prefix).send(&mut client).await.expect("a domain");
    }
    for size in [1, 2, 60] {
        assert_eq!(List::Domains.all(&mut client, size).await, sorted);
    }
    server.stop().await;
}
