//! Recorded times never go back, whatever the clock does, and times that cannot be right are
//! noticed.

use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering},
};

use chrono::{DateTime, TimeDelta, Utc};
use prost::Message as _;
use prost_types::Timestamp;
use tempfile::TempDir;
use userpool::{
    app::{
        self, App, ClockError, ClockSettings, Context, ExecuteError, Settings, Source, StartError,
    },
    audit::Exporter,
    event_log::{EventLog, Head, MemoryLog, Position, ReadLimit},
    proto::{UserPool, UserPoolEvent},
    telemetry::{metrics::AppMetrics, spans::Tracer},
    user_pool::{CheckedCommand, Limits},
};
use uuid::Uuid;

use crate::support::{FixedSource, event_body, named};

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
    // The clock is read once before the first event.
    for (start, first) in [(1_512_950_460, 1), (1_512_864_000, 4)] {
        let directory = TempDir::new().expect("a directory");
        let source =
            BackwardSource { now: AtomicI64::new(start), identifiers: FixedSource::default() };
        let settings = Settings {
            region: format!("region-{first}"),
            limits: Limits::default(),
            cache: app::CACHE,
            clock: ClockSettings::default(),
            reads: app::ReadSettings::default(),
            metrics: AppMetrics::default(),
            tracer: Tracer::default(),
        };
        let shared = Arc::clone(&log);
        let app =
            App::start(shared, &directory.path().join("read_model"), Arc::new(source), settings)
                .await;
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

/// A clock that a test sets.
#[derive(Debug, Default)]
struct SetSource {
    seconds: AtomicI64,
    identifiers: FixedSource,
}

impl SetSource {
    fn set(&self, time: &str) {
        let time: DateTime<Utc> = time.parse().expect("a time");
        self.seconds.store(time.timestamp(), Ordering::Relaxed);
    }
}

impl Source for SetSource {
    fn now(&self) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + TimeDelta::seconds(self.seconds.load(Ordering::Relaxed))
    }

    fn uuid(&self) -> Uuid {
        self.identifiers.uuid()
    }

    fn user_pool_suffix(&self) -> String {
        self.identifiers.user_pool_suffix()
    }
}

/// An application on this log, and how often its clock jumped.
async fn start(
    log: &Arc<dyn EventLog>,
    source: &Arc<SetSource>,
    refuses_jumps: bool,
) -> Result<App, StartError> {
    let settings = Settings {
        region: "us-east-1".to_owned(),
        limits: Limits::default(),
        cache: app::CACHE,
        clock: ClockSettings { refuses_jumps, ..ClockSettings::default() },
        reads: app::ReadSettings::default(),
        metrics: AppMetrics::default(),
        tracer: Tracer::default(),
    };
    let source: Arc<dyn Source> = Arc::<SetSource>::clone(source);
    App::start_in_memory(Arc::clone(log), source, settings).await
}

/// Creates a user pool, and returns its time.
async fn create(app: &App) -> Result<String, ExecuteError> {
    let checked = CheckedCommand::create_user_pool(named("people"), app.limits());
    let outcome = app.execute(checked.expect("a legal request"), Context::default()).await?;
    let pool = UserPool::decode(outcome.user_pool).expect("a user pool");
    Ok(userpool::proto::format_time(pool.creation_date.expect("a time")))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_jumps_ahead_is_refused_until_it_is_corrected() {
    let log: Arc<dyn EventLog> = Arc::new(MemoryLog::default());
    let source = Arc::new(SetSource::default());
    source.set("2017-12-11T12:00:00Z");
    let app = start(&log, &source, true).await.expect("started");
    create(&app).await.expect("created");

    source.set("2099-01-01T00:00:00Z");
    for _ in 0..2 {
        let refused = create(&app).await.expect_err("a jump");
        assert!(matches!(refused, ExecuteError::Clock(ClockError::Jumped { .. })), "{refused}");
    }
    source.set("2017-12-12T11:00:00Z");
    assert_eq!(create(&app).await.expect("corrected"), "2017-12-12T11:00:00.000Z");
    // A clock that was behind, as before the network sets it, is corrected as well.
    source.set("1970-01-01T00:00:00Z");
    assert_eq!(create(&app).await.expect("behind"), "2017-12-12T11:00:00.000Z");
    source.set("2017-12-12T11:30:00Z");
    assert_eq!(create(&app).await.expect("corrected"), "2017-12-12T11:30:00.000Z");
    assert!(app.close().await);

    source.set("2099-01-01T00:00:00Z");
    let refused = start(&log, &source, true).await.expect_err("far ahead of the log").to_string();
    let expected = "the clock of the server shows 2099-01-01 00:00:00 UTC, but the last event is from 2017-12-12 11:30:00 UTC; correct the clock, or raise --max-clock-jump-hours if no event was recorded since";
    assert_eq!(refused, expected);
    assert_eq!(log.latest().await.expect("readable").position, Position(4));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_jumps_ahead_is_believed_by_default() {
    let log: Arc<dyn EventLog> = Arc::new(MemoryLog::default());
    let source = Arc::new(SetSource::default());
    source.set("2017-12-11T12:00:00Z");
    let app = start(&log, &source, false).await.expect("started");
    create(&app).await.expect("created");
    source.set("2018-01-01T00:00:00Z");
    assert_eq!(create(&app).await.expect("created"), "2018-01-01T00:00:00.000Z");
    assert!(app.close().await);
    source.set("2019-01-01T00:00:00Z");
    start(&log, &source, false).await.expect("started");
}

/// Versions without the check recorded it.
#[tokio::test(flavor = "multi_thread")]
async fn an_event_that_json_cannot_show_fails_the_export() {
    let log = MemoryLog::default();
    let record_time = Some(Timestamp { seconds: 253_402_300_800, nanos: 0 });
    let event = UserPoolEvent::decode(event_body("us-east-1_AbCdEfGhI", 1)).expect("an event");
    let body = UserPoolEvent { record_time, ..event }.encode_to_vec();
    let records = log.append(Head::default(), vec![body.into()]).await.expect("appended");
    let mut exporter = Exporter::new(Vec::new());
    let error = exporter.push(&records[0]).expect_err("a year of five digits").to_string();
    let expected = "a value of userpool.v1.UserPoolEvent cannot be written as JSON: ";
    assert!(error.starts_with(expected), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_time_that_no_event_can_have_is_refused() {
    let log: Arc<dyn EventLog> = Arc::new(MemoryLog::default());
    let source = Arc::new(SetSource::default());
    for refuses_jumps in [false, true] {
        for time in ["1969-12-31T23:59:59Z", "+10000-01-01T00:00:00Z"] {
            source.set(time);
            let refused = start(&log, &source, refuses_jumps).await.expect_err(time);
            assert!(matches!(refused, StartError::Clock(ClockError::OutOfRange)), "{refused}");

            source.set("9999-12-31T00:00:00Z");
            let app = start(&log, &source, refuses_jumps).await.expect("started");
            source.set(time);
            let refused = create(&app).await.expect_err(time);
            assert!(matches!(refused, ExecuteError::Clock(ClockError::OutOfRange)), "{refused}");
            assert!(app.close().await);
        }
    }
    assert_eq!(log.latest().await.expect("readable").position, Position(0));
}
