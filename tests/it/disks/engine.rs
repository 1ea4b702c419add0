//! Whatever error the log engine reports: nothing more is acknowledged, the server
//! ends, and after a restart a `request_id` resolves the outcome of the command.

use std::sync::Arc;

use tonic::{Code, Status};
use userpool::{
    event_log::{EventLog, MemoryLog, Position},
    proto::user_pool_history_service_client::UserPoolHistoryServiceClient,
    proto::{CreateUserPoolRequest, ListUserPoolEventsRequest, ListUserPoolsRequest},
    server::ServerError,
};

use super::faulty_log::{Fault, FaultyLog};
use crate::support::{Client, TestServer, create, metadata, named, reason};

fn with_id(number: u8) -> CreateUserPoolRequest {
    let request_id = Some(format!("0193b5f0-7c5e-7d7a-9c55-2d1d8f1b6a{number:02x}"));
    CreateUserPoolRequest { request_id, ..named(&format!("pool-{number}")) }
}

async fn names(client: &mut Client) -> Vec<String> {
    let list = ListUserPoolsRequest { max_results: Some(60), ..Default::default() };
    let pools = client.list_user_pools(list).await.expect("listed").into_inner().user_pools;
    pools.into_iter().filter_map(|pool| pool.name).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_id_resolves_an_unknown_outcome_after_a_restart() {
    for (fault, recorded) in [(Fault::BeforeAppend, 1), (Fault::AfterAppend, 2)] {
        let inner: Arc<dyn EventLog> = Arc::new(MemoryLog::default());
        let log = FaultyLog::on(Arc::clone(&inner));
        let server = TestServer::on(Arc::<FaultyLog>::clone(&log)).await;
        let mut client = server.client().await;
        client.create_user_pool(with_id(1)).await.expect("acknowledged");

        log.set(Some(fault));
        let failed = client.create_user_pool(with_id(2)).await.expect_err("a failed log");
        assert_eq!((failed.code(), reason(&failed)), (Code::Unavailable, "LOG_UNAVAILABLE".into()));
        // The disk has recovered, but nobody knows what it did in between.
        client.create_user_pool(with_id(3)).await.expect_err("a failed log");
        let ended = server.ended().await.expect_err("a failed log");
        assert!(matches!(ended, ServerError::LogFailed), "{ended}");
        assert_eq!(inner.head().borrow().position, Position(recorded), "{fault:?}");

        let server = TestServer::on(Arc::clone(&inner)).await;
        let mut client = server.client().await;
        for number in [1, 2, 3] {
            let retried = client.create_user_pool(with_id(number)).await.expect("an answer");
            assert_eq!(retried.into_inner().position, i64::from(number), "{fault:?}");
        }
        assert_eq!(names(&mut client).await, ["pool-1", "pool-2", "pool-3"], "{fault:?}");
        server.stop().await;
    }
}

/// Whether or not the caller waits: the disk never answers.
#[tokio::test]
async fn a_hanging_log_does_not_prevent_shutdown() {
    let log = FaultyLog::on(Arc::new(MemoryLog::default()));
    let server = TestServer::on(Arc::<FaultyLog>::clone(&log)).await;
    let mut client = server.client().await;
    create(&mut client, "before").await;
    log.set(Some(Fault::Hang));
    let mut caller = client.clone();
    let call = tokio::spawn(async move { caller.create_user_pool(named("hangs")).await });
    log.hangs().await;
    // Acknowledged changes are still served.
    assert_eq!(names(&mut client).await, ["before"]);

    tokio::time::pause();
    let ended = server.try_stop().await.expect_err("the log hangs");

    assert!(matches!(ended, ServerError::LogHangs), "{ended}");
    call.await.expect("no panic").expect_err("not acknowledged");
}

#[tokio::test(flavor = "multi_thread")]
async fn damage_is_reported_by_position_and_serving_continues() {
    let log = FaultyLog::on(Arc::new(MemoryLog::default()));
    let server = TestServer::on(Arc::<FaultyLog>::clone(&log)).await;
    let mut client = server.client().await;
    for number in 1..=3 {
        client.create_user_pool(with_id(number)).await.expect("acknowledged");
    }
    let mut history = UserPoolHistoryServiceClient::new(server.channel().await);
    let mut list = async |page_size| {
        let request = ListUserPoolEventsRequest { page_size, ..Default::default() };
        history.list_user_pool_events(request).await
    };

    log.set(Some(Fault::DamagedFrom(Position(1))));
    let damaged = |status: Status| {
        assert_eq!(status.code(), Code::DataLoss, "{status}");
        assert_eq!(reason(&status), "HISTORY_DAMAGED");
        assert_eq!(metadata(&status, "position").as_deref(), Some("1"));
    };
    // A retry needs the history for its answer.
    damaged(client.create_user_pool(with_id(2)).await.expect_err("damaged"));
    assert_eq!(names(&mut client).await.len(), 3);
    client.create_user_pool(with_id(4)).await.expect("recorded");

    log.set(Some(Fault::Read));
    let gone = client.create_user_pool(with_id(2)).await.expect_err("unreadable");
    assert_eq!((gone.code(), reason(&gone)), (Code::Unavailable, "LOG_UNREACHABLE".into()));
    assert!(!gone.message().contains("the disk is gone"), "{gone}");

    // The disk had failed, and the history is intact.
    log.set(None);
    let retried = client.create_user_pool(with_id(2)).await.expect("the first answer again");
    assert_eq!(retried.into_inner().position, 2);
    let listed = list(10).await.expect("readable").into_inner().events;
    assert_eq!(listed.len(), 4);
    server.stop().await;
}
