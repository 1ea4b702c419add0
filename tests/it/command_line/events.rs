//! What changed in all user pools: filtered, counted, and in the formats of people and programs.

use regex::Regex;
use serde_json::Value;

use super::{CommandOutput, by_kind, create, run, run_with, unix_server};
use crate::support::{TestServer, long_log};

const REQUEST_ID: &str = "6d4cf2b1-8a4f-4f5c-9c7f-2f1e0a3b5c7d";

/// 1 people created · 2 staff created · 3 people has a domain · 4 people is tagged · 5 the
/// domain is removed · 6 staff has it
async fn six_events(server: &TestServer) -> [String; 2] {
    let (people, staff) = (create(server, "people").await, create(server, "staff").await);
    for arguments in [
        vec!["domain", "create", "login", &people],
        vec!["tag", "set", &people, "team=a", "--request-id", REQUEST_ID],
        vec!["domain", "delete", "login", &people],
        vec!["domain", "create", "login", &staff],
    ] {
        let ran = run(server, &arguments).await;
        assert_eq!(ran.code, 0, "{ran:?}");
    }
    [people, staff]
}

/// The events that a command prints as documents, one per line.
fn documents(ran: &CommandOutput) -> Vec<Value> {
    assert_eq!(ran.code, 0, "{ran:?}");
    ran.stdout.lines().map(|line| serde_json::from_str(line).expect("an event")).collect()
}

/// The positions of the events that match.
async fn positions(server: &TestServer, arguments: &[&str]) -> String {
    let ran = run(server, &[&["events", "-o", "jsonl"], arguments].concat()).await;
    let positions = documents(&ran);
    let positions = positions.iter().map(|event| event["position"].as_str().expect("a number"));
    positions.collect::<Vec<_>>().join(" ")
}

#[tokio::test(flavor = "multi_thread")]
async fn the_newest_events_of_all_user_pools_come_first() {
    let server = unix_server().await;
    let [people, staff] = six_events(&server).await;
    let ran = run(&server, &["events", "-n", "4"]).await;
    assert_eq!((ran.code, ran.stderr.as_str()), (0, ""));
    let shown = by_kind(&ran.stdout);
    let uid =
        shown.split("uid=").nth(1).and_then(|rest| rest.split("  ").next()).expect("an actor");
    let time = "2017-12-11T00:00:0";
    let expected = format!(
        "POSITION  TIME  POOL  TYPE  ACTOR  WHAT\n  \
         6  {time}6Z  {staff}  domain-created  uid={uid}  login\n  \
         5  {time}5Z  {people}  domain-deleted  uid={uid}  login\n  \
         4  {time}4Z  {people}  tagged  uid={uid}  team: a\n  \
         3  {time}3Z  {people}  domain-created  uid={uid}  login\n"
    );
    assert_eq!(shown, expected);
    assert_eq!(positions(&server, &[]).await, "6 5 4 3 2 1");
    assert_eq!(positions(&server, &["--reverse"]).await, "1 2 3 4 5 6");
    assert_eq!(positions(&server, &["--reverse", "-n", "2"]).await, "1 2");
    let empty = run(&server, &["events", "--since", "1m", "--until", "1h"]).await;
    let expected = "userpool: --until must be later than --since; the longer a duration before now, \
                    the earlier the time\n";
    assert_eq!((empty.code, empty.stderr.as_str()), (2, expected));
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_is_found_by_any_of_its_parts() {
    let server = TestServer::start().await;
    let [people, staff] = six_events(&server).await;
    let all = documents(&run(&server, &["events", "-o", "jsonl"]).await);
    let correlation_id = all[1]["correlationId"].as_str().expect("an ID");
    let address = all[1]["actor"]["peerAddress"].as_str().expect("an address");
    for (arguments, expected) in [
        (vec!["--pool", &people], "5 4 3 1"),
        (vec!["--pool", &staff, "--type", "domain-created"], "6"),
        (vec!["--types", "created,domain-deleted"], "5 2 1"),
        (vec!["--domain", "login"], "6 5 3"),
        (vec!["--domain", "login", "--pool", &people], "5 3"),
        (vec!["--correlation-id", correlation_id], "5"),
        (vec!["--request-id", REQUEST_ID], "4"),
        (vec!["--address", address], "5"),
        (vec!["--address", "127.0.0.0/8"], "6 5 4 3 2 1"),
        (vec!["--address", "10.0.0.0/8"], ""),
        (vec!["--actor", ""], "6 5 4 3 2 1"),
        (vec!["--actor", "uid=*"], ""),
        (vec!["--since", "2017-12-11T00:00:04Z"], "6 5 4"),
        (vec!["--since", "2017-12-11T00:00:04Z", "--until", "2017-12-11T00:00:06Z"], "5 4"),
        (vec!["--since", "1h"], ""),
    ] {
        assert_eq!(positions(&server, &arguments).await, expected, "{arguments:?}");
    }
    // The history of one user pool and a watch take the same filters.
    let history = run(&server, &["history", &people, "--domain", "login", "-o", "jsonl"]).await;
    assert_eq!(documents(&history).len(), 2);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_filter_that_cannot_match_is_refused_with_the_remedy() {
    let server = TestServer::start().await;
    for (arguments, remedy) in [
        (["--address", "10.1.2.3/8"], "must be 10.0.0.0/8 for the network, or 10.1.2.3 for one"),
        (["--request-id", "4711"], "filter.request_id: must be a UUID"),
        (["--domain", "Login"], "filter.domain: may contain only lower-case letters"),
        (["--correlation-id", "two words"], "must have 1 to 128 visible ASCII characters"),
    ] {
        let ran = run(&server, &[["events", "-n1"], arguments].concat()).await;
        assert_eq!((ran.code, ran.stdout.as_str()), (64 + 3, ""), "{ran:?}");
        assert!(ran.stderr.contains(remedy), "{}", ran.stderr);
    }
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn events_are_summaries_in_json_unless_they_are_wanted_whole() {
    let server = TestServer::start().await;
    six_events(&server).await;
    let json = run(&server, &["events", "-o", "json", "-n", "3"]).await.json();
    let events = json["events"].as_array().expect("a list");
    assert_eq!(events.len(), 3);
    let tagged = &events[2];
    assert_eq!(tagged["changes"][0]["path"], "user_pool_tags.team");
    assert_eq!(tagged["changes"][0]["newValue"], "a");
    assert_eq!((tagged.get("hash"), tagged.get("userPoolTagged")), (None, None));
    let full = run(&server, &["events", "-n", "1", "--full"]).await.json();
    assert_eq!(full["events"][0]["userPoolDomainCreated"]["domain"], "login");
    let refused = run(&server, &["events", "-o", "csv", "--full"]).await;
    assert!(refused.stderr.contains("--output json or jsonl"), "{}", refused.stderr);
    let whole = run(&server, &["events", "-o", "jsonl", "-n", "1", "--full"]).await;
    let whole = &documents(&whole)[0];
    assert_eq!(whole["userPoolDomainCreated"]["domain"], "login");
    assert!(whole["hash"].is_string() && whole.get("changes").is_none(), "{whole}");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_time_only_the_newest_100_events_are_shown() {
    let server = long_log(150).await;
    let ran = run(&server, &["events", "-o", "jsonl"]).await;
    let events = documents(&ran);
    assert_eq!((events.len(), &events[0]["position"]), (100, &"150".into()));
    assert_eq!(
        ran.stderr,
        "userpool: showed the newest 100 events; --limit or --since shows older ones\n"
    );
    for all in [["--since", "1970-01-01"], ["--limit", "1000"]] {
        let ran = run(&server, &[["events", "-o", "jsonl"].as_slice(), &all].concat()).await;
        assert_eq!((documents(&ran).len(), ran.stderr.as_str()), (150, ""), "{all:?}");
    }
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn events_are_counted_by_what_they_have_in_common() {
    let server = unix_server().await;
    let [people, staff] = six_events(&server).await;
    let count = async |arguments: &[&str]| {
        let ran = run(&server, &[&["events", "--count-by"], arguments].concat()).await;
        assert_eq!((ran.code, ran.stderr.as_str()), (0, ""), "{ran:?}");
        by_kind(&ran.stdout)
    };
    let types = "TYPE  EVENTS\ncreated  2\ndomain-created  2\ndomain-deleted  1\ntagged  1\n";
    assert_eq!(count(&["type"]).await, types);
    assert_eq!(count(&["pool"]).await, format!("POOL  EVENTS\n{people}  4\n{staff}  2\n"));
    assert_eq!(count(&["day", "-o", "csv"]).await, "day,events\r\n2017-12-11,6\r\n");
    let actors = count(&["actor", "--domain", "login"]).await;
    assert!(
        actors.starts_with("ACTOR  EVENTS\nlocal:uid=") && actors.ends_with("  3\n"),
        "{actors}"
    );
    let json = count(&["day", "-o", "json", "--pool", &staff]).await;
    let json: Value = serde_json::from_str(&json).expect("a document");
    assert_eq!(json, serde_json::json!({ "counts": [{ "day": "2017-12-11", "events": 2 }] }));
    let lines = count(&["type", "-o", "jsonl", "--type", "tagged"]).await;
    assert_eq!(lines, "{\"type\":\"tagged\",\"events\":1}\n");
    assert_eq!(count(&["type", "--since", "1h"]).await, "TYPE  EVENTS\n");
    let wrong = run(&server, &["events", "--count-by", "type", "--follow"]).await;
    assert_eq!(wrong.code, 2, "{wrong:?}");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn anonymous_callers_are_counted_by_their_address() {
    let server = TestServer::start().await;
    six_events(&server).await;
    let ran = run_with(&server.endpoint.to_string(), &["events", "--count-by", "actor"], "").await;
    assert_eq!(by_kind(&ran.stdout), "ACTOR  EVENTS\nanonymous 127.0.0.1  6\n");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_event_of_a_long_log_is_counted() {
    let server = long_log(2_500).await;
    // Without a filter, the server counts; with one, the events are read page by page.
    for filter in [[].as_slice(), &["--since", "1970-01-01"]] {
        let arguments = ["events", "--count-by", "type", "-o", "jsonl"];
        let ran = run(&server, &[&arguments, filter].concat()).await;
        assert_eq!(
            ran.stdout,
            "{\"type\":\"updated\",\"events\":2499}\n{\"type\":\"created\",\"events\":1}\n"
        );
    }
    server.stop().await;
}

/// A server of whose two events the first is from a process on its socket, and the second from an
/// anonymous caller.
async fn two_actors() -> TestServer {
    let server = unix_server().await;
    create(&server, "people").await;
    let directory = server.stop().await;
    let server = TestServer::with(|config| config.data_dir = directory.path().into()).await;
    create(&server, "staff").await;
    server
}

#[tokio::test(flavor = "multi_thread")]
async fn an_actor_is_found_by_any_form_that_is_printed() {
    let server = two_actors().await;
    let gaps = Regex::new("  +").expect("a pattern");
    let table = run(&server, &["events", "--reverse"]).await.stdout;
    let table = gaps.replace_all(&table, "  ");
    let csv = run(&server, &["events", "--reverse", "-o", "csv"]).await.stdout;
    let counts = by_kind(&run(&server, &["events", "--count-by", "actor"]).await.stdout);
    let column = |text: &str, separator: &str, column: usize| {
        let cells = text.lines().skip(1).map(|line| line.trim().split(separator).nth(column));
        cells.map(|cell| cell.expect("a cell").to_owned()).collect::<Vec<_>>()
    };
    let local = counts.lines().find(|line| line.starts_with("local:")).expect("a row");
    let local = local.split("  ").next().expect("a cell").to_owned();
    let printed = [
        column(&table, "  ", 4),
        column(&csv, ",", 5),
        vec![local, "anonymous 127.0.0.1".to_owned()],
    ];
    for pair in printed {
        for (actor, position) in pair.iter().zip(["1", "2"]) {
            assert_eq!(positions(&server, &["--actor", actor]).await, position, "{actor}");
        }
    }
    for (pattern, expected) in
        [("local:*", "1"), ("uid=*", "1"), ("**", "2 1"), ("", "2"), ("token:**", "")]
    {
        assert_eq!(positions(&server, &["--actor", pattern]).await, expected, "{pattern}");
    }
    let watched = run(&server, &["history", "us-east-1_a", "--actor", "token:"]).await;
    let remedy = "filter.actor_subject: must not be empty, because actor_kind is ACTOR_KIND_TOKEN";
    assert!(watched.stderr.contains(remedy), "{}", watched.stderr);
    let twice = ["events", "--actor", "192.0.2.7:1", "--address", "192.0.2.7"];
    let twice = run(&server, &twice).await;
    let remedy = "userpool: --actor names an address as well as --address; give one of them\n";
    assert_eq!((twice.code, twice.stderr.as_str()), (2, remedy));
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_without_an_event_says_so() {
    let server = TestServer::start().await;
    let none = run(&server, &["events"]).await;
    assert_eq!((none.code, none.stderr.as_str()), (0, ""), "nothing was recorded yet");
    let id = create(&server, "people").await;
    for arguments in [&["events", "--domain", "login"][..], &["history", &id, "--since", "1h"]] {
        let none = run(&server, arguments).await;
        assert_eq!((none.code, none.stderr.as_str()), (0, "userpool: no event matches\n"));
    }
    // As of a call that was refused.
    let refused = run(&server, &["delete", &id, "--expected-revision", "7", "--yes"]).await;
    let (_, id) = refused.stderr.trim_end().rsplit_once('=').expect("a correlation ID");
    let none = run(&server, &["events", "--correlation-id", id]).await;
    assert_eq!(
        (none.code, none.stderr.as_str()),
        (
            0,
            "userpool: no event matches; a call that was refused or changed nothing has no event, \
             but a record in the process log of the server\n"
        )
    );
    server.stop().await;
}
