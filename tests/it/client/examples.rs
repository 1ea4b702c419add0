//! The examples do what they promise, and make each change once, although answers are
//! lost and calls are refused.

use std::path::Path;

use tempfile::TempDir;
use tokio::process::Command;
use tonic::Status;
use userpool::proto::ListUserPoolsRequest;

use super::proxy::{Action, Proxy};
use crate::{
    support::{TestServer, copy_directory},
    tools::{go_generator, grpc_tools, python, repository},
};

/// Runs the example with the endpoint and a domain prefix.
async fn works(example: &mut Command) {
    let server = TestServer::start().await;
    let gone = || Action::Refuse(Status::unavailable("gone"));
    // The first call of each method.
    let actions = [Action::LoseAnswer, Action::LoseAnswer, gone(), gone()];
    let proxy =
        Proxy::of(&server, actions.into_iter().flat_map(|action| [action, Action::Pass])).await;
    let ran = example.arg(proxy.endpoint.to_string()).arg("people-login").output().await;

    let ran = ran.expect("it runs");
    let stderr = String::from_utf8_lossy(&ran.stderr);
    assert!(ran.status.success(), "{stderr}");
    let printed = String::from_utf8_lossy(&ran.stdout);
    let printed: Vec<_> = printed.lines().collect();
    assert!(printed[0].starts_with("created us-east-1_"), "{printed:?}");
    assert_eq!(
        printed[1..],
        [
            "example has the domain people-login at revision 2",
            "event 1: USER_POOL_EVENT_TYPE_USER_POOL_CREATED",
            "event 2: USER_POOL_EVENT_TYPE_USER_POOL_DOMAIN_CREATED",
        ]
    );
    let all = ListUserPoolsRequest { max_results: Some(60), ..Default::default() };
    let listed = server.client().await.list_user_pools(all).await.expect("a list");
    assert_eq!(listed.into_inner().user_pools.len(), 1);

    let calls = proxy.calls();
    let methods: Vec<_> = calls.iter().map(|call| call.method.as_str()).collect();
    let twice =
        ["CreateUserPool", "CreateUserPoolDomain", "DescribeUserPool", "WatchUserPoolEvents"];
    assert_eq!(methods, twice.map(|method| [method, method]).concat());
    for call in calls {
        let watch = call.method == "WatchUserPoolEvents";
        assert_eq!(call.metadata.contains_key("grpc-timeout"), !watch, "{}", call.method);
    }
}

async fn succeeds(command: &mut Command) {
    let ran = command.output().await.expect("it runs");
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
}

/// A directory with the schema and the examples, for generated code.
fn workshop() -> TempDir {
    let workshop = TempDir::new().expect("a directory");
    for part in ["proto", "examples"] {
        copy_directory(&repository().join(part), &workshop.path().join(part));
    }
    workshop
}

#[tokio::test(flavor = "multi_thread")]
async fn the_example_in_rust_works() {
    let mut example = Command::new(env!("CARGO"));
    example.current_dir(repository()).args(["run", "--quiet", "--locked", "--example", "client"]);
    // The variables that cargo sets for tests would make a nested build start over.
    for (name, _) in std::env::vars() {
        if name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_") {
            example.env_remove(name);
        }
    }
    works(example.arg("--")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_example_in_go_works() {
    let Some((buf, plugins)) = go_generator("that the example in Go works") else { return };
    let workshop = workshop();
    let directory = workshop.path().join("examples/go");
    let path = std::env::var("PATH").unwrap_or_default();
    let mut generate = Command::new(buf);
    generate.env("PATH", format!("{}:{path}", plugins.display()));
    succeeds(generate.current_dir(&directory).arg("generate")).await;
    for check in [["vet", "."], ["build", "."]] {
        succeeds(Command::new("go").current_dir(&directory).args(check)).await;
    }
    works(&mut Command::new(directory.join("example"))).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_example_in_python_works() {
    let promise = "that the example in Python works";
    let (Some(python), true) = (python(promise), grpc_tools(promise)) else { return };
    let workshop = workshop();
    let directory = workshop.path().join("examples/python");
    // As the first lines of the example say.
    let generate = format!(
        "{} -m grpc_tools.protoc -I ../../proto --python_out=. --grpc_python_out=. \
         $(cd ../../proto && echo userpool/v1/*.proto)",
        python.display()
    );
    succeeds(Command::new("bash").current_dir(&directory).args(["-c", &generate])).await;
    works(Command::new(python).current_dir(&directory).arg(Path::new("client.py"))).await;
}
