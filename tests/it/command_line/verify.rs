//! The client verifies a history and detects a dishonest server.

use std::{
    fs,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use bytes::Bytes;
use data_encoding::HEXLOWER;
use tempfile::TempDir;
use tokio::sync::watch;
use userpool::{
    audit::checkpoint::Signer,
    event_log::{
        AppendError, Defect, EventLog, Head, MemoryLog, Position, ReadError, ReadLimit, Record,
    },
};

use super::{create, run};
use crate::support::{TestServer, copy_directory};

/// How a log falsifies what it holds.
#[derive(Debug, Clone, Copy)]
enum Forgery {
    /// A record with another body and the old hash.
    Bytes,
    /// An event that differs from its record.
    Event,
    /// Another record with a correct hash.
    Record,
    /// The same for the third and last record.
    LastRecord,
    /// One record is missing.
    Missing,
    /// No record, but the error that the log is damaged, which is honest.
    Damaged,
}

/// A log that falsifies one of its records, usually the second, once told to.
#[derive(Debug)]
struct ForgingLog {
    inner: MemoryLog,
    lie: Forgery,
    lying: AtomicBool,
}

#[tonic::async_trait]
impl EventLog for ForgingLog {
    fn head(&self) -> watch::Receiver<Head> {
        self.inner.head()
    }

    async fn append(&self, expected: Head, bodies: Vec<Bytes>) -> Result<Vec<Record>, AppendError> {
        self.inner.append(expected, bodies).await
    }

    async fn read(&self, after: Position, limit: ReadLimit) -> Result<Vec<Record>, ReadError> {
        let mut records = self.inner.read(after, limit).await?;
        let place = Position(if matches!(self.lie, Forgery::LastRecord) { 3 } else { 2 });
        if self.lying.load(Ordering::Relaxed)
            && let Some(index) = records.iter().position(|record| record.position == place)
        {
            let record = &mut records[index];
            match self.lie {
                Forgery::Bytes => record.stored = renamed(&record.stored),
                Forgery::Event => record.body = renamed(&record.body),
                Forgery::Record | Forgery::LastRecord => {
                    *record = rewritten(&self.inner, place).await;
                }
                Forgery::Missing => {
                    records.remove(index);
                }
                Forgery::Damaged => {
                    let defect = Defect::WrongHash;
                    return Err(ReadError::Damaged { position: place, defect });
                }
            }
        }
        Ok(records)
    }
}

/// The bytes with another name of the same length.
fn renamed(bytes: &Bytes) -> Bytes {
    let names: [(&[u8], &[u8]); 2] = [(b"second", b"wicked"), (b"third", b"wrong")];
    let mut renamed = bytes.to_vec();
    for (name, other) in names {
        let place = bytes.windows(name.len()).position(|window| window == name);
        if let Some(place) = place {
            renamed[place..place + name.len()].copy_from_slice(other);
        }
    }
    assert_ne!(renamed, *bytes);
    renamed.into()
}

/// The record at `place` with another body and a matching hash.
async fn rewritten(inner: &MemoryLog, place: Position) -> Record {
    let before = usize::try_from(place.0 - 1).expect("a small number");
    let limit = ReadLimit { records: before + 1, bytes: usize::MAX };
    let log = MemoryLog::default();
    let mut last = Vec::new();
    for record in inner.read(Position::START, limit).await.expect("records") {
        let body = if record.position == place { renamed(&record.body) } else { record.body };
        let head = *log.head().borrow();
        last = log.append(head, vec![body]).await.expect("appended");
    }
    last.remove(0)
}

/// A server with three user pools whose log begins to falsify records.
async fn forging_server(lie: Forgery) -> TestServer {
    let log = ForgingLog { inner: MemoryLog::default(), lie, lying: AtomicBool::default() };
    let log = Arc::new(log);
    let server = TestServer::on(Arc::<ForgingLog>::clone(&log)).await;
    let mut client = server.client().await;
    for name in ["first", "second", "third"] {
        crate::support::create(&mut client, name).await;
    }
    drop(client);
    server.stop().await;
    // A server that did not write the events itself has to read them.
    let server = TestServer::on(Arc::<ForgingLog>::clone(&log)).await;
    log.lying.store(true, Ordering::Relaxed);
    server
}

#[tokio::test(flavor = "multi_thread")]
async fn a_history_verifies_with_a_checkpoint_and_the_key() {
    let server = TestServer::start().await;
    create(&server, "people").await;
    let directory = TempDir::new().expect("a directory");
    let (checkpoint, key) =
        (directory.path().join("checkpoint.json"), directory.path().join("key.pem"));
    fs::write(&checkpoint, run(&server, &["checkpoint"]).await.stdout).expect("written");
    fs::write(&key, run(&server, &["checkpoint", "--key"]).await.stdout).expect("written");
    create(&server, "staff").await;

    let (checkpoint, key) = (checkpoint.to_str().expect("UTF-8"), key.to_str().expect("UTF-8"));
    let proof = run(&server, &["verify", "--checkpoint", checkpoint, "--key", key]).await;
    assert_eq!(proof.code, 0, "{proof:?}");
    let table = run(&server, &["checkpoint", "-o", "table"]).await.stdout;
    let line = |member| {
        let line = table.lines().find_map(|line| line.strip_prefix(member)).expect("a line");
        line.trim().to_owned()
    };
    let (hash, root) = (line("hash"), line("root_hash"));
    assert_eq!(
        proof.stdout,
        format!(
            "Every record up to position 2 is valid: its hash is correct, it continues the chain, and \
             the server sent its event unchanged.\n\
             The log contains the trusted checkpoint at position 1, signed with the given key: \
             nothing up to there was changed, removed or added.\n\
             The server signed that its log ends at position 2, hash {hash}, root hash {root}, with the \
             given key.\n"
        )
    );
    let anchor = format!("2:{hash}");
    let public_key = line("public_key");
    let json = run(&server, &["checkpoint"]).await.json();
    let in_base64 = format!("2:{}", json["hash"].as_str().expect("a hash"));
    for anchor in [&anchor, &in_base64] {
        let bare = run(&server, &["verify", "--checkpoint", anchor, "--key", &public_key]).await;
        assert_eq!(bare.code, 0, "{bare:?}");
    }
    let alone = run(&server, &["verify", "-o", "json"]).await;
    assert_eq!(alone.code, 0);
    let alone = alone.json();
    assert_eq!((&alone["valid"], &alone["hash"]), (&true.into(), &hash.into()));
    let doubt = alone["proven"][1].as_str().expect("a sentence");
    assert!(doubt.contains(&format!("key {public_key}, which is known only from this server")));
}

#[tokio::test(flavor = "multi_thread")]
async fn every_checkpoint_that_a_server_wrote_is_compared() {
    let server = TestServer::start().await;
    create(&server, "people").await;
    let server = server.restart().await;
    create(&server, "staff").await;
    let server = server.restart().await;
    let left = server.data_dir().join("checkpoints.jsonl");
    let proof = run(&server, &["verify", "--checkpoint", left.to_str().expect("UTF-8")]).await;
    assert_eq!(proof.code, 0, "{proof:?}");
    assert!(proof.stdout.contains("the trusted checkpoint at position 1, signed: "));
    assert!(proof.stdout.contains("the trusted checkpoint at position 2, signed: "));
    assert!(proof.stdout.ends_with("with the key of the trusted checkpoints.\n"));

    let empty = TestServer::start().await;
    let proof = run(&empty, &["verify"]).await;
    assert_eq!(proof.code, 0, "{proof:?}");
    assert!(proof.stdout.starts_with("The log is empty.\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_forged_record_is_found() {
    for (lie, position, reason) in [
        (Forgery::Bytes, 2, "the hash of the record does not match its content"),
        (Forgery::Event, 2, "the event differs from its record"),
        (Forgery::Record, 3, "its previous hash is not that of the record before it"),
        (Forgery::LastRecord, 3, ", but the server signed a checkpoint with "),
        (Forgery::Damaged, 2, "the stored history is damaged at position 2"),
        (Forgery::Missing, 2, "the record has position 3"),
    ] {
        let server = forging_server(lie).await;
        let caught = run(&server, &["verify"]).await;
        assert_eq!((caught.code, caught.stderr.as_str()), (1, ""), "{lie:?}: {caught:?}");
        let expected = format!("INVALID at position {position}: ");
        assert!(caught.stdout.contains(&expected), "{lie:?}: {}", caught.stdout);
        assert!(caught.stdout.contains(reason), "{lie:?}: {}", caught.stdout);
        // If a server cannot read a record, it sends no record of the same page.
        if !matches!(lie, Forgery::Damaged) {
            let right = format!("Every record up to position {} is valid.\n", position - 1);
            assert!(caught.stdout.starts_with(&right), "{lie:?}: {}", caught.stdout);
        }

        let json = run(&server, &["verify", "-o", "json"]).await;
        assert_eq!(json.code, 1);
        let json = json.json();
        assert_eq!(
            (&json["valid"], &json["problem"]["position"]),
            (&false.into(), &position.to_string().into())
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rewritten_or_truncated_history_fails_its_checkpoint() {
    let server = TestServer::start().await;
    create(&server, "first").await;
    let (server, cut) = forked(server).await;
    let (server, rewritten) = forked(server).await;
    create(&server, "second").await;
    let checkpoint = run(&server, &["checkpoint", "-o", "jsonl"]).await;
    let directory = TempDir::new().expect("a directory");
    let file = directory.path().join("checkpoint.jsonl");
    fs::write(&file, &checkpoint.stdout).expect("written");
    let file = file.to_str().expect("UTF-8");

    // As consistent as the first history, and signed with the same key.
    create(&rewritten, "wicked").await;
    let caught = run(&rewritten, &["verify", "--checkpoint", file]).await;
    assert_eq!(caught.code, 1, "{caught:?}");
    assert!(caught.stdout.contains("INVALID at position 2: the hash is "));
    assert!(caught.stdout.ends_with(": history was rewritten.\n"), "{}", caught.stdout);

    let caught = run(&cut, &["verify", "--checkpoint", file]).await;
    assert_eq!(caught.code, 1, "{caught:?}");
    assert!(caught.stdout.contains("INVALID at position 2: the log ends at position 1"));

    let other = empty_server_with_key_of(&server).await;
    create(&other, "first").await;
    let caught = run(&other, &["verify", "--checkpoint", file]).await;
    assert_eq!(caught.code, 1, "{caught:?}");
    assert!(caught.stdout.starts_with("INVALID at position 1: the log has the ID "));
    assert!(caught.stdout.contains(", but the trusted checkpoint at position 2 is of log "));
}

/// The server, and another with a copy of its log and its key.
pub(super) async fn forked(server: TestServer) -> (TestServer, TestServer) {
    let copy = TempDir::new().expect("a directory");
    let server = server.restart_after(|path| copy_directory(path, copy.path())).await;
    (server, TestServer::start_in(copy).await)
}

/// A server with an empty log and the signing key of another server.
pub(super) async fn empty_server_with_key_of(server: &TestServer) -> TestServer {
    let key = server.data_dir().join("signing_key.pem");
    TestServer::with(|config| {
        fs::copy(key, config.data_dir.join("signing_key.pem")).expect("copied");
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_key_or_a_changed_checkpoint_is_found() {
    let server = TestServer::start().await;
    create(&server, "people").await;
    let other = Signer::open(
        &server.data_dir().join("other.pem"),
        &server.data_dir().join("checkpoints.jsonl"),
    )
    .expect("a key");
    let key = HEXLOWER.encode(&other.public_key());
    let caught = run(&server, &["verify", "--key", &key]).await;
    assert_eq!(caught.code, 1, "{caught:?}");
    let expected = "Every record up to position 1 is valid.\n\
                    INVALID: the checkpoint of the server is signed with key ";
    assert!(caught.stdout.starts_with(expected), "{}", caught.stdout);
    let json = run(&server, &["verify", "--key", &key, "-o", "json"]).await.json();
    assert_eq!((&json["valid"], &json["position"]), (&false.into(), &"1".into()));
    assert!(json["problem"].get("position").is_none(), "{json}");

    let directory = TempDir::new().expect("a directory");
    let signed = run(&server, &["checkpoint"]).await.stdout;
    let file = directory.path().join("signed.json");
    fs::write(&file, &signed).expect("written");
    let both = ["verify", "--key", &key, "--checkpoint", file.to_str().expect("UTF-8")];
    let caught = run(&server, &both).await;
    assert_eq!((caught.code, caught.stdout.as_str()), (2, ""), "{caught:?}");
    assert!(caught.stderr.contains("the trusted checkpoint at position 1 is signed with key "));
    let changed = changed_checkpoint(directory.path(), &signed);
    let refused = run(&server, &["verify", "--checkpoint", &changed]).await;
    assert_eq!(refused.code, 2, "{refused:?}");
    let differs = "the fields of the checkpoint differ from its note";
    assert!(refused.stderr.contains(differs), "{}", refused.stderr);
}

/// The checkpoint with another position.
fn changed_checkpoint(directory: &Path, signed: &str) -> String {
    let file = directory.join("checkpoint.json");
    let changed = signed.replace("\"position\": \"1\"", "\"position\": \"0\"");
    assert_ne!(signed, changed);
    fs::write(&file, changed).expect("written");
    file.to_str().expect("UTF-8").to_owned()
}
