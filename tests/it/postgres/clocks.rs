//! Servers whose clocks differ.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use userpool::app::{Source, SystemSource};
use uuid::Uuid;

use super::cluster::TestLog;
use crate::{
    linearizability::log,
    support::{TestServer, create},
};

/// A machine whose clock is a day ahead.
#[derive(Debug)]
struct DayAhead;

impl Source for DayAhead {
    fn now(&self) -> DateTime<Utc> {
        SystemSource.now() + TimeDelta::days(1)
    }

    fn uuid(&self) -> Uuid {
        SystemSource.uuid()
    }

    fn user_pool_suffix(&self) -> String {
        SystemSource.user_pool_suffix()
    }
}

/// The clock of the database, in milliseconds.
async fn now(log: &TestLog) -> i64 {
    let now = log.node.value("select floor(extract(epoch from clock_timestamp()) * 1000)").await;
    now.parse().expect("a number")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_a_day_ahead_leaves_the_times_of_records_right() {
    let test = TestLog::new().await;
    let start = async |source: Arc<dyn Source>| {
        TestServer::with_source_on(Arc::new(test.open().await), source).await
    };
    let right = start(Arc::new(SystemSource)).await;
    create(&mut right.client().await, "people").await;
    let ahead = start(Arc::new(DayAhead)).await;
    let mut calls = Vec::new();
    for server in [&ahead, &right, &ahead, &ahead, &right] {
        let before = now(&test).await;
        create(&mut server.client().await, "people").await;
        calls.push((before, now(&test).await));
    }

    let events = log(&right.channel().await).await;

    assert_eq!(events.len(), 1 + calls.len());
    for (event, (before, after)) in events.iter().skip(1).zip(calls) {
        let time = event.record_time.expect("a time");
        let time = time.seconds * 1000 + i64::from(time.nanos) / 1_000_000;
        assert!((before..=after + 1000).contains(&time), "{time}, and not {before} to {after}");
    }
    for server in [right, ahead] {
        server.try_stop().await.expect("stopped");
    }
}
