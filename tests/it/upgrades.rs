//! The data of an earlier version is opened, served, and continued. Directories are
//! added to `tests/fixtures/` and never changed: one for every form of the data
//! directory, with its log as that version exported it.

use std::{fs, path::Path, process::Output};

use tempfile::TempDir;
use tokio::process::Command;
use userpool::proto::{
    self, DescribeUserPoolDomainRequest, DescribeUserPoolRequest, DescribeUserPoolResponse,
    ReplayUserPoolRequest, UserPoolEvent,
    user_pool_history_service_client::UserPoolHistoryServiceClient,
};

use crate::{
    binary::{self, Process, userpool},
    json::shown_later,
    support::{named, pools},
    tools::repository,
};

/// Every form of the data directory, and one with a read model from before the members that AWS
/// added after 2017.
const FIXTURES: [&str; 3] = ["data-directory-1", "data-directory-2", "members-of-2017"];

/// A copy of the directory of a form, and its log in JSON Lines.
async fn fixture(name: &str) -> (TempDir, String) {
    let directory = TempDir::new().expect("a directory");
    let fixtures = repository().join("tests/fixtures");
    let archive = fixtures.join(format!("{name}.tar.gz"));
    let mut tar = Command::new("tar");
    tar.arg("-xzpf").arg(archive).arg("-C").arg(directory.path());
    assert!(tar.status().await.expect("tar runs").success());
    let exported = fs::read_to_string(fixtures.join(format!("{name}.jsonl"))).expect("an export");
    (directory, exported)
}

async fn run(arguments: &[&str], data_dir: &Path) -> Output {
    binary::run(userpool().args(arguments).arg("--data-dir").arg(data_dir)).await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_old_log_verifies_and_exports_the_same() {
    for name in FIXTURES {
        let (directory, exported) = fixture(name).await;
        let verified = run(&["log", "verify"], directory.path()).await;
        assert!(verified.status.success(), "{}", String::from_utf8_lossy(&verified.stdout));
        let export = run(&["log", "export"], directory.path()).await;
        assert_eq!(String::from_utf8_lossy(&export.stdout), exported, "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn old_user_pools_are_served_and_can_be_changed() {
    for name in FIXTURES {
        let (directory, exported) = fixture(name).await;
        let shown = repository().join(format!("tests/fixtures/{name}.shown.json"));
        let shown = fs::read_to_string(shown).expect("what was shown");
        let shown: Vec<serde_json::Value> = serde_json::from_str(&shown).expect("JSON");
        let server = Process::start(directory.path()).await;
        let mut client = server.client().await;
        let mut history = UserPoolHistoryServiceClient::new(server.channel().await);
        assert_eq!(pools(&mut client).await.len(), shown.len());
        for mut shown in shown {
            shown["UserPool"] = shown_later(shown["UserPool"].take(), "000000000000");
            let expected: DescribeUserPoolResponse =
                proto::from_json(&shown.to_string()).expect("what was shown");
            let pool = expected.user_pool.clone().expect("a user pool");
            let request = DescribeUserPoolRequest {
                user_pool_id: pool.id.clone(),
                ..DescribeUserPoolRequest::default()
            };
            let described = client.describe_user_pool(request).await.expect("described");
            // What was shown by versions without it, and before later events.
            let head_position = described.get_ref().head_position;
            assert!(head_position >= expected.position, "{head_position}");
            let expected = DescribeUserPoolResponse { head_position, ..expected };
            assert_eq!(described.into_inner(), expected);
            let replay = ReplayUserPoolRequest {
                user_pool_id: pool.id.clone(),
                as_of: None,
                ..ReplayUserPoolRequest::default()
            };
            let replayed = history.replay_user_pool(replay).await.expect("replayed").into_inner();
            assert_eq!(replayed.user_pool.as_ref(), Some(&pool));
            if let Some(domain) = pool.domain {
                let request = DescribeUserPoolDomainRequest {
                    domain: Some(domain),
                    ..DescribeUserPoolDomainRequest::default()
                };
                let owner = client.describe_user_pool_domain(request).await.expect("described");
                let owner = owner.into_inner().domain_description.expect("a description");
                assert_eq!(owner.user_pool_id, pool.id);
            }
        }
        let last = exported.lines().last().expect("an event");
        let last: UserPoolEvent = proto::from_json(last).expect("an event");
        let next = client.create_user_pool(named("next")).await.expect("created").into_inner();
        assert_eq!(next.position, last.position + 1);
        assert!(server.terminate("TERM").await.status.success());
        let verified = run(&["log", "verify"], directory.path()).await;
        assert!(verified.status.success(), "{}", String::from_utf8_lossy(&verified.stdout));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_directory_of_a_later_version_is_refused_and_unchanged() {
    let (directory, _) = fixture(FIXTURES[FIXTURES.len() - 1]).await;
    let path = directory.path().join("manifest.json");
    let manifest = fs::read_to_string(&path).expect("a manifest");
    let later = manifest.replace("\"format\": 2", "\"format\": 4");
    assert_ne!(later, manifest);
    fs::write(&path, &later).expect("written");
    for command in [&["serve", "--listen=127.0.0.1:0"][..], &["log", "verify"], &["log", "export"]]
    {
        let refused = run(command, directory.path()).await;
        assert_eq!(refused.status.code(), Some(1), "{command:?}");
        let stderr = String::from_utf8_lossy(&refused.stderr);
        let sentence = "has format 4, which is newer than format 3 of this version; use the \
                        version that wrote it, or a newer one";
        assert!(stderr.contains(sentence), "{stderr}");
    }
    assert_eq!(fs::read_to_string(&path).expect("a manifest"), later);
}
