//! An independent client: Python's grpcio. grpcurl is in `readme`.

use tokio::process::Command;

use crate::{
    support::TestServer,
    tools::{python, repository},
};

#[tokio::test(flavor = "multi_thread")]
async fn a_python_client_needs_only_the_address() {
    let Some(python) = python("that Python clients can use the service by reflection") else {
        return;
    };
    let server = TestServer::start().await;
    let output = Command::new(python)
        .current_dir(repository())
        .arg("tests/it/clients.py")
        .arg(server.endpoint.to_string())
        .arg("tests/it/data/create-user-pool-full.json")
        .output()
        .await
        .expect("Python runs");
    let printed = String::from_utf8_lossy(&output.stdout);
    let complained = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{printed}{complained}");
    assert_eq!(printed.lines().count(), 4, "{printed}");
    server.stop().await;
}
