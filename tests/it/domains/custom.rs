//! Custom domains, and the settings of both kinds of domains.

use serde_json::{Value, json};
use tonic::{Code, Status};
use tonic_types::StatusExt as _;
use userpool::proto::{
    CreateUserPoolDomainRequest, CreateUserPoolDomainResponse, CustomDomainConfig,
    DeleteUserPoolRequest, ListUserPoolDomainsRequest, UpdateUserPoolDomainRequest,
    security_policy::Value as Policy,
};

use crate::{
    json::shown,
    support::{TestServer, create, domain},
};

use super::{Client, assert_status, describe, free, pool, take};

const CERTIFICATE: &str = "arn:aws:acm:us-east-1:123456789012:certificate/1";
const CERTIFICATE_2: &str = "arn:aws:acm:us-east-1:123456789012:certificate/2";

fn certificate(arn: &str, policy: Option<Policy>) -> CustomDomainConfig {
    CustomDomainConfig {
        certificate_arn: Some(arn.to_owned()),
        security_policy: policy.map(i32::from),
    }
}

async fn take_custom(
    client: &mut Client,
    name: &str,
    id: &str,
) -> Result<CreateUserPoolDomainResponse, Status> {
    let custom_domain_config = Some(certificate(CERTIFICATE, None));
    let request = CreateUserPoolDomainRequest { custom_domain_config, ..domain(name, id) };
    Ok(client.create_user_pool_domain(request).await?.into_inner())
}

async fn update(
    client: &mut Client,
    name: &str,
    id: &str,
    managed_login_version: Option<i32>,
    custom_domain_config: Option<CustomDomainConfig>,
) -> Result<Value, Status> {
    let request = UpdateUserPoolDomainRequest {
        domain: Some(name.to_owned()),
        user_pool_id: Some(id.to_owned()),
        managed_login_version,
        custom_domain_config,
        ..Default::default()
    };
    Ok(shown(&client.update_user_pool_domain(request).await?.into_inner()))
}

#[tokio::test]
async fn a_user_pool_has_a_prefix_and_a_custom_domain() {
    let server = TestServer::start().await;
    let mut client = server.client().await;
    let id = create(&mut client, "people").await;
    take(&mut client, "people", &id).await.expect("assigned");
    let custom = take_custom(&mut client, "auth.example.com", &id).await.expect("assigned");
    let host = "auth-example-com.cloudfront.invalid";
    assert_eq!(custom.cloud_front_domain.as_deref(), Some(host));
    assert_eq!((custom.managed_login_version, custom.revision), (None, 3));

    let shown_pool = pool(&mut client, &id).await;
    assert_eq!(shown_pool["UserPool"]["Domain"], "people");
    assert_eq!(shown_pool["UserPool"]["CustomDomain"], "auth.example.com");
    let described = describe(&mut client, "auth.example.com").await;
    let expected = json!({
        "UserPoolId": id, "AWSAccountId": "123456789012", "Domain": "auth.example.com",
        "Status": "ACTIVE", "CloudFrontDistribution": host,
        "CustomDomainConfig": { "CertificateArn": CERTIFICATE },
    });
    assert_eq!(described, expected);
    let list = ListUserPoolDomainsRequest {
        max_results: Some(60),
        next_token: None,
        ..ListUserPoolDomainsRequest::default()
    };
    let list = shown(&client.list_user_pool_domains(list).await.expect("a page").into_inner());
    assert_eq!(list["Domains"][0], expected);
    assert_eq!(list["Domains"][1]["Domain"], "people");

    // One of each kind, and one owner.
    let (one, two) = ("auth.example.com", "login.example.com");
    let other = create(&mut client, "other").await;
    for (name, id, code, reason, text) in [
        (
            two,
            &id,
            Code::FailedPrecondition,
            "USER_POOL_HAS_DOMAIN",
            "User pool already has a domain configured.",
        ),
        (
            one,
            &other,
            Code::AlreadyExists,
            "DOMAIN_TAKEN",
            "Domain already associated with another user pool.",
        ),
    ] {
        let refused = take_custom(&mut client, name, id).await;
        assert_status(refused, code, reason, text, "InvalidParameterException");
    }

    // Each of them keeps the user pool from being deleted.
    free(&mut client, "people", &id).await.expect("freed");
    let shown_pool = pool(&mut client, &id).await;
    assert_eq!(shown_pool["UserPool"].get("Domain"), None);
    assert_eq!(shown_pool["UserPool"]["CustomDomain"], "auth.example.com");
    let delete = || DeleteUserPoolRequest { user_pool_id: Some(id.clone()), ..Default::default() };
    let refused = client.delete_user_pool(delete()).await.expect_err("a domain");
    assert_eq!(refused.code(), Code::FailedPrecondition);
    free(&mut client, "auth.example.com", &id).await.expect("freed");
    assert_eq!(describe(&mut client, "auth.example.com").await, json!({}));
    client.delete_user_pool(delete()).await.expect("deleted");
    take_custom(&mut client, "auth.example.com", &other).await.expect("free again");
    server.stop().await;
}

#[tokio::test]
async fn an_update_changes_only_the_settings_that_it_names() {
    let server = TestServer::start().await;
    let mut client = server.client().await;
    let id = create(&mut client, "people").await;
    let request =
        CreateUserPoolDomainRequest { managed_login_version: Some(1), ..domain("people", &id) };
    let taken = client.create_user_pool_domain(request).await.expect("assigned").into_inner();
    assert_eq!((taken.managed_login_version, taken.cloud_front_domain), (Some(1), None));
    take_custom(&mut client, "auth.example.com", &id).await.expect("assigned");

    let updated = update(&mut client, "people", &id, Some(2), None).await.expect("updated");
    assert_eq!(updated, json!({ "ManagedLoginVersion": 2, "revision": "4", "position": "4" }));
    let described = describe(&mut client, "people").await;
    assert_eq!(described["ManagedLoginVersion"], 2);

    let name = "auth.example.com";
    let config = certificate(CERTIFICATE_2, Some(Policy::TlsV122021));
    update(&mut client, name, &id, None, Some(config)).await.expect("updated");
    let updated = update(&mut client, name, &id, Some(2), None).await.expect("updated");
    assert_eq!(updated["CloudFrontDomain"], "auth-example-com.cloudfront.invalid");
    let described = describe(&mut client, name).await;
    let config = json!({ "CertificateArn": CERTIFICATE_2, "SecurityPolicy": "TLS_V1_2_2021" });
    assert_eq!(described["CustomDomainConfig"], config);
    assert_eq!(described["ManagedLoginVersion"], 2);

    // The same again records nothing; an update of nothing neither.
    for version in [Some(2), None] {
        let again = update(&mut client, name, &id, version, None).await.expect("updated");
        assert_eq!(again["revision"], "6");
    }
    // The settings end with the domain.
    free(&mut client, "people", &id).await.expect("freed");
    take(&mut client, "people", &id).await.expect("assigned");
    let described = describe(&mut client, "people").await;
    assert_eq!(described.get("ManagedLoginVersion"), None);
    server.stop().await;
}

#[tokio::test]
async fn an_update_of_a_domain_that_is_not_the_user_pools_is_refused() {
    let server = TestServer::start().await;
    let mut client = server.client().await;
    let (one, other) = (create(&mut client, "one").await, create(&mut client, "other").await);
    take(&mut client, "people", &one).await.expect("assigned");
    for (name, id) in [("people", &other), ("people2", &one)] {
        assert_status(
            update(&mut client, name, id, Some(2), None).await,
            Code::NotFound,
            "DOMAIN_NOT_FOUND",
            "No such domain or user pool exists.",
            "InvalidParameterException",
        );
    }
    assert_status(
        update(&mut client, "people", "us-east-1_nope", Some(2), None).await,
        Code::NotFound,
        "USER_POOL_NOT_FOUND",
        "User pool us-east-1_nope does not exist.",
        "ResourceNotFoundException",
    );
    let config = Some(certificate(CERTIFICATE, None));
    let refused = update(&mut client, "people", &one, None, config).await.expect_err("a prefix");
    let violations = refused.get_details_bad_request().expect("details").field_violations;
    assert_eq!(violations[0].field, "custom_domain_config");
    server.stop().await;
}

#[tokio::test]
async fn a_custom_domain_is_a_name_with_dots_and_may_have_any_word() {
    let server = TestServer::start().await;
    let mut client = server.client().await;
    let longest = format!("{}.com", "a".repeat(59));
    for good in ["a.b", "aws.cognito.example.com", "x--y.example.com", longest.as_str()] {
        let id = create(&mut client, "people").await;
        take_custom(&mut client, good, &id).await.expect(good);
        free(&mut client, good, &id).await.expect(good);
    }
    let id = create(&mut client, "people").await;
    let too_long = format!("{}.com", "a".repeat(60));
    for bad in ["people", "a.", ".a", "a..b", "-a.b", "a-.b", "a.b-", "A.b", "a_b.c", &too_long] {
        let refused = take_custom(&mut client, bad, &id).await.expect_err(bad);
        assert_eq!(refused.code(), Code::InvalidArgument, "{bad}");
        let violations = refused.get_details_bad_request().expect("details").field_violations;
        assert_eq!(violations[0].field, "domain", "{bad}");
    }
    server.stop().await;
}
