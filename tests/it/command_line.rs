//! The client commands: their requests, their output, and their exit codes.

mod arguments;
mod completions;
mod consistency;
mod contexts;
mod copies;
mod csv;
mod deletion;
mod documents;
mod events;
mod forged_proofs;
mod history;
mod logs;
mod man;
mod output;
mod parts;
mod pipes;
mod proofs;
mod proto;
mod refusals;
mod restore;
mod tiles;
mod tls;
mod updates;
mod user_pools;
mod verify;
mod watch;
mod widths;
mod witnesses;

use std::{
    io::Write as _,
    process::{Command, Stdio},
};

use regex::Regex;
use serde_json::Value;
use tokio::task;
use userpool::transport::Endpoint;

use crate::support::TestServer;

/// The output of a command and its exit code.
#[derive(Debug)]
pub(crate) struct CommandOutput {
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    pub(crate) code: i32,
}

impl CommandOutput {
    /// The JSON document in the output.
    fn json(&self) -> Value {
        let document = serde_json::from_str(&self.stdout);
        assert!(document.is_ok(), "{self:?}");
        document.expect("a document")
    }

    /// The error of a call, without the correlation ID, which is in its last line.
    fn error(&self) -> &str {
        let (error, id) = self.stderr.rsplit_once("\n  correlation_id=").expect("a correlation ID");
        assert!(uuid::Uuid::try_parse(id.trim_end()).is_ok(), "{self:?}");
        error
    }
}

/// A server on a Unix socket in its data directory.
async fn unix_server() -> TestServer {
    TestServer::with(|config| config.listen = Endpoint::Unix(config.data_dir.join("socket"))).await
}

/// The binary with these arguments, and without the settings of the developer's
/// environment.
fn userpool(endpoint: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_userpool"));
    command.args(arguments).env("USERPOOL_ENDPOINT", endpoint);
    for name in ["TIMEOUT", "TLS", "CA", "CERT", "CERT_KEY", "SERVER_NAME", "TOKEN_FILE", "CONTEXT"]
    {
        command.env_remove(format!("USERPOOL_{name}"));
    }
    // The contexts of the developer.
    command.env_remove("XDG_CONFIG_HOME").env_remove("HOME");
    for name in ["NO_COLOR", "CLICOLOR", "CLICOLOR_FORCE", "USERPOOL_DATA_DIR"] {
        command.env_remove(name);
    }
    command
}

/// The output of a command that ends by itself.
async fn output(mut command: Command) -> CommandOutput {
    #[expect(clippy::disallowed_methods, reason = "it waits for another process")]
    let output = task::spawn_blocking(move || command.output().expect("it ends"));
    let output = output.await.expect("no panic");
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    let code = output.status.code().expect("no signal");
    CommandOutput { stdout: text(output.stdout), stderr: text(output.stderr), code }
}

async fn run(server: &TestServer, arguments: &[&str]) -> CommandOutput {
    run_with(&server.endpoint.to_string(), arguments, "").await
}

/// The same with input on stdin.
pub(crate) async fn run_with(endpoint: &str, arguments: &[&str], stdin: &str) -> CommandOutput {
    let mut command = userpool(endpoint, arguments);
    let stdin = stdin.to_owned();
    #[expect(clippy::disallowed_methods, reason = "it waits for another process")]
    let output = task::spawn_blocking(move || {
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("it starts");
        // A command that does not read stdin may have ended already.
        let _ = child.stdin.take().expect("a pipe").write_all(stdin.as_bytes());
        child.wait_with_output().expect("it ends")
    });
    let output = output.await.expect("no panic");
    let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
    let code = output.status.code().expect("no signal");
    CommandOutput { stdout: text(output.stdout), stderr: text(output.stderr), code }
}

/// Creates a user pool and returns its ID.
async fn create(server: &TestServer, name: &str) -> String {
    let request = format!(r#"{{"PoolName": "{name}"}}"#);
    let created = run_with(&server.endpoint.to_string(), &["create", "-"], &request).await;
    assert_eq!(created.code, 0, "{created:?}");
    created.json()["UserPool"]["Id"].as_str().expect("an ID").to_owned()
}

/// The text without what differs between runs: process IDs and ports, and their
/// padding.
fn by_kind(text: &str) -> String {
    let mut text = text.to_owned();
    for (pattern, kind) in
        [(r"pid=\d+", "pid=PID"), (r"127\.0\.0\.1:\d+", "127.0.0.1:PORT"), (" {2,}", "  ")]
    {
        text = Regex::new(pattern).expect("a pattern").replace_all(&text, kind).into_owned();
    }
    text
}
