//! The metrics have the documented names and the right values, and show how far the
//! server is.

mod calls;
mod connections;
mod credentials;
mod documentation;
pub(crate) mod startup;

use std::collections::BTreeMap;

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpStream, UnixStream},
};
use userpool::{
    proto::{
        WatchUserPoolEventsRequest, user_pool_history_service_client::UserPoolHistoryServiceClient,
        watch_user_pool_events_request::Start,
    },
    transport::Endpoint,
};

use crate::{
    binary::{run, userpool},
    support::{TestServer, create, domain},
};

/// An answer over HTTP.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

/// Requests a path from the metrics listener.
pub(crate) async fn get(endpoint: &Endpoint, path: &str) -> Answer {
    let request = format!("GET {path} HTTP/1.1\r\nhost: metrics\r\nconnection: close\r\n\r\n");
    let mut answer = String::new();
    match endpoint {
        Endpoint::Tcp(address) => {
            let mut socket = TcpStream::connect(address).await.expect("a connection");
            socket.write_all(request.as_bytes()).await.expect("written");
            socket.read_to_string(&mut answer).await.expect("an answer");
        }
        Endpoint::Unix(path) => {
            let mut socket = UnixStream::connect(path).await.expect("a connection");
            socket.write_all(request.as_bytes()).await.expect("written");
            socket.read_to_string(&mut answer).await.expect("an answer");
        }
    }
    let (head, body) = answer.split_once("\r\n\r\n").expect("a head and a body");
    let status = head.split(' ').nth(1).expect("a status").parse().expect("a number");
    Answer { status, head: head.to_lowercase(), body: body.to_owned() }
}

/// The metrics of a server at one moment.
#[derive(Debug)]
pub(crate) struct Reading {
    pub(crate) text: String,
    series: BTreeMap<String, String>,
}

impl Reading {
    pub(crate) async fn of(endpoint: &Endpoint) -> Self {
        let answer = get(endpoint, "/metrics").await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        let lines = answer.body.lines().filter(|line| !line.starts_with('#'));
        let series = lines.map(|line| {
            let (name, value) = line.rsplit_once(' ').expect("a name and a value");
            (name.to_owned(), value.to_owned())
        });
        Self { series: series.collect(), text: answer.body }
    }

    /// The value of a series, by its name and labels as they are written.
    pub(crate) fn value(&self, series: &str) -> f64 {
        self.written(series).parse().expect("a number")
    }

    /// The value of a counter.
    fn count(&self, series: &str) -> u64 {
        self.written(series).parse().expect("a count")
    }

    fn written(&self, series: &str) -> &str {
        let value = self.series.get(series);
        value.unwrap_or_else(|| unreachable!("{series} is not in\n{}", self.text))
    }

    /// The names of all series, without labels.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.series.keys().map(|series| series.split('{').next().expect("a name"))
    }

    pub(crate) fn expect(&self, expected: &[(&str, f64)]) {
        for (series, value) in expected {
            let found = self.value(series);
            assert!((found - value).abs() < f64::EPSILON, "{series} is {found}, not {value}");
        }
    }
}

/// A server that serves its metrics.
pub(crate) async fn measured() -> TestServer {
    TestServer::with(|config| config.metrics_listen = Some(free())).await
}

/// A free port.
pub(crate) fn free() -> Endpoint {
    Endpoint::Tcp("127.0.0.1:0".to_owned())
}

pub(crate) async fn reading(server: &TestServer) -> Reading {
    Reading::of(server.metrics.as_ref().expect("metrics")).await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_metrics_and_the_binary_show_the_same_version() {
    let server = measured().await;
    let version = run(userpool().arg("--version")).await.stdout;
    let version = String::from_utf8(version).expect("UTF-8");
    assert_eq!(version, concat!("userpool ", env!("CARGO_PKG_VERSION"), "\n"));
    let info = concat!("userpool_build_info{version=\"", env!("CARGO_PKG_VERSION"), "\"}");
    reading(&server).await.expect(&[(info, 1.0)]);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn appends_and_their_events_are_counted() {
    let server = measured().await;
    let mut client = server.client().await;
    for name in ["one", "two", "three"] {
        create(&mut client, name).await;
    }

    let reading = reading(&server).await;

    reading.expect(&[
        ("userpool_commands_total{outcome=\"carried_out\"}", 3.0),
        ("userpool_log_append_seconds_count", 3.0),
        ("userpool_log_append_events_count", 3.0),
        ("userpool_log_append_events_sum", 3.0),
        ("userpool_log_append_events_bucket{le=\"1.0\"}", 3.0),
        ("userpool_log_append_failures_total", 0.0),
        ("userpool_log_sync_seconds_count", 3.0),
        ("userpool_log_head_position", 3.0),
        ("userpool_read_model_apply_seconds_count", 3.0),
        ("userpool_read_model_checkpoint_position", 3.0),
        ("userpool_read_model_lag_events", 0.0),
        ("userpool_read_model_built_ratio", 1.0),
        ("userpool_user_pools", 3.0),
        ("userpool_writer_queue_depth", 0.0),
        ("userpool_writer_queue_capacity", 1024.0),
        ("userpool_connections", 1.0),
        ("userpool_phase{phase=\"serving\"}", 1.0),
        ("userpool_phase{phase=\"starting\"}", 0.0),
    ]);
    for positive in [
        "userpool_log_bytes",
        "userpool_read_model_bytes",
        "userpool_data_dir_free_bytes",
        "userpool_log_sync_seconds_sum",
        "process_resident_memory_bytes",
        "process_open_fds",
        "process_cpu_seconds_total",
    ] {
        assert!(reading.value(positive) > 0.0, "{positive}");
    }
    assert!(reading.value("process_start_time_seconds") > 1.7e9);
    drop(client);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn commands_are_counted_by_outcome() {
    let server = measured().await;
    let mut client = server.client().await;
    let mut request = crate::support::named("people");
    request.request_id = Some("0193b5f0-7c5e-7d7a-9c55-2d1d8f1b6a01".to_owned());
    let first = client.create_user_pool(request.clone()).await.expect("created").into_inner();
    let id = first.user_pool.and_then(|pool| pool.id).expect("an ID");
    client.create_user_pool(request.clone()).await.expect("the same again");
    request.pool_name = Some("others".to_owned());
    client.create_user_pool(request).await.expect_err("another request");
    let mut validated = domain("login", &id);
    validated.validate_only = true;
    client.create_user_pool_domain(validated).await.expect("validated");

    let reading = reading(&server).await;

    reading.expect(&[
        ("userpool_commands_total{outcome=\"carried_out\"}", 1.0),
        ("userpool_commands_total{outcome=\"repeated\"}", 1.0),
        ("userpool_commands_total{outcome=\"refused\"}", 1.0),
        ("userpool_commands_total{outcome=\"validated\"}", 1.0),
        ("userpool_commands_total{outcome=\"failed\"}", 0.0),
        ("userpool_log_head_position", 1.0),
    ]);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn open_watches_are_counted_and_their_largest_lag_is_shown() {
    let server = measured().await;
    let mut client = server.client().await;
    for name in ["one", "two"] {
        create(&mut client, name).await;
    }
    let mut history = UserPoolHistoryServiceClient::new(server.channel().await);
    let request = WatchUserPoolEventsRequest {
        start: Some(Start::AfterPosition(0)),
        ..WatchUserPoolEventsRequest::default()
    };
    let mut watch = history.watch_user_pool_events(request).await.expect("a watch").into_inner();
    for _ in 0..3 {
        watch.message().await.expect("a message").expect("two events and a checkpoint");
    }

    let at_the_end = reading(&server).await;
    drop(watch);
    drop(history);

    at_the_end.expect(&[("userpool_watchers", 1.0), ("userpool_watch_lag_events", 0.0)]);
    while reading(&server).await.value("userpool_watchers") > 0.0 {
        tokio::task::yield_now().await;
    }
    server.stop().await;
}

#[test]
fn a_watch_that_is_behind_shows_as_lag() {
    let metrics = userpool::telemetry::metrics::Metrics::new(&[]);
    let (slow, quick) = (metrics.app.watchers.join(2), metrics.app.watchers.join(2));
    quick.set_position(9);
    slow.set_position(4);
    metrics.app.set_progress(10);
    let text = metrics.text().expect("text");
    assert!(text.contains("\nuserpool_watchers 2\n"), "{text}");
    assert!(text.contains("\nuserpool_watch_lag_events 6\n"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_an_address_for_metrics_nothing_listens() {
    let server = TestServer::start().await;
    assert_eq!(server.metrics, None);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_documented_paths_are_served() {
    let server = measured().await;
    let endpoint = server.metrics.clone().expect("metrics");
    for (path, status) in
        [("/", 404), ("/metrics", 200), ("/healthz", 200), ("/readyz", 200), ("/metrics/x", 404)]
    {
        assert_eq!(get(&endpoint, path).await.status, status, "{path}");
    }
    let metrics = get(&endpoint, "/metrics").await;
    assert!(metrics.head.contains("content-type: application/openmetrics-text; version=1.0.0"));
    assert!(metrics.body.ends_with("# EOF\n"));
    server.stop().await;
}
