//! JSON documents: their encoding, and the place of what is wrong with them.

use std::{fs, process::Stdio};

use tempfile::TempDir;

use super::{output, run_with, userpool};
use crate::support::TestServer;

/// What a command prints about a document in a file.
async fn refusal(command: &[&str], bytes: &[u8]) -> String {
    let directory = TempDir::new().expect("a directory");
    let file = directory.path().join("document.json");
    fs::write(&file, bytes).expect("a file");
    let mut command = userpool("127.0.0.1:1", command);
    command.arg(&file).stdin(Stdio::null());
    let refused = output(command).await;
    assert_eq!(refused.code, 1, "{refused:?}");
    let name = format!("userpool: {}: ", file.display());
    let problem = refused.stderr.strip_prefix(&name).expect("the file");
    problem.trim_end().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_problem_names_member_line_column_and_what_is_allowed() {
    let create = ["create"].as_slice();
    let update = ["update", "us-east-1_AbCdEfGhI"].as_slice();
    for (command, document, problem) in [
        (
            create,
            r#"{"PoolNam": "people"}"#,
            "line 1, column 10: PoolNam: unknown member; did you mean PoolName?",
        ),
        (
            create,
            "{\"PoolName\": \"people\",\n \"Policies\": {\n  \"PasswordPolicy\": \
             {\"MinimumLength\": \"eight\"}}}",
            "line 3, column 45: Policies.PasswordPolicy.MinimumLength: expected an integer from \
             -2147483648 to 2147483647, found \"eight\"",
        ),
        (
            update,
            r#"{"Policies": {"PasswordPolicy": {"MinimumLength": 8.5}}}"#,
            "line 1, column 53: Policies.PasswordPolicy.MinimumLength: expected an integer from \
             -2147483648 to 2147483647, found 8.5",
        ),
        (
            update,
            r#"{"Policies": {"PasswordPolicy": {"MinimumLength": 3000000000}}}"#,
            "line 1, column 60: Policies.PasswordPolicy.MinimumLength: expected an integer from \
             -2147483648 to 2147483647, found 3000000000",
        ),
        (
            update,
            r#"{"Policies": {"PasswordPolicy": {"RequireNumbers": "yes"}}}"#,
            "line 1, column 56: Policies.PasswordPolicy.RequireNumbers: expected true or false, \
             found \"yes\"",
        ),
        (
            update,
            r#"{"MfaConfiguration": "SOMETIMES"}"#,
            "line 1, column 32: MfaConfiguration: expected one of OFF, ON, OPTIONAL, found \
             \"SOMETIMES\"",
        ),
        (
            update,
            r#"{"MfaConfiguration": true}"#,
            "line 1, column 25: MfaConfiguration: expected one of OFF, ON, OPTIONAL, found true",
        ),
        (
            update,
            r#"{"AutoVerifiedAttributes": ["email", "fax"]}"#,
            "line 1, column 42: AutoVerifiedAttributes[1]: expected one of phone_number, email, \
             found \"fax\"",
        ),
        (
            update,
            r#"{"AutoVerifiedAttributes": "email"}"#,
            "line 1, column 34: AutoVerifiedAttributes: expected a list, found \"email\"",
        ),
        (
            update,
            r#"{"UserPoolTags": {"team": 7}}"#,
            "line 1, column 27: UserPoolTags.team: expected a string, found 7",
        ),
        (
            update,
            r#"{"UserPoolTags": ["team"]}"#,
            "line 1, column 18: UserPoolTags: expected an object with strings, found a list",
        ),
        (
            update,
            r#"{"LambdaConfig": "arn:aws:lambda:us-east-1:123456789012:function:sign-up"}"#,
            "line 1, column 73: LambdaConfig: expected an object, found \
             \"arn:aws:lambda:us-east-1:123456789012:fu…\"",
        ),
        (
            update,
            r#"{"Policies": {"PasswordPolicy": {"Entropy": 3}}}"#,
            "line 1, column 42: Policies.PasswordPolicy.Entropy: unknown member; expected one of \
             MinimumLength, RequireUppercase, RequireLowercase, RequireNumbers, RequireSymbols, \
             PasswordHistorySize, TemporaryPasswordValidityDays",
        ),
        (
            create,
            r#"{"PoolName": "a", "Schema": [{"Name": "age", "Required": null}, {"Mutable": 1}]}"#,
            "line 1, column 77: Schema[1].Mutable: expected true or false, found 1",
        ),
        (
            create,
            "{\"revision\": \"1\", \"UserPool\": {\n\"CreationDate\": 1512950400.123,\n\
             \"Id\": \"us-east-1_AbCdEfGhI\", \"Name\": [\"people\"]}}",
            "line 3, column 38: UserPool.Name: expected a string, found a list",
        ),
        (update, "{\"UserPool\": 1}", "line 1, column 14: UserPool: expected an object, found 1"),
        (create, "{\"PoolName\": \"a\",}", "line 1, column 18: trailing comma"),
        (create, "[]", "not a JSON object"),
    ] {
        assert_eq!(refusal(command, document.as_bytes()).await, problem, "{document}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_byte_order_mark_is_accepted_and_utf_16_is_named() {
    let server = TestServer::start().await;
    let endpoint = server.endpoint.to_string();
    let document = r#"{"PoolName": "people"}"#;
    let created = run_with(&endpoint, &["create", "-"], &format!("\u{feff}{document}")).await;
    assert_eq!(created.code, 0, "{created:?}");
    server.stop().await;

    let little_endian = || document.encode_utf16().flat_map(u16::to_le_bytes);
    let big_endian = || document.encode_utf16().flat_map(u16::to_be_bytes);
    for bytes in [
        [0xff, 0xfe].into_iter().chain(little_endian()).collect::<Vec<_>>(),
        [0xfe, 0xff].into_iter().chain(big_endian()).collect(),
        little_endian().collect(),
        big_endian().collect(),
    ] {
        let problem = refusal(&["create"], &bytes).await;
        assert_eq!(problem, "the document is UTF-16; convert it to UTF-8");
    }
    let problem = refusal(&["create"], b"{\"PoolName\":\n \"M\xfcnchen\"}").await;
    assert_eq!(problem, "line 2, column 4: the document is not UTF-8");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_problem_of_a_checkpoint_names_its_line_as_well() {
    let directory = TempDir::new().expect("a directory");
    let file = directory.path().join("checkpoints.jsonl");
    let server = TestServer::start().await;
    let endpoint = server.endpoint.to_string();
    let checkpoint = run_with(&endpoint, &["checkpoint", "-o", "jsonl"], "").await.stdout;
    server.stop().await;
    for (text, problem) in [
        ("{\"position\": \"one\"}", "line 2, column 18: position: expected an integer"),
        ("{\"hash\": \"#\"}", "line 2, column 12: hash: expected a string in base64"),
        ("\n{\"position\": \"1\"}", "line 3: hash has a length"),
        (
            "{\"checkpoint\": {\"time\": \"today\"}}",
            "line 2, column 31: checkpoint.time: expected a time such as",
        ),
    ] {
        fs::write(&file, format!("{checkpoint}{text}\n")).expect("a file");
        let mut command = userpool("127.0.0.1:1", &["verify", "--checkpoint"]);
        command.arg(&file);
        let refused = output(command).await;
        assert_eq!(refused.code, 2, "{refused:?}");
        assert!(refused.stderr.contains(problem), "{refused:?}");
    }
}
