//! What health and the answers say of a server that shares its log.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use tokio::time::advance;
use tonic_health::pb::health_check_response::ServingStatus;
use userpool::{
    app::{Contact, Context},
    event_log::{EventLog as _, MemoryLog},
    proto::{
        DescribeLogRequest, ReadMode,
        user_pool_history_service_client::UserPoolHistoryServiceClient,
    },
};

use super::{IDENTIFIERS, Node, create, engine::Engine};
use crate::{
    durability::shutdown::watch_health,
    support::{self, FixedSource, TestServer},
};

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_far_behind_is_not_ready() {
    let log = Arc::new(MemoryLog::default());
    let first = TestServer::on(Arc::<MemoryLog>::clone(&log)).await;
    let engine = Engine::on(&log);
    let connection = Arc::<Engine>::clone(&engine);
    let source = FixedSource::starting_at(IDENTIFIERS);
    let second = TestServer::on_with(connection, source, |config| {
        config.max_lag = Duration::from_millis(1);
    });
    let second = second.await;
    let mut health = watch_health(&second).await;
    assert_eq!(health.next().await, Some(ServingStatus::Serving));

    engine.read_up_to(0);
    support::create(&mut first.client().await, "people").await;

    assert_eq!(health.next().await, Some(ServingStatus::NotServing));
    engine.read_up_to(1);
    assert_eq!(health.next().await, Some(ServingStatus::Serving));
    first.stop().await;
    second.stop().await;
}

#[tokio::test(start_paused = true)]
async fn the_contact_with_the_log_is_measured() {
    let log = Arc::new(MemoryLog::default());
    let writer = Node::start_in_memory(Arc::<MemoryLog>::clone(&log), 0).await;
    let engine = Engine::on(&log);
    let node = Node::start_in_memory(Arc::<Engine>::clone(&engine), 1).await;
    let mut contact = node.app.log_contact().expect("a shared log");
    let (zero, second) = (Duration::ZERO, Duration::from_secs(1));
    assert_eq!(contact.ask().await, Contact { lag: zero, silence: zero });

    engine.read_up_to(0);
    writer.app.execute(create(None), Context::default()).await.expect("created");
    assert_eq!(contact.ask().await, Contact { lag: zero, silence: zero });
    advance(second).await;
    let Contact { lag, silence } = contact.ask().await;
    assert!(lag >= second, "{lag:?}");
    assert_eq!(silence, zero);

    engine.cut(true);
    advance(2 * second).await;
    let Contact { silence, .. } = contact.ask().await;
    assert!(silence >= 2 * second, "{silence:?}");

    engine.cut(false);
    engine.read_up_to(1);
    let end = log.latest().await.expect("answered").position;
    node.app.history().wait_to_read(Some(end)).await.expect("shown");
    assert_eq!(contact.ask().await, Contact { lag: zero, silence: zero });
    assert!(engine.asked.load(Ordering::Relaxed) > 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_say_which_server_they_are_from() {
    let engine = Engine::on(&Arc::default());
    let server = TestServer::on_with(engine, FixedSource::default(), |config| {
        config.replica = "userpool-1".to_owned();
    });
    let server = server.await;
    let mut history = UserPoolHistoryServiceClient::new(server.channel().await);

    let answer = history.describe_log(DescribeLogRequest::default()).await.expect("described");

    let header = answer.metadata().get("x-userpool-replica").expect("the name");
    assert_eq!(header, "userpool-1");
    let log = answer.into_inner();
    assert_eq!((log.replica.as_str(), log.reads()), ("userpool-1", ReadMode::Latest));
    let mut client = server.client().await;
    let refused = client.delete_user_pool(userpool::proto::DeleteUserPoolRequest {
        user_pool_id: Some("us-east-1_AbCdEfGhI".to_owned()),
        ..Default::default()
    });
    let refused = refused.await.expect_err("there is none");
    assert_eq!(refused.metadata().get("x-userpool-replica").expect("the name"), "userpool-1");
    server.stop().await;

    // A server that has the log for itself does not need a name.
    let server = TestServer::start().await;
    let mut history = UserPoolHistoryServiceClient::new(server.channel().await);
    let answer = history.describe_log(DescribeLogRequest::default()).await.expect("described");
    assert!(answer.metadata().get("x-userpool-replica").is_none());
    let log = answer.into_inner();
    assert_eq!((log.replica.as_str(), log.reads()), ("", ReadMode::Unspecified));
    server.stop().await;
}
