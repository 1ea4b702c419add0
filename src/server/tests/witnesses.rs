//! What no client of a witness can cause or see: that it waits for its disk, the moment in which a
//! request is answered, and intervals in which it is not asked.

use std::{io, sync::Arc, time::Duration};

use axum::{
    Router,
    extract::{self, State},
    routing::get,
};
use chrono::DateTime;
use sha2::{Digest as _, Sha256};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    sync::{Semaphore, mpsc},
    time::{self, timeout},
};

use super::{
    super::{
        plain_http,
        witness_server::{self, WitnessState},
    },
    LIMIT, any, server_with,
};
use crate::{
    app::SystemSource,
    audit::{
        AddCheckpoint, CheckpointWitness, Note,
        checkpoint::{LogState, Signer},
        merkle::leaf_hash,
    },
    event_log::{Head, Position},
    transport::Listener,
};

/// Many logs have the name of an empty one, so no witness can know it.
#[tokio::test]
async fn witnesses_are_not_asked_for_an_empty_log() {
    let directory = tempfile::tempdir().expect("a directory");
    let witness = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    witness.set_nonblocking(true).expect("it does not wait");
    let address = witness.local_addr().expect("an address");
    let key = "w1+1849fa6c+BKeSvIIDJ8P4GrE/ZCspBqymozoHsLsntuni7edjbXMY";
    let address = format!("http://{address}+{key}").parse().expect("an address");
    let mut server = server_with(directory.path(), |config| config.witnesses = vec![address]).await;
    // As at each stop.
    server.checkpoints.publish().await.expect("written");
    time::pause();
    timeout(Duration::from_hours(10), server.checkpoints.run()).await.expect_err("it runs on");
    let asked = witness.accept().map(|_| ()).map_err(|error| error.kind());
    assert_eq!(asked, Err(io::ErrorKind::WouldBlock));
}

#[expect(clippy::await_holding_lock, reason = "nothing may wait for it")]
#[tokio::test(flavor = "multi_thread")]
async fn a_monitor_of_a_witness_does_not_wait_for_its_disk() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = |name| directory.path().join(name);
    let signer = Signer::open(&path("key"), &path("none")).expect("a key");
    let head = Head { position: Position(1), ..Head::default() };
    let at = DateTime::from_timestamp(1_512_950_400, 0).expect("2017-12-11");
    let state = LogState { head, root: leaf_hash(b"record"), log_id: None };
    let checkpoint = Note::parse(&signer.sign(&state, at).note).expect("a note");
    let request = AddCheckpoint { old_size: 0, hashes: Vec::new(), checkpoint };
    let key = signer.note_key(None);
    let hash = data_encoding::HEXLOWER.encode(&Sha256::digest(key.name()));
    let name = "witness.example".parse().expect("a name");
    let witness = CheckpointWitness::open(&path("witness"), name, vec![key]).expect("opened");
    let state = WitnessState::new(witness, Arc::new(SystemSource));
    state.add(request.to_string().as_bytes()).expect("cosigned");

    let waits_for_disk = state.cosigning();
    let read = tokio::spawn(witness_server::checkpoint(State(state.clone()), extract::Path(hash)));
    let response = timeout(LIMIT, read).await.expect("it does not wait").expect("no panic");
    drop(waits_for_disk);

    assert_eq!(response.status(), 200);
}

/// Sends the head of a GET request, and the beginning of its body.
async fn begin(address: &str, path: &str) -> TcpStream {
    let mut socket = TcpStream::connect(address).await.expect("a connection");
    let request = format!("GET {path} HTTP/1.1\r\nhost: any\r\ncontent-length: 2\r\n\r\n-");
    socket.write_all(request.as_bytes()).await.expect("written");
    socket
}

/// What is received until the connection is closed.
async fn rest(mut socket: TcpStream) -> String {
    let mut text = Vec::new();
    // A connection that is closed before its request was read is reset.
    let _ = timeout(LIMIT, socket.read_to_end(&mut text)).await.expect("closed");
    String::from_utf8(text).expect("UTF-8")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_is_being_answered_keeps_its_connection() {
    let listener = Listener::bind(&any()).await.expect("a port");
    let address = listener.endpoint().to_string();
    let (running, mut is_running) = mpsc::unbounded_channel();
    let go_on = Arc::new(Semaphore::new(0));
    let wait = Arc::clone(&go_on);
    let slow = async move || {
        running.send(()).expect("a receiver");
        wait.acquire().await.expect("open").forget();
        "answered"
    };
    let routes = Router::new().route("/slow", get(slow));
    let serving = tokio::spawn(plain_http::serve(listener, routes, 2));

    let mut busy = begin(&address, "/slow").await;
    busy.write_all(b"-").await.expect("written");
    is_running.recv().await.expect("it runs");
    // Each of these replaces the one before, whose request is not complete.
    let mut idle = begin(&address, "/slow").await;
    for _ in 0..5 {
        let next = begin(&address, "/slow").await;
        assert_eq!(rest(idle).await, "");
        idle = next;
    }
    // Then, no connection can be replaced.
    idle.write_all(b"-").await.expect("written");
    is_running.recv().await.expect("it runs");
    assert_eq!(rest(begin(&address, "/slow").await).await, "");
    go_on.add_permits(2);
    for mut socket in [busy, idle] {
        let mut answer = [0; 15];
        socket.read_exact(&mut answer).await.expect("an answer");
        assert_eq!(answer.as_slice(), b"HTTP/1.1 200 OK");
    }
    serving.abort();
}
