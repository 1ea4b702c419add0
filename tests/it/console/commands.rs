//! The command below a page shows the same: it runs as it is printed.

use std::path::Path;

use tokio::process::Command;

use userpool::proto::TagResourceRequest;

use super::{Console, Sample, last_change};
use crate::support::{TestServer, arn, create};

#[tokio::test(flavor = "multi_thread")]
async fn the_command_of_each_page_runs_as_it_is_printed() {
    let Sample { server, pool, deleted, .. } = &Sample::new().await;
    let console = Console::of(server).await;
    let last = last_change(&console, pool).await;
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
        (format!("/pools/{pool}/history?at=3"), "pre-sign-up"),
        ("/pools?since=2017-12-11".to_owned(), pool),
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
        let (commands, output) = run_commands(&page.body).await;
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

#[tokio::test(flavor = "multi_thread")]
async fn the_command_of_a_later_page_begins_where_it_does() {
    let server = TestServer::start().await;
    let mut client = server.client().await;
    let pool = create(&mut client, "people").await;
    for number in 0..50 {
        let tags = [("number".to_owned(), number.to_string())].into();
        let tag = TagResourceRequest {
            resource_arn: Some(arn(&pool)),
            tags,
            ..TagResourceRequest::default()
        };
        client.tag_resource(tag).await.expect("tagged");
    }
    let console = Console::of(&server).await;
    for (path, size) in [(format!("/pools/{pool}/history"), 20), ("/log".to_owned(), 40)] {
        let next = console.get(&path).await.body;
        let next = next.split("rel=\"next\" href=\"").nth(1).expect("a next page");
        let next = next.split('"').next().expect("an end").replace("&amp;", "&");
        let (commands, output) = run_commands(&console.get(&next).await.body).await;
        // The tag of the first event of the page, and not of the one that is newer.
        let (newest, newer) = (50 - size - 1, 50 - size);
        assert!(output.contains(&newest.to_string()), "{commands}\n{output}");
        assert!(!output.contains(&format!("{newer}\n")), "{commands}\n{output}");
    }
    let bounded = console.get(&format!("/pools/{pool}/history?at=3")).await.body;
    let (commands, output) = run_commands(&bounded).await;
    assert_eq!(output.matches("agged").count(), 2, "{commands}\n{output}");
}

/// Runs the commands below a page, and returns them with what they print.
async fn run_commands(page: &str) -> (String, String) {
    let bin = Path::new(env!("CARGO_BIN_EXE_userpool")).parent().expect("a directory");
    let commands = page.split("aria-label=\"Commands\">").nth(1).expect("commands");
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
    (commands, output)
}
