//! Tables and help on terminals of several widths.

use std::process::Stdio;

use regex::Regex;
use tokio::task;

use super::{create, run, run_with, userpool};
use crate::{support::TestServer, terminal::Terminal};

/// The output of a command on a terminal.
async fn on_terminal(endpoint: &str, columns: u16, arguments: &[&str]) -> String {
    let terminal = Terminal::new(columns);
    let mut command = userpool(endpoint, arguments);
    command.stdin(Stdio::null()).stdout(terminal.stdio()).stderr(Stdio::null());
    command.env("NO_COLOR", "1");
    let mut child = command.spawn().expect("it starts");
    // The command has a descriptor of the terminal.
    drop(command);
    #[expect(clippy::disallowed_methods, reason = "it waits for another process")]
    let output = task::spawn_blocking(move || {
        let output = terminal.output();
        assert!(child.wait().expect("an end").success());
        output
    });
    output.await.expect("no panic")
}

fn assert_fits(text: &str, columns: u16) {
    for line in text.lines() {
        assert!(line.chars().count() <= columns.into(), "{line}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_fits_the_terminal() {
    let server = TestServer::start().await;
    let endpoint = server.endpoint.to_string();
    let id = create(&server, "a name that is longer than the column of a narrow table").await;
    let update = r#"{"Policies": {"PasswordPolicy": {"MinimumLength": 12}}, "UserPoolTags":
        {"team": "a"}, "AdminCreateUserConfig": {"UnusedAccountValidityDays": 3},
        "SmsVerificationMessage": "Code {####}", "EmailVerificationSubject": "Your code"}"#;
    assert_eq!(run_with(&endpoint, &["update", &id, "-", "--yes"], update).await.code, 0);
    let domain = ["domain", "create", "a-domain-prefix-that-is-rather-long", &id];
    assert_eq!(run(&server, &domain).await.code, 0);

    for columns in [80, 100, 120] {
        for arguments in
            [vec!["list"], vec!["domain", "list"], vec!["events"], vec!["history", &id]]
        {
            let table = on_terminal(&endpoint, columns, &arguments).await;
            assert!(table.lines().count() >= 2, "{table}");
            assert_fits(&table, columns);
        }
    }
    assert_eq!(
        on_terminal(&endpoint, 80, &["list"]).await,
        format!(
            "ID                   NAME           DOMAINS       REVISION  MODIFIED\n\
             {id}  a name that …  a-domain-pr…         3  2017-12-11T00:00:02Z\n"
        )
    );
    // The port tells anonymous callers apart.
    let events = on_terminal(&endpoint, 100, &["events"]).await;
    let whole = Regex::new(r"  127\.0\.0\.1:\d+  ").expect("a pattern");
    assert!(events.lines().skip(1).all(|line| whole.is_match(line)), "{events}");
    // Who changed something is shown even here, without positions.
    let events = on_terminal(&endpoint, 80, &["events"]).await;
    assert!(events.starts_with("TIME          POOL                 TYPE "), "{events}");
    assert!(events.lines().skip(1).all(|line| line.contains("  127.0.0.1:")), "{events}");
    // Changed paths are counted. A pipe gets all of them.
    let narrow = on_terminal(&endpoint, 80, &["history", &id]).await;
    let cut = narrow.lines().find(|line| line.contains("  updated  ")).expect("an update");
    assert!(cut.ends_with(" more)") && cut.contains("(+"), "{cut}");
    let piped = run(&server, &["history", &id]).await.stdout;
    assert!(piped.contains("user_pool_tags") && !piped.contains(" more)"), "{piped}");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn help_fits_80_columns_and_short_help_has_no_connection_flags() {
    for command in [
        vec![],
        vec!["serve"],
        vec!["create"],
        vec!["update"],
        vec!["list"],
        vec!["events"],
        vec!["history"],
        vec!["replay"],
        vec!["diff"],
        vec!["watch"],
        vec!["verify"],
        vec!["checkpoint"],
        vec!["log", "export"],
        vec!["log", "import"],
        vec!["domain", "create"],
        vec!["domain", "update"],
        vec!["tag", "set"],
        vec!["tag", "remove"],
        vec!["mfa", "set"],
        vec!["attribute", "add"],
    ] {
        for flag in ["-h", "--help"] {
            let arguments = [command.clone(), vec![flag]].concat();
            let help = on_terminal("127.0.0.1:1", 80, &arguments).await;
            assert_fits(&help, 80);
            let has_flags = help.contains("Connection:");
            assert!(flag == "--help" || !has_flags, "{help}");
            let is_client = !matches!(command.first(), None | Some(&"serve" | &"log"));
            assert!(flag == "-h" || !is_client || has_flags, "{help}");
        }
    }
}
