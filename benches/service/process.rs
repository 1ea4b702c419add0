//! The servers, each a process that ends with its handle.

use std::{
    env,
    fmt::Write as _,
    fs,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{TcpListener, TcpStream},
    path::Path,
    process::{Child, Command, Stdio},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};

use crate::tools::Tools;

/// How long a server may take to answer. A server that builds its read model takes
/// long.
const PATIENCE: Duration = Duration::from_mins(10);

/// A running server; it is killed on drop.
#[derive(Debug)]
pub(crate) struct Server {
    child: Child,
    /// Its address and its port.
    pub(crate) address: String,
    /// How long it took to listen.
    pub(crate) started_in: Duration,
}

impl Server {
    /// The real server with its defaults, on a data directory.
    pub(crate) fn userpool(data_dir: &Path) -> Self {
        Self::userpool_with(data_dir, &[])
    }

    /// The same with other settings.
    pub(crate) fn userpool_with(data_dir: &Path, settings: &[&str]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_userpool"));
        command.args(["serve", "--listen", "127.0.0.1:0", "--data-dir"]).arg(data_dir);
        command.args(settings);
        // A setting in the environment of the bench must not become one of the
        // server.
        for (name, _) in
            env::vars_os().filter(|(name, _)| name.as_encoded_bytes().starts_with(b"USERPOOL_"))
        {
            command.env_remove(name);
        }
        Self::that_says(command, "userpool listening on ")
    }

    /// A bare server with these answers. Its kind is an argument that `bare` names.
    pub(crate) fn bare(kind: &str, described: &Path, created: &Path) -> Self {
        let mut command = Command::new(env::current_exe().expect("this executable"));
        command.arg(kind).arg(described).arg(created);
        Self::that_says(command, "bare tonic listening on ")
    }

    /// etcd with its defaults, a cluster of one.
    pub(crate) fn etcd(tools: &Tools, directory: &Path) -> Option<Self> {
        let (client, peer) = (free_address(), free_address());
        let mut command = Command::new(tools.etcd()?);
        command.arg(format!("--data-dir={}", directory.display())).args([
            format!("--listen-client-urls=http://{client}"),
            format!("--advertise-client-urls=http://{client}"),
            format!("--listen-peer-urls=http://{peer}"),
            format!("--initial-advertise-peer-urls=http://{peer}"),
            format!("--initial-cluster=default=http://{peer}"),
            "--log-level=error".to_owned(),
        ]);
        let ready = |address: &str| exchange(address, "GET", "/health", &[], "").contains("true");
        Some(Self::that_answers(command, client, ready))
    }

    /// nghttp2's server of static files, with a thread for each core.
    pub(crate) fn nghttpd(directory: &Path) -> Option<Self> {
        let address = free_address();
        let (host, port) = address.split_once(':')?;
        let threads = thread::available_parallelism().map_or(1, usize::from);
        let mut command = Command::new(Tools::nghttpd()?);
        command.args(["--no-tls", "--max-concurrent-streams=128"]);
        command.arg(format!("--workers={threads}")).arg(format!("--address={host}"));
        command.arg(format!("--htdocs={}", directory.display())).arg(port);
        let ready = |address: &str| TcpStream::connect(address).is_ok();
        Some(Self::that_answers(command, address.clone(), ready))
    }

    /// moto's server.
    pub(crate) fn moto(tools: &Tools) -> Option<Self> {
        let address = free_address();
        let (host, port) = address.split_once(':')?;
        let mut command = Command::new(tools.moto()?);
        command.args(["-H", host, "-p", port]);
        let ready = |address: &str| !exchange(address, "GET", "/moto-api/", &[], "").is_empty();
        Some(Self::that_answers(command, address.clone(), ready))
    }

    /// A server that prints its address once it listens.
    fn that_says(mut command: Command, before: &str) -> Self {
        let started = Instant::now();
        // Its log is written, but not to the measured disk.
        let command = command.stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().expect("a server");
        let stdout = child.stdout.take().expect("its stdout");
        let mut lines = BufReader::new(stdout).lines();
        let line = lines.next().expect("a line").expect("a line");
        // Whatever else it says must not fail.
        thread::spawn(move || lines.for_each(drop));
        let started_in = started.elapsed();
        let address = line.strip_prefix(before).expect("an address").to_owned();
        Self { child, address, started_in }
    }

    /// A server that is polled until it answers.
    fn that_answers(mut command: Command, address: String, ready: impl Fn(&str) -> bool) -> Self {
        let started = Instant::now();
        let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("a server");
        let mut server = Self { child, address, started_in: Duration::ZERO };
        while !ready(&server.address) {
            assert!(started.elapsed() < PATIENCE, "{command:?} does not answer");
            thread::sleep(Duration::from_millis(50));
        }
        server.started_in = started.elapsed();
        server
    }

    /// Stops the server, and waits until it has ended.
    pub(crate) fn stop(mut self) {
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw).expect("its ID");
        kill_process(pid, Signal::TERM).expect("a server that runs");
        assert!(self.child.wait().expect("its end").success(), "the server did not stop in order");
    }

    /// A value of the server in `/proc/PID/status`.
    pub(crate) fn status(&self, name: &str) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id()));
        field(&status.expect("its status"), name)
    }

    /// How often its threads gave up the CPU voluntarily, which is how often it was
    /// woken.
    pub(crate) fn wakeups(&self) -> u64 {
        let tasks = fs::read_dir(format!("/proc/{}/task", self.child.id())).expect("its threads");
        let statuses =
            tasks.filter_map(|task| fs::read_to_string(task.ok()?.path().join("status")).ok());
        statuses.map(|status| field(&status, "voluntary_ctxt_switches")).sum()
    }

    /// Its CPU time.
    pub(crate) fn cpu(&self) -> Cpu {
        Cpu(self.child.id())
    }
}

/// The CPU time of a process.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cpu(u32);

impl Cpu {
    /// User time and system time, in ticks of 10 ms.
    pub(crate) fn ticks(self) -> u64 {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.0)).expect("its state");
        // After the name, which is in parentheses: user time is the 12th, system time
        // the 13th.
        let (_, rest) = stat.rsplit_once(')').expect("a name");
        rest.split_whitespace().skip(11).take(2).filter_map(|ticks| ticks.parse::<u64>().ok()).sum()
    }

    /// Waits for the measured part of a turn, and returns its ticks.
    pub(crate) fn between(self, begin: Instant, end: Instant) -> JoinHandle<u64> {
        thread::spawn(move || {
            thread::sleep(begin.saturating_duration_since(Instant::now()));
            let before = self.ticks();
            thread::sleep(end.saturating_duration_since(Instant::now()));
            self.ticks() - before
        })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn field(status: &str, name: &str) -> u64 {
    let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    let number = line.and_then(|line| line.split_whitespace().next()?.parse().ok());
    number.expect("a number")
}

/// An address that was free just now.
pub(crate) fn free_address() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("its address").to_string()
}

/// One exchange of HTTP/1.1; returns the body of the answer, or `None` without one.
pub(crate) fn exchange(
    address: &str,
    method: &str,
    path: &str,
    headers: &[&str],
    body: &str,
) -> String {
    let Ok(mut stream) = TcpStream::connect(address) else { return String::new() };
    let mut request =
        format!("{method} {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n");
    for header in headers {
        request.push_str(header);
        request.push_str("\r\n");
    }
    // Writing to a string cannot fail.
    let _ = write!(request, "Content-Length: {}\r\n\r\n{body}", body.len());
    let mut answer = String::new();
    let exchanged =
        stream.write_all(request.as_bytes()).and_then(|()| stream.read_to_string(&mut answer));
    exchanged
        .ok()
        .and_then(|_| answer.split_once("\r\n\r\n"))
        .map(|(_, body)| body.to_owned())
        .unwrap_or_default()
}
