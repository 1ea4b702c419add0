//! Client memory: a request and its call are charged to the same user.

use tempfile::TempDir;
use tokio::net::{TcpStream, UnixStream};
use userpool::{server::Config, transport::Endpoint};

use super::{
    Answer, address, call_with_over,
    signatures::{self, KEYS, VALID, settings},
    start_with,
};

/// The server has little memory.
fn limit(config: &mut Config) {
    config.capacity.client_memory = 100_000;
}

/// A request with about this many bytes.
fn request(bytes: usize) -> String {
    r#"{"MaxResults":1}"#.to_owned() + &" ".repeat(bytes)
}

/// There is memory for this request, and for a call, but not for both.
const LARGE: usize = 70_000;
/// There is memory for this request and its call.
const SMALL: usize = 20_000;
const LIST: &str = "ListUserPools";

#[track_caller]
fn assert_one_user(small: &Answer, large: &Answer) {
    assert_eq!(small.status, 200, "{small:?}");
    assert_eq!((large.status, large.error().0.as_str()), (429, "TooManyRequestsException"));
}

#[tokio::test]
async fn an_anonymous_caller_is_one_user() {
    let server = start_with(limit).await;
    let list = async |bytes| {
        let socket = TcpStream::connect(address(&server)).await.expect("a connection");
        call_with_over(socket, LIST, &[], &request(bytes)).await
    };
    assert_one_user(&list(SMALL).await, &list(LARGE).await);
    server.stop().await;
}

#[tokio::test]
async fn a_process_on_a_unix_socket_is_one_user() {
    let directory = TempDir::new().expect("a directory");
    let path = directory.path().join("aws.sock");
    let server = start_with(|config| {
        limit(config);
        config.aws_listen = Some(Endpoint::Unix(path.clone()));
    })
    .await;
    let list = async |bytes| {
        let socket = UnixStream::connect(&path).await.expect("a connection");
        call_with_over(socket, LIST, &[], &request(bytes)).await
    };
    assert_one_user(&list(SMALL).await, &list(LARGE).await);
    server.stop().await;
}

/// It is known once its request has arrived.
#[tokio::test]
async fn an_access_key_is_one_user() {
    let directory = TempDir::new().expect("a directory");
    let keys = settings(directory.path(), KEYS);
    let server = start_with(|config| {
        limit(config);
        config.aws_credentials = Some(keys);
    })
    .await;
    let list = async |bytes| signatures::call(&server, &VALID, LIST, &request(bytes)).await;
    assert_one_user(&list(SMALL).await, &list(LARGE).await);
    server.stop().await;
}
