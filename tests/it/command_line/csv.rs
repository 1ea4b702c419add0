//! Events as comma-separated values, for spreadsheets.

use super::{by_kind, output, run, run_with, unix_server, userpool};
use crate::support::TestServer;

const HEADING: &str = "time,position,pool,revision,type,actor,address,what,request_id,\
                       correlation_id,event_id";

#[tokio::test(flavor = "multi_thread")]
async fn events_are_records_of_rfc_4180_without_formulas() {
    let server = TestServer::start().await;
    let endpoint = server.endpoint.to_string();
    // A name that a spreadsheet would compute, with a comma and a line feed.
    let request = r#"{"PoolName": "=1+1, @a\n", "UserPoolTags": {"a": "1", "=b": "2"}}"#;
    let create = ["create", "-", "--request-id", "6d4cf2b1-8a4f-4f5c-9c7f-2f1e0a3b5c7d"];
    let created = run_with(&endpoint, &create, request).await;
    assert_eq!(created.code, 0, "{created:?}");
    let id = created.json()["UserPool"]["Id"].as_str().expect("an ID").to_owned();
    assert_eq!(run(&server, &["tag", "remove", &id, "a", "=b"]).await.code, 0);

    let events = run(&server, &["history", &id, "-o", "jsonl"]).await.stdout;
    let events: Vec<serde_json::Value> =
        events.lines().map(|line| serde_json::from_str(line).expect("an event")).collect();
    let text =
        |event: usize, member: &str| events[event][member].as_str().expect("text").to_owned();
    let row = |event: usize, start: &str, request: &str, what: &str| {
        let (correlation_id, event_id) = (text(event, "correlationId"), text(event, "eventId"));
        let address = events[event]["actor"]["peerAddress"].as_str().expect("an address");
        format!("{start},anonymous,{address},{what},{request},{correlation_id},{event_id}\r\n")
    };
    let first = format!("2017-12-11T00:00:01.000Z,1,{id},1,created");
    let second = format!("2017-12-11T00:00:02.000Z,2,{id},2,untagged");
    let request_id = text(0, "requestId");
    let second_request = events[1].get("requestId").and_then(|id| id.as_str()).unwrap_or_default();
    let expected = [
        format!("{HEADING}\r\n"),
        row(0, &first, &request_id, "\"'=1+1, @a\\n, user_pool_tags.=b: 2, user_pool_tags.a: 1\""),
        row(1, &second, second_request, "\"'=b: 2 → none, a: 1 → none\""),
    ];
    let csv = output(userpool(&endpoint, &["history", &id, "-o", "csv"])).await;
    assert_eq!((csv.code, csv.stdout), (0, expected.concat()));
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_identified_caller_is_named_as_in_grants() {
    let server = unix_server().await;
    let id = super::create(&server, "people").await;
    let csv = by_kind(&run(&server, &["history", &id, "-o", "csv"]).await.stdout);
    let line = csv.lines().nth(1).expect("an event");
    assert!(line.contains(",created,local:uid=") && line.contains(",,people,"), "{line}");
    server.stop().await;
}
