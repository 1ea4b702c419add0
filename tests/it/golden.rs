//! Every form in which something was ever stored stays readable. Files are added to
//! `tests/golden/` and never changed: each has the stored bytes in hexadecimal, and a
//! second file has their meaning.

use std::{
    collections::BTreeSet,
    fs,
    os::unix::fs::FileExt as _,
    path::{Path, PathBuf},
    sync::Arc,
};

use bytes::Bytes;
use data_encoding::HEXLOWER;
use prost::Message as _;
use serde_json::{Value, json};
use tempfile::TempDir;
use userpool::{
    audit::{self, DecodeCause},
    event_log::{EventLog as _, Head, MemoryLog, OpenError, Position, Record, SledLog},
    proto::{self, DESCRIPTORS, DescribeUserPoolRequest, UserPoolEvent},
    server::data_dir::DataDir,
};

use crate::{
    json::shown_later,
    support::{TestServer, metadata, reason},
    tools::repository,
};

/// The directories with events: those of the first version, and those that came later.
const HISTORIES: [&str; 3] = ["events", "events-2", "events-3"];

#[test]
fn the_form_of_every_event_is_stable() {
    for path in events().into_iter().chain(later_events()) {
        let stored = bytes(&path);
        let event = UserPoolEvent::decode(stored.as_slice()).expect("an event");
        let readable = fs::read_to_string(path.with_extension("json")).expect("its JSON form");
        let expected: UserPoolEvent = proto::from_json(&readable).expect("an event");
        assert_eq!(event, expected, "{}", path.display());
        assert_eq!(expected.encode_to_vec(), stored, "{}", path.display());
        let shown: Value = serde_json::from_str(&readable).expect("JSON");
        assert_eq!(proto::to_json(&event).expect("JSON"), shown, "{}", path.display());
    }
}

#[test]
fn every_kind_of_event_has_a_golden_file() {
    let event = DESCRIPTORS.get_message_by_name("userpool.v1.UserPoolEvent");
    let payload = event.expect("the message").oneofs().find(|oneof| oneof.name() == "payload");
    let kinds: BTreeSet<_> =
        payload.expect("a oneof").fields().map(|kind| kind.name().to_uppercase()).collect();
    let held = events().into_iter().map(|path| {
        let event = UserPoolEvent::decode(bytes(&path).as_slice()).expect("an event");
        assert!(event.payload.is_some(), "{}", path.display());
        let kind = event.r#type().as_str_name();
        kind.strip_prefix("USER_POOL_EVENT_TYPE_").expect("a kind").to_owned()
    });
    assert_eq!(held.collect::<BTreeSet<_>>(), kinds);
}

/// The golden events in a directory are the history of one user pool, which ends with its
/// deletion.
#[tokio::test(flavor = "multi_thread")]
async fn an_old_history_is_served() {
    for directory in HISTORIES {
        is_served(directory).await;
    }
}

async fn is_served(directory: &str) {
    let mut history: Vec<_> = events_in(directory).iter().map(|path| bytes(path)).collect();
    history
        .sort_by_key(|stored| UserPoolEvent::decode(stored.as_slice()).expect("an event").position);
    let deletion = history.pop().expect("events");
    let last = UserPoolEvent::decode(deletion.as_slice()).expect("an event");
    let log = Arc::new(MemoryLog::default());
    let bodies = history.into_iter().map(Bytes::from).collect();
    log.append(Head::default(), bodies).await.expect("appended");
    let request = DescribeUserPoolRequest {
        user_pool_id: Some(last.user_pool_id),
        ..DescribeUserPoolRequest::default()
    };

    let server = TestServer::on(Arc::<MemoryLog>::clone(&log)).await;
    let mut client = server.client().await;
    let described = client.describe_user_pool(request.clone()).await.expect("described");
    let shown = format!("{}.json", directory.replace("events", "described"));
    let golden = fs::read_to_string(golden(&shown)).expect("its JSON form");
    let mut expected: Value = serde_json::from_str(&golden).expect("JSON");
    expected["UserPool"] = shown_later(expected["UserPool"].take(), "123456789012");
    assert_eq!(proto::to_json(&described.into_inner()).expect("JSON"), expected);
    server.stop().await;

    let head = *log.head().borrow();
    log.append(head, vec![deletion.into()]).await.expect("appended");
    let server = TestServer::on(log).await;
    let gone = server.client().await.describe_user_pool(request).await.expect_err("deleted");
    assert_eq!(reason(&gone), "USER_POOL_DELETED");
    assert_eq!(metadata(&gone, "revision"), Some(last.revision.to_string()));
    server.stop().await;
}

/// Each setting that AWS added after 2017 is in a golden event.
#[test]
fn the_later_events_have_every_later_setting() {
    let since = DESCRIPTORS.get_extension_by_name("userpool.v1.aws_since").expect("the option");
    let pool = DESCRIPTORS.get_message_by_name("userpool.v1.UserPool").expect("the message");
    let created = fs::read_to_string(golden("members/user_pool_created.json"));
    let created: Value = serde_json::from_str(&created.expect("a file")).expect("JSON");
    let shown = &created["userPoolCreated"]["userPool"];
    for field in pool.fields().filter(|field| field.options().has_extension(&since)) {
        // The account is a setting of the server, and custom domains are in other events.
        let is_recorded = !["Arn", "CustomDomain"].contains(&field.json_name());
        assert_eq!(shown.get(field.json_name()).is_some(), is_recorded, "{}", field.json_name());
    }
}

/// The bytes are those of an event with payload 25, which is reserved.
#[tokio::test]
async fn an_event_of_an_unknown_kind_is_refused() {
    let body = Bytes::from(bytes(&golden("unknown-event.hex")));
    let log = MemoryLog::default();
    let records = log.append(Head::default(), vec![body]).await.expect("appended");
    let refused = audit::decode_with_record(&records[0]).expect_err("an unknown kind");
    assert_eq!(refused.to_string(), "cannot decode the record at position 1");
    assert!(matches!(refused.source, DecodeCause::UnknownPayload), "{:?}", refused.source);
}

#[tokio::test]
async fn the_layout_of_a_record_is_stable() {
    let stored = bytes(&golden("record-layout-1.hex"));

    let record = Record::parse(stored.clone().into()).expect("a record");
    let shown = json!({
        "position": record.position.0,
        "batch": {"index": record.batch.index, "length": record.batch.length},
        "previous_hash": record.previous_hash.to_string(),
        "hash": record.hash.to_string(),
        "body": String::from_utf8_lossy(&record.body),
    });
    assert_eq!(shown, value("record-layout-1.json"));

    let written = MemoryLog::default().append(Head::default(), bodies()).await.expect("appended");
    assert_eq!(written[1].stored, stored);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_layout_of_the_head_file_is_stable() {
    let slot = bytes(&golden("head-slot.hex"));
    let shown = json!({
        "position": u64::from_be_bytes(slot[..8].try_into().expect("8 bytes")),
        "hash": HEXLOWER.encode(&slot[8..40]),
    });
    assert_eq!(shown, value("head-slot.json"));

    let directory = TempDir::new().expect("a directory");
    let log = SledLog::open(directory.path()).expect("a log");
    log.append(Head::default(), bodies()).await.expect("appended");
    let mut written = [0; 72];
    let head = fs::File::open(directory.path().join("head")).expect("a file");
    head.read_exact_at(&mut written, 4096).expect("the second slot");
    assert_eq!(written[..], slot);

    // An empty log beside a file that names two records has lost them.
    let directory = TempDir::new().expect("a directory");
    fs::write(directory.path().join("head"), &slot).expect("written");
    let refused = SledLog::open(directory.path()).expect_err("the records are missing");
    let OpenError::TailLost { acknowledged, .. } = refused else { unreachable!("{refused}") };
    assert_eq!(acknowledged, Position(2));
}

#[test]
fn the_format_of_a_manifest_is_stable() {
    let format = |number: u32| {
        fs::read(golden(&format!("manifest-format-{number}.json"))).expect("a manifest")
    };
    let now = "2017-12-11T00:00:00Z".parse().expect("a time");

    let directory = TempDir::new().expect("a directory");
    DataDir::open(directory.path(), "us-east-1", now).expect("a data directory");
    let manifest = directory.path().join("manifest.json");
    assert_eq!(fs::read(manifest).expect("a manifest"), format(2));

    let directory = TempDir::new().expect("a directory");
    let manifest = directory.path().join("manifest.json");
    fs::create_dir(directory.path().join("log")).expect("a log");
    fs::write(&manifest, format(1)).expect("written");
    let later = "2027-12-11T00:00:00Z".parse().expect("a time");
    DataDir::open(directory.path(), "eu-west-1", later).expect_err("another region");
    DataDir::open_existing(directory.path()).expect("a data directory");
    assert_eq!(fs::read(&manifest).expect("a manifest"), format(1), "only read");
    for _ in 0..2 {
        let data_dir = DataDir::open(directory.path(), "us-east-1", later);
        data_dir.expect("a data directory").raise_format().expect("raised");
        assert_eq!(fs::read(&manifest).expect("a manifest"), format(2));
    }
}

fn golden(name: &str) -> PathBuf {
    repository().join("tests/golden").join(name)
}

/// The files with the bodies of events.
fn events() -> Vec<PathBuf> {
    HISTORIES.into_iter().flat_map(events_in).collect()
}

/// Those with the settings that AWS added after 2017.
fn later_events() -> Vec<PathBuf> {
    events_in("members")
}

fn events_in(directory: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(golden(directory)).expect("a directory");
    let paths = entries.map(|entry| entry.expect("an entry").path());
    paths.filter(|path| path.extension().is_some_and(|extension| extension == "hex")).collect()
}

fn bytes(path: &Path) -> Vec<u8> {
    let text = fs::read_to_string(path).expect("a golden file");
    let digits: String = text.split_whitespace().collect();
    HEXLOWER.decode(digits.as_bytes()).expect("hexadecimal")
}

fn value(name: &str) -> Value {
    serde_json::from_str(&fs::read_to_string(golden(name)).expect("a golden file")).expect("JSON")
}

/// The input of the golden record and the golden file `head`.
fn bodies() -> Vec<Bytes> {
    vec![Bytes::from_static(b"first"), Bytes::from_static(b"second")]
}
