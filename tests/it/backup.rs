//! An export from a running server is a backup: the log up to some event, from which
//! a server can be restored. A copy of the directory of a running server is not a
//! backup, and is never accepted as more than a prefix of the log.

use std::{
    fs,
    path::Path,
    process::Output,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicI64, Ordering},
    },
};

use tempfile::TempDir;
use tokio::{process::Command, task::JoinSet};
use userpool::proto::{
    self, DescribeUserPoolRequest, ReplayUserPoolRequest, UpdateUserPoolRequest, UserPoolEvent,
    replay_user_pool_request::AsOf, user_pool_history_service_client::UserPoolHistoryServiceClient,
};

use crate::{
    binary::{self, Process, userpool},
    random::rounds,
    support::{Client, domain, named, pools},
};

const WRITERS: usize = 8;

/// The changes that run during a backup.
struct BackgroundLoad {
    stop: Arc<AtomicBool>,
    /// The last acknowledged position.
    acknowledged: Arc<AtomicI64>,
    writers: JoinSet<()>,
}

impl BackgroundLoad {
    async fn to(server: &Process) -> Self {
        let (stop, acknowledged) = (Arc::<AtomicBool>::default(), Arc::<AtomicI64>::default());
        let mut writers = JoinSet::new();
        for writer in 0..WRITERS {
            let client = server.client().await;
            let (stop, acknowledged) = (Arc::clone(&stop), Arc::clone(&acknowledged));
            writers.spawn(async move {
                for turn in 0.. {
                    if stop.load(Ordering::Relaxed) {
                        return;
                    }
                    let position = change(&mut client.clone(), writer, turn).await;
                    acknowledged.fetch_max(position, Ordering::SeqCst);
                }
            });
        }
        Self { stop, acknowledged, writers }
    }

    /// Waits for so many more acknowledged changes; returns the last position.
    async fn more(&self, changes: i64) -> i64 {
        let enough = self.acknowledged.load(Ordering::SeqCst) + changes;
        loop {
            let acknowledged = self.acknowledged.load(Ordering::SeqCst);
            if acknowledged >= enough {
                return acknowledged;
            }
            tokio::task::yield_now().await;
        }
    }

    async fn end(self) {
        self.stop.store(true, Ordering::Relaxed);
        self.writers.join_all().await;
    }
}

/// Creates a user pool with a domain, updates it, and sometimes deletes it.
async fn change(client: &mut Client, writer: usize, turn: usize) -> i64 {
    let name = format!("writer-{writer}-turn-{turn}");
    let created = client.create_user_pool(named(&name)).await.expect("created").into_inner();
    let id = created.user_pool.and_then(|pool| pool.id).expect("an ID");
    if turn.is_multiple_of(3) {
        let delete = proto::DeleteUserPoolRequest { user_pool_id: Some(id), ..Default::default() };
        return client.delete_user_pool(delete).await.expect("deleted").into_inner().position;
    }
    client.create_user_pool_domain(domain(&name, &id)).await.expect("a domain");
    let update = UpdateUserPoolRequest {
        user_pool_id: Some(id),
        user_pool_tags: [("turn".to_owned(), turn.to_string())].into(),
        ..Default::default()
    };
    client.update_user_pool(update).await.expect("updated").into_inner().position
}

async fn run(arguments: &[&str], directory: &Path) -> Output {
    binary::run(userpool().args(arguments).current_dir(directory)).await
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("UTF-8")
}

/// The output of the command, which must succeed.
async fn printed(arguments: &[&str], directory: &Path) -> String {
    let output = run(arguments, directory).await;
    assert!(output.status.success(), "{arguments:?}: {}", text(&output.stderr));
    text(&output.stdout)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_export_under_load_is_a_prefix_that_can_be_served() {
    let directory = TempDir::new().expect("a directory");
    let server = Process::start(&directory.path().join("data")).await;
    let from = server.address().to_owned();
    let writing = BackgroundLoad::to(&server).await;
    let mut exports = Vec::new();
    for _ in 0..rounds(3) {
        let acknowledged = writing.more(50).await;
        let export = printed(&["log", "export", "--from", &from], directory.path()).await;
        let lines = i64::try_from(export.lines().count()).expect("a small number");
        assert!(lines >= acknowledged, "{lines} events, {acknowledged} were acknowledged before");
        exports.push(export);
    }
    writing.end().await;
    let whole = printed(&["log", "export", "--from", &from], directory.path()).await;
    for (export, number) in exports.iter().zip(1..) {
        assert!(whole.starts_with(export), "export {number} is a prefix of the log");
        let file = format!("export-{number}.jsonl");
        fs::write(directory.path().join(&file), export).expect("written");
        let restored = format!("restored-{number}");
        printed(&["log", "import", "--data-dir", &restored, &file], directory.path()).await;
        let verdict = printed(&["log", "verify", "--data-dir", &restored], directory.path()).await;
        assert!(verdict.starts_with("valid: "), "{verdict}");
        let restored = Process::start(&directory.path().join(restored)).await;
        serves(&restored, &server, export).await;
        restored.kill().await;
    }
    server.kill().await;
}

/// On the restored server each user pool is equal to the original at the end of the
/// export.
async fn serves(restored: &Process, original: &Process, export: &str) {
    let end = i64::try_from(export.lines().count()).expect("a small number");
    let mut then = UserPoolHistoryServiceClient::new(original.channel().await);
    let mut now = restored.client().await;
    let events: Vec<UserPoolEvent> =
        export.lines().map(|line| proto::from_json(line).expect("an event")).collect();
    let mut there = 0;
    for id in events.iter().filter(|event| event.revision == 1).map(|event| &event.user_pool_id) {
        let user_pool_id = Some(id.clone());
        let as_of = Some(AsOf::Position(end));
        let replay = ReplayUserPoolRequest {
            user_pool_id: user_pool_id.clone(),
            as_of,
            ..ReplayUserPoolRequest::default()
        };
        let was = then.replay_user_pool(replay).await.expect("replayed").into_inner();
        let described = now
            .describe_user_pool(DescribeUserPoolRequest {
                user_pool_id,
                ..DescribeUserPoolRequest::default()
            })
            .await;
        if was.deleted {
            assert_eq!(described.expect_err("deleted").code(), tonic::Code::NotFound);
            continue;
        }
        let is = described.expect("described").into_inner();
        assert_eq!(
            (is.user_pool, is.revision, is.position),
            (was.user_pool, was.revision, was.position)
        );
        there += 1;
    }
    assert_eq!(pools(&mut now).await.len(), there, "and no other");
}

/// Such a copy is not a backup: it is usually refused. If it is accepted, it is a
/// prefix of the log.
#[tokio::test(flavor = "multi_thread")]
async fn a_copy_of_a_running_directory_is_refused_or_a_true_prefix() {
    let directory = TempDir::new().expect("a directory");
    let data_dir = directory.path().join("data");
    let server = Process::start(&data_dir).await;
    let writing = BackgroundLoad::to(&server).await;
    let mut copies = Vec::new();
    for number in 0..rounds(3) {
        let copy = format!("copy-{number}");
        let before = writing.more(40).await;
        let mut cp = Command::new("cp");
        cp.args(["-a", "data", &copy]).current_dir(directory.path());
        assert!(cp.status().await.expect("cp runs").success());
        copies.push((copy, before));
    }
    writing.end().await;
    let from = server.address().to_owned();
    let whole = printed(&["log", "export", "--from", &from], directory.path()).await;
    server.kill().await;
    let (mut refused, mut short, mut full) = (0, 0, 0);
    for (copy, before) in copies {
        let output = run(&["log", "export", "--data-dir", &copy], directory.path()).await;
        if !output.status.success() {
            let message = text(&output.stderr);
            assert!(message.lines().any(|line| line.contains("error: ")), "a sentence: {message}");
            eprintln!("{}", message.lines().last().unwrap_or_default());
            refused += 1;
            continue;
        }
        let export = text(&output.stdout);
        assert!(whole.starts_with(&export), "a prefix of the log");
        let events = i64::try_from(export.lines().count()).expect("a small number");
        // Acknowledged before the copy began.
        if events < before {
            short += 1;
        } else {
            full += 1;
        }
        // The read model was copied after the log and may be ahead of it.
        let copy = directory.path().join(copy);
        fs::remove_dir_all(copy.join("read_model")).expect("removed");
        Process::start(&copy).await.kill().await;
    }
    eprintln!("{refused} refused, {short} without acknowledged changes, {full} complete");
    assert_eq!(short, 0, "acknowledged before the copy began, and missing in it");
}
