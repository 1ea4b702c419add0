//! The console in a real browser. The scripts beside this file start servers of their own.

use std::process::Stdio;

use tokio::{process::Command, sync::Mutex};

use crate::tools::{self, repository};

/// One browser at a time, because each uses every core.
static TURN: Mutex<()> = Mutex::const_new(());

/// Runs the tests in a script.
async fn browse(script: &str, promise: &str) {
    let Some(tools) = tools::browser(promise) else { return };
    let _turn = TURN.lock().await;
    let scripts = repository().join("tests/it/console/browser");
    let mut node = Command::new("node");
    node.args(["--test-reporter=spec"]).arg(scripts.join(script));
    node.env("USERPOOL", env!("CARGO_BIN_EXE_userpool")).env("BROWSER_TOOLS", tools);
    node.stdin(Stdio::null()).kill_on_drop(true);
    let ran = node.output().await.expect("node runs");
    let (stdout, stderr) =
        (String::from_utf8_lossy(&ran.stdout), String::from_utf8_lossy(&ran.stderr));
    assert!(ran.status.success(), "{stdout}\n{stderr}");
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_are_accessible_and_read_without_scripts() {
    browse("pages.mjs", "that the pages of the console are accessible").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_log_is_followed() {
    browse("live.mjs", "that the console follows the log").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_proof_is_verified_by_the_browser() {
    browse("proof.mjs", "that a browser verifies the log").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn other_sites_and_strangers_see_nothing() {
    browse("doors.mjs", "that other sites and strangers see nothing of the console").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_show_nothing_very_much_and_long_texts() {
    browse("extremes.mjs", "that pages of the console show long histories and texts").await;
}
