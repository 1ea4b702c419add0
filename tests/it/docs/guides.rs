//! The guide to verification: its commands succeed, first those for a running server, in the order
//! of the page, then those for a stopped one.

use std::path::Path;

use tempfile::TempDir;
use tokio::process::Command;

use super::{Page, commands::commands};
use crate::{
    binary::{self, Process},
    calls::Call,
    support::create,
};

const GUIDE: &str = "docs/guides/verify.md";
/// The first position after the first export of the guide.
const NEXT: &str = "--after 120";
const LAST: usize = 120;

/// Runs a command, which must succeed, in this directory.
async fn run(command: &str, directory: &Path, endpoint: &str) {
    let binary = Path::new(env!("CARGO_BIN_EXE_userpool")).parent().expect("a directory");
    let path = std::env::var("PATH").unwrap_or_default();
    let mut shell = Command::new("bash");
    shell.args(["-euc", command]).current_dir(directory);
    shell.env("PATH", format!("{}:{path}", binary.display())).env("USERPOOL_ENDPOINT", endpoint);
    let ran = shell.output().await.expect("bash runs");
    let printed = [ran.stdout, ran.stderr].concat();
    assert!(ran.status.success(), "{command}: {}", String::from_utf8_lossy(&printed));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_commands_of_the_guide_to_verification_work() {
    let directory = TempDir::new().expect("a directory");
    // Of the account in the ARNs of the tests.
    let mut serve = binary::serve(&directory.path().join("data"));
    serve.args(["--listen=127.0.0.1:0", "--account-id=123456789012"]);
    let server = Process::from(&mut serve).await;
    let mut client = server.client().await;
    let id = create(&mut client, "people").await;
    for change in 1..LAST {
        let call = Call::set_tag(&id, "change", &change.to_string());
        call.send(&mut client).await.expect("changed");
    }
    let guide = Page::read(GUIDE).text;
    let guide = guide.replace("us-east-1_tXLpktx5t", &id).replace("/srv/www/userpool", "tiles");
    // Witnesses have tests of their own, with other keys than the page.
    let commands = commands(&guide).into_iter().filter(|command| !command.contains("witness"));
    let (online, offline): (Vec<_>, Vec<_>) = commands
        .partition(|command| !command.contains("--data-dir") && !command.contains("key.pem"));
    assert!(online.len() > 8 && offline.len() > 3, "{online:?}, {offline:?}");
    for command in online {
        if command.contains(NEXT) {
            Call::set_tag(&id, "change", "last").send(&mut client).await.expect("changed");
        }
        // The other program of a pipe may be missing.
        let command = command.split(" | ").next().expect("a command");
        run(command, directory.path(), server.address()).await;
    }
    assert!(server.terminate("TERM").await.status.success());
    for command in offline {
        run(&command, directory.path(), "127.0.0.1:1").await;
    }
}
