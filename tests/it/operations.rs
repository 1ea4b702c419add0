//! The runbook and the backup do what their pages say, and every error is documented.

use std::{collections::BTreeMap, fs, path::Path, process::Command, sync::Arc};

use regex::Regex;
use tempfile::TempDir;
use tokio::task;
use userpool::{
    app::SystemSource,
    proto::{
        CreateUserPoolRequest, DeleteUserPoolDomainRequest, ErrorReason, LambdaConfig,
        ListUserPoolsRequest, PasswordPolicy, UpdateUserPoolRequest, UserPoolPolicies,
    },
};

use crate::{
    calls::Call,
    support::{TestServer, create, domain, named},
    tools::{grpcurl, repository},
    transcript::{Reader, section, steps_in},
};

const RUNBOOK: &str = "docs/operating/runbook.md";
const BACKUP: &str = "docs/operating/backup.md";
const ERRORS: &str = "docs/reference/errors.md";

fn read(file: &str) -> String {
    fs::read_to_string(repository().join(file)).expect("a file")
}

/// Takes the steps of a part of the runbook on a server.
async fn take_runbook(heading: &str, server: &TestServer) {
    let Some(tools) = grpcurl("that the runbook works") else { return };
    let steps = steps_in(&section(RUNBOOK, heading));
    assert!(!steps.is_empty(), "{heading}");
    let mut reader = Reader::new(tools);
    for step in steps {
        reader.take(&step, &server.endpoint.to_string()).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_runbook_finds_user_pools_and_counts_events() {
    let server = TestServer::start().await;
    let mut client = server.client().await;
    let calling = |name: &str, function: &str| {
        let arn = format!("arn:aws:lambda:us-east-1:123456789012:function:{function}");
        let pre_sign_up = Some(arn);
        let lambda_config = Some(LambdaConfig { pre_sign_up, ..LambdaConfig::default() });
        CreateUserPoolRequest { lambda_config, ..named(name) }
    };
    let mut ids = Vec::new();
    for request in [
        calling("people", "sign-up"),
        calling("guests", "sign-up:live"),
        calling("staff", "other"),
        named("people-2017"),
        named("people-2018"),
    ] {
        let created = client.create_user_pool(request).await.expect("created").into_inner();
        ids.push(created.user_pool.and_then(|pool| pool.id).expect("an ID"));
    }
    client.create_user_pool_domain(domain("people-login", &ids[0])).await.expect("a domain");
    for id in &ids[3..] {
        Call::delete(id).send(&mut client).await.expect("deleted");
    }
    take_runbook("Find the user pools of a Lambda function", &server).await;
    take_runbook("Find a deleted user pool by its name", &server).await;
    take_runbook("Count the events of each day", &server).await;
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_runbook_finds_who_changed_what() {
    // The last hour is that of the machine.
    let server = TestServer::with_source(Arc::new(SystemSource)).await;
    let mut client = server.client().await;
    let (people, staff) = (create(&mut client, "people").await, create(&mut client, "staff").await);
    client.create_user_pool_domain(domain("people-login", &people)).await.expect("a domain");
    let policy = PasswordPolicy { minimum_length: Some(12), ..PasswordPolicy::default() };
    let policies = UserPoolPolicies { password_policy: Some(policy), sign_in_policy: None };
    let mut update = tonic::Request::new(UpdateUserPoolRequest {
        user_pool_id: Some(people.clone()),
        policies: Some(policies),
        update_mask: vec!["policies.password_policy.minimum_length".to_owned()],
        ..Default::default()
    });
    update.metadata_mut().insert("x-request-id", "checkout-4711".parse().expect("a value"));
    client.update_user_pool(update).await.expect("updated");
    let free = DeleteUserPoolDomainRequest {
        domain: Some("people-login".to_owned()),
        user_pool_id: Some(people),
        ..Default::default()
    };
    client.delete_user_pool_domain(free).await.expect("deleted");
    client.create_user_pool_domain(domain("people-login", &staff)).await.expect("a domain");
    for part in ["What changed in the last hour", "Which call was that", "Who had this domain"] {
        take_runbook(part, &server).await;
    }
    server.try_stop().await.expect("stopped");
}

#[test]
fn every_error_is_documented_with_its_code_and_a_remedy() {
    let row = Regex::new(r"(?m)^\| `(\w+)` \| (\w+) \| [^|]{4,} \|.{4,} \|$").expect("a pattern");
    let documented: BTreeMap<_, _> = row
        .captures_iter(&read(ERRORS))
        .map(|row| (row[1].to_owned(), row[2].to_owned()))
        .collect();

    // Its comment in the schema begins with the code.
    let schema = read("proto/userpool/v1/error_reason.proto");
    let value =
        Regex::new(r"(?m)^  // ([A-Z_]+)\.(?: .*\n|\n)(?:  // .*\n)*  ERROR_REASON_(\w+) =");
    let stated: BTreeMap<_, _> = value
        .expect("a pattern")
        .captures_iter(&schema)
        .map(|value| (value[2].to_owned(), value[1].to_owned()))
        .collect();
    let reasons = (1..100).filter_map(|number| ErrorReason::try_from(number).ok());
    let names = reasons.map(|reason| reason.as_str_name().replace("ERROR_REASON_", ""));
    assert_eq!(stated.keys().cloned().collect::<Vec<_>>(), sorted(names), "the schema");
    assert_eq!(documented, stated);
}

fn sorted(names: impl Iterator<Item = String>) -> Vec<String> {
    let mut names: Vec<_> = names.collect();
    names.sort();
    names
}

#[tokio::test(flavor = "multi_thread")]
async fn the_documented_backup_and_restore_work() {
    let server = TestServer::start().await;
    let mut client = server.client().await;
    for name in ["people", "staff"] {
        create(&mut client, name).await;
    }
    let backup = read(BACKUP);
    let blocks = backup.split("```sh\n").skip(1);
    let commands: Vec<_> = blocks.filter_map(|block| block.split("```").next()).collect();
    assert_eq!(commands.len(), 2);

    let directory = TempDir::new().expect("a directory");
    let binary = Path::new(env!("CARGO_BIN_EXE_userpool")).parent().expect("a directory");
    let path = std::env::var("PATH").unwrap_or_default();
    let mut shell = Command::new("bash");
    shell.args(["-euc", &commands.concat()]).current_dir(directory.path());
    shell.env("PATH", format!("{}:{path}", binary.display()));
    shell.env("USERPOOL_ENDPOINT", server.endpoint.to_string());
    #[expect(clippy::disallowed_methods, reason = "it waits for another process")]
    let ran = task::spawn_blocking(move || shell.output());
    let ran = ran.await.expect("no panic").expect("it runs");
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));

    let restored = directory.path().join("restored");
    let restored = TestServer::with(|config| config.data_dir = restored).await;
    let all = ListUserPoolsRequest { max_results: Some(60), ..Default::default() };
    let listed = restored.client().await.list_user_pools(all).await.expect("a list");
    assert_eq!(listed.into_inner().user_pools.len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_runbook_undoes_an_update_and_a_deletion() {
    let server = TestServer::start().await;
    let mut client = server.client().await;
    let id = create(&mut client, "people").await;
    for call in [
        Call::assign(&id, "people-login"),
        Call::set_tag(&id, "team", "people"),
        Call::remove_tag(&id, "team"),
    ] {
        call.send(&mut client).await.expect("changed");
    }
    take_runbook("Undo a bad update", &server).await;
    for call in [Call::release(&id, "people-login"), Call::delete(&id)] {
        call.send(&mut client).await.expect("changed");
    }
    take_runbook("Bring back a deleted user pool", &server).await;
    server.stop().await;
}
