//! `examples/README.md`, word for word: its commands run in a copy of the examples, and print what
//! it shows. Each example prints the same although answers are lost, calls are refused and watches
//! end early.

use std::{
    env, fs,
    path::{Path, PathBuf},
    time::Duration,
};

use prost::Message as _;
use tempfile::TempDir;
use tonic::{
    Code, Status,
    transport::{Identity, ServerTlsConfig},
};
use tonic_types::{ErrorDetails, StatusExt as _};
use userpool::proto::{WatchUserPoolEventsRequest, watch_user_pool_events_request::Start};

use super::{
    proxy::{Action, Proxy, ReceivedCall},
    streams::Connections,
};
use crate::{
    authority::Authority,
    support::{TestServer, copy_directory_without},
    tools::{self, repository},
    transcript::{Reader, Step, section, steps_in},
};

const README: &str = "examples/README.md";

/// What each example prints, as shown in a block of the README.
fn story() -> String {
    let section = section(README, "What they do");
    let block = section.split("```text\n").nth(1).and_then(|rest| rest.split("```").next());
    block.expect("a block").to_owned()
}

/// The calls of an example through these connections, and what the proxy does with each. `late` is
/// how the second answer is lost.
fn calls(late: Code, connections: &Connections) -> Vec<(&'static str, Action)> {
    let unavailable = || Status::unavailable("gone");
    let lost = |code| Action::LoseAnswer(Status::new(code, "the answer is lost"));
    let delay = ErrorDetails::with_retry_info(Some(Duration::from_millis(1)));
    let overloaded = Status::with_error_details(Code::ResourceExhausted, "too much", delay);
    let expired = Status::unauthenticated("the token has expired");
    vec![
        ("CreateUserPool", lost(Code::Unavailable)),
        ("CreateUserPool", lost(late)),
        ("CreateUserPool", Action::Pass),
        // The same again, and an invalid one.
        ("CreateUserPool", Action::Pass),
        ("CreateUserPool", Action::Pass),
        ("DescribeUserPool", Action::Refuse(unavailable())),
        ("DescribeUserPool", Action::Pass),
        ("TagResource", Action::Refuse(overloaded)),
        ("TagResource", Action::Pass),
        // At another revision than expected.
        ("UpdateUserPool", Action::Pass),
        ("DescribeUserPool", Action::Pass),
        ("UpdateUserPool", lost(Code::Unavailable)),
        ("UpdateUserPool", Action::Pass),
        ("WatchUserPoolEvents", Action::EndWatch(unavailable())),
        ("WatchUserPoolEvents", Action::Refuse(unavailable())),
        ("WatchUserPoolEvents", Action::BreakWatch(connections.clone())),
        ("WatchUserPoolEvents", Action::Pass),
        // The example has ended its watch.
        ("TagResource", Action::PassAfterWatches),
        ("WatchUserPoolEvents", Action::EndWatch(expired)),
        ("WatchUserPoolEvents", Action::Pass),
    ]
}

/// Runs the commands of a section of the README, the last of which runs the example.
async fn works(heading: &str, mut reader: Reader, late: Code) {
    let server = TestServer::start().await;
    let mut steps = steps_in(&section(README, heading));
    let example = Step { shown: story(), ..steps.pop().expect("the command of the example") };
    for step in steps.iter().chain([&example]) {
        reader.take(step, &server.endpoint.to_string()).await;
    }
    reader.forget_ids();

    let (authority, files) = (Authority::new("root"), TempDir::new().expect("a directory"));
    let issued = authority.server();
    let identity = Identity::from_pem(issued.certificate, issued.key);
    let connections = Connections::default();
    let (names, actions): (Vec<_>, Vec<_>) = calls(late, &connections).into_iter().unzip();
    let repeated: Vec<_> = actions.iter().map(is_repeated).collect();
    let server = TestServer::start().await;
    let tls = ServerTlsConfig::new().identity(identity);
    let proxy = Proxy::with_tls(&server, Some(tls), actions).await;
    let (address, relaying) = connections.relay_to(proxy.endpoint.to_string()).await;
    let [ca, token, errors] = ["ca.pem", "token", "errors"].map(|name| files.path().join(name));
    fs::write(&ca, authority.pem).expect("written");
    fs::write(&token, "secret\n").expect("written");
    let command = format!(
        "USERPOOL_CA={} USERPOOL_TOKEN_FILE={} {command} 2>{errors} || cat {errors}",
        ca.display(),
        token.display(),
        command = example.command,
        errors = errors.display()
    );
    reader.take(&Step { command, ..example }, &address.to_string()).await;
    relaying.abort();
    check(&names, &repeated, &proxy.calls());
}

/// Whether the client should send the same message again.
const fn is_repeated(action: &Action) -> bool {
    matches!(action, Action::LoseAnswer(_) | Action::Refuse(_))
}

/// What the requests of all changes have.
#[derive(prost::Message)]
struct Change {
    #[prost(string, optional, tag = "101")]
    request_id: Option<String>,
}

fn request_id(call: &ReceivedCall) -> Option<String> {
    Change::decode(call.message.clone()).expect("a message").request_id
}

fn check(names: &[&str], repeated: &[bool], calls: &[ReceivedCall]) {
    let methods: Vec<_> = calls.iter().map(|call| call.method.as_str()).collect();
    assert_eq!(methods, names);
    for (index, call) in calls.iter().enumerate() {
        let is_watch = call.method == "WatchUserPoolEvents";
        assert_eq!(call.metadata.contains_key("grpc-timeout"), !is_watch, "{index}: {call:?}");
        assert_eq!(call.metadata["authorization"], "Bearer secret", "{index}: {call:?}");
        let is_change = !is_watch && call.method != "DescribeUserPool";
        assert_eq!(request_id(call).is_some(), is_change, "{index}: {call:?}");
        if repeated[index] {
            assert_eq!(request_id(call), request_id(&calls[index + 1]), "{index}: {call:?}");
        }
    }
    let watches = calls.iter().filter(|call| call.method == "WatchUserPoolEvents");
    let watches: Vec<_> = watches
        .map(|call| WatchUserPoolEventsRequest::decode(call.message.clone()).expect("a request"))
        .collect();
    let positions: Vec<_> = watches.iter().map(|watch| watch.start).collect();
    let after = |position| Some(Start::AfterPosition(position));
    assert_eq!(positions[..3], [after(0), after(1), after(1)]);
    assert!([after(1), after(2)].contains(&positions[3]), "{positions:?}");
    assert_eq!(positions[4..], [after(3), after(4)]);
    assert!(watches[1..].iter().all(|watch| watch.after_hash.len() == 32), "{watches:?}");
    assert!(watches[4..].iter().all(|watch| watch.log_id.len() == 32), "{watches:?}");
}

/// A copy of the schema and the examples without generated files, and a shell in it that has these
/// tools and what the examples download.
fn workshop(tools: &[PathBuf], downloads: &Path) -> (TempDir, Reader) {
    let workshop = TempDir::new().expect("a directory");
    let directory = workshop.path();
    let ignored = fs::read_to_string(repository().join(".gitignore")).expect("a file");
    let ignored: Vec<_> =
        ignored.lines().map(|line| repository().join(line.trim_start_matches('/'))).collect();
    for part in ["proto", "examples"] {
        copy_directory_without(&ignored, &repository().join(part), &directory.join(part));
    }
    let maven = directory.join(".mvn");
    fs::create_dir(&maven).expect("a directory");
    fs::write(maven.join("maven.config"), "--offline\n").expect("written");
    let file = |name: &str| downloads.join(name).into_os_string();
    let variables = [
        ("GOPROXY", "off".into()),
        ("MAVEN_OPTS", format!("-Dmaven.repo.local={}", downloads.join("maven").display()).into()),
        ("PIP_DISABLE_PIP_VERSION_CHECK", "1".into()),
        ("PIP_FIND_LINKS", file("python")),
        ("PIP_NO_INDEX", "1".into()),
        ("npm_config_cache", file("npm")),
        ("npm_config_offline", "true".into()),
    ];
    let tools = env::join_paths(tools).expect("no colon").into();
    let reader = Reader::new(tools).at(directory, variables);
    (workshop, reader)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_ways_to_get_the_schema_work() {
    let promise = "that the schema can be had by reflection and by buf";
    let (Some(buf), Some(grpcurl)) = (tools::buf(promise), tools::grpcurl(promise)) else { return };
    let Some(downloads) = tools::downloads("go.sum", promise) else { return };
    let server = TestServer::start().await;
    let (_workshop, mut reader) = workshop(&[buf, grpcurl], &downloads);
    for step in steps_in(&section(README, "The schema")) {
        reader.take(&step, &server.endpoint.to_string()).await;
    }
}

/// The client of this crate does not retry after its own deadline.
#[tokio::test(flavor = "multi_thread")]
async fn the_example_in_rust_works() {
    works("Rust", Reader::new(PathBuf::new()), Code::Unavailable).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_example_in_go_works() {
    let promise = "that the example in Go works";
    let (buf, downloads) = (tools::buf(promise), tools::downloads("go.sum", promise));
    let (Some(buf), Some(downloads)) = (buf, downloads) else { return };
    let (_workshop, reader) = workshop(&[buf], &downloads);
    works("Go", reader, Code::DeadlineExceeded).await;
}

/// The examples that install all that they need.
async fn works_alone(heading: &str, list: &str) {
    let promise = format!("that the example in {heading} works");
    let Some(downloads) = tools::downloads(list, &promise) else { return };
    let (_workshop, reader) = workshop(&[], &downloads);
    works(heading, reader, Code::DeadlineExceeded).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_example_in_python_works() {
    works_alone("Python", "requirements.txt").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_example_in_typescript_works() {
    works_alone("TypeScript", "package-lock.json").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_example_in_java_works() {
    works_alone("Java", "pom.xml").await;
}
