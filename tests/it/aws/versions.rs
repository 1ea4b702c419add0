//! The version of the AWS API that the door answers as. gRPC has every member in both.

use serde_json::{Value, json};
use tonic::Code;
use userpool::{
    aws::AwsApi,
    proto::{DeleteUserPoolRequest, DescribeUserPoolRequest, UpdateUserPoolRequest},
};

use crate::{
    json::{data, request, shown, with, without},
    support::{TestServer, metadata, reason},
};

use super::{call, create, start_with};

async fn of_2017() -> TestServer {
    start_with(|config| config.aws_api = AwsApi::Of2017).await
}

async fn described(server: &TestServer, id: &str) -> Value {
    let body = json!({ "UserPoolId": id }).to_string();
    let described = call(server, "DescribeUserPool", &body).await.json();
    described["UserPool"].clone()
}

/// The user pool over gRPC.
async fn described_over_grpc(server: &TestServer, id: &str) -> Value {
    let request = DescribeUserPoolRequest {
        user_pool_id: Some(id.to_owned()),
        ..DescribeUserPoolRequest::default()
    };
    let described = server.client().await.describe_user_pool(request).await.expect("described");
    shown(&described.into_inner())["UserPool"].clone()
}

/// What of `value` a user pool of 2017 can have.
fn members_of_2017(pool: &Value) -> Value {
    let mut pool = pool.clone();
    for later in [
        "AccountRecoverySetting",
        "Arn",
        "DeletionProtection",
        "UserAttributeUpdateSettings",
        "UserPoolTier",
        "UsernameConfiguration",
    ] {
        pool = without(pool, later);
    }
    pool["Policies"] = without(pool["Policies"].clone(), "SignInPolicy");
    let policy = &mut pool["Policies"]["PasswordPolicy"];
    let days = without(policy.take(), "PasswordHistorySize");
    *policy = without(days, "TemporaryPasswordValidityDays");
    let function = pool["LambdaConfig"]["PreTokenGeneration"].clone();
    pool["LambdaConfig"] = json!({ "PreTokenGeneration": function });
    pool["SmsConfiguration"] = without(pool["SmsConfiguration"].clone(), "SnsRegion");
    pool["EmailConfiguration"] = json!({ "SourceArn": pool["EmailConfiguration"]["SourceArn"] });
    pool["UserPoolAddOns"] =
        without(pool["UserPoolAddOns"].clone(), "AdvancedSecurityAdditionalFlows");
    pool
}

#[tokio::test]
async fn as_of_2017_later_members_are_ignored_in_requests() {
    let server = of_2017().await;
    let id = create(&server, &data("create-user-pool-today.json").to_string()).await;
    let pool = described_over_grpc(&server, &id).await;
    assert_eq!(pool["DeletionProtection"], "INACTIVE");
    assert_eq!(pool["UserPoolTier"], "ESSENTIALS");
    assert_eq!(pool["EmailConfiguration"]["EmailSendingAccount"], "COGNITO_DEFAULT");
    assert_eq!(pool["LambdaConfig"].get("UserMigration"), None);
    assert_eq!(pool["Policies"].get("SignInPolicy"), None);
    let body = json!({ "UserPoolId": id, "PoolName": "renamed", "UserPoolTier": "LITE" });
    assert_eq!(call(&server, "UpdateUserPool", &body.to_string()).await.status, 200);
    let pool = described_over_grpc(&server, &id).await;
    assert_eq!(pool["Name"], "passwordless-customers");
    assert_eq!(pool["UserPoolTier"], "ESSENTIALS");
    server.stop().await;
}

#[tokio::test]
async fn as_of_2017_later_members_are_not_shown() {
    let server = of_2017().await;
    let id = create(&server, r#"{"PoolName":"passwordless-customers"}"#).await;
    let members = data("create-user-pool-today.json");
    let members = without(without(members, "UsernameConfiguration"), "PoolName");
    let update: UpdateUserPoolRequest = request(with(members, json!({ "UserPoolId": id })));
    server.client().await.update_user_pool(update).await.expect("updated");

    let today = described_over_grpc(&server, &id).await;
    assert_eq!(today["DeletionProtection"], "ACTIVE");
    let with_username = with(today, json!({ "UsernameConfiguration": {} }));
    let mut expected = members_of_2017(&with_username);
    let mut found = described(&server, &id).await;
    for time in ["CreationDate", "LastModifiedDate"] {
        assert!(found[time].take().is_f64());
        expected[time].take();
    }
    assert_eq!(found, expected);

    // It is still protected from deletion.
    let body = json!({ "UserPoolId": id }).to_string();
    let refused = call(&server, "DeleteUserPool", &body).await;
    assert_eq!(refused.error().0, "InvalidParameterException");
    server.stop().await;
}

#[tokio::test]
async fn as_of_2017_later_operations_are_unknown() {
    let server = of_2017().await;
    let id = create(&server, r#"{"PoolName":"people"}"#).await;
    for (operation, since) in [
        ("UpdateUserPoolDomain", "2018-12"),
        ("TagResource", "2019-03"),
        ("UntagResource", "2019-03"),
        ("ListTagsForResource", "2019-03"),
    ] {
        let refused = call(&server, operation, "{}").await;
        let message = format!(
            "Amazon Cognito has the operation {operation} since {since}, but this server answers \
             as of 2017-12-11 (setting aws-api)."
        );
        assert_eq!(refused.error(), ("UnknownOperationException".to_owned(), message));
    }
    // What AWS had in 2017.
    let body = json!({ "UserPoolId": id }).to_string();
    assert_eq!(call(&server, "GetUserPoolMfaConfig", &body).await.status, 200);
    let domain = json!({
        "Domain": "people-login", "UserPoolId": id, "ManagedLoginVersion": 2,
    });
    let assigned = call(&server, "CreateUserPoolDomain", &domain.to_string()).await;
    assert_eq!((assigned.status, assigned.body.as_str()), (200, "{}"));
    server.stop().await;
}

/// The ARN is among the members also if the user pool has fields that AWS does not show there.
#[tokio::test]
async fn a_user_pool_with_a_domain_shows_its_arn() {
    let server = start_with(|_| ()).await;
    let id = create(&server, r#"{"PoolName":"people"}"#).await;
    let domain = json!({
        "Domain": "people-login", "UserPoolId": id, "ManagedLoginVersion": 2,
    });
    assert_eq!(call(&server, "CreateUserPoolDomain", &domain.to_string()).await.status, 200);
    let arn = format!("arn:aws:cognito-idp:us-east-1:123456789012:userpool/{id}");
    assert_eq!(described(&server, &id).await["Arn"], arn.as_str());
    assert_eq!(described_over_grpc(&server, &id).await["Arn"], arn.as_str());
    server.stop().await;
}

/// Protection from deletion holds over every protocol, and names its remedy.
#[tokio::test]
async fn a_protected_user_pool_is_deleted_over_no_protocol() {
    let server = start_with(|_| ()).await;
    let body = r#"{"PoolName":"people","DeletionProtection":"ACTIVE"}"#;
    let id = create(&server, body).await;
    let delete = DeleteUserPoolRequest {
        user_pool_id: Some(id.clone()),
        ..DeleteUserPoolRequest::default()
    };
    let text = "The user pool cannot be deleted because deletion protection is activated. Deletion \
                protection must be inactivated first.";
    for validate_only in [true, false] {
        let delete = DeleteUserPoolRequest { validate_only, ..delete.clone() };
        let refused = server.client().await.delete_user_pool(delete).await.expect_err("protected");
        assert_eq!((refused.code(), refused.message()), (Code::FailedPrecondition, text));
        assert_eq!(reason(&refused), "USER_POOL_DELETION_PROTECTED");
        assert_eq!(metadata(&refused, "user_pool_id"), Some(id.clone()));
        let exception = metadata(&refused, "aws_error");
        assert_eq!(exception.as_deref(), Some("InvalidParameterException"));
    }
    let body = json!({ "UserPoolId": id }).to_string();
    let refused = call(&server, "DeleteUserPool", &body).await;
    assert_eq!(refused.error(), ("InvalidParameterException".to_owned(), text.to_owned()));
    let body = json!({ "UserPoolId": id, "DeletionProtection": "INACTIVE" }).to_string();
    assert_eq!(call(&server, "UpdateUserPool", &body).await.status, 200);
    server.client().await.delete_user_pool(delete).await.expect("deleted");
    server.stop().await;
}
