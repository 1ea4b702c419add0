//! Spans go to a real OpenTelemetry collector, in the traces of the callers.

use std::{
    fs::{self, File},
    net::TcpListener,
    path::PathBuf,
    process::Stdio,
};

use tempfile::TempDir;
use tokio::process::{Child, Command};
use tonic::{Code, Request};
use userpool::{
    proto::DescribeUserPoolRequest,
    telemetry::spans::{Collector, SpansError},
};

use crate::{
    binary::{Process, serve},
    support::named,
    tools::collector,
};

const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
const CALLER: &str = "b7ad6b7169203331";

/// A running collector that prints what it receives into a file.
struct RunningCollector {
    endpoint: String,
    printed: PathBuf,
    _process: Child,
}

impl RunningCollector {
    async fn start(otelcol: PathBuf, directory: &TempDir) -> Self {
        let free = TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("a port");
        let config = directory.path().join("collector.yaml");
        let text = format!(
            "receivers: {{otlp: {{protocols: {{grpc: {{endpoint: '{free}'}}}}}}}}\n\
             exporters: {{debug: {{verbosity: detailed}}}}\n\
             service:\n  telemetry: {{metrics: {{level: none}}}}\n  \
             pipelines: {{traces: {{receivers: [otlp], exporters: [debug]}}}}\n"
        );
        fs::write(&config, text).expect("written");
        let printed = directory.path().join("printed");
        let process = Command::new(otelcol)
            .arg("--config")
            .arg(&config)
            .stdout(Stdio::null())
            .stderr(File::create(&printed).expect("a file"))
            .kill_on_drop(true)
            .spawn()
            .expect("the collector starts");
        let endpoint = format!("http://{free}");
        let running = Self { endpoint, printed, _process: process };
        running.until("Everything is ready").await;
        running
    }

    /// Its output, once it contains this text.
    async fn until(&self, text: &str) -> String {
        loop {
            let printed = fs::read_to_string(&self.printed).expect("a file");
            if printed.contains(text) {
                return printed;
            }
            tokio::task::yield_now().await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_and_appends_send_spans_in_the_trace_of_the_caller() {
    let Some(otelcol) = collector("that a collector accepts spans") else { return };
    if cfg!(not(feature = "otel")) {
        eprintln!("NOT TESTED: that a collector accepts spans; this build has no feature otel");
        return;
    }
    let directory = TempDir::new().expect("a directory");
    let running = RunningCollector::start(otelcol, &directory).await;
    let mut command = serve(&directory.path().join("data"));
    command.args(["--listen=127.0.0.1:0", "--otlp-endpoint", &running.endpoint]);
    let server = Process::from(&mut command).await;
    let mut client = server.client().await;
    let mut request = Request::new(named("people"));
    let traceparent = format!("00-{TRACE}-{CALLER}-01").parse().expect("a value");
    request.metadata_mut().insert("traceparent", traceparent);
    request.metadata_mut().insert("x-request-id", "call-1".parse().expect("a value"));
    client.create_user_pool(request).await.expect("created");
    let request = DescribeUserPoolRequest {
        user_pool_id: Some("us-east-1_AbCdEfGhI".to_owned()),
        ..DescribeUserPoolRequest::default()
    };
    let absent = client.describe_user_pool(request).await.expect_err("absent");
    assert_eq!(absent.code(), Code::NotFound);
    drop(client);

    // Finished spans are sent before the process ends.
    assert!(server.terminate("TERM").await.status.success());

    let printed = running.until("DescribeUserPool").await;
    let spans: Vec<_> = printed.split("\nSpan #").skip(1).collect();
    let named = |name: &str| {
        let named = |span: &&&str| span.contains(&format!("    Name           : {name}\n"));
        *spans.iter().find(named).unwrap_or_else(|| unreachable!("{name} is not in {printed}"))
    };
    let create = named("userpool.v1.UserPoolService/CreateUserPool");
    for text in [
        &format!("    Trace ID       : {TRACE}\n"),
        &format!("    Parent ID      : {CALLER}\n"),
        "    Kind           : Server\n",
        "-> rpc.system: Str(grpc)",
        "-> rpc.service: Str(userpool.v1.UserPoolService)",
        "-> rpc.method: Str(CreateUserPool)",
        "-> rpc.grpc.status_code: Int(0)",
        "-> userpool.correlation_id: Str(call-1)",
        "-> network.peer.address: Str(127.0.0.1)",
    ] {
        assert!(create.contains(text), "{text}: {create}");
    }
    let append = named("append");
    assert!(append.contains(&format!("    Trace ID       : {TRACE}\n")), "{append}");
    assert!(append.contains("-> userpool.events: Int(1)"), "{append}");
    let describe = named("userpool.v1.UserPoolService/DescribeUserPool");
    assert!(!describe.contains(TRACE), "a trace of its own: {describe}");
    assert!(describe.contains("-> rpc.grpc.status_code: Int(5)"), "{describe}");
    assert!(printed.contains("-> service.name: Str(userpool)"), "{printed}");
}

/// Nothing listens there, and no call waits.
#[cfg(feature = "otel")]
#[tokio::test(flavor = "multi_thread")]
async fn an_unreachable_collector_delays_no_call() {
    let directory = TempDir::new().expect("a directory");
    let mut command = serve(directory.path());
    command.args(["--listen=127.0.0.1:0", "--otlp-endpoint=http://127.0.0.1:1"]);
    let server = Process::from(&mut command).await;
    crate::support::create(&mut server.client().await, "people").await;
    assert!(server.terminate("TERM").await.status.success());
}

#[cfg(not(feature = "otel"))]
#[tokio::test(flavor = "multi_thread")]
async fn a_build_without_spans_refuses_a_collector() {
    let directory = TempDir::new().expect("a directory");
    let mut command = serve(directory.path());
    command.args(["--listen=127.0.0.1:0", "--otlp-endpoint=http://127.0.0.1:4317"]);
    let refused = command.output().await.expect("it ends");
    assert_eq!(refused.status.code(), Some(1));
    let stderr = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(stderr.contains("build it with --features otel"), "{stderr}");
}

#[test]
fn an_invalid_collector_endpoint_is_refused() {
    for text in
        ["", "127.0.0.1:4317", "https://collector:4317", "http://", "http://a", "http://a:b"]
    {
        assert_eq!(text.parse::<Collector>(), Err(SpansError::Address), "{text}");
    }
    for text in ["http://127.0.0.1:4317", "http://collector:4317/", "http://[::1]:4317"] {
        assert!(text.parse::<Collector>().is_ok(), "{text}");
    }
}
