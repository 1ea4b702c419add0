//! The proofs of a running server.

use std::{fs, path::Path, process::Command};

use serde_json::{Value, json};
use tonic::{Code, transport::Channel};
use userpool::{
    audit::{
        LogKey, Note, NoteKey,
        checkpoint::{self, Origin},
        merkle::TreeHead,
    },
    event_log::Hash,
    proto::{
        GetCheckpointKeyRequest, GetConsistencyProofRequest, GetConsistencyProofResponse,
        GetInclusionProofRequest, GetInclusionProofResponse, GetSignedCheckpointRequest,
        ListUserPoolEventsRequest, SignedCheckpoint, VerifyUserPoolHistoryRequest,
        user_pool_history_service_client::UserPoolHistoryServiceClient,
    },
};

use super::{all_base64, base64, judge};
use crate::support::{TestServer, change_read_model, create, fields, long_log, metadata, reason};

type History = UserPoolHistoryServiceClient<Channel>;

/// More events than two tiles have.
const EVENTS: u64 = 600;

async fn history(server: &TestServer) -> History {
    UserPoolHistoryServiceClient::new(server.channel().await)
}

async fn checkpoint_of(history: &mut History) -> SignedCheckpoint {
    let signed = history.get_signed_checkpoint(GetSignedCheckpointRequest::default()).await;
    signed.expect("signed").into_inner().checkpoint.expect("a checkpoint")
}

async fn prove(
    history: &mut History,
    position: u64,
    size: Option<u64>,
) -> GetInclusionProofResponse {
    let request = GetInclusionProofRequest {
        position: Some(to_int(position)),
        tree_size: size.map(to_int),
        ..GetInclusionProofRequest::default()
    };
    history.get_inclusion_proof(request).await.expect("a proof").into_inner()
}

async fn prove_continued(
    history: &mut History,
    old: u64,
    new: Option<u64>,
) -> GetConsistencyProofResponse {
    let request = GetConsistencyProofRequest {
        old_size: to_int(old),
        new_size: new.map(to_int),
        ..GetConsistencyProofRequest::default()
    };
    history.get_consistency_proof(request).await.expect("a proof").into_inner()
}

fn to_int(number: u64) -> i64 {
    number.try_into().expect("a small number")
}

fn hash(bytes: &[u8]) -> Hash {
    Hash(bytes.try_into().expect("a hash"))
}

fn hashes(all: &[Vec<u8>]) -> Vec<Hash> {
    all.iter().map(|bytes| hash(bytes)).collect()
}

fn tree(size: i64, root: &[u8]) -> TreeHead {
    TreeHead { size: size.try_into().expect("a size"), root: hash(root) }
}

fn note_question(signed: &SignedCheckpoint, key: &str) -> Value {
    let (origin, _) = signed.note.split_once('\n').expect("lines");
    let root = base64(hash(&signed.root_hash));
    json!({"Note": {
        "Note": signed.note, "Key": key, "Origin": origin, "Size": signed.position, "Root": root,
    }})
}

#[tokio::test(flavor = "multi_thread")]
async fn every_event_is_proven_in_trees_of_all_sizes() {
    let server = long_log(usize::try_from(EVENTS).expect("a number")).await;
    let mut client = history(&server).await;
    let key = client.get_checkpoint_key(GetCheckpointKeyRequest {}).await.expect("a key");
    let key = key.into_inner().verifier_key;
    let mut questions = Vec::new();
    for (position, size) in
        [(1, 1), (1, 2), (2, 2), (1, 256), (256, 256), (256, 257), (257, 257), (513, EVENTS)]
    {
        let proof = prove(&mut client, position, Some(size)).await;
        assert_eq!((proof.leaf_index, proof.tree_size), (to_int(position - 1), to_int(size)));
        assert_eq!(proof.checkpoint.is_some(), size == EVENTS);
        let (tree, found) = (tree(proof.tree_size, &proof.root_hash), hashes(&proof.hashes));
        tree.verify_inclusion(&proof.record, position - 1, &found).expect("included");
        let record = data_encoding::BASE64.encode(&proof.record);
        questions.push(json!({"Inclusion": {
            "Record": record, "Index": proof.leaf_index, "Size": size, "Root": base64(tree.root),
            "Hashes": all_base64(&found),
        }}));
    }
    let newest = prove(&mut client, 400, None).await;
    let signed = newest.checkpoint.expect("a checkpoint");
    checkpoint::verify(&signed).expect("a right signature");
    assert_eq!((signed.position, &signed.root_hash), (newest.tree_size, &newest.root_hash));
    questions.push(note_question(&signed, &key));

    for (old, new) in [(0, 5), (1, 1), (1, 2), (255, 257), (256, EVENTS), (300, 512), (3, EVENTS)] {
        let proof = prove_continued(&mut client, old, Some(new)).await;
        let older = tree(proof.old_size, &proof.old_root_hash);
        let newer = tree(proof.new_size, &proof.new_root_hash);
        let found = hashes(&proof.hashes);
        newer.verify_continues(&older, &found).expect("continued");
        assert_eq!(proof.checkpoint.is_some(), new == EVENTS);
        if old > 0 {
            questions.push(json!({"Consistency": {
                "OldSize": old, "OldRoot": base64(older.root),
                "NewSize": new, "NewRoot": base64(newer.root), "Hashes": all_base64(&found),
            }}));
        }
    }
    judge::assert_accepted(&questions, "that Go's packages accept the proofs of a server");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_is_named_by_its_revision_as_well() {
    let server = TestServer::start().await;
    let mut client = server.client().await;
    create(&mut client, "people").await;
    let staff = create(&mut client, "staff").await;
    let mut history = history(&server).await;
    let request = |revision| GetInclusionProofRequest {
        user_pool_id: Some(staff.clone()),
        revision: Some(revision),
        ..GetInclusionProofRequest::default()
    };
    let proof = history.get_inclusion_proof(request(1)).await.expect("a proof").into_inner();
    assert_eq!(proof.leaf_index, 1);
    let list = ListUserPoolEventsRequest { include_records: true, ..Default::default() };
    let events = history.list_user_pool_events(list).await.expect("events").into_inner().events;
    assert_eq!(events[1].record.as_deref(), Some(proof.record.as_slice()));

    let beyond = history.get_inclusion_proof(request(2)).await.expect_err("no such revision");
    assert_eq!((beyond.code(), reason(&beyond)), (Code::OutOfRange, "BEYOND_END".to_owned()));
    let unknown = GetInclusionProofRequest {
        user_pool_id: Some("us-east-1_AbCdEfGhI".to_owned()),
        ..request(1)
    };
    let unknown = history.get_inclusion_proof(unknown).await.expect_err("no such user pool");
    assert_eq!(reason(&unknown), "USER_POOL_NOT_FOUND");
    server.stop().await;
}

/// A request for the proof of the event at this position, which names the user pool and the
/// revision.
async fn by_revision(history: &mut History, position: i64) -> GetInclusionProofRequest {
    let list = ListUserPoolEventsRequest::default();
    let events = history.list_user_pool_events(list).await.expect("events").into_inner().events;
    let event = events.into_iter().find(|event| event.position == position).expect("an event");
    GetInclusionProofRequest {
        user_pool_id: Some(event.user_pool_id),
        revision: Some(event.revision),
        ..GetInclusionProofRequest::default()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_proven_is_refused() {
    let server = long_log(5).await;
    let mut history = history(&server).await;
    let at = |position| GetInclusionProofRequest {
        position: Some(position),
        ..GetInclusionProofRequest::default()
    };
    let beyond = history.get_inclusion_proof(at(6)).await.expect_err("beyond the end");
    assert_eq!(
        (reason(&beyond), metadata(&beyond, "current")),
        ("BEYOND_END".to_owned(), Some("5".to_owned()))
    );
    let larger = GetInclusionProofRequest { tree_size: Some(6), ..at(1) };
    let larger = history.get_inclusion_proof(larger).await.expect_err("beyond the end");
    assert_eq!(reason(&larger), "BEYOND_END");
    let third = by_revision(&mut history, 3).await;
    for event in [at(3), third] {
        let request = GetInclusionProofRequest { tree_size: Some(2), ..event };
        let later = history.get_inclusion_proof(request).await.expect_err("after the tree");
        let numbers = ["requested", "current"].map(|name| metadata(&later, name));
        assert_eq!(reason(&later), "BEYOND_END");
        assert_eq!(numbers, ["3", "2"].map(|number| Some(number.to_owned())));
        assert_eq!(
            later.message(),
            "the event is at position 3, after a tree of 2 events; request a larger tree_size"
        );
    }
    for (request, violated) in [
        (GetInclusionProofRequest::default(), vec!["user_pool_id", "revision"]),
        (at(0), vec!["position"]),
        (GetInclusionProofRequest { revision: Some(1), ..at(1) }, vec!["revision"]),
        (GetInclusionProofRequest { tree_size: Some(0), ..at(3) }, vec!["tree_size"]),
    ] {
        let refused = history.get_inclusion_proof(request).await.expect_err("refused");
        assert_eq!(fields(&refused), violated);
    }
    for (old_size, new_size, violated) in
        [(-1, None, vec!["old_size"]), (4, Some(3), vec!["new_size"])]
    {
        let request = GetConsistencyProofRequest {
            old_size,
            new_size,
            ..GetConsistencyProofRequest::default()
        };
        let refused = history.get_consistency_proof(request).await.expect_err("refused");
        assert_eq!(fields(&refused), violated);
    }
    let request =
        GetConsistencyProofRequest { old_size: 6, ..GetConsistencyProofRequest::default() };
    let refused = history.get_consistency_proof(request).await.expect_err("refused");
    assert_eq!(reason(&refused), "BEYOND_END");
    server.stop().await;
}

/// The tree is the same after a restart, and after the read model was built again; and it
/// continues that of before.
#[tokio::test(flavor = "multi_thread")]
async fn the_root_survives_restarts_and_rebuilds() {
    let server = TestServer::start().await;
    for number in 0..300 {
        create(&mut server.client().await, &format!("pool-{number}")).await;
    }
    let before = checkpoint_of(&mut history(&server).await).await;
    let server = server.restart().await;
    let reopened = checkpoint_of(&mut history(&server).await).await;
    assert_eq!((&reopened.root_hash, reopened.position), (&before.root_hash, 300));
    let server = server
        .restart_after(|data_dir| fs::remove_dir_all(data_dir.join("read_model")).expect("removed"))
        .await;
    assert_eq!(checkpoint_of(&mut history(&server).await).await.root_hash, before.root_hash);
    // Without its first tile, the read model is not used.
    let first_tile = [b"h".as_slice(), &[0; 12]].concat();
    let remove = |data_dir: &Path| {
        change_read_model(&data_dir.join("read_model"), |_, index| {
            assert!(index.get(&first_tile).expect("readable").is_some());
            index.remove(first_tile.clone()).expect("removed");
        });
    };
    let server = server.restart_after(remove).await;
    let mut client = history(&server).await;
    assert_eq!(checkpoint_of(&mut client).await.root_hash, before.root_hash);

    create(&mut server.client().await, "later").await;
    let proof = prove_continued(&mut client, 300, None).await;
    assert_eq!(proof.old_root_hash, before.root_hash);
    let older = tree(proof.old_size, &before.root_hash);
    let newer = tree(proof.new_size, &proof.checkpoint.expect("a checkpoint").root_hash);
    newer.verify_continues(&older, &hashes(&proof.hashes)).expect("continued");
    let request = VerifyUserPoolHistoryRequest::default();
    let verified = client.verify_user_pool_history(request).await.expect("an answer").into_inner();
    assert!(verified.valid);
    assert_eq!(hash(&verified.root_hash), newer.root);

    // The tiles are those of a read model that is built at once.
    let directory = server.stop().await;
    let mut command = Command::new(env!("CARGO_BIN_EXE_userpool"));
    command.args(["log", "verify", "--data-dir"]).arg(directory.path());
    let output = command.output().expect("the binary runs");
    let printed = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{printed}");
    assert!(printed.contains(&format!("root hash {}\n", newer.root)), "{printed}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_can_have_a_name_of_its_own() {
    let origin: Origin = "example.com/userpool".parse().expect("a name");
    for wrong in ["", "two words", "a+b", "line\nfeed"] {
        assert!(wrong.parse::<Origin>().is_err(), "{wrong:?}");
    }
    let named = TestServer::with(|config| config.checkpoint_origin = Some(origin)).await;
    let unnamed = TestServer::start().await;
    let empty = checkpoint_of(&mut history(&unnamed).await).await;
    assert!(
        empty.note.starts_with("userpool/empty\n0\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n")
    );
    for (server, is_named) in [(&named, true), (&unnamed, false)] {
        create(&mut server.client().await, "people").await;
        let mut client = history(server).await;
        let signed = checkpoint_of(&mut client).await;
        checkpoint::verify(&signed).expect("a right signature");
        let key = client.get_checkpoint_key(GetCheckpointKeyRequest {}).await.expect("a key");
        let key = key.into_inner().verifier_key;
        judge::assert_accepted(&[note_question(&signed, &key)], "that Go reads checkpoints");
        let key: NoteKey = key.parse().expect("a key");
        let log_key = LogKey { name: Some(key.name().to_owned()), key: key.public_key() };
        log_key.verify(&Note::parse(&signed.note).expect("a note")).expect("signed");
        let name = if is_named {
            "example.com/userpool".to_owned()
        } else {
            format!("userpool/{}", signed.log_id)
        };
        assert_eq!(key.name(), name);
    }
}
