//! Nothing that happens to stderr stops the service.

use std::{
    fs::File,
    io::{BufRead as _, BufReader, PipeReader, pipe},
    path::Path,
    process::Stdio,
};

use tempfile::TempDir;
use tokio::io::{self as tokio_io, AsyncBufReadExt as _};
use tokio::task::spawn_blocking;
use tonic::transport;
use userpool::{
    endpoint::Endpoint,
    proto::{DescribeUserPoolRequest, user_pool_service_client::UserPoolServiceClient},
};

use crate::{
    binary::{Process, serve},
    metrics::Reading,
    support::{create, pools},
};

/// A server that has written more lines than a pipe that nobody reads can take, and the pipe.
async fn with_dropped_lines(directory: &Path) -> (Process, PipeReader) {
    let (reader, writer) = pipe().expect("a pipe");
    let metrics = Endpoint::Unix(directory.join("metrics"));
    let server = Process::from(
        serve(&directory.join("data"))
            .args(["--listen=127.0.0.1:0", "--log=trace"])
            .arg(format!("--metrics-listen={metrics}"))
            .stderr(writer),
    )
    .await;
    let mut client = server.client().await;
    let id = create(&mut client, "people").await;
    while Reading::of(&metrics).await.value("userpool_stderr_lines_dropped_total") == 0.0 {
        for _ in 0..100 {
            let request = DescribeUserPoolRequest {
                user_pool_id: Some(id.clone()),
                ..DescribeUserPoolRequest::default()
            };
            client.describe_user_pool(request).await.expect("described");
        }
    }
    (server, reader)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stderr_that_nobody_reads_stops_neither_calls_nor_the_end() {
    let directory = TempDir::new().expect("a directory");
    let (server, reader) = with_dropped_lines(directory.path()).await;
    create(&mut server.client().await, "others").await;
    let ended = server.terminate("TERM").await;
    assert!(ended.status.success(), "{:?}", ended.status);
    drop(reader);
}

#[tokio::test(flavor = "multi_thread")]
#[expect(clippy::disallowed_methods, reason = "a thread reads the pipe")]
async fn dropped_lines_are_reported_once_stderr_is_read() {
    let directory = TempDir::new().expect("a directory");
    let (server, reader) = with_dropped_lines(directory.path()).await;
    let read = spawn_blocking(move || {
        let lines = BufReader::new(reader).lines();
        lines.map_while(Result::ok).filter(|line| line.contains("log lines were dropped")).count()
    });
    assert!(server.terminate("TERM").await.status.success());
    assert!(read.await.expect("read") > 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failing_stderr_does_not_end_the_service() {
    let directory = TempDir::new().expect("a directory");
    let full = File::options().write(true).open("/dev/full").expect("a full disk");
    let mut command = serve(directory.path());
    command.args(["--listen", "127.0.0.1:0"]).stderr(full).stdout(Stdio::piped());
    let mut child = command.kill_on_drop(true).spawn().expect("it starts");
    let mut stdout = tokio_io::BufReader::new(child.stdout.take().expect("a pipe")).lines();
    let line = stdout.next_line().await.expect("readable").expect("a line");
    let address = line.strip_prefix("userpool listening on ").expect("an address");
    let endpoint =
        transport::Endpoint::from_shared(format!("http://{address}")).expect("an address");
    let channel = endpoint.connect().await.expect("a connection");
    let mut client = UserPoolServiceClient::new(channel);
    for _ in 0..3 {
        create(&mut client, "people").await;
    }
    assert_eq!(pools(&mut client).await.len(), 3);
}
