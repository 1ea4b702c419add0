//! What the engine makes of a commit that the database acknowledges although no standby has it.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use tokio::time::{sleep, timeout};
use userpool::{
    event_log::{AppendError, EventLog as _, Head, PostgresLog, ReadError},
    telemetry::metrics::LogMetrics,
};

use super::cluster::Cluster;

const PATIENCE: Duration = Duration::from_mins(2);

/// Asks until there is an answer. A session may be that of a former primary, which is refused.
async fn answered<T, E>(ask: impl AsyncFn() -> Result<T, E>) -> T {
    let answer = timeout(PATIENCE, async {
        loop {
            match ask().await {
                Ok(answer) => return answer,
                Err(_) => sleep(Duration::from_millis(20)).await,
            }
        }
    });
    answer.await.expect("in time")
}

async fn open(cluster: &Cluster) -> PostgresLog {
    answered(async || PostgresLog::open(cluster.settings(), None, LogMetrics::default()).await)
        .await
}

/// The commits that wait for a standby.
const WAITING: &str = "select pid from pg_stat_activity where wait_event = 'SyncRep' \
                       and query ilike 'commit%'";

#[tokio::test(flavor = "multi_thread")]
async fn a_canceled_wait_is_not_acknowledged_before_it_is_durable() {
    let cluster = Cluster::start().await;
    let [primary, second, third] = &cluster.nodes;
    let log = Arc::new(open(&cluster).await);
    let mut head = Head::default();
    for end in ["pg_cancel_backend", "pg_terminate_backend"] {
        let bodies = || vec![Bytes::from_static(b"a")];
        // So that there is a session that appends.
        head = log.append(head, bodies()).await.expect("appended")[0].head();
        second.signal_all("STOP");
        third.signal_all("STOP");
        let appending = {
            let log = Arc::clone(&log);
            tokio::spawn(async move { log.append(head, bodies()).await })
        };
        let pid = primary.wait_for(WAITING).await;
        primary.execute("userpool", &format!("select {end}({pid})")).await;

        // The database shows the record, and no standby has it.
        let unknown = appending.await.expect("no panic").expect_err("not acknowledged");
        assert!(matches!(unknown, AppendError::Unknown(_)), "{end}: {unknown}");
        let written = format!(
            "select count(*) from userpool_record where log = '{}' and position > {}",
            cluster.name, head.position
        );
        assert_eq!(primary.value(&written).await, "1", "{end}");
        let unconfirmed = log.durable_head().await.expect_err("no standby");
        assert!(matches!(unconfirmed, ReadError::Unavailable(_)), "{end}: {unconfirmed}");

        second.signal_all("CONT");
        third.signal_all("CONT");
        let confirmed = answered(async || {
            let record = log.durable_record(head.position).await.ok().flatten();
            record.ok_or("not durable")
        });
        head = confirmed.await.head();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_former_primary_tells_no_durable_head() {
    let mut cluster = Cluster::start().await;
    let log = open(&cluster).await;
    let bodies = |body: &'static [u8]| vec![Bytes::from_static(body)];
    let first = log.append(Head::default(), bodies(b"a")).await.expect("appended")[0].head();
    // Both kinds of reads have a session with the primary that is replaced.
    assert_eq!(log.durable_head().await.expect("a head"), first);
    assert_eq!(log.latest().await.expect("a head"), first);

    let former = cluster.promote().await;
    // A session with the new primary, which knows no more yet.
    assert_eq!(answered(async || log.durable_head().await).await, first);
    let other = open(&cluster).await;
    let second = answered(async || other.append(first, bodies(b"b")).await).await[0].head();

    assert_eq!(answered(async || log.durable_head().await).await, second);
    // The other sessions leave the former primary, too.
    assert_eq!(answered(async || log.latest().await).await, second);
    cluster.renew(former).await;
}
