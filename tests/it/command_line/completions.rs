//! Completions of a shell: commands, flags, and the names of the server.

use clap::{Command, CommandFactory as _};
use userpool::cli::Cli;

use super::{create, output, run, run_with, userpool};
use crate::support::TestServer;

/// What a shell offers for the last of these words.
async fn offered(endpoint: &str, words: &[&str]) -> Vec<String> {
    let mut command = userpool(endpoint, &["--", "userpool"]);
    // Its lines are a value, a tab and a description.
    command.args(words).env("USERPOOL_COMPLETE", "fish");
    let completed = output(command).await;
    assert_eq!((completed.code, completed.stderr.as_str()), (0, ""), "{completed:?}");
    completed.stdout.lines().map(str::to_owned).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn user_pools_and_domains_are_completed_from_the_server() {
    let server = TestServer::start().await;
    let endpoint = server.endpoint.to_string();
    let (people, staff) = (create(&server, "people").await, create(&server, "staff").await);
    assert_eq!(run(&server, &["domain", "create", "people-login", &people]).await.code, 0);
    let pools = [format!("{people}\tpeople"), format!("{staff}\tstaff")];
    let nowhere = "127.0.0.1:1";
    for words in [
        vec!["describe", "us-east"],
        vec!["history", "us-east"],
        vec!["diff", "us-east"],
        vec!["watch", "--pool", "us-east"],
        vec!["domain", "create", "staff-login", "us-east"],
    ] {
        assert_eq!(offered(&endpoint, &words).await, pools, "{words:?}");
        assert!(offered(nowhere, &words).await.is_empty(), "{words:?}");
    }
    assert_eq!(offered(&endpoint, &["delete", &staff]).await, pools[1..]);
    let flag = ["describe", "--endpoint", &endpoint, "us-east"];
    assert_eq!(offered(nowhere, &flag).await, pools);

    let domain = [format!("people-login\t{people}")];
    for command in ["describe", "delete"] {
        assert_eq!(offered(&endpoint, &["domain", command, "p"]).await, domain);
    }
    assert!(offered(&endpoint, &["domain", "create", "p"]).await.is_empty());
    let commands = offered(&endpoint, &["che"]).await;
    assert!(commands[0].starts_with("checkpoint\t"), "{commands:?}");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_shell_has_a_script() {
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let script = run_with("127.0.0.1:1", &["completions", shell], "").await;
        assert_eq!(script.code, 0);
        assert!(script.stdout.contains("USERPOOL_COMPLETE"), "{}", script.stdout);
    }
}

/// Shells read a colon and other signs in the name of a value as their own.
#[test]
fn the_names_of_values_have_only_letters_and_bars() {
    fn check(command: &Command) {
        for name in command.get_arguments().flat_map(|arg| arg.get_value_names().unwrap_or(&[])) {
            let is_legal = |letter: char| letter.is_ascii_alphabetic() || "|_".contains(letter);
            assert!(name.chars().all(is_legal), "{name} of {}", command.get_name());
        }
        command.get_subcommands().for_each(check);
    }
    check(&Cli::command());
}
