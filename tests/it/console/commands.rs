//! The command below a page shows the same: it runs as it is printed.

use std::path::Path;

use tokio::process::Command;

use super::{Console, Sample, last_change};

#[tokio::test(flavor = "multi_thread")]
async fn the_command_of_each_page_runs_as_it_is_printed() {
    let Sample { server, pool, deleted, .. } = &Sample::new().await;
    let console = Console::of(server).await;
    let last = last_change(&console, pool).await;
    let bin = Path::new(env!("CARGO_BIN_EXE_userpool")).parent().expect("a directory");
    for (path, shown) in [
        ("/pools".to_owned(), pool.as_str()),
        ("/pools?q=payments".to_owned(), pool),
        ("/pools?q=stage=prod".to_owned(), pool),
        ("/pools?domain=log".to_owned(), pool),
        ("/pools?state=deleted".to_owned(), deleted),
        (format!("/pools/{pool}"), "payments"),
        (format!("/pools/{pool}?at={last}"), "payments"),
        (format!("/pools/{deleted}"), "old"),
        (format!("/pools/{pool}/history?type=tagged&since=2017-12-11"), "incident"),
        (format!("/pools/{pool}/diff?from=1&to=6"), "incident"),
        ("/domains".to_owned(), "login"),
        ("/domains?q=lo".to_owned(), "login"),
        ("/domains/login".to_owned(), "login"),
        ("/log".to_owned(), pool),
        ("/log?type=tagged&type=created&address=127.0.0.1&domain=".to_owned(), pool),
        ("/log?correlation=%22%3E%3Cscript%3Ealert(3)%3C/script%3E".to_owned(), pool),
        ("/proof".to_owned(), "rootHash"),
        ("/me".to_owned(), "anonymous"),
    ] {
        let page = console.get(&path).await;
        assert_eq!(page.status, 200, "{path}: {}", page.body);
        let commands = page.body.split("aria-label=\"Commands\">").nth(1).expect("commands");
        let commands = commands.split("</pre>").next().expect("an end");
        let commands = commands.replace("&lt;", "<").replace("&gt;", ">");
        let commands = commands.replace("&quot;", "\"").replace("&amp;", "&");
        let mut output = String::new();
        for command in commands.lines() {
            assert!(command.starts_with("userpool "), "{command}");
            let mut shell = Command::new("bash");
            shell.args(["-c", command]).env_clear();
            shell.env("PATH", format!("{}:/usr/bin:/bin", bin.display()));
            let ran = shell.output().await.expect("a shell");
            // A diff ends with 1 if there are differences.
            let is_fine = matches!(
                (ran.status.code(), command.contains(" diff ")),
                (Some(0), _) | (Some(1), true)
            );
            assert!(is_fine, "{command}: {ran:?}");
            output.push_str(&String::from_utf8_lossy(&ran.stdout));
        }
        assert!(output.contains(shown), "{path}: {commands}\n{output}");
    }
}

/// An empty name matters only if there is a current context.
#[tokio::test(flavor = "multi_thread")]
async fn a_command_does_not_clear_a_context_that_is_not_there() {
    let Sample { server, .. } = &Sample::new().await;
    let console = Console::start(&server.endpoint.to_string(), &["--context="]).await;
    let page = console.get("/pools").await;
    page.has(&["userpool list --limit 50 --endpoint="]);
    assert!(!page.body.contains("--context"), "{}", page.body);
}
