//! Watching events: old ones, new ones, and across a restart of the server.

use std::{
    io::{BufRead as _, BufReader, Lines},
    process::{Child, ChildStderr, ChildStdout, Stdio},
};

use tempfile::TempDir;
use tokio::task;
use userpool::transport::Endpoint;

use super::{by_kind, create, run, run_with, unix_server, userpool};
use crate::support::TestServer;

/// A command that runs until it is dropped.
struct RunningCommand {
    child: Child,
    stdout: Lines<BufReader<ChildStdout>>,
    stderr: Lines<BufReader<ChildStderr>>,
}

impl RunningCommand {
    fn start(server: &TestServer, arguments: &[&str]) -> Self {
        Self::at(&server.endpoint.to_string(), arguments)
    }

    fn at(endpoint: &str, arguments: &[&str]) -> Self {
        let mut command = userpool(endpoint, arguments);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("it starts");
        let stdout = BufReader::new(child.stdout.take().expect("a pipe")).lines();
        let stderr = BufReader::new(child.stderr.take().expect("a pipe")).lines();
        Self { child, stdout, stderr }
    }

    /// The next line on stdout.
    fn line(&mut self) -> String {
        task::block_in_place(|| by_kind(&self.stdout.next().expect("a line").expect("UTF-8")))
    }

    /// The next line on stderr.
    fn stderr_line(&mut self) -> String {
        task::block_in_place(|| self.stderr.next().expect("a line").expect("UTF-8"))
    }
}

impl Drop for RunningCommand {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The words of a line that identify the event.
fn event(line: &str) -> Vec<&str> {
    let words: Vec<_> = line.split_whitespace().collect();
    let mut event = vec![words[0], words[2], words[3]];
    event.extend(words.last());
    event
}

#[tokio::test(flavor = "multi_thread")]
async fn a_watch_survives_a_restart_and_prints_no_event_twice() {
    let server = unix_server().await;
    let id = create(&server, "people").await;
    let mut watch = RunningCommand::start(&server, &["watch", "--after", "0"]);
    assert_eq!(watch.line(), "POSITION  TIME  POOL  TYPE  ACTOR  WHAT");
    assert_eq!(event(&watch.line()), ["1", &id, "created", "people"]);
    assert_eq!(run(&server, &["domain", "create", "people-login", &id]).await.code, 0);
    assert_eq!(event(&watch.line()), ["2", &id, "domain-created", "people-login"]);

    let endpoint = server.endpoint.clone();
    let directory = server.stop().await;
    let stderr_line = watch.stderr_line();
    assert!(stderr_line.starts_with("userpool: the server is shutting down"), "{stderr_line}");
    assert!(stderr_line.ends_with("; will resume after position 2"), "{stderr_line}");

    let server = TestServer::with(|config| {
        config.listen = endpoint;
        config.data_dir = directory.path().to_owned();
    })
    .await;
    assert_eq!(watch.stderr_line(), "userpool: reconnected");
    assert_eq!(run(&server, &["domain", "delete", "people-login", &id]).await.code, 0);
    assert_eq!(event(&watch.line()), ["3", &id, "domain-deleted", "people-login"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_watch_survives_a_server_that_is_killed() {
    let directory = TempDir::new().expect("a directory");
    let endpoint = format!("unix:{}", directory.path().join("socket").display());
    let data_dir = directory.path().join("data");
    let serve = || {
        let data_dir = data_dir.to_str().expect("UTF-8");
        let mut server = RunningCommand::at(
            &endpoint,
            &["serve", "--listen", &endpoint, "--data-dir", data_dir],
        );
        assert_eq!(server.line(), format!("userpool listening on {endpoint}"));
        server
    };
    let server = serve();
    let created = run_with(&endpoint, &["create", "-"], r#"{"PoolName": "people"}"#).await;
    let id = created.json()["UserPool"]["Id"].as_str().expect("an ID").to_owned();
    let mut watch = RunningCommand::at(&endpoint, &["watch", "--after", "0"]);
    watch.line();
    assert_eq!(event(&watch.line()), ["1", &id, "created", "people"]);

    // Dropping it kills it with SIGKILL.
    drop(server);
    let stderr_line = watch.stderr_line();
    let lost = format!("userpool: no connection to the server {endpoint} (");
    assert!(stderr_line.starts_with(&lost), "{stderr_line}");
    assert!(stderr_line.ends_with("); will resume after position 1"), "{stderr_line}");
    let _server = serve();
    assert_eq!(watch.stderr_line(), "userpool: reconnected");
    let created = run_with(&endpoint, &["create", "-"], r#"{"PoolName": "staff"}"#).await;
    assert_eq!(created.code, 0, "{created:?}");
    assert_eq!(event(&watch.line())[0], "2");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_watch_prints_only_the_requested_events() {
    let server = unix_server().await;
    let (people, staff) = (create(&server, "people").await, create(&server, "staff").await);
    for id in [&people, &staff] {
        let prefix = id.to_lowercase().replace('_', "-");
        assert_eq!(run(&server, &["domain", "create", &prefix, id]).await.code, 0);
    }
    let pool = ["watch", "--after", "0", "--pool", &staff, "-o", "jsonl"];
    let mut watch = RunningCommand::start(&server, &pool);
    for position in ["2", "4"] {
        let event: serde_json::Value = serde_json::from_str(&watch.line()).expect("an event");
        assert_eq!(
            (&event["position"], &event["userPoolId"]),
            (&position.into(), &(*staff).into())
        );
    }
    let types = ["watch", "--after", "1", "--types", "created,deleted"];
    let mut watch = RunningCommand::start(&server, &types);
    watch.line();
    assert_eq!(event(&watch.line())[0], "2");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_followed_history_continues_with_new_events() {
    let server = unix_server().await;
    let id = create(&server, "people").await;
    create(&server, "staff").await;
    let mut history = RunningCommand::start(&server, &["history", &id, "--follow"]);
    assert_eq!(history.line(), "REVISION  TIME  TYPE  ACTOR  WHAT");
    assert!(history.line().contains("  created  "));
    assert_eq!(run(&server, &["delete", &id, "--yes"]).await.code, 0);
    let deleted = history.line();
    assert!(
        deleted.trim_start().starts_with("2  ") && deleted.contains("  deleted  "),
        "{deleted}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn followed_events_begin_with_the_last_ones() {
    let server = unix_server().await;
    for name in ["a", "b", "c"] {
        create(&server, name).await;
    }
    let follow = ["events", "--follow", "-n", "2", "--type", "created,deleted"];
    let mut events = RunningCommand::start(&server, &follow);
    assert_eq!(events.line(), "POSITION  TIME  POOL  TYPE  ACTOR  WHAT");
    assert_eq!(event(&events.line())[0], "2");
    assert_eq!(event(&events.line())[0], "3");
    let id = create(&server, "d").await;
    assert_eq!(event(&events.line()), ["4", &id, "created", "d"]);
    assert_eq!(run(&server, &["tag", "set", &id, "team=a"]).await.code, 0);
    assert_eq!(run(&server, &["delete", &id, "--yes"]).await.code, 0);
    assert_eq!(event(&events.line())[0], "6");

    // Documents are summaries there, too, and everything since a time comes first.
    let since = ["events", "-f", "-o", "jsonl", "--since", "2017-12-11", "--pool", &id];
    let mut events = RunningCommand::start(&server, &since);
    for change in ["pool_name", "user_pool_tags.team"] {
        let event: serde_json::Value = serde_json::from_str(&events.line()).expect("an event");
        assert_eq!(event["changes"][0]["path"], change);
        assert!(event.get("hash").is_none(), "{event}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_watch_after_a_future_position_is_refused() {
    let server = TestServer::start().await;
    assert!(matches!(server.endpoint, Endpoint::Tcp(_)));
    let refused = run(&server, &["watch", "--after", "7"]).await;
    assert_eq!(refused.code, 64 + 11, "{refused:?}");
    assert!(refused.stderr.contains("BEYOND_END current=0 requested=7"), "{}", refused.stderr);
}

#[tokio::test(flavor = "multi_thread")]
async fn followed_events_have_their_old_values() {
    let server = unix_server().await;
    let id = create(&server, "people").await;
    let follow = ["events", "--follow", "--pool", &id];
    let mut all = [&follow[..], &["watch"], &["history", &id, "-f", "-n", "1"]]
        .map(|arguments| RunningCommand::start(&server, arguments));
    let mut json = RunningCommand::start(&server, &["events", "-f", "-o", "jsonl"]);
    for line in [json.line(), all[0].line(), all[0].line(), all[1].line()] {
        assert!(!line.is_empty());
    }
    for _ in 0..2 {
        all[2].line();
    }
    for (team, what) in [("a", "team: a"), ("b", "team: a → b")] {
        let tag = format!("team={team}");
        assert_eq!(run(&server, &["tag", "set", &id, &tag]).await.code, 0);
        for command in &mut all {
            let line = command.line();
            assert!(line.ends_with(&format!("  {what}")), "{line}");
        }
        let event: serde_json::Value = serde_json::from_str(&json.line()).expect("an event");
        assert_eq!(event["changes"][0]["newValue"], team);
        assert_eq!((event.get("hash"), event.get("userPoolTagged")), (None, None));
    }
    server.stop().await;
}
