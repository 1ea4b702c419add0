//! The proof: the browser gets the very bytes that it verifies. What it makes of them is tested in a
//! browser.

use std::fs;

use serde_json::Value;
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};
use userpool::proto::{
    ListUserPoolEventsRequest, user_pool_history_service_client::UserPoolHistoryServiceClient,
};

use super::{Console, Sample};
use crate::{
    binary::{run, userpool},
    support::TestServer,
};

#[tokio::test(flavor = "multi_thread")]
async fn the_records_are_those_of_the_log() {
    let Sample { server, .. } = &Sample::new().await;
    let console = Console::of(server).await;
    let mut history = UserPoolHistoryServiceClient::new(server.channel().await);
    let all = ListUserPoolEventsRequest { include_records: true, ..Default::default() };
    let events = history.list_user_pool_events(all).await.expect("events").into_inner().events;
    let records: Vec<_> = events.into_iter().map(|event| event.record.expect("a record")).collect();
    assert_eq!(records.len(), 11);
    for (path, expected) in [
        ("/log/records", &records[..]),
        ("/log/records?after=0&to=99", &records[..]),
        ("/log/records?after=3&to=7", &records[3..7]),
        ("/log/records?after=11", &[]),
    ] {
        let body = body_of(&console, path).await;
        let mut rest = body.as_slice();
        let mut found = Vec::new();
        while let Some((length, after)) = rest.split_first_chunk() {
            let length = usize::try_from(u32::from_be_bytes(*length)).expect("a length");
            let (record, after) = after.split_at(length);
            found.push(record.to_vec());
            rest = after;
        }
        assert_eq!(found, expected, "{path}");
    }
    assert_eq!(console.get("/log/records?to=x").await.status, 400);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_export_and_the_checkpoint_are_those_of_the_commands() {
    let Sample { server, .. } = &Sample::new().await;
    let console = Console::of(server).await;
    let files = TempDir::new().expect("a directory");
    let checkpoint = console.get("/proof.json").await;
    let json: Value = serde_json::from_str(&checkpoint.body).expect("JSON");
    assert_eq!(json["position"], "11");
    let noted = files.path().join("noted.json");
    fs::write(&noted, &checkpoint.body).expect("written");
    let export = files.path().join("log.jsonl");
    fs::write(&export, body_of(&console, "/log/export.jsonl").await).expect("written");
    let mut verify = userpool();
    verify.arg("verify").arg("--checkpoint").args([&noted, &export]);
    let verified = run(&mut verify).await;
    assert!(verified.status.success(), "{verified:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_proof_of_an_event_is_for_the_checkpoint_of_the_page() {
    let Sample { server, .. } = &Sample::new().await;
    let console = Console::of(server).await;
    let proof = console.get("/proof/event.json?position=3&size=10").await;
    let proof: Value = serde_json::from_str(&proof.body).expect("JSON");
    assert_eq!((&proof["leafIndex"], &proof["treeSize"]), (&"2".into(), &"10".into()));
    assert!(proof["record"].is_string() && proof["hashes"].is_array(), "{proof}");
    assert_eq!(console.get("/proof/event.json?position=99").await.status, 404);
    assert_eq!(console.get("/proof/event.json?position=-1").await.status, 400);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_says_what_stays_open() {
    let Sample { server, .. } = &Sample::new().await;
    let console = Console::of(server).await;
    let page = console.get("/proof").await;
    page.has(&[
        "Not verified yet",
        "No script runs here",
        "compare it with what userpool key prints",
        "only a checkpoint that was kept elsewhere shows that",
        "This page came from the server",
        "userpool verify",
    ]);
    let empty = TestServer::start().await;
    assert_eq!(Console::of(&empty).await.get("/proof").await.status, 200);
}

/// The bytes of a whole answer.
async fn body_of(console: &Console, path: &str) -> Vec<u8> {
    let (address, cookie) = (&console.address, &console.cookie);
    let mut socket = TcpStream::connect(address).await.expect("a connection");
    // Without chunks.
    let request = format!("GET {path} HTTP/1.0\r\nhost: {address}\r\ncookie: {cookie}\r\n\r\n");
    socket.write_all(request.as_bytes()).await.expect("written");
    let mut answer = Vec::new();
    socket.read_to_end(&mut answer).await.expect("an answer");
    let end = answer.windows(4).position(|four| four == b"\r\n\r\n").expect("a head");
    answer.split_off(end + 4)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_export_has_the_filter_of_the_log() {
    let Sample { server, pool, deleted, .. } = &Sample::new().await;
    let console = Console::of(server).await;
    let positions = async |query: &str| {
        let lines = body_of(&console, &format!("/log/export.jsonl?{query}")).await;
        let lines = String::from_utf8(lines).expect("text");
        let of_line = |line: &str| {
            let event: Value = serde_json::from_str(line).expect("JSON");
            event["position"]
                .as_str()
                .and_then(|position| position.parse().ok())
                .expect("a position")
        };
        lines.lines().map(of_line).collect::<Vec<i64>>()
    };
    assert_eq!(positions("").await.len(), 11);
    assert_eq!(positions("type=deleted&type=tagged").await, [10, 11]);
    assert_eq!(positions(&format!("pool={deleted}")).await, [3, 11]);
    assert_eq!(positions(&format!("pool={pool}&type=created")).await, [1]);
    assert_eq!(positions("type=mfa-set").await, Vec::<i64>::new());
    assert_eq!(positions("since=2017-12-11&until=2017-12-11").await.len(), 11);
    assert_eq!(positions("until=2017-12-10").await, Vec::<i64>::new());
    assert_eq!(positions("since=2017-12-12").await, Vec::<i64>::new());
    // The button has the filter of the page.
    console.get("/log?type=deleted").await.has(&["/log/export.jsonl?type=deleted"]);
}
