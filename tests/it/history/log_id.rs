//! The log is known by its ID, and what a client has read is never read older.

use std::{fs, path::Path, sync::Arc};

use data_encoding::HEXLOWER;
use tonic::{Code, Status};
use userpool::{
    event_log::{EventLog as _, Head, MemoryLog, Position, ReadLimit},
    proto::{
        CountUserPoolEventsRequest, DescribeLogRequest, DescribeLogResponse,
        DescribeUserPoolDomainRequest, DescribeUserPoolRequest, EventView, GetCheckpointKeyRequest,
        GetSignedCheckpointRequest, GetUserPoolMfaConfigRequest, HashAnchor,
        ListTagsForResourceRequest, ListUserPoolDomainsRequest, ListUserPoolEventsRequest,
        ListUserPoolsRequest, ReplayUserPoolRequest, VerifyUserPoolHistoryRequest,
        WatchUserPoolEventsRequest, watch_user_pool_events_request::Start,
        watch_user_pool_events_response::Content,
    },
};

use super::{History, history, six_events};
use crate::support::{TestServer, create, fields, metadata, reason};

async fn describe(history: &mut History) -> DescribeLogResponse {
    let described = history.describe_log(DescribeLogRequest::default()).await;
    described.expect("described").into_inner()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_id_is_that_of_the_first_event_and_never_changes() {
    let server = TestServer::start().await;
    let empty = describe(&mut history(&server).await).await;
    let zeros = HashAnchor { position: 0, hash: vec![0; 32], log_id: String::new() };
    assert_eq!(empty.head, Some(zeros));

    six_events(&server).await;
    let mut client = history(&server).await;
    let view = EventView::Full.into();
    let first = ListUserPoolEventsRequest { page_size: 1, view, ..Default::default() };
    let first = client.list_user_pool_events(first).await.expect("a page").into_inner();
    let id = HEXLOWER.encode(&first.events[0].hash[..16]);
    let described = describe(&mut client).await;
    let head = described.head.clone().expect("a head");
    assert_eq!((head.position, &head.log_id), (6, &id));
    assert_eq!((described.user_pool_count, described.domain_count), (2, 1));
    assert_eq!((described.region.as_str(), described.engine.as_str()), ("us-east-1", "sled"));
    assert_eq!(described.durable_position, 6);
    assert_eq!(described.server_version, env!("CARGO_PKG_VERSION"));
    assert_eq!(described.caller, "anonymous");
    let key =
        client.get_checkpoint_key(GetCheckpointKeyRequest {}).await.expect("a key").into_inner();
    assert_eq!(described.checkpoint_key, key.public_key);

    let server = server.restart().await;
    assert_eq!(describe(&mut history(&server).await).await, described);
    let remove = |path: &Path| fs::remove_dir_all(path.join("read_model")).expect("removed");
    let server = server.restart_after(remove).await;
    assert_eq!(describe(&mut history(&server).await).await, described, "a rebuilt read model");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_read_from_another_log_is_refused() {
    let (server, other) = (TestServer::start().await, TestServer::start().await);
    for server in [&server, &other] {
        for name in ["first", "second", "third"] {
            create(&mut server.client().await, name).await;
        }
    }
    let known = describe(&mut history(&other).await).await.head.expect("a head");
    let mut client = history(&server).await;
    let own = describe(&mut client).await.head.expect("a head");
    assert_ne!(own.log_id, known.log_id);

    let watch = |log_id: &str| WatchUserPoolEventsRequest {
        start: Some(Start::AfterPosition(3)),
        log_id: log_id.to_owned(),
        ..Default::default()
    };
    let refused = client.watch_user_pool_events(watch(&known.log_id)).await.expect_err("refused");
    assert_other_log(&refused, &known.log_id, &own.log_id);
    let mut stream =
        client.watch_user_pool_events(watch(&own.log_id)).await.expect("a stream").into_inner();
    let Some(Content::Checkpoint(checkpoint)) =
        stream.message().await.expect("a message").expect("a message").content
    else {
        panic!("nothing is left to send but a checkpoint");
    };
    assert_eq!(checkpoint.log_id, own.log_id);

    let verify =
        VerifyUserPoolHistoryRequest { expected: Some(known.clone()), ..Default::default() };
    let refused = client.verify_user_pool_history(verify).await.expect_err("refused");
    assert_other_log(&refused, &known.log_id, &own.log_id);

    let wrong = HashAnchor { log_id: "abc".to_owned(), ..own.clone() };
    let verify = VerifyUserPoolHistoryRequest { expected: Some(wrong), ..Default::default() };
    let refused = client.verify_user_pool_history(verify).await.expect_err("refused");
    assert_eq!(fields(&refused), ["expected.log_id"]);
    let refused = client.watch_user_pool_events(watch("abc")).await.expect_err("refused");
    assert_eq!(fields(&refused), ["log_id"]);

    let empty = TestServer::start().await;
    let refused = history(&empty).await.watch_user_pool_events(watch(&own.log_id)).await;
    assert_other_log(&refused.expect_err("refused"), &own.log_id, "");
    for server in [server, other, empty] {
        server.stop().await;
    }
}

fn assert_other_log(refused: &Status, expected: &str, found: &str) {
    assert_eq!(refused.code(), Code::FailedPrecondition);
    assert_eq!(reason(refused), "WRONG_LOG");
    assert_eq!(metadata(refused, "expected_log_id").as_deref(), Some(expected));
    assert_eq!(metadata(refused, "found_log_id").as_deref(), Some(found));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_token_is_valid_only_in_its_own_log() {
    let (server, other) = (TestServer::start().await, TestServer::start().await);
    six_events(&server).await;
    six_events(&other).await;
    let list = |next_token| ListUserPoolsRequest {
        max_results: Some(1),
        next_token,
        ..Default::default()
    };
    let page = server.client().await.list_user_pools(list(None)).await.expect("a page");
    let token = page.into_inner().next_token.expect("a token");
    let refused = other.client().await.list_user_pools(list(Some(token.clone()))).await;
    assert_eq!(reason(&refused.expect_err("refused")), "BAD_PAGE_TOKEN");
    server.client().await.list_user_pools(list(Some(token))).await.expect("the next page");

    let events = |page_token: &str| ListUserPoolEventsRequest {
        page_size: 1,
        page_token: page_token.to_owned(),
        ..Default::default()
    };
    let page = history(&server).await.list_user_pool_events(events("")).await.expect("a page");
    let token = page.into_inner().next_page_token;
    let refused = history(&other).await.list_user_pool_events(events(&token)).await;
    assert_eq!(reason(&refused.expect_err("refused")), "BAD_PAGE_TOKEN");
    for server in [server, other] {
        server.stop().await;
    }
}

/// Every read with this `min_position`, and the `head_position` of those that have one.
async fn read_all(
    server: &TestServer,
    pool: &str,
    min_position: i64,
) -> Vec<Result<Option<i64>, Status>> {
    macro_rules! head {
        ($read:expr) => {
            $read.await.map(|answer| Some(answer.into_inner().head_position))
        };
    }
    let min_position = Some(min_position);
    let user_pool_id = Some(pool.to_owned());
    let mut pools = server.client().await;
    let mut history = history(server).await;
    let describe = DescribeUserPoolRequest { user_pool_id: user_pool_id.clone(), min_position };
    let domain =
        DescribeUserPoolDomainRequest { domain: Some("people-login".to_owned()), min_position };
    let mfa = GetUserPoolMfaConfigRequest { user_pool_id: user_pool_id.clone(), min_position };
    let arn = format!("arn:aws:cognito-idp:us-east-1:123456789012:userpool/{pool}");
    let tags = ListTagsForResourceRequest { resource_arn: Some(arn), min_position };
    let max_results = Some(1);
    let list = ListUserPoolsRequest { max_results, min_position, ..Default::default() };
    let domains = ListUserPoolDomainsRequest { max_results, next_token: None, min_position };
    let replay = ReplayUserPoolRequest { user_pool_id, as_of: None, min_position };
    let events = ListUserPoolEventsRequest { min_position, ..Default::default() };
    let verify = VerifyUserPoolHistoryRequest { min_position, ..Default::default() };
    let sign = GetSignedCheckpointRequest { min_position };
    let count = CountUserPoolEventsRequest { min_position, ..Default::default() };
    vec![
        head!(pools.describe_user_pool(describe)),
        head!(pools.describe_user_pool_domain(domain)),
        head!(pools.list_user_pools(list)),
        head!(pools.list_user_pool_domains(domains)),
        head!(pools.get_user_pool_mfa_config(mfa)),
        head!(pools.list_tags_for_resource(tags)),
        history.replay_user_pool(replay).await.map(|_| None),
        head!(history.list_user_pool_events(events)),
        history.verify_user_pool_history(verify).await.map(|_| None),
        history.get_signed_checkpoint(sign).await.map(|_| None),
        history.describe_log(DescribeLogRequest { min_position }).await.map(|_| None),
        head!(history.count_user_pool_events(count)),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn no_read_shows_less_than_its_min_position() {
    let server = TestServer::start().await;
    let [people, ..] = six_events(&server).await;
    for visible in [0, 1, 6] {
        let read = read_all(&server, &people, visible).await;
        let heads: Vec<_> = read.into_iter().map(|read| read.expect("read")).collect();
        let six = Some(6);
        assert_eq!(heads, [six, six, six, six, six, six, None, six, None, None, None, six]);
    }
    for read in read_all(&server, &people, 7).await {
        let refused = read.expect_err("refused");
        assert_eq!(refused.code(), Code::OutOfRange);
        assert_eq!(reason(&refused), "BEYOND_END");
        assert_eq!(metadata(&refused, "requested").as_deref(), Some("7"));
        assert_eq!(metadata(&refused, "current").as_deref(), Some("6"));
    }
    for read in read_all(&server, &people, -1).await {
        assert_eq!(fields(&read.expect_err("refused")), ["min_position"]);
    }

    server.stop().await;
}

/// So clients compare the hash as well.
#[tokio::test(flavor = "multi_thread")]
async fn a_restored_backup_keeps_the_id_but_not_the_hashes() {
    let log = Arc::new(MemoryLog::default());
    let server = TestServer::on(Arc::<MemoryLog>::clone(&log)).await;
    six_events(&server).await;
    let known = describe(&mut history(&server).await).await.head.expect("a head");
    server.stop().await;

    let backup = log.read(Position::START, ReadLimit { records: 1, ..ReadLimit::PAGE }).await;
    let bodies = backup.expect("read").into_iter().map(|record| record.body).collect();
    let restored = MemoryLog::default();
    restored.append(Head::default(), bodies).await.expect("appended");
    let server = TestServer::on(Arc::new(restored)).await;
    for number in 2..=6 {
        create(&mut server.client().await, &format!("other-{number}")).await;
    }
    let mut client = history(&server).await;
    let found = describe(&mut client).await.head.expect("a head");
    assert_eq!((&found.log_id, found.position), (&known.log_id, known.position));
    assert_ne!(found.hash, known.hash);
    let watch = WatchUserPoolEventsRequest {
        start: Some(Start::AfterPosition(known.position)),
        log_id: known.log_id,
        after_hash: known.hash,
        ..Default::default()
    };
    let refused = client.watch_user_pool_events(watch).await.expect_err("refused");
    assert_eq!(reason(&refused), "WRONG_LOG");
    server.stop().await;
}
