//! A log that servers share and that no longer has what it had, as after a failover that lost
//! commits or a restored backup: no server serves it, and none forgets what it has seen.

use std::{fs, path::Path, sync::Arc};

use tempfile::TempDir;
use tonic::{Code, Status};
use userpool::{
    app::{App, Context, EventQuery, Failure, HistoryError, InclusionQuery},
    cli::CliError,
    event_log::{EventLog as _, Fork, Head, MemoryLog, Position, ReadLimit, Record},
    proto::{GetInclusionProofRequest, ListUserPoolEventsRequest},
    server::{Server, ServerError},
    service,
    telemetry::error_chain,
};

use super::{Node, create, engine::Engine};
use crate::support::{self, FixedSource, TestServer, config, event_body, metadata, reason};

/// What the log has after the fork instead of its third record.
#[derive(Debug, Clone, Copy)]
enum After {
    Nothing,
    AnotherRecord,
    MoreRecords,
}

/// A log that begins with two records of `log`.
async fn forked(log: &MemoryLog, after: After) -> Arc<MemoryLog> {
    let all = ReadLimit { records: usize::MAX, bytes: usize::MAX };
    let kept = log.read(Position::START, all).await.expect("readable");
    let bodies = kept.into_iter().take(2).map(|record: Record| record.body).collect();
    let other = Arc::new(MemoryLog::default());
    other.append(Head::default(), bodies).await.expect("appended");
    let (first, count) = match after {
        After::Nothing => (3, 0),
        After::AnotherRecord => (3, 1),
        After::MoreRecords => (3, 3),
    };
    for position in first..first + count {
        let head = *other.head().borrow();
        let body = event_body(&format!("us-east-1_Other{position:04}"), 1);
        let event: userpool::proto::UserPoolEvent = prost::Message::decode(body).expect("an event");
        let event = userpool::proto::UserPoolEvent { position, ..event };
        let body = prost::Message::encode_to_vec(&event);
        other.append(head, vec![body.into()]).await.expect("appended");
    }
    other
}

/// A log with three events, one in which the third is not, and how they differ.
struct Forked {
    engine: Arc<Engine>,
    other: Arc<MemoryLog>,
    fork: Fork,
}

impl Forked {
    /// Puts the other log in the place of the one that `server` has filled.
    async fn replace(log: &MemoryLog, engine: Arc<Engine>, after: After) -> Self {
        let known = *log.head().borrow();
        assert_eq!(known.position, Position(3));
        let other = forked(log, after).await;
        let all = ReadLimit { records: usize::MAX, bytes: usize::MAX };
        let found = other.read(Position::START, all).await.expect("readable");
        let found = found.get(2).or(found.last()).map(Record::head).expect("a record");
        engine.replace(&other);
        Self { engine, other, fork: Fork { known, found } }
    }
}

fn check_refusal(refused: &Status, fork: Fork) {
    let Fork { known, found } = fork;
    assert_eq!((refused.code(), reason(refused).as_str()), (Code::Unavailable, "LOG_FORKED"));
    let told = ["position", "known_hash", "found_position", "found_hash"];
    let told = told.map(|key| metadata(refused, key).expect(key));
    let expected = [
        known.position.to_string(),
        known.hash.to_string(),
        found.position.to_string(),
        found.hash.to_string(),
    ];
    assert_eq!(told, expected);
}

/// The files of the read model, with their sizes.
fn files(directory: &Path) -> Vec<(String, u64)> {
    let mut files = Vec::new();
    for entry in fs::read_dir(directory.join("read_model")).expect("a read model") {
        let entry = entry.expect("an entry");
        let size = entry.metadata().expect("metadata").len();
        files.push((entry.file_name().to_string_lossy().into_owned(), size));
    }
    files.sort();
    assert!(!files.is_empty());
    assert!(directory.join("seen_head").is_file());
    files
}

async fn start_again(directory: &TempDir, log: &Arc<MemoryLog>) -> ServerError {
    let read_model = directory.path().join("read_model");
    let (config, source) = (config(directory.path()), Arc::<FixedSource>::default());
    let log = Engine::on(log);
    Server::on(log, &read_model, config, source).await.expect_err("a forked log")
}

fn exit_code(error: ServerError) -> String {
    format!("{:?}", CliError::from(error).exit_code())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_stops_when_its_log_has_forked() {
    for after in [After::Nothing, After::AnotherRecord, After::MoreRecords] {
        let log = Arc::new(MemoryLog::default());
        let engine = Engine::on(&log);
        let connection = Arc::<Engine>::clone(&engine);
        let server = TestServer::on(connection).await;
        let mut client = server.client().await;
        for name in ["one", "two", "three"] {
            support::create(&mut client, name).await;
        }

        // Nobody calls any more.
        let Forked { other, fork, .. } = Forked::replace(&log, engine, after).await;

        let (directory, ended) = server.ended_in().await;

        let ended = ended.expect_err("a forked log");
        assert!(matches!(ended, ServerError::LogForked(found) if found == fork), "{ended}");
        assert_eq!(exit_code(ended), "ExitCode(unix_exit_status(3))");
        assert!(!directory.path().join("checkpoints.jsonl").exists(), "nothing is signed");

        // It does not start again, and keeps what it has seen.
        let before = files(directory.path());
        let error = start_again(&directory, &other).await;
        let text = error_chain(&error);
        for head in [fork.known, fork.found] {
            assert!(text.contains(&head.to_string()), "{text}");
        }
        assert_eq!(exit_code(error), "ExitCode(unix_exit_status(3))");
        let names = |files: Vec<(String, u64)>| files.into_iter().map(|(name, _)| name);
        assert!(names(before).eq(names(files(directory.path()))));

        // Even if the read model is gone: then the last event that was seen tells it.
        fs::remove_dir_all(directory.path().join("read_model")).expect("removed");
        let error = start_again(&directory, &other).await;
        assert_eq!(exit_code(error), "ExitCode(unix_exit_status(3))");
    }
}

#[tokio::test]
async fn calls_are_refused_when_the_log_has_forked() {
    for after in [After::Nothing, After::AnotherRecord, After::MoreRecords] {
        for is_command in [true, false] {
            let log = Arc::new(MemoryLog::default());
            let engine = Engine::on(&log);
            let node = Node::start_in_memory(Arc::<Engine>::clone(&engine), 0).await;
            let command = || node.app.execute(create(None), Context::default());
            for _ in 0..3 {
                command().await.expect("created");
            }
            let Forked { engine, other, fork } = Forked::replace(&log, engine, after).await;
            let before = *other.head().borrow();

            let error = if is_command {
                service::Error::from(command().await.expect_err("a forked log"))
            } else {
                service::Error::from(
                    node.app.history().wait_to_read(None).await.expect_err("the same"),
                )
            };

            check_refusal(&error.into(), fork);
            assert!(matches!(node.app.failed().await, Failure::Forked(found) if found == fork));
            // Not even if the log comes back.
            engine.replace(&log);
            let read = node.app.history().wait_to_read(Some(Position(1))).await;
            check_refusal(&service::Error::from(read.expect_err("forked")).into(), fork);
            let command = service::Error::from(command().await.expect_err("forked"));
            check_refusal(&command.into(), fork);
            assert_eq!(*other.head().borrow(), before, "nothing was recorded in it");
        }
    }
}

/// Reads that look at the log before anything else has found the fork.
#[tokio::test]
async fn a_read_of_the_history_finds_the_fork() {
    for after in [After::Nothing, After::AnotherRecord, After::MoreRecords] {
        for read in [Read::Page, Read::Proof, Read::Verification] {
            let log = Arc::new(MemoryLog::default());
            let engine = Engine::on(&log);
            let node = Node::start_in_memory(Arc::<Engine>::clone(&engine), 0).await;
            for _ in 0..3 {
                node.app.execute(create(None), Context::default()).await.expect("created");
            }
            let Forked { fork, .. } = Forked::replace(&log, engine, after).await;

            let error = match read.error(&node.app).await {
                // The page has what is there now, and says nothing of what it was before.
                None if read == Read::Page && !matches!(after, After::Nothing) => continue,
                None => unreachable!("{read:?} after {after:?} shows no fork"),
                Some(error) => error,
            };

            check_refusal(&service::Error::from(error).into(), fork);
            assert!(matches!(node.app.failed().await, Failure::Forked(found) if found == fork));
        }
    }
}

/// How the history is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Read {
    Page,
    Proof,
    Verification,
}

impl Read {
    async fn error(self, app: &App) -> Option<HistoryError> {
        let history = app.history();
        match self {
            Self::Page => {
                let query = EventQuery::parse(ListUserPoolEventsRequest::default());
                history.page(&query.expect("a legal request"), None).await.err()
            }
            Self::Proof => {
                let request = GetInclusionProofRequest { position: Some(3), ..Default::default() };
                let query = InclusionQuery::parse(request).expect("a legal request");
                history.prove_inclusion(&query).await.err()
            }
            Self::Verification => history.verify(None).await.err(),
        }
    }
}
