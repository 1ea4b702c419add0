//! A dishonest server does not pass verification, whatever it signs and whatever it
//! omits.

use std::{collections::VecDeque, slice, sync::Mutex};

use futures_util::{StreamExt as _, stream};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::{Request, Response, Status, codegen::BoxStream, transport::Server};
use userpool::{
    audit::{
        self,
        checkpoint::{LogState, Signer},
        merkle::{Edge, leaf_hash},
    },
    event_log::{EventLog as _, Hash, Head, LogId, MemoryLog, Position},
    proto::{
        CountUserPoolEventsRequest, CountUserPoolEventsResponse, DescribeLogRequest,
        DescribeLogResponse, GetCheckpointKeyRequest, GetCheckpointKeyResponse,
        GetConsistencyProofRequest, GetConsistencyProofResponse, GetInclusionProofRequest,
        GetInclusionProofResponse, GetSignedCheckpointRequest, GetSignedCheckpointResponse,
        ListUserPoolEventsRequest, ListUserPoolEventsResponse, ReplayUserPoolRequest,
        ReplayUserPoolResponse, SignedCheckpoint, UserPoolEvent, VerifyUserPoolHistoryRequest,
        VerifyUserPoolHistoryResponse, WatchCheckpoint, WatchUserPoolEventsRequest,
        WatchUserPoolEventsResponse,
        user_pool_history_service_client::UserPoolHistoryServiceClient,
        user_pool_history_service_server::{UserPoolHistoryService, UserPoolHistoryServiceServer},
        watch_user_pool_events_response::Content,
    },
};

use super::{CommandOutput, create, run, run_with};
use crate::support::{TestServer, event_body};

/// The events that the server shows, the position that it claims to have shown, and
/// the checkpoint that it signs.
#[derive(Debug, Default)]
struct DishonestServer {
    events: Vec<UserPoolEvent>,
    shown: i64,
    signed: SignedCheckpoint,
    /// The answers to requests for inclusion proofs, in this order.
    proofs: Mutex<VecDeque<Result<GetInclusionProofResponse, Status>>>,
}

#[tonic::async_trait]
impl UserPoolHistoryService for DishonestServer {
    type WatchUserPoolEventsStream = BoxStream<WatchUserPoolEventsResponse>;

    async fn watch_user_pool_events(
        &self,
        _request: Request<WatchUserPoolEventsRequest>,
    ) -> Result<Response<Self::WatchUserPoolEventsStream>, Status> {
        let message = |content| Ok(WatchUserPoolEventsResponse { content: Some(content) });
        let events: Vec<_> =
            self.events.iter().cloned().map(Box::new).map(Content::Event).collect();
        let shown =
            WatchCheckpoint { position: self.shown, caught_up: true, ..WatchCheckpoint::default() };
        let nothing_left = stream::repeat(Content::Checkpoint(shown));
        Ok(Response::new(Box::pin(stream::iter(events).chain(nothing_left).map(message))))
    }

    async fn get_signed_checkpoint(
        &self,
        _request: Request<GetSignedCheckpointRequest>,
    ) -> Result<Response<GetSignedCheckpointResponse>, Status> {
        let checkpoint = Some(self.signed.clone());
        Ok(Response::new(GetSignedCheckpointResponse { checkpoint, witnessed: None }))
    }

    async fn list_user_pool_events(
        &self,
        _request: Request<ListUserPoolEventsRequest>,
    ) -> Result<Response<ListUserPoolEventsResponse>, Status> {
        Err(Status::unimplemented("verify does not ask"))
    }

    async fn replay_user_pool(
        &self,
        _request: Request<ReplayUserPoolRequest>,
    ) -> Result<Response<ReplayUserPoolResponse>, Status> {
        Err(Status::unimplemented("verify does not ask"))
    }

    async fn verify_user_pool_history(
        &self,
        _request: Request<VerifyUserPoolHistoryRequest>,
    ) -> Result<Response<VerifyUserPoolHistoryResponse>, Status> {
        Err(Status::unimplemented("verify does not ask"))
    }

    async fn describe_log(
        &self,
        _request: Request<DescribeLogRequest>,
    ) -> Result<Response<DescribeLogResponse>, Status> {
        Err(Status::unimplemented("verify does not ask"))
    }

    async fn get_inclusion_proof(
        &self,
        _request: Request<GetInclusionProofRequest>,
    ) -> Result<Response<GetInclusionProofResponse>, Status> {
        let answer = self.proofs.lock().expect("not poisoned").pop_front();
        answer.expect("an answer").map(Response::new)
    }

    async fn get_consistency_proof(
        &self,
        _request: Request<GetConsistencyProofRequest>,
    ) -> Result<Response<GetConsistencyProofResponse>, Status> {
        Err(Status::unimplemented("verify does not ask"))
    }

    async fn get_checkpoint_key(
        &self,
        _request: Request<GetCheckpointKeyRequest>,
    ) -> Result<Response<GetCheckpointKeyResponse>, Status> {
        Err(Status::unimplemented("verify does not ask"))
    }

    async fn count_user_pool_events(
        &self,
        _request: Request<CountUserPoolEventsRequest>,
    ) -> Result<Response<CountUserPoolEventsResponse>, Status> {
        Err(Status::unimplemented("verify does not ask"))
    }
}

/// Three events of an honest server, with their records.
async fn three_events() -> Vec<UserPoolEvent> {
    let server = TestServer::start().await;
    for name in ["first", "second", "third"] {
        create(&server, name).await;
    }
    let mut history = UserPoolHistoryServiceClient::new(server.channel().await);
    let request = ListUserPoolEventsRequest { include_records: true, ..Default::default() };
    history.list_user_pool_events(request).await.expect("a page").into_inner().events
}

/// A signed checkpoint of a log with these events.
fn signed(events: &[UserPoolEvent]) -> SignedCheckpoint {
    signed_for(None, events)
}

/// The same with a log ID.
fn signed_for(log_id: Option<LogId>, events: &[UserPoolEvent]) -> SignedCheckpoint {
    let directory = TempDir::new().expect("a directory");
    let signer = Signer::open(
        &directory.path().join("key.pem"),
        &directory.path().join("checkpoints.jsonl"),
    )
    .expect("a key");
    let event = events.last().expect("an event");
    let position = Position(event.position.try_into().expect("a position"));
    let hash = Hash(event.hash.as_slice().try_into().expect("a hash"));
    let mut tree = Edge::default();
    for event in events {
        tree.push(leaf_hash(event.record.as_ref().expect("a record")));
    }
    let at = chrono::DateTime::from_timestamp(1_512_950_400, 0).expect("2017-12-11");
    let state = LogState { head: Head { position, hash }, root: tree.root(), log_id };
    signer.sign(&state, at)
}

async fn verify(server: DishonestServer) -> CommandOutput {
    run_against(server, &["verify"]).await
}

/// Runs the binary with this server.
async fn run_against(server: DishonestServer, arguments: &[&str]) -> CommandOutput {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let endpoint = listener.local_addr().expect("an address").to_string();
    let service = UserPoolHistoryServiceServer::new(server);
    let serving = Server::builder()
        .add_service(service)
        .serve_with_incoming(TcpListenerStream::new(listener));
    let serving = tokio::spawn(serving);
    let ran = run_with(&endpoint, arguments, "").await;
    serving.abort();
    ran
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_shows_all_that_it_signed_passes() {
    let events = three_events().await;
    let signed = signed(&events);
    let ran = verify(DishonestServer { events, shown: 3, signed, ..Default::default() }).await;
    assert_eq!(ran.code, 0, "{ran:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_hides_or_adds_events_fails() {
    let events = three_events().await;
    for (events, shown, signed, expected) in [
        (&events[..2], 2, signed(&events), "at position 3: the server reports events up to"),
        (&events[..2], 3, signed(&events[..2]), "at position 3: the server reports events up to"),
        (
            &events[..],
            3,
            signed(&events[..2]),
            "at position 2: the server signed that its log ends",
        ),
    ] {
        let ran = verify(DishonestServer {
            events: events.to_vec(),
            shown,
            signed,
            ..Default::default()
        })
        .await;
        assert_eq!((ran.code, ran.stderr.as_str()), (1, ""), "{ran:?}");
        assert!(ran.stdout.contains(&format!("INVALID {expected}")), "{}", ran.stdout);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_shows_and_signs_half_a_batch_does_not() {
    let bodies = (1..=2).map(|revision| event_body("us-east-1_AbCdEfGhI", revision)).collect();
    let batch = MemoryLog::default().append(Head::default(), bodies).await.expect("appended");
    let first = audit::decode_with_record(&batch[0]).expect("an event");
    let signed = signed(slice::from_ref(&first));

    let ran =
        verify(DishonestServer { events: vec![first], shown: 1, signed, ..Default::default() })
            .await;

    assert_eq!((ran.code, ran.stderr.as_str()), (1, ""), "{ran:?}");
    let expected = "INVALID at position 2: the log ends inside a batch";
    assert!(ran.stdout.contains(expected), "{}", ran.stdout);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_with_a_missing_or_wrong_signature_fails() {
    let events = three_events().await;
    let right = signed(&events);
    let public_key = vec![7; 32];
    let wrong = SignedCheckpoint { public_key, ..right };
    // The right head, and the root of a tree with another record.
    let mut others = events.clone();
    others[0].record = others[1].record.clone();
    for (signed, expected) in [
        (wrong, "the checkpoint of the server is invalid: the signature is invalid"),
        (signed(&others), "proofs against that checkpoint can be false"),
        (
            signed_for(Some(LogId::of(Hash([7; 32]))), &events),
            "but the server signed a checkpoint of log 07070707070707070707070707070707",
        ),
        (SignedCheckpoint::default(), "the checkpoint of the server is invalid: hash has a length"),
    ] {
        let ran = verify(DishonestServer {
            events: events.clone(),
            shown: 3,
            signed,
            ..Default::default()
        })
        .await;
        assert_eq!(ran.code, 1, "{ran:?}");
        assert!(ran.stdout.contains(expected), "{}", ran.stdout);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_proof_of_a_history_is_verified_while_the_log_grows() {
    let server = TestServer::start().await;
    let people = create(&server, "people").await;
    run(&server, &["tag", "set", &people, "team=people"]).await;
    let mut history = UserPoolHistoryServiceClient::new(server.channel().await);
    let mut prove = async |revision, tree_size| {
        let request = GetInclusionProofRequest {
            user_pool_id: Some(people.clone()),
            revision: Some(revision),
            tree_size,
            ..GetInclusionProofRequest::default()
        };
        history.get_inclusion_proof(request).await.map(Response::into_inner)
    };
    let first = prove(1, None).await.expect("a proof");
    create(&server, "staff").await;
    let second = prove(2, Some(2)).await.expect("a proof");
    assert!(second.checkpoint.is_none(), "the log has grown");
    let end = prove(3, Some(2)).await.expect_err("no such revision");
    server.stop().await;

    let mut changed = second.clone();
    changed.hashes[0][0] ^= 1;
    let other = "the server proved another event than the requested one: position 1, revision 1";
    for (second, expected) in [
        (second, None),
        (changed, Some("the record is not proven to be in the log")),
        (first.clone(), Some(other)),
    ] {
        let proofs = Mutex::new([Ok(first.clone()), Ok(second), Err(end.clone())].into());
        let server = DishonestServer { proofs, ..DishonestServer::default() };
        let ran = run_against(server, &["proof", "--pool", &people]).await;
        assert_eq!(ran.code, i32::from(expected.is_some()), "{ran:?}");
        assert!(ran.stderr.contains(expected.unwrap_or_default()), "{ran:?}");
    }
    let proofs = Mutex::new([Ok(first)].into());
    let ran =
        run_against(DishonestServer { proofs, ..DishonestServer::default() }, &["proof", "2"]);
    let ran = ran.await;
    assert!(ran.stderr.contains(other), "{ran:?}");
}
