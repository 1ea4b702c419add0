//! Any bytes from outside are accepted or refused: nothing panics, and the next call
//! is served normally.

mod aws;
mod mutation;
mod panics;
#[path = "../../benches/service/raw.rs"]
mod raw;
mod targets;

use std::panic;

use bytes::Bytes;
use tonic::{
    Code, Request, Status, client::Grpc, codegen::http::uri::PathAndQuery, transport::Channel,
};
use userpool::proto::{DESCRIPTORS, ListUserPoolsRequest};

use self::{
    mutation::{corpus, mutated},
    raw::Raw,
    targets::TARGETS,
};
use crate::{
    random::{Random, rounds},
    support::{TestServer, create, domain, reason},
};

/// How many inputs each reader gets per round.
const TRIES: usize = 2000;
/// How many calls each method gets per round.
const CALLS: usize = 40;

#[test]
fn reading_never_panics_on_any_bytes() {
    let mut random = Random::seeded();
    for (name, target) in TARGETS {
        let corpus = corpus(name);
        for seed in &corpus {
            tried(name, target, seed);
        }
        for _ in 0..rounds(1) * TRIES {
            tried(name, target, &mutated(&mut random, &corpus));
        }
    }
}

/// Prints the bytes if they cause a panic.
fn tried(name: &str, target: targets::Target, bytes: &[u8]) {
    if let Err(panic) = panic::catch_unwind(|| target(bytes)) {
        eprintln!("{name}: {}", data_encoding::HEXLOWER.encode(bytes));
        panic::resume_unwind(panic);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_server_answers_any_request_bytes_and_keeps_serving() {
    let mut random = Random::seeded();
    let server = TestServer::start().await;
    let mut client = server.client().await;
    let pool = create(&mut client, "people").await;
    client.create_user_pool_domain(domain("people-login", &pool)).await.expect("a domain");
    let mut grpc = Grpc::new(server.channel().await);
    let corpus = corpus("requests");
    for method in methods() {
        for _ in 0..rounds(1) * CALLS {
            let bytes = mutated(&mut random, &corpus);
            let shown = data_encoding::HEXLOWER.encode(&bytes);
            if let Err(status) = raw(&mut grpc, &method, bytes.into()).await {
                fits(&status, &format!("{method} {shown}"));
            }
        }
    }
    // The server still works.
    create(&mut client, "others").await;
    let request = ListUserPoolsRequest {
        max_results: Some(60),
        next_token: None,
        ..ListUserPoolsRequest::default()
    };
    client.list_user_pools(request).await.expect("a page");
    server.stop().await;
}

/// A status that an invalid request may get.
fn fits(status: &Status, call: &str) {
    let refusals = [
        Code::InvalidArgument,
        Code::NotFound,
        Code::AlreadyExists,
        Code::FailedPrecondition,
        Code::Aborted,
        Code::OutOfRange,
    ];
    assert!(refusals.contains(&status.code()), "{call}: {status}");
    assert_ne!(reason(status), "INTERNAL", "{call}");
}

/// The paths of every method of the API.
fn methods() -> Vec<String> {
    let services =
        DESCRIPTORS.services().filter(|service| service.full_name().starts_with("userpool."));
    let paths = services.flat_map(|service| {
        let name = service.full_name().to_owned();
        service.methods().map(|method| format!("/{name}/{}", method.name())).collect::<Vec<_>>()
    });
    paths.collect()
}

/// Sends the bytes unchanged; returns the first message of the answer, undecoded.
async fn raw(grpc: &mut Grpc<Channel>, path: &str, bytes: Bytes) -> Result<Option<Bytes>, Status> {
    grpc.ready().await.expect("a connection");
    let path = PathAndQuery::try_from(path).expect("a path");
    let answer = grpc.server_streaming(Request::new(bytes), path, Raw).await?;
    answer.into_inner().message().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_token_that_was_changed_is_refused() {
    let mut random = Random::seeded();
    let server = TestServer::start().await;
    let mut client = server.client().await;
    for name in ["a", "b", "c"] {
        create(&mut client, name).await;
    }
    let first = ListUserPoolsRequest {
        max_results: Some(1),
        next_token: None,
        ..ListUserPoolsRequest::default()
    };
    let first = client.list_user_pools(first).await.expect("a page").into_inner();
    let token = first.next_token.expect("a token");
    for _ in 0..rounds(1) * 200 {
        let bytes = mutated(&mut random, &[token.clone().into_bytes()]);
        let Ok(changed) = String::from_utf8(bytes) else { continue };
        let unchanged = changed == token;
        let request = ListUserPoolsRequest {
            max_results: Some(1),
            next_token: Some(changed),
            ..ListUserPoolsRequest::default()
        };
        match client.list_user_pools(request).await {
            Ok(_) => assert!(unchanged),
            Err(status) => assert_eq!(status.code(), Code::InvalidArgument, "{status}"),
        }
    }
    server.stop().await;
}
