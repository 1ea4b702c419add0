//! Where AWS's JSON differs from that of protobuf.

use serde_json::json;

use super::{call, create, start};

#[tokio::test]
async fn a_wrong_type_is_an_error_that_names_the_member() {
    let server = start().await;
    for (body, expected) in [
        (r#"{"PoolName":1}"#, "NUMBER_VALUE can not be converted to a String (at 'poolName')"),
        (r#"{"PoolName":true}"#, "TRUE_VALUE can not be converted to a String (at 'poolName')"),
        (
            r#"{"PoolName":{}}"#,
            "Start of structure or map found where not expected. (at 'poolName')",
        ),
        (
            r#"{"Policies":{"PasswordPolicy":{"MinimumLength":"8"}}}"#,
            "STRING_VALUE can not be converted to an Integer (at \
             'policies.passwordPolicy.minimumLength')",
        ),
        (
            r#"{"Policies":{"PasswordPolicy":{"MinimumLength":8.5}}}"#,
            "NUMBER_VALUE can not be converted to an Integer (at \
             'policies.passwordPolicy.minimumLength')",
        ),
        (
            r#"{"Policies":{"PasswordPolicy":{"MinimumLength":2147483648}}}"#,
            "NUMBER_VALUE can not be converted to an Integer (at \
             'policies.passwordPolicy.minimumLength')",
        ),
        (
            r#"{"DeviceConfiguration":{"ChallengeRequiredOnNewDevice":"true"}}"#,
            "STRING_VALUE can not be converted to a Boolean (at \
             'deviceConfiguration.challengeRequiredOnNewDevice')",
        ),
        (r#"{"Policies":[]}"#, "Start of list found where not expected. (at 'policies')"),
        (
            r#"{"Schema":[{"Name":"a"},{"Name":2}]}"#,
            "NUMBER_VALUE can not be converted to a String (at 'schema.2.member.name')",
        ),
        (r#"{"Schema":"x"}"#, "STRING_VALUE can not be converted to a List (at 'schema')"),
        (
            r#"{"Schema":[null]}"#,
            "NULL_VALUE can not be converted to a Structure (at 'schema.1.member')",
        ),
        (
            r#"{"UserPoolTags":{"a":null}}"#,
            "NULL_VALUE can not be converted to a String (at 'userPoolTags.a.member')",
        ),
        (
            r#"{"MfaConfiguration":1}"#,
            "NUMBER_VALUE can not be converted to a String (at 'mfaConfiguration')",
        ),
    ] {
        let refused = call(&server, "CreateUserPool", body).await;
        assert_eq!(refused.status, 400, "{body}");
        let (error, message) = refused.error();
        assert_eq!((error.as_str(), message.as_str()), ("SerializationException", expected));
    }
    server.stop().await;
}

#[tokio::test]
async fn unknown_members_are_ignored_and_null_is_absent() {
    let server = start().await;
    let body = r#"{"pool_name":"wrong","PoolName":"first","PoolName":"people","Today":[1,{}],
        "validate_only":true,"request_id":"none","Policies":null,"KeyConfiguration":{"a":1},
        "AutoVerifiedAttributes":[],"UserPoolTags":{},"Policies":{"PasswordPolicy":
        {"MinimumLength":8.0,"TemporaryPasswordValidityDays":7}}}"#;
    let id = create(&server, body).await;
    let body = json!({ "UserPoolId": id }).to_string();
    let described = call(&server, "DescribeUserPool", &body).await.json();
    assert_eq!(described["UserPool"]["Name"], "people");
    assert_eq!(described["UserPool"]["Policies"]["PasswordPolicy"]["MinimumLength"], 8);
    server.stop().await;
}

#[tokio::test]
async fn times_are_numbers_and_tags_are_shown_by_describe() {
    let server = start().await;
    let created = call(&server, "CreateUserPool", r#"{"PoolName":"people"}"#).await.json();
    let pool = &created["UserPool"];
    assert!(pool["CreationDate"].is_f64(), "{pool}");
    assert_eq!(pool.get("UserPoolTags"), None);
    let body = json!({ "UserPoolId": pool["Id"] }).to_string();
    let described = call(&server, "DescribeUserPool", &body).await;
    assert_eq!(described.json()["UserPool"]["UserPoolTags"], json!({}));
    assert!(described.body.contains(r#""LambdaConfig":{},"#), "{}", described.body);
    server.stop().await;
}

#[tokio::test]
async fn unknown_enum_names_are_violations_among_the_others() {
    let server = start().await;
    let body = r#"{"PoolName":"a/b","MfaConfiguration":"MAYBE","AutoVerifiedAttributes":
        ["email","fax"],"Schema":[],"UserPoolAddOns":{"AdvancedSecurityMode":"LOUD"}}"#;
    let refused = call(&server, "CreateUserPool", body).await;
    let (error, message) = refused.error();
    assert_eq!(error, "InvalidParameterException");
    assert_eq!(
        message,
        "5 validation errors detected: Value 'a/b' at 'poolName' failed to satisfy constraint: \
         Member must satisfy regular expression pattern: [\\w\\s+=,.@-]+; Value '[email, fax]' at \
         'autoVerifiedAttributes' failed to satisfy constraint: Member must satisfy constraint: \
         [Member must satisfy enum value set: [phone_number, email]]; Value 'MAYBE' at \
         'mfaConfiguration' failed to satisfy constraint: Member must satisfy enum value set: \
         [OFF, ON, OPTIONAL]; Value '[]' at 'schema' failed to satisfy constraint: Member must \
         have length greater than or equal to 1; Value 'LOUD' at \
         'userPoolAddOns.advancedSecurityMode' failed to satisfy constraint: Member must satisfy \
         enum value set: [OFF, AUDIT, ENFORCED]"
    );
    server.stop().await;
}

/// An empty list is shown, and differs from an absent one.
#[tokio::test]
async fn an_empty_list_of_verified_updates_stays_empty() {
    let server = start().await;
    let member = "UserAttributeUpdateSettings";
    let empty = json!({ "AttributesRequireVerificationBeforeUpdate": [] });
    for (sent, shown) in [(json!({}), empty.clone()), (empty.clone(), empty)] {
        let id =
            create(&server, &json!({ "PoolName": "people", (member): sent }).to_string()).await;
        let body = json!({ "UserPoolId": id }).to_string();
        let described = call(&server, "DescribeUserPool", &body).await.json();
        assert_eq!(described["UserPool"][member], shown);
    }
    let created = call(&server, "CreateUserPool", r#"{"PoolName":"people"}"#).await.json();
    assert_eq!(created["UserPool"].get(member), None);
    server.stop().await;
}

#[tokio::test]
async fn each_empty_list_that_needs_an_item_is_refused() {
    let server = start().await;
    let body = r#"{"PoolName":"a/b","Policies":{"SignInPolicy":{"AllowedFirstAuthFactors":[]}},
        "Schema":[],"AccountRecoverySetting":{"RecoveryMechanisms":[]},"UserPoolTier":"FREE"}"#;
    let refused = call(&server, "CreateUserPool", body).await;
    let empty = |path: &str| {
        format!(
            "Value '[]' at '{path}' failed to satisfy constraint: Member must have length greater \
             than or equal to 1"
        )
    };
    let expected = [
        "Value 'a/b' at 'poolName' failed to satisfy constraint: Member must satisfy regular \
         expression pattern: [\\w\\s+=,.@-]+"
            .to_owned(),
        empty("policies.signInPolicy.allowedFirstAuthFactors"),
        empty("schema"),
        "Value 'FREE' at 'userPoolTier' failed to satisfy constraint: Member must satisfy enum \
         value set: [LITE, ESSENTIALS, PLUS]"
            .to_owned(),
        empty("accountRecoverySetting.recoveryMechanisms"),
    ];
    let message = refused.error().1;
    assert_eq!(message, format!("5 validation errors detected: {}", expected.join("; ")));
    server.stop().await;
}

/// An empty list is found although nothing else is wrong, and nothing is recorded.
#[tokio::test]
async fn an_empty_schema_is_refused() {
    let server = start().await;
    let refused = call(&server, "CreateUserPool", r#"{"PoolName":"people","Schema":[]}"#).await;
    assert_eq!(
        refused.error().1,
        "1 validation error detected: Value '[]' at 'schema' failed to satisfy constraint: Member \
         must have length greater than or equal to 1"
    );
    let listed = call(&server, "ListUserPools", r#"{"MaxResults":10}"#).await;
    assert_eq!(listed.body, r#"{"UserPools":[]}"#);
    server.stop().await;
}

#[tokio::test]
async fn a_list_is_cognitos_and_has_no_filter() {
    let server = start().await;
    let id = create(&server, r#"{"PoolName":"people"}"#).await;
    create(&server, r#"{"PoolName":"guests"}"#).await;
    let domain = format!(r#"{{"UserPoolId":"{id}","Domain":"people-login"}}"#);
    assert_eq!(call(&server, "CreateUserPoolDomain", &domain).await.status, 200);
    for filter in [
        r#""filter":{"namePrefix":"people"}"#,
        r#""Filter":{"NamePrefix":"people"}"#,
        r#""filter":{"deleted":"DELETED_USER_POOLS_ONLY"}"#,
    ] {
        let request = format!(r#"{{"MaxResults":60,{filter}}}"#);
        let listed = call(&server, "ListUserPools", &request).await;
        assert_eq!(listed.status, 200, "{listed:?}");
        let listed = listed.json();
        let pools = listed["UserPools"].as_array().expect("a list");
        let members: Vec<_> = pools[0].as_object().expect("an object").keys().cloned().collect();
        let cognitos = ["Id", "Name", "LambdaConfig", "LastModifiedDate", "CreationDate"];
        assert_eq!((pools.len(), members), (2, cognitos.map(str::to_owned).to_vec()));
    }
}
