//! Errors on stderr never end the service.

use std::{fs::File, process::Stdio};

use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tonic::transport::Endpoint;
use userpool::proto::user_pool_service_client::UserPoolServiceClient;

use super::{pools, serve};
use crate::support::create;

#[tokio::test(flavor = "multi_thread")]
async fn a_failing_stderr_does_not_end_the_service() {
    let directory = TempDir::new().expect("a directory");
    let full = File::options().write(true).open("/dev/full").expect("a full disk");
    let mut command = serve(directory.path());
    command.args(["--listen", "127.0.0.1:0"]).stderr(full).stdout(Stdio::piped());
    let mut child = command.kill_on_drop(true).spawn().expect("it starts");
    let mut stdout = BufReader::new(child.stdout.take().expect("a pipe")).lines();
    let line = stdout.next_line().await.expect("readable").expect("a line");
    let address = line.strip_prefix("userpool listening on ").expect("an address");
    let endpoint = Endpoint::from_shared(format!("http://{address}")).expect("an address");
    let channel = endpoint.connect().await.expect("a connection");
    let mut client = UserPoolServiceClient::new(channel);
    for _ in 0..3 {
        create(&mut client, "people").await;
    }
    assert_eq!(pools(&mut client).await.len(), 3);
}
