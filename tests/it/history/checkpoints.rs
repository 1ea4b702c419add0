//! The hash chain and signed checkpoints.

use std::fs;

use userpool::{
    audit::checkpoint::{self, CheckpointError, Signer},
    event_log::Hash,
    proto::{
        self, EventView, GetCheckpointKeyRequest, GetSignedCheckpointRequest, HashAnchor,
        ListUserPoolEventsRequest, SignedCheckpoint, VerifyUserPoolHistoryRequest,
        VerifyUserPoolHistoryResponse,
    },
};

use super::{History, history, six_events};
use crate::support::{TestServer, create, fields};

async fn verify(
    history: &mut History,
    expected: Option<HashAnchor>,
) -> VerifyUserPoolHistoryResponse {
    let request =
        VerifyUserPoolHistoryRequest { expected, ..VerifyUserPoolHistoryRequest::default() };
    history.verify_user_pool_history(request).await.expect("an answer").into_inner()
}

async fn sign(history: &mut History) -> SignedCheckpoint {
    let signed = history.get_signed_checkpoint(GetSignedCheckpointRequest::default()).await;
    signed.expect("signed").into_inner().checkpoint.expect("a checkpoint")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hash_anchor_is_valid_only_in_its_own_log() {
    let server = TestServer::start().await;
    six_events(&server).await;
    let mut client = history(&server).await;
    let whole = verify(&mut client, None).await;
    assert!(whole.valid);
    assert_eq!(whole.event_count, 6);
    let anchor = whole.head.clone().expect("a head");

    create(&mut server.client().await, "later").await;
    let server = server.restart().await;
    let mut client = history(&server).await;
    let continued = verify(&mut client, Some(anchor.clone())).await;
    assert!(continued.valid, "{continued:?}");
    assert_eq!(continued.event_count, 7);

    let mut hash = anchor.hash.clone();
    hash[31] ^= 1;
    let other = verify(&mut client, Some(HashAnchor { hash, ..anchor.clone() })).await;
    assert!(!other.valid);
    assert_eq!(other.first_invalid_position, Some(6));
    assert!(other.problem.expect("a problem").contains("the trusted checkpoint has "));

    let beyond = verify(&mut client, Some(HashAnchor { position: 8, ..anchor.clone() })).await;
    assert_eq!((beyond.valid, beyond.first_invalid_position), (false, Some(8)));

    let nonsense = HashAnchor { position: -1, hash: vec![1], ..HashAnchor::default() };
    let request = VerifyUserPoolHistoryRequest {
        expected: Some(nonsense),
        ..VerifyUserPoolHistoryRequest::default()
    };
    let refused = client.verify_user_pool_history(request).await.expect_err("refused");
    assert_eq!(fields(&refused), ["expected.position", "expected.hash"]);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_checkpoint_is_the_head_signed_with_the_key_of_the_server() {
    let server = TestServer::start().await;
    six_events(&server).await;
    let mut client = history(&server).await;
    let signed = sign(&mut client).await;
    let key = client.get_checkpoint_key(GetCheckpointKeyRequest {}).await.expect("a key");
    let key = key.into_inner();
    assert_eq!(signed.public_key, key.public_key);
    assert!(key.public_key_pem.starts_with("-----BEGIN PUBLIC KEY-----\n"));

    let head = checkpoint::verify(&signed).expect("a right signature").head;
    let last = ListUserPoolEventsRequest { view: EventView::Full.into(), ..Default::default() };
    let events = client.list_user_pool_events(last).await.expect("events").into_inner().events;
    assert_eq!(head.position.0, 6);
    assert_eq!(Some(head.hash.0.as_slice()), events.last().map(|event| event.hash.as_slice()));
    assert_eq!(head.hash.to_string().parse(), Ok(Hash(head.hash.0)));
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_checkpoint_does_not_verify() {
    let server = TestServer::start().await;
    six_events(&server).await;
    let signed = sign(&mut history(&server).await).await;
    let time = signed.time.map(|time| prost_types::Timestamp { seconds: time.seconds + 1, ..time });
    let microsecond =
        signed.time.map(|time| prost_types::Timestamp { nanos: time.nanos + 1_000, ..time });
    let flipped = |bytes: &[u8]| {
        let mut bytes = bytes.to_vec();
        bytes[0] ^= 1;
        bytes
    };
    let other_key =
        Signer::open(&server.data_dir().join("another.pem"), &server.data_dir().join("none"));
    let other_key = other_key.expect("a key");
    for changed in [
        SignedCheckpoint { position: 5, ..signed.clone() },
        SignedCheckpoint { hash: flipped(&signed.hash), ..signed.clone() },
        SignedCheckpoint { time, ..signed.clone() },
        SignedCheckpoint { signature: flipped(&signed.signature), ..signed.clone() },
        SignedCheckpoint { root_hash: flipped(&signed.root_hash), ..signed.clone() },
        SignedCheckpoint { log_id: "0".repeat(32), ..signed.clone() },
        SignedCheckpoint { log_id: String::new(), ..signed.clone() },
        SignedCheckpoint { note: signed.note.replace("chain", "chaim"), ..signed.clone() },
    ] {
        assert_eq!(checkpoint::verify(&changed), Err(CheckpointError::OtherNote));
    }
    let both = signed.note.replace("\n6\n", "\n5\n");
    for changed in [
        SignedCheckpoint { position: 5, note: both, ..signed.clone() },
        SignedCheckpoint { public_key: other_key.public_key().to_vec(), ..signed.clone() },
    ] {
        assert_eq!(checkpoint::verify(&changed), Err(CheckpointError::WrongSignature));
    }
    for (malformed, field) in [
        (SignedCheckpoint { position: -1, ..signed.clone() }, "position"),
        (SignedCheckpoint { hash: vec![], ..signed.clone() }, "hash"),
        (SignedCheckpoint { time: None, ..signed.clone() }, "time"),
        // The signed text has milliseconds.
        (SignedCheckpoint { time: microsecond, ..signed.clone() }, "time"),
        (SignedCheckpoint { public_key: vec![0; 31], ..signed.clone() }, "public_key"),
        (SignedCheckpoint { signature: vec![0; 63], ..signed.clone() }, "signature"),
        (SignedCheckpoint { root_hash: vec![0; 31], ..signed.clone() }, "root_hash"),
        (SignedCheckpoint { log_id: "x".to_owned(), ..signed.clone() }, "log_id"),
    ] {
        assert_eq!(checkpoint::verify(&malformed), Err(CheckpointError::Malformed(field)));
    }
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_key_survives_a_restart_and_each_stop_saves_a_checkpoint() {
    let server = TestServer::start().await;
    six_events(&server).await;
    let before = sign(&mut history(&server).await).await;
    let server = server.restart().await;
    let after = sign(&mut history(&server).await).await;
    assert_eq!(after.public_key, before.public_key);
    assert_eq!(after.hash, before.hash);

    let directory = server.stop().await;
    let saved = fs::read_to_string(directory.path().join("checkpoints.jsonl")).expect("a file");
    assert_eq!(saved.lines().count(), 2);
    for line in saved.lines() {
        let signed: SignedCheckpoint = proto::from_json(line).expect("a checkpoint");
        let head = checkpoint::verify(&signed).expect("a right signature").head;
        assert_eq!(head.hash.0.as_slice(), before.hash);
    }
}
