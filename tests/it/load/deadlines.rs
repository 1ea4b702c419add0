//! The deadline of a client holds: the client gets the gRPC status, and a command
//! whose deadline has passed before it starts is not carried out.

use std::sync::Arc;

use tokio::time::{Duration, advance, pause};
use tonic::Code;
use userpool::{
    event_log::{EventLog as _, Position},
    proto::ListUserPoolsRequest,
};

use super::wire::{CREATE, LIST, Wire};
use crate::{
    durability::queue::HeldLog,
    support::{TestServer, named, reason},
};

fn list() -> ListUserPoolsRequest {
    ListUserPoolsRequest { max_results: Some(60), ..Default::default() }
}

/// On one thread, so that the clock can be moved.
#[tokio::test]
async fn a_command_whose_deadline_passed_in_the_queue_is_dropped() {
    let log = Arc::new(HeldLog::default());
    let server = TestServer::on(Arc::<HeldLog>::clone(&log)).await;
    let mut client = server.client().await;
    let mut caller = client.clone();
    let first = tokio::spawn(async move { caller.create_user_pool(named("first")).await });
    log.taken_up().await;
    let mut wire = Wire::connect(&server.endpoint.to_string()).await;

    pause();
    let late = wire.call(CREATE, Some("30S"), &named("late")).await;
    tokio::time::resume();

    assert_eq!(late.code(), Code::DeadlineExceeded, "{late}");
    assert_eq!(reason(&late), "DEADLINE_EXCEEDED");
    log.release();
    first.await.expect("no panic").expect("created");
    client.create_user_pool(named("next")).await.expect("created");
    let pools = client.list_user_pools(list()).await.expect("listed").into_inner().user_pools;
    let names: Vec<_> = pools.iter().map(|pool| pool.name.as_deref().unwrap_or("")).collect();
    assert_eq!(names, ["first", "next"]);
    server.stop().await;
}

#[tokio::test]
async fn a_started_command_completes_after_its_deadline() {
    let log = Arc::new(HeldLog::default());
    let server = TestServer::on(Arc::<HeldLog>::clone(&log)).await;
    let mut wire = Wire::connect(&server.endpoint.to_string()).await;
    let call =
        tokio::spawn(async move { wire.call(CREATE, Some("60S"), &named("taken up")).await });
    log.taken_up().await;

    pause();
    advance(Duration::from_mins(1)).await;
    let late = call.await.expect("no panic");
    tokio::time::resume();

    assert_eq!(late.code(), Code::DeadlineExceeded, "{late}");
    let mut head = log.head();
    log.release();
    head.wait_for(|head| head.position == Position(1)).await.expect("recorded");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_whose_deadline_has_passed_does_not_begin() {
    let server = TestServer::start().await;
    let mut wire = Wire::connect(&server.endpoint.to_string()).await;
    for timeout in ["0S", "0n", "1n"] {
        let late = wire.call(CREATE, Some(timeout), &named("late")).await;
        assert_eq!(late.code(), Code::DeadlineExceeded, "{timeout}: {late}");
    }
    let created = server.client().await.create_user_pool(named("first")).await.expect("created");
    assert_eq!(created.into_inner().position, 1, "nothing was recorded before");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_timeout_unit_is_read_and_bad_timeouts_are_ignored() {
    let server = TestServer::start().await;
    let mut wire = Wire::connect(&server.endpoint.to_string()).await;
    for timeout in [
        "99999999H",
        "1H",
        "1M",
        "60S",
        "60000m",
        "60000000u",
        "S",
        "-1S",
        "+1S",
        "123456789n",
        "1s",
        "1.5S",
        "",
    ] {
        let status = wire.call(LIST, Some(timeout), &list()).await;
        assert_eq!(status.code(), Code::Ok, "{timeout:?}: {status}");
    }
    server.stop().await;
}
