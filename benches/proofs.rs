//! The cost of proofs: of an event that is appended, and of proving one event among a million.
//! Through the real server and a real client, except for the figures of an append, which are too
//! small to be seen in a call.
//!
//! `cargo bench --bench proofs`; `USERPOOL_EVENTS=100000` for a smaller log.

#![expect(
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a bench stops at its first error, prints its figures and measures real time"
)]

mod data_directory;
mod varied_pools;

use std::{
    env,
    hint::black_box,
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use tempfile::TempDir;
use tokio::sync::oneshot;
use tonic::transport::Channel;
use userpool::{
    app::SystemSource,
    audit::{
        LogKey, Note, TlogProof,
        merkle::{Edge, leaf_hash},
    },
    event_log::{EventLog as _, Hash, MemoryLog},
    proto::{
        GetCheckpointKeyRequest, GetConsistencyProofRequest, GetInclusionProofRequest,
        user_pool_history_service_client::UserPoolHistoryServiceClient,
    },
    server::{Config, Server},
    transport::Endpoint,
};

use self::data_directory::DataDirectory;

/// The sizes of the bodies: those of a small change, and of a whole user pool.
const BODY_BYTES: [usize; 2] = [600, 2000];
/// How many records are appended at once, as under load.
const BATCH: usize = 64;
const BATCHES: u32 = 500;
const ROUNDS: u32 = 2_001;

type Client = UserPoolHistoryServiceClient<Channel>;

#[tokio::main]
async fn main() {
    for bytes in BODY_BYTES {
        append(bytes).await;
    }
    let events = env::var("USERPOOL_EVENTS").ok().and_then(|text| text.parse().ok());
    let events: u64 = events.unwrap_or(1_000_000);
    let directory = TempDir::new().expect("a directory");
    DataDirectory { events, own: 0 }.write(directory.path()).await;
    let listen = Endpoint::Tcp("127.0.0.1:0".to_owned());
    let config = Config::new(listen, directory.path().to_owned());
    let ready = Server::start(config, Arc::new(SystemSource)).await.expect("a server");
    let address = format!("http://{}", ready.endpoint());
    let (stop, stopped) = oneshot::channel::<()>();
    let serving = tokio::spawn(ready.serve(async {
        let _ = stopped.await;
    }));
    let channel = Channel::from_shared(address).expect("an address").connect().await;
    prove(UserPoolHistoryServiceClient::new(channel.expect("a connection")), events).await;
    let _ = stop.send(());
    serving.await.expect("no panic").expect("served");
}

/// The time of an event in a log in memory, and the time that the tree adds.
async fn append(bytes: usize) {
    let (log, mut edge) = (MemoryLog::default(), Edge::default());
    let (mut chain, mut tree) = (Duration::ZERO, Duration::ZERO);
    for _ in 0..BATCHES {
        let bodies = (0..BATCH).map(|_| Bytes::from(vec![7; bytes])).collect();
        let head = *log.head().borrow();
        let started = Instant::now();
        let records = log.append(head, bodies).await.expect("appended");
        chain += started.elapsed();
        let started = Instant::now();
        for record in &records {
            black_box(edge.push(leaf_hash(&record.stored)));
        }
        tree += started.elapsed();
    }
    let events = BATCHES * u32::try_from(BATCH).expect("few");
    println!(
        "append an event of {bytes} bytes: hash chain {:?}, Merkle tree {:?} more",
        chain / events,
        tree / events
    );
}

/// Proofs of events all over the log, one call at a time.
async fn prove(mut client: Client, events: u64) {
    let key = client.get_checkpoint_key(GetCheckpointKeyRequest {}).await.expect("a key");
    let key = LogKey::read(key.into_inner().verifier_key.as_ref()).expect("a key");
    let (mut calls, mut verifications, mut files) = (Vec::new(), Vec::new(), Vec::new());
    let mut hashes = 0;
    for round in 0..ROUNDS {
        let position = u64::from(round) * (events / u64::from(ROUNDS)) + 1;
        let position = Some(i64::try_from(position).expect("a small number"));
        let request = GetInclusionProofRequest { position, ..GetInclusionProofRequest::default() };
        let started = Instant::now();
        let response = client.get_inclusion_proof(request).await.expect("a proof").into_inner();
        calls.push(started.elapsed());
        let siblings = response.hashes.iter().map(|hash| hash.as_slice().try_into().map(Hash));
        let proof = TlogProof {
            record: response.record,
            index: u64::try_from(response.leaf_index).expect("an index"),
            hashes: siblings.collect::<Result<_, _>>().expect("hashes"),
            checkpoint: Note::parse(&response.checkpoint.expect("one").note).expect("a note"),
        };
        hashes = hashes.max(proof.hashes.len());
        let file = proof.to_string();
        let started = Instant::now();
        let parsed = TlogProof::parse_all(&file).expect("a proof");
        parsed.first().expect("a proof").verify(&key).expect("proven");
        verifications.push(started.elapsed());
        files.push((file.len(), proof.record.len()));
    }
    let (file, record) = median(files);
    println!(
        "one event among {events}: at most {hashes} hashes; a file of {file} bytes, with a record \
         of {record} bytes"
    );
    println!("GetInclusionProof, 1 in flight, p50: {:?}", median(calls));
    println!("reading and verifying the file on the client, p50: {:?}", median(verifications));
    let mut calls = Vec::new();
    let new = i64::try_from(events).expect("a small number");
    for round in 0..i64::from(ROUNDS) {
        let old = round * (new / i64::from(ROUNDS)) + 1;
        let request =
            GetConsistencyProofRequest { old_size: old, new_size: Some(new), ..Default::default() };
        let started = Instant::now();
        client.get_consistency_proof(request).await.expect("a proof");
        calls.push(started.elapsed());
    }
    println!("GetConsistencyProof, 1 in flight, p50: {:?}", median(calls));
}

fn median<T: Ord + Copy>(mut values: Vec<T>) -> T {
    values.sort_unstable();
    values.get(values.len() / 2).copied().expect("values")
}
