//! Every command that changes or shows user pools and domains.

use tokio::process::Command;

use super::{create, run, run_with, unix_server};
use crate::{
    support::TestServer,
    tools::{grpcurl, repository},
};

#[tokio::test(flavor = "multi_thread")]
async fn describe_prints_indented_json_or_one_line_or_a_listing() {
    let server = TestServer::start().await;
    let id = create(&server, "people").await;
    let described = run(&server, &["describe", &id]).await;
    assert_eq!(described.code, 0);
    let begins = format!(
        "{{\n  \"UserPool\": {{\n    \"Id\": \"{id}\",\n    \"Name\": \"people\",\n    \
         \"Policies\": {{\n      \"PasswordPolicy\": {{\n        \"MinimumLength\": 8,\n"
    );
    assert!(described.stdout.starts_with(&begins), "{}", described.stdout);
    assert!(described.stdout.ends_with("  \"position\": \"1\",\n  \"headPosition\": \"1\"\n}\n"));

    let one_line = run(&server, &["describe", &id, "-o", "jsonl"]).await;
    assert_eq!(one_line.stdout.lines().count(), 1);
    assert_eq!(one_line.json(), described.json());

    let table = run(&server, &["describe", &id, "-o", "table"]).await.stdout;
    let lines: Vec<_> =
        table.lines().map(|line| line.split("  ").next().expect("a word")).collect();
    assert_eq!(&lines[..3], ["Id", "Name", "Policies.PasswordPolicy.MinimumLength"]);
    let sub = table.lines().find(|line| line.starts_with("SchemaAttributes.sub ")).expect("sub");
    assert!(sub.ends_with("  String, required, immutable, length 1 to 2048"), "{sub}");
}

#[tokio::test(flavor = "multi_thread")]
async fn describe_prints_the_same_json_as_grpcurl() {
    let Some(tools) = grpcurl("that describe prints what grpcurl prints") else { return };
    let server = TestServer::start().await;
    let file = repository().join("tests/it/data/create-user-pool-full.json");
    let created = run(&server, &["create", file.to_str().expect("UTF-8")]).await;
    let id = created.json()["UserPool"]["Id"].as_str().expect("an ID").to_owned();
    let request = format!(r#"{{"UserPoolId": "{id}"}}"#);
    let endpoint = server.endpoint.to_string();
    let method = "userpool.v1.UserPoolService/DescribeUserPool";
    let grpcurl = Command::new(tools.join("grpcurl"))
        .args(["-plaintext", "-d", &request, &endpoint, method])
        .output()
        .await
        .expect("it ends");
    let described = run(&server, &["describe", &id]).await;
    assert_eq!(described.stdout, String::from_utf8_lossy(&grpcurl.stdout));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_update_changes_the_settings_that_the_mask_names() {
    let server = TestServer::start().await;
    let endpoint = server.endpoint.to_string();
    let id = create(&server, "people").await;
    let mfa = r#"{"MfaConfiguration": "OFF", "UserPoolTags": {"team": "a", "stage": "b"}}"#;
    let all = run_with(&endpoint, &["update", &id, "-"], mfa).await;
    assert_eq!((all.code, all.json()["revision"].as_str()), (0, Some("2")));

    let text = r#"{"SmsAuthenticationMessage": "{####}", "UserPoolTags": {}}"#;
    let arguments =
        ["update", &id, "-", "--mask", "sms_authentication_message", "--expected-revision", "2"];
    let one = run_with(&endpoint, &arguments, text).await;
    assert_eq!(one.code, 0, "{one:?}");
    let pool = &one.json()["UserPool"];
    assert_eq!(pool["SmsAuthenticationMessage"], "{####}");
    assert_eq!(pool["UserPoolTags"]["team"], "a");

    let only_checked = ["update", &id, "-", "--validate-only"];
    let checked = run_with(&endpoint, &only_checked, "{}").await;
    assert_eq!((checked.code, checked.json().get("position")), (0, None), "0 is not printed");
    let now = run(&server, &["describe", &id]).await.json();
    assert_eq!(now["revision"], "3");
    // Maps have no order; the output is sorted.
    assert!(
        run(&server, &["describe", &id, "-o", "jsonl"])
            .await
            .stdout
            .contains(r#""UserPoolTags":{"stage":"b","team":"a"}"#)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_create_with_the_same_request_id_creates_nothing_new() {
    let server = TestServer::start().await;
    let endpoint = server.endpoint.to_string();
    let request_id = "0193b5f0-7c5e-7d7a-9c55-2d1d8f1b6a01";
    let arguments = ["create", "-", "--request-id", request_id];
    let first = run_with(&endpoint, &arguments, r#"{"PoolName": "staff"}"#).await;
    let again = run_with(&endpoint, &arguments, r#"{"PoolName": "staff"}"#).await;
    assert_eq!((first.code, again.code), (0, 0));
    assert_eq!(first.stdout, again.stdout);
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_follow_their_pages_and_stop_at_their_limit() {
    let server = TestServer::start().await;
    let mut client = server.client().await;
    for number in 0..70 {
        crate::support::create(&mut client, &format!("pool {number}")).await;
    }
    let all = run(&server, &["list", "-o", "jsonl"]).await;
    assert_eq!((all.code, all.stdout.lines().count()), (0, 70));
    let some = run(&server, &["list", "--limit", "65", "-o", "json"]).await.json();
    let pools = some["UserPools"].as_array().expect("a list");
    assert_eq!((pools.len(), &pools[64]["Name"]), (65, &"pool 64".into()));
    let none = run(&server, &["domain", "list"]).await;
    assert_eq!((none.code, none.stdout.as_str()), (0, "DOMAIN  POOL  STATUS\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn domain_commands_work_over_a_unix_socket() {
    let server = unix_server().await;
    let id = create(&server, "people").await;
    let free = run(&server, &["domain", "describe", "people-login"]).await;
    assert_eq!(
        (free.code, free.stdout.as_str()),
        (1, "{\n  \"DomainDescription\": {},\n  \"headPosition\": \"1\"\n}\n")
    );
    assert_eq!(free.stderr, "userpool: no user pool has the domain people-login\n");

    let created = run(&server, &["domain", "create", "people-login", &id]).await;
    assert_eq!((created.code, created.json()["revision"].as_str()), (0, Some("2")));
    let described = run(&server, &["domain", "describe", "people-login", "-o", "table"]).await;
    assert_eq!(described.code, 0);
    assert_eq!(
        described.stdout,
        format!(
            "UserPoolId    {id}\nAWSAccountId  123456789012\nDomain        people-login\n\
             Status        ACTIVE\nheadPosition  2\n"
        )
    );
    let listed = run(&server, &["domain", "list"]).await.stdout;
    assert_eq!(
        listed,
        format!("DOMAIN        POOL                 STATUS\npeople-login  {id}  ACTIVE\n")
    );

    let deleted = run(&server, &["domain", "delete", "people-login", &id]).await;
    assert_eq!((deleted.code, deleted.json()["revision"].as_str()), (0, Some("3")));
    let gone = run(&server, &["delete", &id, "--expected-revision", "3", "--yes"]).await;
    assert_eq!((gone.code, gone.json()["revision"].as_str()), (0, Some("4")));
    let listed = run(&server, &["list", "-o", "json"]).await;
    assert_eq!(listed.stdout, "{\n  \"UserPools\": []\n}\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn list_finds_by_name_tag_function_domain_and_deletion() {
    let server = TestServer::start().await;
    let endpoint = server.endpoint.to_string();
    let function = "arn:aws:lambda:us-east-1:123456789012:function:sign-up";
    let people = format!(
        r#"{{"PoolName": "people", "UserPoolTags": {{"team": "a=b"}},
             "LambdaConfig": {{"PreSignUp": "{function}"}}}}"#
    );
    assert_eq!(run_with(&endpoint, &["create", "-"], &people).await.code, 0);
    let guests = create(&server, "guests").await;
    let old = create(&server, "people-old").await;
    assert_eq!(run(&server, &["domain", "create", "login-guests", &guests]).await.code, 0);
    assert_eq!(run(&server, &["delete", &old, "--yes"]).await.code, 0);
    for (arguments, names) in [
        (&["--name", "people"][..], &["people"][..]),
        (&["--name", "people", "--deleted"], &["people-old"]),
        (&["--all", "--name", "people"], &["people", "people-old"]),
        (&["--all"], &["people", "guests", "people-old"]),
        (&["--tag", "team"], &["people"]),
        (&["--tag", "team=a=b"], &["people"]),
        (&["--tag", "team=a"], &[]),
        (&["--lambda", function], &["people"]),
        (&["--domain", "login-guests"], &["guests"]),
        (&["--domain", "login-*"], &["guests"]),
        (&["--domain", "login-"], &[]),
        (&["--no-domain"], &["people"]),
        (&["--no-domain", "--all", "--limit", "1"], &["people"]),
    ] {
        let listed = run(&server, &[&["list", "-o", "jsonl"], arguments].concat()).await;
        // "login-" alone is not the name of a domain.
        assert_eq!(listed.code, if arguments[1..] == ["login-"] { 67 } else { 0 }, "{listed:?}");
        let name = |line: &str| {
            let pool: serde_json::Value = serde_json::from_str(line).expect("JSON");
            pool["Name"].as_str().expect("a name").to_owned()
        };
        let found: Vec<_> = listed.stdout.lines().map(name).collect();
        assert_eq!(found, names, "{arguments:?}");
    }
    let table = run(&server, &["list", "--all"]).await.stdout;
    let heading: Vec<_> = table.lines().next().expect("a line").split_whitespace().collect();
    assert_eq!(heading, ["ID", "NAME", "DOMAINS", "REVISION", "DELETED"]);
    let table = run(&server, &["list", "--name", "people"]).await.stdout;
    let heading: Vec<_> = table.lines().next().expect("a line").split_whitespace().collect();
    assert_eq!(heading, ["ID", "NAME", "DOMAINS", "REVISION", "MODIFIED"]);
    let none = run(&server, &["list", "--name", "nobody"]).await;
    assert_eq!((none.code, none.stderr.as_str()), (0, "userpool: no user pool matches\n"));
    for arguments in [
        &["--domain", "login", "--no-domain"][..],
        &["--domain", "login", "--deleted"],
        &["--deleted", "--all"],
    ] {
        assert_eq!(run(&server, &[&["list"], arguments].concat()).await.code, 2, "{arguments:?}");
    }
    server.stop().await;
}
