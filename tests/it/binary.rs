//! Runs the binary: its commands, and servers in processes of their own.

use std::{
    path::Path,
    process::{ExitStatus, Output, Stdio},
};

use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, BufReader},
    process::{Child, Command},
    task::JoinHandle,
};
use tonic::transport::{Channel, Endpoint};
use userpool::proto::user_pool_service_client::UserPoolServiceClient;

use crate::support::Client;

/// A server from the binary, with an empty environment.
pub(crate) struct Process {
    child: Child,
    address: String,
    stderr: JoinHandle<String>,
}

/// How a server ended, and its output.
pub(crate) struct Ended {
    pub(crate) status: ExitStatus,
    pub(crate) stderr: String,
}

impl Process {
    /// On a free port, with a data directory.
    pub(crate) async fn start(data_dir: &Path) -> Self {
        Self::from(serve(data_dir).arg("--listen=127.0.0.1:0")).await
    }

    /// Runs the command and waits until it serves.
    pub(crate) async fn from(command: &mut Command) -> Self {
        let mut child = command.spawn().expect("the binary runs");
        // `None` if the caller has another use for it.
        let stderr = child.stderr.take();
        let stderr = tokio::spawn(async move {
            let mut text = String::new();
            if let Some(mut stderr) = stderr {
                stderr.read_to_string(&mut text).await.expect("UTF-8");
            }
            text
        });
        let stdout = BufReader::new(child.stdout.take().expect("a pipe"));
        let line = stdout.lines().next_line().await.expect("readable").expect("a line");
        let address = line.strip_prefix("userpool listening on ").expect("an address");
        Self { child, address: address.to_owned(), stderr }
    }

    /// The address that it prints.
    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    /// The process ID.
    pub(crate) fn id(&self) -> u32 {
        self.child.id().expect("it runs")
    }

    pub(crate) async fn channel(&self) -> Channel {
        endpoint(&self.address).connect().await.expect("a connection")
    }

    pub(crate) async fn client(&self) -> Client {
        UserPoolServiceClient::new(self.channel().await)
    }

    /// Kills it. The last lines of its log may be lost, since they wait to be written
    /// together: a test of the log uses [`Self::terminate`].
    pub(crate) async fn kill(mut self) {
        self.child.kill().await.expect("killed");
        self.stderr.await.expect("read to the end");
    }

    pub(crate) async fn signal(&self, signal: &str) {
        let process = self.id().to_string();
        let sent = Command::new("sh").args(["-c", "kill -s $0 $1", signal, &process]).status();
        assert!(sent.await.expect("a shell").success());
    }

    /// Waits until it ends by itself.
    pub(crate) async fn ended(mut self) -> Ended {
        let status = self.child.wait().await.expect("an end");
        Ended { status, stderr: self.stderr.await.expect("read to the end") }
    }

    pub(crate) async fn terminate(self, signal: &str) -> Ended {
        self.signal(signal).await;
        self.ended().await
    }
}

/// How tonic reaches an address that a server prints.
pub(crate) fn endpoint(address: &str) -> Endpoint {
    let scheme = if address.starts_with("unix:") { "" } else { "http://" };
    Endpoint::from_shared(format!("{scheme}{address}")).expect("an address")
}

/// The path of the binary.
pub(crate) const BINARY: &str = env!("CARGO_BIN_EXE_userpool");

/// The binary, with an empty environment.
pub(crate) fn userpool() -> Command {
    userpool_by(std::process::Command::new(BINARY))
}

/// The same, by a command that runs it.
pub(crate) fn userpool_by(command: std::process::Command) -> Command {
    let mut command = Command::from(command);
    command.env_clear().stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    command
}

pub(crate) fn serve(data_dir: &Path) -> Command {
    let mut command = userpool();
    command.arg("serve").arg("--data-dir").arg(data_dir);
    command
}

/// Runs a command that is expected to end by itself.
pub(crate) async fn run(command: &mut Command) -> Output {
    command.output().await.expect("the binary runs")
}
