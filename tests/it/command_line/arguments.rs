//! Arguments: file names of any bytes, times, and request IDs.

use std::{
    ffi::{OsStr, OsString},
    fs,
    os::unix::ffi::OsStrExt as _,
    path::PathBuf,
    sync::Arc,
};

use chrono::{DateTime, Utc};
use clap::Parser as _;
use tempfile::TempDir;
use userpool::{
    app::Source,
    cli::{Cli, CliError},
    transport::Endpoint,
};
use uuid::Uuid;

use super::{create, output, run, run_with, userpool};
use crate::support::TestServer;

/// A file name that is not UTF-8.
fn name(directory: &TempDir, suffix: &str) -> PathBuf {
    let mut name = OsStr::from_bytes(b"\xff-").to_owned();
    name.push(suffix);
    directory.path().join(name)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_name_need_not_be_utf_8() {
    let directory = TempDir::new().expect("a directory");
    let server = TestServer::start().await;
    let endpoint = server.endpoint.to_string();
    let id = create(&server, "people").await;

    let [document, checkpoint, key, settings] =
        ["create.json", "checkpoint.json", "key.pem", "settings.toml"]
            .map(|suffix| name(&directory, suffix));
    fs::write(&document, r#"{"PoolName": "staff"}"#).expect("a file");
    fs::write(&checkpoint, run(&server, &["checkpoint"]).await.stdout).expect("a file");
    fs::write(&key, run(&server, &["checkpoint", "--key"]).await.stdout).expect("a file");
    fs::write(&settings, "region = \"eu-west-1\"").expect("a file");
    let [export, data_dir, socket] =
        ["log.jsonl", "data", "socket"].map(|suffix| name(&directory, suffix));
    let prefixed = |prefix: &str, path: &PathBuf| {
        let mut text = OsString::from(prefix);
        text.push(path);
        text
    };
    let unix = prefixed("unix:", &socket);
    for arguments in [
        vec!["create".as_ref(), document.as_os_str()],
        vec!["update".as_ref(), id.as_ref(), document.as_ref(), "--validate-only".as_ref()],
        vec!["verify".as_ref(), "--checkpoint".as_ref(), checkpoint.as_ref()],
        vec!["verify".as_ref(), "--key".as_ref(), key.as_ref()],
        vec!["log", "export", "--from", &endpoint]
            .into_iter()
            .map(OsStr::new)
            .chain([export.as_ref()])
            .collect(),
        vec![
            "log".as_ref(),
            "import".as_ref(),
            export.as_ref(),
            "--data-dir".as_ref(),
            data_dir.as_ref(),
        ],
        vec!["log".as_ref(), "verify".as_ref(), "--data-dir".as_ref(), data_dir.as_ref()],
        vec!["serve".as_ref(), "--config".as_ref(), settings.as_ref(), "--print-config".as_ref()],
        vec![
            "serve".as_ref(),
            "--check-config".as_ref(),
            "--listen".as_ref(),
            unix.as_ref(),
            "--metrics-listen".as_ref(),
            prefixed("unix:", &name(&directory, "metrics")).as_ref(),
        ],
    ] {
        let mut command = userpool(&endpoint, &[]);
        command.args(&arguments);
        let done = output(command).await;
        assert_eq!(done.code, 0, "{arguments:?}: {done:?}");
        assert!(!done.stderr.contains("invalid UTF-8"), "{done:?}");
    }
    let mut command = userpool(&endpoint, &["serve", "--print-config", "--data-dir"]);
    command.arg(&data_dir);
    let printed = output(command).await;
    let line = "# data-dir is not UTF-8, which a settings file must be  # flag";
    assert!(printed.stdout.lines().any(|printed| printed == line), "{}", printed.stdout);
    server.stop().await;

    let server = TestServer::with(|config| config.listen = Endpoint::Unix(socket.clone())).await;
    let mut command = userpool(&endpoint, &["list", "--endpoint"]);
    command.arg(&unix);
    let listed = output(command).await;
    assert_eq!(listed.code, 0, "{listed:?}");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_leap_second_is_refused_with_a_sentence() {
    let pool = "us-east-1_AbCdEfGhI";
    for arguments in [
        vec!["history", pool, "--since", "2016-12-31T23:59:60Z"],
        vec!["history", pool, "--until", "2017-01-01T00:59:60.5+01:00"],
        vec!["replay", pool, "--at", "2016-12-31T23:59:60Z"],
        vec!["diff", pool, "2016-12-31T23:59:60Z"],
    ] {
        let refused = run_with("127.0.0.1:1", &arguments, "").await;
        assert_eq!(refused.code, 2, "{refused:?}");
        assert!(refused.stderr.contains("a leap second (:60) is not accepted"), "{refused:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_nil_uuid_is_no_request_id() {
    for (id, sentence) in [
        ("00000000-0000-0000-0000-000000000000", "the nil UUID is not accepted"),
        ("no-uuid", "failed to parse a UUID"),
    ] {
        let arguments = ["delete", "us-east-1_AbCdEfGhI", "--request-id", id];
        let refused = run_with("127.0.0.1:1", &arguments, "").await;
        assert_eq!(refused.code, 2, "{refused:?}");
        assert!(refused.stderr.contains(sentence), "{refused:?}");
    }
}

/// A clock that was never set.
#[derive(Debug)]
struct UnsetClock;

impl Source for UnsetClock {
    fn now(&self) -> DateTime<Utc> {
        DateTime::from_timestamp(-1, 0).expect("a time")
    }

    fn uuid(&self) -> Uuid {
        Uuid::nil()
    }

    fn user_pool_suffix(&self) -> String {
        "000000000".to_owned()
    }
}

#[test]
fn a_clock_before_1970_is_an_error() {
    for arguments in [vec!["list"], vec!["serve"], vec!["history", "us-east-1_AbCdEfGhI"]] {
        let cli = Cli::try_parse_from([vec!["userpool"], arguments].concat()).expect("arguments");
        let refused = cli.run(Arc::new(UnsetClock)).expect_err("an error");
        assert!(matches!(refused, CliError::Other(_)));
        assert_eq!(
            refused.to_string(),
            "the clock of this machine shows 1969-12-31T23:59:59Z, which is before 1970: set the \
             clock first"
        );
    }
}
