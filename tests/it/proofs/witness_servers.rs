//! Witnesses over HTTP, and the servers that ask them.

use std::{
    fs,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _, copy_bidirectional},
    net::{TcpListener, TcpStream},
};
use tokio_rustls::TlsAcceptor;
use tonic::transport::Channel;
use userpool::{
    audit::{CheckpointWitness, Note, NoteKey, Quorum, WitnessKey, checkpoint},
    proto::{
        GetCheckpointKeyRequest, GetSignedCheckpointRequest, SignedCheckpoint,
        user_pool_history_service_client::UserPoolHistoryServiceClient,
    },
    server::{WitnessAddress, WitnessServer},
    transport::Endpoint,
};

use super::{published::INTERVAL, witnesses::Log};
use crate::{
    metrics::{Reading, get},
    support::{FixedSource, TestServer, copy_directory, create, in_time},
};

/// A witness that serves.
pub(crate) struct TestWitness {
    pub(crate) server: WitnessServer,
    pub(crate) key: WitnessKey,
    _directory: TempDir,
}

impl TestWitness {
    pub(crate) async fn start(name: &str, log: &NoteKey) -> Self {
        let directory = TempDir::new().expect("a directory");
        let name = name.parse().expect("a name");
        let witness = CheckpointWitness::open(directory.path(), name, vec![log.clone()]);
        let witness = witness.expect("opened");
        let key = witness.key();
        let listen = Endpoint::Tcp("127.0.0.1:0".to_owned());
        let source = Arc::new(FixedSource::starting_at(1));
        let server = WitnessServer::start(&listen, witness, source).await.expect("started");
        Self { server, key, _directory: directory }
    }

    pub(crate) fn address(&self) -> WitnessAddress {
        let address = format!("http://{}+{}", self.server.endpoint(), self.key);
        address.parse().expect("an address")
    }
}

/// What a [`Front`] does with connections.
#[derive(Debug, Clone, Copy)]
enum Forwarding {
    Drop,
    /// Answers with this status and body.
    Answer(&'static str, &'static str),
    ToWitness,
}

/// What stands before a witness, and at first drops connections.
pub(crate) struct Front {
    port: u16,
    key: WitnessKey,
    forwarding: Arc<Mutex<Forwarding>>,
    dropped: Arc<AtomicUsize>,
}

impl Front {
    pub(crate) async fn of(witness: &TestWitness, tls: Option<TlsAcceptor>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let (forwarding, dropped) = (Arc::new(Mutex::new(Forwarding::Drop)), Arc::default());
        let front = Self {
            port,
            key: witness.key.clone(),
            forwarding: Arc::clone(&forwarding),
            dropped: Arc::clone(&dropped),
        };
        let behind = witness.server.endpoint().to_string();
        tokio::spawn(async move {
            loop {
                let (mut socket, _) = listener.accept().await.expect("a connection");
                let forwarding = *forwarding.lock().expect("no panic");
                match (forwarding, &tls) {
                    (Forwarding::Drop, _) => _ = dropped.fetch_add(1, Ordering::Relaxed),
                    (Forwarding::Answer(status, body), _) => {
                        answer(&mut socket, status, body).await;
                    }
                    (Forwarding::ToWitness, None) => {
                        let mut witness = TcpStream::connect(&behind).await.expect("a witness");
                        let _ = copy_bidirectional(&mut socket, &mut witness).await;
                    }
                    (Forwarding::ToWitness, Some(tls)) => match tls.accept(socket).await {
                        Ok(mut tls) => {
                            let mut witness = TcpStream::connect(&behind).await.expect("a witness");
                            let _ = copy_bidirectional(&mut tls, &mut witness).await;
                        }
                        Err(_) => _ = dropped.fetch_add(1, Ordering::Relaxed),
                    },
                }
            }
        });
        front
    }

    fn set(&self, forwarding: Forwarding) {
        *self.forwarding.lock().expect("no panic") = forwarding;
    }

    /// Forwards connections from now on.
    pub(crate) fn open(&self) {
        self.set(Forwarding::ToWitness);
    }

    /// Answers requests from now on, without the witness.
    pub(crate) fn answer(&self, status: &'static str, body: &'static str) {
        self.set(Forwarding::Answer(status, body));
    }

    /// The address of the witness behind it, with this scheme.
    pub(crate) fn address(&self, scheme: &str) -> WitnessAddress {
        let address = format!("{scheme}://localhost:{}/+{}", self.port, self.key);
        address.parse().expect("an address")
    }

    fn count_dropped(&self) -> usize {
        self.dropped.load(Ordering::Relaxed)
    }

    /// Waits until it has dropped so many more connections.
    pub(crate) async fn wait_for_dropped(&self, count: usize) {
        let start = self.count_dropped();
        let dropped = async {
            while self.count_dropped() < start + count {
                tokio::task::yield_now().await;
            }
        };
        in_time(dropped).await;
    }
}

/// Reads a request to cosign, and answers it.
async fn answer(socket: &mut TcpStream, status: &str, body: &str) {
    let mut request = Vec::new();
    // The last line is a signature.
    while !request.windows(5).any(|start| start == "\n— ".as_bytes()) || !request.ends_with(b"\n")
    {
        if socket.read_buf(&mut request).await.is_ok_and(|count| count > 0) {
            continue;
        }
        return;
    }
    let length = body.len();
    let head = format!("HTTP/1.1 {status} -\r\ncontent-length: {length}\r\n\r\n");
    let _ = socket.write_all(format!("{head}{body}").as_bytes()).await;
}

/// Sends a request to the witness at this address; returns the status, the head and the body.
pub(crate) async fn post(address: &str, body: &str) -> (u16, String, String) {
    let mut socket = TcpStream::connect(address).await.expect("a connection");
    let length = body.len();
    let head = "POST /add-checkpoint HTTP/1.1\r\nhost: witness\r\nconnection: close\r\n";
    let request = format!("{head}content-length: {length}\r\n\r\n{body}");
    socket.write_all(request.as_bytes()).await.expect("written");
    let mut answer = String::new();
    socket.read_to_string(&mut answer).await.expect("an answer");
    let (head, body) = answer.split_once("\r\n\r\n").expect("a head and a body");
    let status = head.split(' ').nth(1).expect("a status").parse().expect("a number");
    (status, head.to_lowercase(), body.to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_witness_answers_as_the_protocol_says() {
    let log = Log::of(20);
    let witness = TestWitness::start("witness.example", &log.key()).await;
    let address = witness.server.endpoint().to_string();
    let request = log.request(0, 10);
    let (status, _, body) = post(&address, &request.to_string()).await;
    assert_eq!(status, 200, "{body}");
    let note = Note::parse(&format!("{}{body}", request.checkpoint)).expect("a note");
    witness.key.verify(&note).expect("cosigned");

    let (status, head, body) = post(&address, &log.request(0, 10).to_string()).await;
    assert_eq!((status, body.as_str()), (409, "10\n"));
    assert!(head.contains("content-type: text/x.tlog.size"), "{head}");
    let fork = log.forked(3);
    for (body, expected) in [
        (log.request_in(&fork, 10, 12).to_string(), 422),
        (log.request_in(&fork, 10, 10).to_string(), 409),
        (Log::of(20).request(10, 12).to_string(), 403),
        (log.request(10, 12).to_string().replace("log.example\n", "other.example\n"), 404),
        (log.request(10, 12).to_string().replace("old 10", "old 13"), 400),
        (log.request(10, 12).to_string().replace("old 10", "old 010"), 400),
        (String::new(), 400),
    ] {
        let (status, _, answer) = post(&address, &body).await;
        assert_eq!(status, expected, "{answer}");
    }

    let hash = "0d1d4ae9cf3ce94b2cff4f2c5fa1fd40ae7f4a0cd2f2b0e7b6c4a1d0b0000000";
    let endpoint = witness.server.endpoint();
    assert_eq!(get(&endpoint, &format!("/{hash}/checkpoint")).await.status, 404);
    let hash = data_encoding::HEXLOWER.encode(&sha256(b"log.example"));
    let answer = get(&endpoint, &format!("/{hash}/checkpoint")).await;
    assert_eq!((answer.status, answer.body), (200, note.to_string()));
}

fn sha256(bytes: &[u8]) -> [u8; 32] {
    use sha2::Digest as _;
    sha2::Sha256::digest(bytes).into()
}

pub(crate) async fn witnessed(channel: Channel) -> Option<SignedCheckpoint> {
    let mut history = UserPoolHistoryServiceClient::new(channel);
    let signed = history.get_signed_checkpoint(GetSignedCheckpointRequest::default()).await;
    signed.expect("signed").into_inner().witnessed
}

/// Waits until witnesses cosigned the checkpoint at this position.
pub(crate) async fn wait_for_witnessed(server: &TestServer, position: i64) -> SignedCheckpoint {
    let found = async {
        loop {
            match witnessed(server.channel().await).await {
                Some(checkpoint) if checkpoint.position == position => return checkpoint,
                _ => tokio::task::yield_now().await,
            }
        }
    };
    in_time(found).await
}

/// How often a witness was asked with this outcome.
pub(super) async fn asked(server: &TestServer, witness: &str, outcome: &str) -> f64 {
    let series = format!(
        "userpool_cosignature_requests_total{{witness=\"{witness}\",outcome=\"{outcome}\"}}"
    );
    Reading::of(server.metrics.as_ref().expect("metrics")).await.value(&series)
}

/// Waits until a witness was asked so often again with this outcome.
pub(super) async fn wait_for_asked(server: &TestServer, witness: &str, outcome: &str, more: f64) {
    let start = asked(server, witness, outcome).await;
    let found = async { while asked(server, witness, outcome).await < start + more {} };
    in_time(found).await;
}

/// The key of the log of a data directory, which has an event.
pub(crate) async fn key_of(server: &TestServer) -> NoteKey {
    let mut history = UserPoolHistoryServiceClient::new(server.channel().await);
    let key = history.get_checkpoint_key(GetCheckpointKeyRequest {}).await.expect("a key");
    key.into_inner().verifier_key.parse().expect("a key")
}

/// A server in this directory that asks these witnesses often.
pub(crate) async fn serve(directory: TempDir, witnesses: Vec<WitnessAddress>) -> TestServer {
    TestServer::with_in(directory, |config| {
        config.witnesses = witnesses;
        config.checkpoint_interval = INTERVAL;
        config.metrics_listen = Some(Endpoint::Tcp("127.0.0.1:0".to_owned()));
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_publishes_what_its_witnesses_cosigned() {
    let server = TestServer::start().await;
    create(&mut server.client().await, "people").await;
    let log = key_of(&server).await;
    assert_eq!(witnessed(server.channel().await).await, None);
    let directory = server.stop().await;

    let first = TestWitness::start("witness.example/w1", &log).await;
    let second = TestWitness::start("witness.example/w2", &log).await;
    // Nobody answers there.
    let silent = TcpListener::bind("127.0.0.1:0").await.expect("bound");
    let silent = format!("http://{}+{}", silent.local_addr().expect("an address"), first.key);
    let addresses = vec![first.address(), second.address()];
    let server = serve(directory, addresses).await;
    let mut position = 1;
    for name in ["staff", "guests"] {
        let signed = wait_for_witnessed(&server, position).await;
        checkpoint::verify(&signed).expect("valid");
        let note = Note::parse(&signed.note).expect("a note");
        let quorum = Quorum::new(vec![first.key.clone(), second.key.clone()], None);
        assert_eq!(quorum.expect("a quorum").verify(&note).expect("cosigned").len(), 2);
        create(&mut server.client().await, name).await;
        position += 1;
    }
    let signed = wait_for_witnessed(&server, position).await;
    // It is kept.
    let directory = server.stop().await;
    drop(first);
    let server = serve(directory, vec![silent.parse().expect("an address")]).await;
    assert_eq!(witnessed(server.channel().await).await, Some(signed));
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_witness_that_was_away_is_asked_again() {
    let server = TestServer::start().await;
    create(&mut server.client().await, "people").await;
    let log = key_of(&server).await;
    let directory = server.stop().await;
    let file = directory.path().join("checkpoints.jsonl");
    let lines = || fs::read_to_string(&file).expect("readable").lines().count();
    assert_eq!(lines(), 1);

    let here = TestWitness::start("witness.example/here", &log).await;
    let away = TestWitness::start("witness.example/away", &log).await;
    let front = Front::of(&away, None).await;
    let server = serve(directory, vec![here.address(), front.address("http")]).await;
    // The checkpoint of the last stop is cosigned as well.
    let signed = wait_for_witnessed(&server, 1).await;
    front.wait_for_dropped(3).await;
    assert_eq!(witnessed(server.channel().await).await, Some(signed));
    assert_eq!(lines(), 2, "a line for each interval without the witness");
    front.open();
    let quorum = Quorum::new(vec![here.key.clone(), away.key.clone()], None).expect("a quorum");
    let cosigned = async {
        loop {
            let signed = wait_for_witnessed(&server, 1).await;
            if quorum.verify(&Note::parse(&signed.note).expect("a note")).is_ok() {
                break;
            }
        }
    };
    in_time(cosigned).await;
    assert_eq!(lines(), 3);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_witness_catches_a_log_that_went_two_ways() {
    let server = TestServer::start().await;
    create(&mut server.client().await, "people").await;
    let log = key_of(&server).await;
    let directory = server.stop().await;
    let copy = TempDir::new().expect("a directory");
    copy_directory(directory.path(), copy.path());

    let witness = TestWitness::start("witness.example", &log).await;
    let server = serve(directory, vec![witness.address()]).await;
    create(&mut server.client().await, "staff").await;
    let honest = wait_for_witnessed(&server, 2).await;
    let forked = serve(copy, vec![witness.address()]).await;
    for name in ["guests", "others", "third"] {
        create(&mut forked.client().await, name).await;
        wait_for_asked(&forked, "witness.example", "refused", 2.0).await;
    }
    assert_eq!(witnessed(forked.channel().await).await, None);
    create(&mut server.client().await, "more").await;
    assert_ne!(wait_for_witnessed(&server, 3).await, honest);
}
