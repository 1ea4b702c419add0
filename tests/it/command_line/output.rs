//! Output for people and for pipes.

use std::{io, process::Stdio};

use tokio::task;

use super::{create, run, run_with, userpool};
use crate::{support::TestServer, terminal::Terminal, tools::repository};

#[tokio::test(flavor = "multi_thread")]
async fn a_closed_pipe_ends_a_command_silently() {
    let server = TestServer::start().await;
    let id = create(&server, "people").await;
    for arguments in [
        vec!["list"],
        vec!["list", "-o", "jsonl"],
        vec!["describe", &id],
        vec!["events"],
        vec!["events", "-o", "csv"],
        vec!["history", &id],
        vec!["watch", "--after", "0"],
        vec!["verify"],
        vec!["checkpoint", "--key"],
        vec!["completions", "bash"],
    ] {
        let (reader, writer) = io::pipe().expect("a pipe");
        drop(reader);
        let mut command = userpool(&server.endpoint.to_string(), &arguments);
        command.stdin(Stdio::null()).stdout(writer).stderr(Stdio::piped());
        let child = command.spawn().expect("it starts");
        #[expect(clippy::disallowed_methods, reason = "it waits for another process")]
        let ended = task::spawn_blocking(|| child.wait_with_output().expect("it ends"));
        let ended = ended.await.expect("no panic");
        let stderr = String::from_utf8_lossy(&ended.stderr);
        assert_eq!((ended.status.code(), &*stderr), (Some(141), ""), "{arguments:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn colors_go_only_to_terminals_unless_forced() {
    let server = TestServer::start().await;
    create(&server, "people").await;
    let plain = run(&server, &["list"]).await.stdout;
    assert!(plain.starts_with("ID ") && !plain.contains('\u{1b}'), "{plain:?}");

    let mut forced = userpool(&server.endpoint.to_string(), &["list"]);
    forced.env("CLICOLOR_FORCE", "1");
    #[expect(clippy::disallowed_methods, reason = "it waits for another process")]
    let forced = task::spawn_blocking(move || forced.output().expect("it ends"));
    let forced = forced.await.expect("no panic").stdout;
    assert!(forced.starts_with(b"\x1b[1mID "), "{forced:?}");
}

/// A person does not have to scroll to the revision.
#[tokio::test(flavor = "multi_thread")]
async fn a_long_answer_on_a_terminal_ends_with_what_was_done() {
    let server = TestServer::start().await;
    let id = create(&server, "people").await;
    assert_eq!(run(&server, &["tag", "set", &id, "team=one"]).await.code, 0);
    let file = repository().join("tests/it/data/create-user-pool-full.json");
    for (arguments, end) in [
        (vec!["create", file.to_str().expect("UTF-8")], "userpool: created us-east-1_".to_owned()),
        (
            vec!["restore", &id, "--to", "1", "--yes"],
            format!("userpool: restored {id}, which is now at revision 3\n"),
        ),
    ] {
        let terminal = Terminal::new(100);
        let mut command = userpool(&server.endpoint.to_string(), &arguments);
        command.stdin(Stdio::null()).stdout(terminal.stdio()).stderr(terminal.stdio());
        let mut child = command.spawn().expect("it starts");
        // The command has descriptors of the terminal.
        drop(command);
        #[expect(clippy::disallowed_methods, reason = "it waits for another process")]
        let seen = task::spawn_blocking(move || {
            let seen = terminal.output();
            assert!(child.wait().expect("an end").success(), "{seen}");
            seen
        });
        let seen = seen.await.expect("no panic");
        let (_, last) = seen.trim_end().rsplit_once('\n').expect("lines");
        assert!(format!("{last}\n").starts_with(&end), "{seen}");
    }
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn columns_are_as_wide_as_their_content() {
    let server = TestServer::start().await;
    let (first, second) = (create(&server, "people").await, create(&server, "a longer name").await);
    assert_eq!(
        run(&server, &["list"]).await.stdout,
        format!(
            "ID                   NAME           DOMAINS  REVISION  MODIFIED\n\
             {first}  people                         1  2017-12-11T00:00:01Z\n\
             {second}  a longer name                  1  2017-12-11T00:00:02Z\n"
        )
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn objects_in_a_list_are_numbered_in_a_table() {
    let server = TestServer::start().await;
    let mechanisms = r#"[{"Priority": 1, "Name": "verified_email"}]"#;
    let request = format!(
        r#"{{"PoolName": "people", "AccountRecoverySetting": {{"RecoveryMechanisms": {mechanisms}}}}}"#
    );
    let create = ["create", "-", "-o", "table"];
    let created = run_with(&server.endpoint.to_string(), &create, &request).await;
    assert_eq!(created.code, 0, "{created:?}");
    let lines = created.stdout.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
    let path = "AccountRecoverySetting.RecoveryMechanisms.1";
    let lines: Vec<_> = lines.filter(|line| line[0].starts_with(path)).collect();
    let paths = [format!("{path}.Priority"), format!("{path}.Name")];
    assert_eq!(lines, [[&paths[0], "1"], [&paths[1], "verified_email"]]);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn control_characters_in_names_are_escaped() {
    let server = TestServer::start().await;
    // Cognito allows any white space in names.
    let request = r#"{"PoolName": "one\ntwo\tthree"}"#;
    let created = run_with(&server.endpoint.to_string(), &["create", "-"], request).await;
    assert_eq!(created.code, 0, "{created:?}");
    let listed = run(&server, &["list"]).await.stdout;
    assert_eq!(listed.lines().count(), 2, "{listed}");
    assert!(listed.contains(r"one\ntwo\tthree"), "{listed}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_help_of_every_command_has_an_example() {
    for arguments in [
        vec!["create"],
        vec!["describe"],
        vec!["update"],
        vec!["delete"],
        vec!["list"],
        vec!["domain", "create"],
        vec!["domain", "describe"],
        vec!["domain", "update"],
        vec!["domain", "delete"],
        vec!["domain", "list"],
        vec!["tag", "set"],
        vec!["tag", "remove"],
        vec!["tag", "list"],
        vec!["mfa", "show"],
        vec!["mfa", "set"],
        vec!["attribute", "add"],
        vec!["events"],
        vec!["history"],
        vec!["replay"],
        vec!["diff"],
        vec!["watch"],
        vec!["verify"],
        vec!["checkpoint"],
        vec!["completions"],
    ] {
        let help = run_with("127.0.0.1:1", &[arguments.clone(), vec!["--help"]].concat(), "").await;
        assert_eq!(help.code, 0);
        let example = format!("userpool {}", arguments.join(" "));
        let (_, after) = help.stdout.split_once("Example").expect("an example");
        assert!(after.contains(&example), "{after}");
    }
    let script = run_with("127.0.0.1:1", &["completions", "bash"], "").await;
    assert!(script.stdout.contains("_clap_complete_userpool()"));
}
