//! The output of describe is a request for another user pool like it.

use serde_json::Value;

use super::{create, run, run_with};
use crate::{support::TestServer, tools::repository};

/// The user pool without the members that the service assigns.
fn settings(mut shown: Value) -> Value {
    let pool = shown.get_mut("UserPool").or(None).expect("a user pool");
    let pool = pool.as_object_mut().expect("an object");
    for assigned in ["Id", "Arn", "CreationDate", "LastModifiedDate", "Domain"] {
        pool.remove(assigned);
    }
    Value::Object(pool.clone())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_output_of_describe_creates_an_equal_user_pool() {
    let server = TestServer::start().await;
    let endpoint = server.endpoint.to_string();
    for file in ["full", "usernames", "today"] {
        let file = format!("create-user-pool-{file}.json");
        let file = repository().join("tests/it/data").join(file);
        let created = run(&server, &["create", file.to_str().expect("UTF-8")]).await;
        assert_eq!(created.code, 0, "{created:?}");
        let id = created.json()["UserPool"]["Id"].as_str().expect("an ID").to_owned();
        let prefix = id.to_lowercase().replace('_', "-");
        assert_eq!(run(&server, &["domain", "create", &prefix, &id]).await.code, 0);

        let shown = run(&server, &["describe", &id]).await;
        let copied = run_with(&endpoint, &["create", "-"], &shown.stdout).await;
        assert_eq!(copied.code, 0, "{copied:?}");
        let copy = copied.json()["UserPool"]["Id"].as_str().expect("an ID").to_owned();
        assert_ne!(copy, id);
        let copy = run(&server, &["describe", &copy]).await;
        assert!(copy.json()["UserPool"].get("Domain").is_none());
        assert_eq!(settings(copy.json()), settings(shown.json()));

        let bare = shown.json()["UserPool"].to_string();
        let copied = run_with(&endpoint, &["create", "-"], &bare).await;
        assert_eq!(settings(copied.json()), settings(shown.json()));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_lacks_the_mfa_factors_and_create_says_so() {
    let server = TestServer::start().await;
    let endpoint = server.endpoint.to_string();
    let id = create(&server, "people").await;
    let role = "arn:aws:iam::123456789012:role/sms";
    let set = ["mfa", "set", &id, "on", "--software-token", "--sms-role", role];
    assert_eq!(run(&server, &set).await.code, 0);
    let shown = run(&server, &["describe", &id]).await;
    for arguments in [vec!["create", "-"], vec!["create", "-", "--validate-only"]] {
        let copied = run_with(&endpoint, &arguments, &shown.stdout).await;
        assert_eq!(
            (copied.code, copied.stderr.as_str()),
            (
                0,
                "userpool: a new user pool does not get smsMfa and softwareTokenMfa of the \
                 document; to set the factors, use userpool mfa set\n"
            )
        );
        let pool = &copied.json()["UserPool"];
        assert_eq!((pool.get("smsMfa"), pool.get("softwareTokenMfa")), (None, None));
        assert_eq!(pool["MfaConfiguration"], "ON");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_user_pool_is_recreated_from_its_history() {
    let server = TestServer::start().await;
    let id = create(&server, "people").await;
    let before = run(&server, &["describe", &id]).await;
    assert_eq!(run(&server, &["delete", &id, "--yes"]).await.code, 0);

    let replayed = run(&server, &["replay", &id]).await;
    assert_eq!((replayed.code, &replayed.json()["deleted"]), (0, &true.into()));
    let back = run_with(&server.endpoint.to_string(), &["create", "-"], &replayed.stdout).await;
    assert_eq!(back.code, 0, "{back:?}");
    assert_eq!(settings(back.json()), settings(before.json()));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_output_of_the_aws_cli_is_accepted_in_any_time_format() {
    let server = TestServer::start().await;
    let shown = r#"{"UserPool": {"Id": "eu-west-1_AbCdEfGhI", "Name": "people",
        "CreationDate": 1512950400.123, "LastModifiedDate": "2017-12-11T00:00:00.123000+00:00",
        "SchemaAttributes": [{"Name": "custom:plan", "AttributeDataType": "String",
            "DeveloperOnlyAttribute": false, "Mutable": true, "Required": false,
            "StringAttributeConstraints": {"MaxLength": "32"}}]}}"#;
    let created = run_with(&server.endpoint.to_string(), &["create", "-"], shown).await;
    assert_eq!(created.code, 0, "{created:?}");
    let attributes = &created.json()["UserPool"]["SchemaAttributes"];
    let attributes = attributes.as_array().expect("a list");
    assert_eq!((attributes.len(), &attributes[20]["Name"]), (21, &"custom:plan".into()));
}
