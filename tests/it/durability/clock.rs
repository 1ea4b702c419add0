//! Recorded times never go back, whatever the clock does.

use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering},
};

use chrono::{DateTime, TimeDelta, Utc};
use prost::Message as _;
use prost_types::Timestamp;
use tempfile::TempDir;
use userpool::{
    app::{self, App, Context, Settings, Source},
    event_log::{EventLog, MemoryLog, Position, ReadLimit},
    proto::{UserPool, UserPoolEvent},
    telemetry::{metrics::AppMetrics, spans::Tracer},
    user_pool::{CheckedCommand, Limits},
};
use uuid::Uuid;

use crate::support::{FixedSource, named};

/// A clock that goes back a minute each time it is read.
#[derive(Debug)]
struct BackwardSource {
    now: AtomicI64,
    identifiers: FixedSource,
}

impl Source for BackwardSource {
    fn now(&self) -> DateTime<Utc> {
        let seconds = self.now.fetch_sub(60, Ordering::Relaxed);
        DateTime::UNIX_EPOCH + TimeDelta::seconds(seconds)
    }

    fn uuid(&self) -> Uuid {
        self.identifiers.uuid()
    }

    fn user_pool_suffix(&self) -> String {
        self.identifiers.user_pool_suffix()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn recorded_times_do_not_go_back_with_the_clock() {
    let log: Arc<dyn EventLog> = Arc::new(MemoryLog::default());
    // At the second start the clock is a day behind the log.
    for (start, first) in [(1_512_950_400, 1), (1_512_864_000, 4)] {
        let directory = TempDir::new().expect("a directory");
        let source =
            BackwardSource { now: AtomicI64::new(start), identifiers: FixedSource::default() };
        let settings = Settings {
            region: format!("region-{first}"),
            limits: Limits::default(),
            cache: app::CACHE,
            clock: app::ClockSettings::default(),
            metrics: AppMetrics::default(),
            tracer: Tracer::default(),
        };
        let shared = Arc::clone(&log);
        let app = App::start(shared, directory.path(), Arc::new(source), settings).await;
        let app = app.expect("started");
        for position in first..first + 3 {
            let checked = CheckedCommand::create_user_pool(named("people"), app.limits());
            let checked = checked.expect("a legal request");
            let outcome = app.execute(checked, Context::default()).await.expect("created");
            assert_eq!(outcome.position, position);
            let shown = UserPool::decode(outcome.user_pool).expect("a user pool").creation_date;
            assert_eq!(shown, Some(Timestamp { seconds: 1_512_950_400, nanos: 0 }), "{position}");
        }
        assert!(app.close().await, "closed gracefully");
    }
    let all = ReadLimit { records: 100, bytes: usize::MAX };
    let records = log.read(Position::START, all).await.expect("readable");
    let recorded = records.iter().map(|record| {
        let event = UserPoolEvent::decode(record.body.as_ref()).expect("an event");
        event.record_time.expect("a time").seconds
    });
    assert_eq!(recorded.collect::<Vec<_>>(), [1_512_950_400; 6]);
}
