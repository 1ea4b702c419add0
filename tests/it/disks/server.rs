//! The real server, which either serves or ends by itself, in time.

use std::{
    path::Path,
    process::{Output, Stdio},
    time::Duration,
};

use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, BufReader},
    process::{Child, Command},
    task::JoinHandle,
    time::timeout,
};
use tonic::transport::{Channel, Endpoint};

/// Anything that takes longer counts as hanging.
pub(super) const LIMIT: Duration = Duration::from_mins(1);

/// The result of a start.
pub(super) enum Start {
    Serving(Server),
    ServerExit(ServerExit),
}

/// A server that serves.
pub(super) struct Server {
    child: Child,
    address: String,
    stderr: JoinHandle<String>,
}

/// How a server ended, and its output.
#[derive(Debug)]
pub(super) struct ServerExit {
    pub(super) code: Option<i32>,
    pub(super) stderr: String,
}

/// The command that serves a data directory on a free port.
pub(super) fn serve(data_dir: &Path) -> Command {
    let mut command = userpool();
    command.args(["serve", "--listen=127.0.0.1:0", "--log=warn,sled=off", "--data-dir"]);
    command.arg(data_dir);
    command
}

fn userpool() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_userpool"));
    command.env_clear().stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    command
}

/// Runs another command of the binary on a data directory.
pub(super) async fn offline(arguments: &[&str], data_dir: &Path) -> Output {
    let mut command = userpool();
    let output = command.args(arguments).arg("--data-dir").arg(data_dir).output();
    timeout(LIMIT, output).await.expect("it ends in time").expect("the binary runs")
}

/// Starts a server and waits until it serves or ends.
pub(super) async fn start(command: &mut Command) -> Start {
    let mut child = command.spawn().expect("the binary runs");
    let mut stderr = child.stderr.take().expect("a pipe");
    let stderr = tokio::spawn(async move {
        let mut text = String::new();
        stderr.read_to_string(&mut text).await.expect("UTF-8");
        text
    });
    let mut stdout = BufReader::new(child.stdout.take().expect("a pipe"));
    let mut line = String::new();
    let read = timeout(LIMIT, stdout.read_line(&mut line)).await;
    read.expect("it serves or ends in time").expect("readable");
    let address = line.trim_end().strip_prefix("userpool listening on ").unwrap_or_default();
    let server = Server { child, address: address.to_owned(), stderr };
    if line.is_empty() { Start::ServerExit(server.ended().await) } else { Start::Serving(server) }
}

impl Start {
    /// The server, which must serve.
    pub(super) fn serving(self, promise: &str) -> Server {
        match self {
            Self::Serving(server) => server,
            Self::ServerExit(ended) => unreachable!("{promise}: {}", ended.stderr),
        }
    }
}

impl Server {
    pub(super) fn channel(&self) -> Channel {
        let endpoint = Endpoint::from_shared(format!("http://{}", self.address));
        // A server that ends before the connection is an error of the first call.
        endpoint.expect("an address").connect_lazy()
    }

    /// Waits for a server that ends by itself.
    pub(super) async fn ended(mut self) -> ServerExit {
        let status = timeout(LIMIT, self.child.wait()).await;
        let status = status.expect("it ends in time").expect("an end");
        ServerExit { code: status.code(), stderr: self.stderr.await.expect("read to the end") }
    }

    /// Whether it has ended by itself.
    pub(super) fn has_ended(&mut self) -> bool {
        self.child.try_wait().expect("a child").is_some()
    }

    /// Stops it gracefully.
    pub(super) async fn terminate(self) -> ServerExit {
        if let Some(process) = self.child.id() {
            let kill = Command::new("kill").arg(process.to_string()).output();
            // An error means that it has ended by itself in the meantime.
            kill.await.expect("kill runs");
        }
        self.ended().await
    }

    /// Kills it.
    pub(super) async fn kill(mut self) {
        self.child.kill().await.expect("killed");
    }
}

impl ServerExit {
    /// The last sentence of a server that failed.
    pub(super) fn sentence(&self) -> &str {
        let stderr = &self.stderr;
        assert_eq!(self.code, Some(1), "{stderr}");
        let sentences: Vec<_> =
            stderr.lines().filter(|line| line.starts_with("userpool: ")).collect();
        let [sentence] = sentences[..] else { unreachable!("one sentence: {stderr}") };
        assert_eq!(stderr.lines().last(), Some(sentence), "{stderr}");
        sentence
    }
}

/// A program that prints the addresses of servers, line by line.
pub(super) struct Lines {
    _child: Child,
    stdout: BufReader<tokio::process::ChildStdout>,
    stderr: BufReader<tokio::process::ChildStderr>,
}

impl Lines {
    /// Runs a program with these arguments, then a directory and the binary.
    pub(super) fn of(program: &str, arguments: &[&str], directory: &Path) -> Self {
        let mut command = Command::new(program);
        command.args(arguments).arg(directory).arg(env!("CARGO_BIN_EXE_userpool"));
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        let mut child = command.spawn().expect("the program runs");
        let stdout = BufReader::new(child.stdout.take().expect("a pipe"));
        let stderr = BufReader::new(child.stderr.take().expect("a pipe"));
        Self { _child: child, stdout, stderr }
    }

    /// The next line; `None` at the end.
    pub(super) async fn next(&mut self) -> String {
        let mut line = String::new();
        let read = timeout(LIMIT, self.stdout.read_line(&mut line)).await;
        read.expect("it goes on in time").expect("readable");
        line.trim_end().to_owned()
    }

    pub(super) async fn stderr_line(&mut self) -> String {
        let mut line = String::new();
        let read = timeout(LIMIT, self.stderr.read_line(&mut line)).await;
        read.expect("it goes on in time").expect("readable");
        line
    }

    /// A connection to the server that printed the line.
    pub(super) async fn channel(&self, line: &str) -> Channel {
        let address = line.strip_prefix("userpool listening on ").expect("an address");
        let endpoint = Endpoint::from_shared(format!("http://{address}")).expect("an address");
        endpoint.connect().await.expect("a connection")
    }
}
