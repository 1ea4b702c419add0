//! A server process that is there to be killed.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    process::{Child, ChildStdout, Command},
    time,
};
use tonic::transport::{Channel, Endpoint};

/// How long a server may take to start or to answer.
const PATIENCE: Duration = Duration::from_mins(1);

/// A process that was started. It may not serve yet.
pub(super) struct StartingServer {
    child: Child,
    stdout: ChildStdout,
    stderr: PathBuf,
}

/// A process that serves.
pub(super) struct Server {
    child: Child,
    address: String,
}

impl StartingServer {
    /// On a free port, with a data directory; what it says goes to a file.
    pub(super) fn spawn(data_dir: &Path, stderr: &Path, environment: &[(&str, PathBuf)]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_userpool"));
        command.env_clear().envs(environment.iter().map(|(name, value)| (name, value)));
        command.args(["serve", "--listen=127.0.0.1:0", "--data-dir"]).arg(data_dir);
        command.stdout(Stdio::piped()).stderr(File::create(stderr).expect("a file"));
        let mut child = command.kill_on_drop(true).spawn().expect("the binary runs");
        let stdout = child.stdout.take().expect("a pipe");
        Self { child, stdout, stderr: stderr.to_owned() }
    }

    /// Waits until it serves. Whatever was left behind, it must.
    pub(super) async fn ready(self) -> Server {
        let mut lines = BufReader::new(self.stdout).lines();
        let line = time::timeout(PATIENCE, lines.next_line()).await.ok().and_then(Result::ok);
        let Some(line) = line.flatten() else {
            let stderr = fs::read_to_string(&self.stderr).unwrap_or_default();
            unreachable!("the server refused to start:\n{stderr}")
        };
        let address = line.strip_prefix("userpool listening on ").expect("an address").to_owned();
        Server { child: self.child, address }
    }

    /// The hard way, wherever it is.
    pub(super) async fn kill(mut self) {
        self.child.kill().await.expect("killed");
    }
}

impl Server {
    pub(super) async fn channel(&self) -> Channel {
        let endpoint = Endpoint::from_shared(format!("http://{}", self.address));
        let endpoint = endpoint.expect("an address").timeout(PATIENCE);
        endpoint.connect().await.expect("a connection")
    }

    /// The hard way.
    pub(super) async fn kill(mut self) {
        self.child.kill().await.expect("killed");
    }
}
