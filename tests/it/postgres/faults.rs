//! What the engine makes of a commit that the database acknowledges although no standby has it.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use tokio::time::{sleep, timeout};
use userpool::{
    event_log::{AppendError, EventLog as _, Head, PostgresLog, ReadError, ReadLimit},
    telemetry::metrics::LogMetrics,
};

use super::cluster::Cluster;

const ALL: ReadLimit = ReadLimit { records: usize::MAX, bytes: usize::MAX };
const PATIENCE: Duration = Duration::from_mins(2);

async fn open(cluster: &Cluster) -> PostgresLog {
    PostgresLog::open(cluster.settings(), None, LogMetrics::default()).await.expect("a log")
}

/// The commits that wait for a standby.
const WAITING: &str = "select pid from pg_stat_activity where wait_event = 'SyncRep' \
                       and query ilike 'commit%'";

#[tokio::test(flavor = "multi_thread")]
async fn a_canceled_wait_is_not_acknowledged_before_a_barrier() {
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
        let unconfirmed = log.barrier().await.expect_err("no standby");
        assert!(matches!(unconfirmed, ReadError::Unavailable(_)), "{end}: {unconfirmed}");

        second.signal_all("CONT");
        third.signal_all("CONT");
        let confirmed = timeout(PATIENCE, async {
            while log.barrier().await.is_err() {
                sleep(Duration::from_millis(20)).await;
            }
            log.read(head.position, ALL).await
        });
        let read = confirmed.await.expect("in time").expect("readable");
        assert_eq!(read.len(), 1, "{end}");
        head = read[0].head();
    }
}
