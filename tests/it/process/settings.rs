//! Every setting is a flag and an environment variable; the log has a JSON form.

use std::collections::HashMap;

use serde_json::Value;
use tempfile::TempDir;
use tonic::{Code, Request};
use userpool::proto::{DescribeUserPoolDomainRequest, SchemaAttribute};

use crate::{
    binary::{self, Process, run, userpool},
    support::{create, domain, named},
};

#[tokio::test(flavor = "multi_thread")]
async fn every_flag_is_also_an_environment_variable() {
    let help = run(userpool().args(["serve", "--help"])).await;
    let help = String::from_utf8(help.stdout).expect("UTF-8");
    let flag = |word: &str| {
        // A setting whose value is optional has it in brackets.
        let flag = word.split(['[', ',', '.', ':']).next().map(str::to_owned);
        flag.filter(|flag| flag.starts_with("--"))
    };
    let flags = help.split_whitespace().filter_map(flag);
    // These flags are not settings.
    let asks = ["--help", "--version", "--print-config", "--check-config"];
    let flags: Vec<_> = flags.filter(|flag| !asks.contains(&flag.as_str())).collect();
    assert!(flags.len() > 5, "{help}");
    for flag in flags {
        let variable = flag.trim_start_matches("--").replace('-', "_").to_uppercase();
        assert!(help.contains(&format!("[env: USERPOOL_{variable}=")), "{flag}: {help}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn settings_from_the_environment_hold() {
    let directory = TempDir::new().expect("a directory");
    let data_dir = directory.path().join("elsewhere");
    let mut command = userpool();
    command.arg("serve").env("USERPOOL_DATA_DIR", &data_dir).envs([
        ("USERPOOL_LISTEN", "localhost:0"),
        ("USERPOOL_REGION", "eu-west-1"),
        ("USERPOOL_ACCOUNT_ID", "210987654321"),
        ("USERPOOL_MAX_CUSTOM_ATTRIBUTES", "0"),
        ("USERPOOL_MAX_USER_POOLS", "1"),
        ("USERPOOL_MAX_TAGS", "0"),
        ("USERPOOL_LOG_FORMAT", "json"),
        ("USERPOOL_LOG", "debug"),
    ]);
    let server = Process::from(&mut command).await;
    let mut client = server.client().await;

    let mut tagged = named("people");
    tagged.user_pool_tags.insert("team".to_owned(), "payments".to_owned());
    let refused = client.create_user_pool(tagged).await.expect_err("no tags");
    assert_eq!(refused.code(), Code::InvalidArgument, "{refused}");
    let mut custom = named("people");
    let attribute = SchemaAttribute { name: Some("shoe".to_owned()), ..Default::default() };
    custom.schema.push(attribute);
    let refused = client.create_user_pool(custom).await.expect_err("no custom attributes");
    assert_eq!(refused.code(), Code::InvalidArgument, "{refused}");
    let id = create(&mut client, "people").await;
    assert!(id.starts_with("eu-west-1_"), "{id}");
    let refused = client.create_user_pool(named("more")).await.expect_err("one alone");
    assert_eq!(refused.code(), Code::ResourceExhausted, "{refused}");
    client.create_user_pool_domain(domain("login", &id)).await.expect("a domain");
    let request = DescribeUserPoolDomainRequest {
        domain: Some("login".to_owned()),
        ..DescribeUserPoolDomainRequest::default()
    };
    let described = client.describe_user_pool_domain(request).await.expect("described");
    let described = described.into_inner().domain_description.expect("a domain");
    assert_eq!(described.aws_account_id.as_deref(), Some("210987654321"));
    assert!(data_dir.join("manifest.json").exists());

    let ended = server.terminate("TERM").await;
    assert!(records(&ended.stderr).iter().any(|record| record["level"] == "DEBUG"));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_log_of_the_process_is_json() {
    let directory = TempDir::new().expect("a directory");
    let mut command = binary::serve(directory.path());
    command.args(["--listen=127.0.0.1:0", "--log-format=json"]);
    let server = Process::from(&mut command).await;
    let mut client = server.client().await;
    for (name, id) in [("people", "call-1"), ("", "call-2"), ("staff", "call-3")] {
        let mut request = Request::new(named(name));
        request.metadata_mut().insert("x-request-id", id.parse().expect("a value"));
        let answered = client.create_user_pool(request).await;
        assert_eq!(answered.is_ok(), !name.is_empty(), "{id}");
    }
    drop(client);
    let ended = server.terminate("TERM").await;

    let records = records(&ended.stderr);
    let calls = records.iter().filter(|record| record["message"] == "rpc");
    let mut codes = HashMap::new();
    for call in calls {
        assert_eq!(call["method"], "userpool.v1.UserPoolService/CreateUserPool");
        let number = call["milliseconds"].to_string();
        let decimals = number.split('.').nth(1).map_or(0, str::len);
        assert!(call["milliseconds"].is_number() && decimals <= 3, "{call}");
        let id = call["correlation_id"].as_str().expect("an ID").to_owned();
        assert_eq!(codes.insert(id, call["code"].clone()), None, "one record per call");
    }
    let expected = [("call-1", "OK"), ("call-2", "INVALID_ARGUMENT"), ("call-3", "OK")];
    let expected = expected.map(|(id, code)| (id.to_owned(), Value::from(code)));
    assert_eq!(codes, HashMap::from(expected));
    let messages: Vec<_> = records.iter().map(|record| &record["message"]).collect();
    assert!(messages.contains(&&Value::from("log opened")), "{messages:?}");
    assert_eq!(messages.last(), Some(&&Value::from("stopped")));
}

/// Every line as JSON.
fn records(stderr: &str) -> Vec<Value> {
    stderr.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}
