//! Floods of connections and calls: the process uses bounded resources and releases
//! them afterwards. `USERPOOL_ROUNDS` multiplies the load.

use std::{env, fs, time::Duration};

use tempfile::TempDir;
use tokio::{
    io::AsyncWriteExt as _,
    net::TcpStream,
    process::Command,
    task::JoinSet,
    time::{Instant, timeout},
};
use tonic::Code;

use crate::{
    binary::Process,
    load::wire::greeting,
    support::{Client, create, named, pools},
};

/// The longest time that a call may take under attack.
const BOUND: Duration = Duration::from_secs(20);

fn rounds() -> usize {
    env::var("USERPOOL_ROUNDS").ok().and_then(|rounds| rounds.parse().ok()).unwrap_or(1)
}

impl Process {
    fn proc(&self, file: &str) -> String {
        let path = format!("/proc/{}/{file}", self.id());
        fs::read_to_string(path).expect("readable")
    }

    /// Resident memory, in KiB.
    fn memory(&self) -> usize {
        let status = self.proc("status");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("VmRSS");
        line.trim().trim_end_matches(" kB").parse().expect("a number")
    }

    fn descriptors(&self) -> usize {
        let path = format!("/proc/{}/fd", self.id());
        fs::read_dir(path).expect("readable").count()
    }

    /// The CPU time that it has used, in hundredths of a second.
    fn processor_time(&self) -> usize {
        let stat = self.proc("stat");
        let after_name = stat.rsplit_once(") ").expect("a name").1;
        let fields: Vec<_> = after_name.split(' ').collect();
        let number = |field: usize| fields[field].parse::<usize>().expect("a number");
        number(11) + number(12)
    }
}

async fn idle(address: &str) -> TcpStream {
    let mut socket = TcpStream::connect(address).await.expect("connected");
    socket.write_all(&greeting()).await.expect("sent");
    socket
}

async fn in_time<T>(call: impl Future<Output = T>) -> (T, Duration) {
    let begun = Instant::now();
    (timeout(BOUND, call).await.expect("answered in time"), begun.elapsed())
}

#[tokio::test(flavor = "multi_thread")]
async fn idle_connections_use_little_memory_and_return_it() {
    let count = (1000 * rounds()).min(9900);
    let directory = TempDir::new().expect("a directory");
    let server = Process::start(directory.path()).await;
    let mut client = server.client().await;
    create(&mut client, "people").await;
    let (memory, descriptors) = (server.memory(), server.descriptors());

    let mut connections = Vec::new();
    for _ in 0..count {
        connections.push(idle(server.address()).await);
    }
    // Behind all other connections.
    let (mut last, connected) = in_time(server.client()).await;
    let (_, took) = Box::pin(in_time(create(&mut last, "the last"))).await;
    let each = server.memory().saturating_sub(memory) / count;
    eprintln!("{count} idle: {each} KiB each; then connected {connected:?}, served {took:?}");
    assert!(each <= 64, "{each} KiB for each connection");

    drop((connections, last));
    let back = async {
        while server.descriptors() > descriptors {
            tokio::task::yield_now().await;
        }
    };
    timeout(BOUND, back).await.expect("the descriptors come back");
    create(&mut client, "after").await;
    assert!(server.terminate("TERM").await.status.success());
}

#[tokio::test(flavor = "multi_thread")]
async fn without_descriptors_the_log_works_and_the_cpu_is_idle() {
    let directory = TempDir::new().expect("a directory");
    let mut command = Command::new("sh");
    command
        .args(["-c", "ulimit -n 264; exec \"$0\" \"$@\"", env!("CARGO_BIN_EXE_userpool")])
        .args(["serve", "--listen=127.0.0.1:0", "--data-dir"])
        .arg(directory.path())
        .env_clear()
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .kill_on_drop(true);
    let server = Process::from(&mut command).await;
    let mut client = server.client().await;
    let before = server.processor_time();
    let mut connections = Vec::new();
    for _ in 0..300 * rounds().min(30) {
        if let Ok(socket) = TcpStream::connect(server.address()).await {
            connections.push(socket);
        }
    }
    for number in 0..50 {
        Box::pin(in_time(create(&mut client, &number.to_string()))).await;
    }
    assert!(server.descriptors() < 128, "some are reserved for the log");
    let took = server.processor_time() - before;
    eprintln!("{} connections, 50 changes: {took} hundredths of a second", connections.len());
    assert!(took < 500, "it spins: {took} hundredths of a second");

    drop(connections);
    let room = async {
        loop {
            let address = format!("http://{}", server.address());
            let endpoint = tonic::transport::Endpoint::from_shared(address).expect("an address");
            let Ok(channel) = endpoint.connect().await else { continue };
            if Client::new(channel).create_user_pool(named("again")).await.is_ok() {
                return;
            }
        }
    };
    timeout(BOUND, room).await.expect("a free permit");
    let ended = server.terminate("TERM").await;
    assert!(ended.status.success(), "{}", ended.stderr);
    let warnings = ended.stderr.matches("connection limit reached").count();
    assert_eq!(warnings, 1, "one warning: {}", ended.stderr);
}

#[tokio::test(flavor = "multi_thread")]
async fn excess_changes_are_refused_at_once_and_leave_nothing() {
    let directory = TempDir::new().expect("a directory");
    let server = Process::start(directory.path()).await;
    let mut client = server.client().await;
    create(&mut client, "before").await;
    let memory = server.memory();
    let (mut created, mut refused, mut slowest) = (1, 0, Duration::ZERO);
    for _ in 0..rounds() {
        let mut calls = JoinSet::new();
        for _ in 0..40 {
            let client = server.client().await;
            for _ in 0..100 {
                let mut client = client.clone();
                calls.spawn(async move {
                    let begun = Instant::now();
                    (client.create_user_pool(named("flood")).await, begun.elapsed())
                });
            }
        }
        while let Some(call) = calls.join_next().await {
            let (answer, took) = call.expect("no panic");
            slowest = slowest.max(took);
            match answer.map_err(|status| status.code()) {
                Ok(_) => created += 1,
                Err(code) => {
                    assert_eq!(code, Code::ResourceExhausted);
                    refused += 1;
                }
            }
        }
    }
    let more = server.memory().saturating_sub(memory) / 1024;
    eprintln!("{created} created, {refused} refused, slowest {slowest:?}, {more} MiB more");
    assert!(slowest < BOUND, "{slowest:?}");
    assert!(more < 512, "{more} MiB more");
    let (_, took) = Box::pin(in_time(create(&mut client, "after"))).await;
    eprintln!("the next call took {took:?}");
    if created < 5000 {
        assert_eq!(
            pools(&mut client).await.len(),
            created + 1,
            "every acknowledged change is there"
        );
    }
    assert!(server.terminate("TERM").await.status.success());
}
