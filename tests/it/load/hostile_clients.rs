//! Hostile connections. The server closes each within a time limit and serves others
//! meanwhile and afterwards. The runtime moves the clock when all tasks are idle, so
//! a limit of minutes takes no time.

use std::time::Duration;

use bytes::Bytes;

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::{Instant, timeout},
};
use tonic::Code;
use userpool::proto::{DescribeUserPoolRequest, WatchUserPoolEventsRequest};

use super::wire::{
    CONTINUATION, CREATE, DESCRIBE, END_HEADERS, HEADERS, PING, PREFACE, RESET, SETTINGS, WATCH,
    Wire, block, frame, framed, greeting,
};
use crate::support::{TestServer, create, describe, reason};

/// Longer than all time limits of the server together.
const BOUND: Duration = Duration::from_mins(3);

/// The name of the attack, its bytes, and whether the client reads.
type Attack = (&'static str, Vec<u8>, bool);

fn attacks() -> Vec<Attack> {
    let greeted = |frames: &[Vec<u8>]| [greeting(), frames.concat()].concat();
    let many = |count: u32, frames: &dyn Fn(u32) -> Vec<u8>| {
        greeted(&(0..count).map(|number| frames(2 * number + 1)).collect::<Vec<_>>())
    };
    let open = |stream, path| frame(HEADERS, END_HEADERS, stream, &block(path));
    let watch = framed(&WatchUserPoolEventsRequest::default());
    vec![
        ("says nothing", Vec::new(), true),
        ("stops within the preface", PREFACE[..10].to_vec(), true),
        ("stops after the preface", PREFACE.to_vec(), true),
        ("greets, and never answers a ping", greeting(), true),
        ("stops within a frame of headers", greeted(&[open(1, CREATE)[..20].to_vec()]), true),
        ("never ends its headers", greeted(&[frame(HEADERS, 0, 1, &block(CREATE))]), true),
        ("speaks HTTP/1", b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n".to_vec(), true),
        ("speaks TLS", [&[22, 3, 1, 2, 0, 1, 0, 1, 252, 3, 3][..], &[7; 506]].concat(), true),
        (
            "sends garbage",
            (0..100_000_u32)
                .map(|number| u8::try_from(number * 7 % 251).expect("a byte"))
                .collect(),
            true,
        ),
        ("sends garbage after the greeting", greeted(&[vec![0xff; 4096]]), true),
        (
            "says that a frame has 16 MiB",
            greeted(&[vec![0xff, 0xff, 0xff, 0, 0, 0, 0, 0, 1]]),
            true,
        ),
        (
            "goes on with headers for ever",
            greeted(&[
                frame(HEADERS, 0, 1, &block(CREATE)),
                frame(CONTINUATION, 0, 1, &[0, 1, b'a', 1, b'b'].repeat(2000)).repeat(200),
            ]),
            true,
        ),
        (
            "goes on with empty headers",
            {
                let more = frame(CONTINUATION, 0, 1, &[]).repeat(10_000);
                greeted(&[frame(HEADERS, 0, 1, &block(CREATE)), more])
            },
            true,
        ),
        (
            "opens and resets at once",
            many(5000, &|stream| {
                [open(stream, DESCRIBE), frame(RESET, 0, stream, &[0, 0, 0, 8])].concat()
            }),
            true,
        ),
        ("opens more than it may", many(1000, &|stream| open(stream, CREATE)), true),
        (
            "opens watches and reads none",
            many(100, &|stream| [open(stream, WATCH), frame(0, 1, stream, &watch)].concat()),
            true,
        ),
        ("pings without end", many(20_000, &|_| frame(PING, 0, 0, &[0; 8])), true),
        ("pings and does not listen", many(400_000, &|_| frame(PING, 0, 0, &[0; 8])), false),
        ("changes its settings without end", many(20_000, &|_| frame(SETTINGS, 0, 0, &[])), true),
        ("asks for what is not there", many(100, &|stream| open(stream, "/no/such")), true),
    ]
}

/// How long the server keeps the connection open.
async fn time_until_closed(address: &str, sent: &[u8], reads: bool) -> Duration {
    let begun = Instant::now();
    let (mut from, mut to) = TcpStream::connect(address).await.expect("connected").into_split();
    let sending = async {
        // Fails if the server has closed the connection before everything was sent.
        let _ = to.write_all(sent).await;
        // If the server has closed it since, another byte shows that.
        while !reads && to.write_all(&[0]).await.is_ok() {
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    };
    let receiving = async {
        let mut bytes = vec![0; 1 << 16];
        // Until the end, or until the connection is reset.
        while reads && from.read(&mut bytes).await.is_ok_and(|read| read > 0) {}
    };
    let ended = timeout(BOUND, async { tokio::join!(sending, receiving) }).await;
    ended.expect("ended by the server");
    begun.elapsed()
}

#[tokio::test]
async fn hostile_connections_are_closed_and_harm_no_other() {
    let server = TestServer::with(|config| config.connections = 4).await;
    let address = server.endpoint.to_string();
    let mut client = server.client().await;
    let id = create(&mut client, "people").await;
    // From here on: the writer has a thread of its own, which this clock does not
    // wait for.
    tokio::time::pause();
    for (what, sent, reads) in attacks() {
        let hostile = async {
            let (first, second) = tokio::join!(
                time_until_closed(&address, &sent, reads),
                time_until_closed(&address, &sent, reads)
            );
            first.max(second)
        };
        tokio::pin!(hostile);
        let mut calls = 0;
        let lasted = loop {
            tokio::select! {
                lasted = &mut hostile => break lasted,
                described = describe(&mut client, &id) => {
                    described.unwrap_or_else(|status| unreachable!("{what}: {status}"));
                    calls += 1;
                    tokio::time::sleep(Duration::from_secs(1)).await;
                }
            }
        };
        eprintln!("{what}: ended after {lasted:?}, {calls} calls served meanwhile");
        // All permits were released: a new client gets one.
        let mut other = server.client().await;
        describe(&mut other, &id).await.unwrap_or_else(|status| unreachable!("{what}: {status}"));
    }
    server.stop().await;
}

#[tokio::test]
async fn a_stalled_request_times_out_and_frees_its_permit() {
    let server = TestServer::with(|config| config.capacity.reads = 1).await;
    let mut client = server.client().await;
    let id = create(&mut client, "people").await;
    // From here on: the writer has a thread of its own, which this clock does not
    // wait for.
    tokio::time::pause();
    let mut wire = Wire::connect(&server.endpoint.to_string()).await;
    let begun = wire.begin(DESCRIBE, None).await;
    let late = timeout(BOUND, begun.status()).await.expect("given up");
    assert_eq!(late.code(), Code::DeadlineExceeded, "{late}");
    describe(&mut client, &id).await.expect("described");
    server.stop().await;
}

/// Each of these was INTERNAL or silence.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_grpc_is_told_so() {
    let server = TestServer::start().await;
    let address = server.endpoint.to_string();
    let id = framed(&DescribeUserPoolRequest {
        user_pool_id: Some("a".to_owned()),
        ..DescribeUserPoolRequest::default()
    });
    let malformed = [&[0, 0, 0, 0, 2][..], &[0xff, 0xff]].concat();
    let compressed = [&[1][..], &id[1..]].concat();
    for (method, body, code, expected) in [
        (DESCRIBE, malformed.into(), Code::InvalidArgument, "INVALID_REQUEST"),
        (DESCRIBE, Bytes::new(), Code::InvalidArgument, "INVALID_REQUEST"),
        (DESCRIBE, compressed.into(), Code::InvalidArgument, "INVALID_REQUEST"),
        ("/userpool.v1.UserPoolService/Nothing", id.clone(), Code::Unimplemented, "UNSUPPORTED"),
        ("/nothing.Service/Nothing", id.clone(), Code::Unimplemented, "UNSUPPORTED"),
    ] {
        let mut wire = Wire::connect(&address).await;
        let mut begun = wire.begin(method, None).await;
        begun.request.send_data(body, true).expect("sent");
        let status = begun.status().await;
        assert_eq!(
            (status.code(), reason(&status).as_str()),
            (code, expected),
            "{method}: {status}"
        );
    }
    let mut socket = TcpStream::connect(&address).await.expect("connected");
    socket.write_all(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n").await.expect("sent");
    let mut answer = Vec::new();
    socket.read_to_end(&mut answer).await.expect("an answer");
    // A busy server may have sent its HTTP/2 settings before it reads the request.
    let answer = String::from_utf8_lossy(&answer);
    assert!(answer.contains("HTTP/1.1 505 "), "{answer}");
    assert!(
        answer.ends_with("this address speaks gRPC over HTTP/2: use a gRPC client.\n"),
        "{answer}"
    );
    server.stop().await;
}
