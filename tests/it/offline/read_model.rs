//! `log verify` and `read-model rebuild` with the data directory of a stopped server.

use std::{fs, path::Path};

use prost::Message as _;
use userpool::event_log::{EventLog as _, Head, SledLog};

use super::{code, damage_record, stderr, stdout, userpool};
use crate::{
    read_model::{created, deleted, event, forge_state},
    support::{TestServer, change_read_model, create, describe},
};

/// Verifies a data directory with the binary, and returns the exit code and the last line.
fn verify(data_dir: &Path) -> (Option<i32>, String) {
    let (code, mut lines) = verify_lines(data_dir);
    (code, lines.pop().unwrap_or_default())
}

/// The same, with all lines.
fn verify_lines(data_dir: &Path) -> (Option<i32>, Vec<String>) {
    let output = userpool(&["log", "verify"], data_dir);
    (code(&output), stdout(&output).lines().map(str::to_owned).collect())
}

#[tokio::test(flavor = "multi_thread")]
async fn log_verify_compares_the_read_model_with_the_log() {
    let server = TestServer::start().await;
    let id = create(&mut server.client().await, "people").await;
    create(&mut server.client().await, "others").await;
    let directory = server.stop().await;
    let read_model = directory.path().join("read_model");
    let equal = "the read model is equal up to position 2".to_owned();
    assert_eq!(verify(directory.path()), (Some(0), equal));

    // A read model with valid digests that is not what the log says.
    forge_state(&read_model, &id, |pool| pool.revision = 7);
    let (code, line) = verify(directory.path());
    assert_eq!(code, Some(1));
    assert!(line.starts_with("DIFFERENT: the read model is not what the log says"), "{line}");

    change_read_model(&read_model, |states, _| {
        let key = [b"p".as_slice(), &1_u64.to_be_bytes()].concat();
        states.insert(key, "damaged").expect("written");
    });
    for _ in 0..2 {
        let (code, line) = verify(directory.path());
        assert_eq!(code, Some(1));
        assert!(line.starts_with("DAMAGED: the read model is not what was written"), "{line}");
    }

    fs::remove_dir_all(&read_model).expect("removed");
    let missing = "there is no read model of this log; the next start builds it".to_owned();
    assert_eq!(verify(directory.path()), (Some(0), missing));
    assert!(!read_model.with_extension("scratch").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_rebuild_leaves_the_read_model_as_it_was() {
    let server = TestServer::start().await;
    let id = create(&mut server.client().await, "people").await;
    for _ in 0..1100 {
        create(&mut server.client().await, "others").await;
    }
    let before = describe(&mut server.client().await, &id).await.expect("described");
    let directory = server.stop().await;
    // A record before those that a start checks.
    damage_record(directory.path(), 2);
    let output = userpool(&["read-model", "rebuild"], directory.path());
    assert_eq!(code(&output), Some(1));
    let stderr = stderr(&output);
    assert!(stderr.contains("the log is damaged at position 2"), "{stderr}");

    let server = TestServer::start_in(directory).await;
    assert_eq!(describe(&mut server.client().await, &id).await.expect("described"), before);
    assert!(!server.data_dir().join("read_model.scratch").exists());
    server.stop().await;
}

/// The hash chain of this log is valid, so only the rules show that it was forged.
#[tokio::test(flavor = "multi_thread")]
async fn log_verify_names_an_event_that_no_command_recorded() {
    let id = "us-east-1_aaaaaaaaa";
    let directory = TestServer::start().await.stop().await;
    let log = SledLog::open(&directory.path().join("log")).expect("a log");
    let events =
        [event(1, id, 1, created(id)), event(2, id, 2, deleted()), event(3, id, 3, deleted())];
    let bodies = events.iter().map(|event| event.encode_to_vec().into()).collect();
    log.append(Head::default(), bodies).await.expect("appended");
    drop(log);

    let (code, lines) = verify_lines(directory.path());

    assert_eq!(code, Some(1));
    let expected = format!("INVALID at position 3: user pool {id} is changed after its deletion");
    assert_eq!(lines[0], expected);
    assert!(lines[1].starts_with("valid up to position 2, hash "), "{}", lines[1]);
}
