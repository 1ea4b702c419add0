//! The history of a user pool, its past states, and their differences.

use super::{by_kind, create, run, run_with, unix_server};
use crate::support::TestServer;

/// A user pool that was created, got a domain, and was updated.
async fn three_events(server: &TestServer) -> String {
    let id = create(server, "people").await;
    assert_eq!(run(server, &["domain", "create", "people-login", &id]).await.code, 0);
    let change = r#"{"MfaConfiguration": "OFF", "UserPoolTags": {"team": "people"}}"#;
    let endpoint = server.endpoint.to_string();
    let mask = ["update", &id, "-", "--mask", "user_pool_tags,mfa_configuration"];
    assert_eq!(run_with(&endpoint, &mask, change).await.code, 0);
    id
}

#[tokio::test(flavor = "multi_thread")]
async fn a_history_shows_when_who_and_what_changed() {
    let server = unix_server().await;
    let id = three_events(&server).await;
    let history = run(&server, &["history", &id]).await;
    assert_eq!(history.code, 0);
    let uid = by_kind(&history.stdout);
    let uid = uid.split("uid=").nth(1).and_then(|rest| rest.split("  ").next()).expect("an actor");
    let (first, second, third) =
        ("2017-12-11T00:00:01Z", "2017-12-11T00:00:02Z", "2017-12-11T00:00:03Z");
    let expected = format!(
        "REVISION  TIME  TYPE  ACTOR  WHAT\n  \
         1  {first}  created  uid={uid}  people\n  \
         2  {second}  domain-created  uid={uid}  people-login\n  \
         3  {third}  updated  uid={uid}  user_pool_tags.team: people\n"
    );
    assert_eq!(by_kind(&history.stdout), expected);

    let types = ["history", &id, "--types", "created,domain-created", "--reverse"];
    let types = run(&server, &types).await.stdout;
    let kinds: Vec<_> = types.lines().filter_map(|line| line.split_whitespace().nth(2)).collect();
    assert_eq!(kinds, ["TYPE", "domain-created", "created"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_history_is_limited_by_times_and_by_a_count() {
    let server = TestServer::start().await;
    let id = three_events(&server).await;
    let revisions = async |arguments: &[&str]| {
        let all = [&["history", &id, "-o", "jsonl"], arguments].concat();
        let ran = run(&server, &all).await;
        assert_eq!(ran.code, 0, "{ran:?}");
        let events = ran
            .stdout
            .lines()
            .map(|line| -> serde_json::Value { serde_json::from_str(line).expect("an event") });
        events.map(|event| event["revision"].as_str().expect("a number").to_owned()).collect()
    };
    let revisions = async |arguments: &[&str]| -> String {
        let revisions: Vec<String> = revisions(arguments).await;
        revisions.join(" ")
    };
    assert_eq!(revisions(&[]).await, "1 2 3");
    assert_eq!(revisions(&["--reverse", "--limit", "2"]).await, "3 2");
    assert_eq!(revisions(&["--since", "2017-12-11T00:00:02Z"]).await, "2 3");
    assert_eq!(revisions(&["--until", "2017-12-11T01:00:02+01:00"]).await, "1");
    assert_eq!(revisions(&["--since", "2017-12-11", "--until", "2017-12-11"]).await, "1 2 3");
    assert_eq!(revisions(&["--until", "2017-12-10"]).await, "");
    // As tables show times, and without a zone, which is UTC.
    for since in ["2017-12-11 00:00:02", "2017-12-11T00:00:02"] {
        assert_eq!(revisions(&["--since", since]).await, "2 3", "{since}");
    }
    for since in ["2017-12-11T00:00Z", "2017-12-11 00:00"] {
        assert_eq!(revisions(&["--since", since]).await, "1 2 3", "{since}");
    }
    // The command uses the clock of the machine; that of the server is years behind.
    assert_eq!(revisions(&["--since", "1d12h"]).await, "");
    assert_eq!(revisions(&["--until", "90s"]).await, "1 2 3");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_pool_is_shown_as_of_a_revision_a_position_or_a_time() {
    let server = TestServer::start().await;
    let id = three_events(&server).await;
    let later = create(&server, "later").await;
    assert_ne!(later, id);
    for (at, revision) in [("1", "1"), ("@2", "2"), ("@4", "3"), ("2017-12-11T00:00:02.500Z", "2")]
    {
        let replayed = run(&server, &["replay", &id, "--at", at]).await;
        assert_eq!(replayed.code, 0, "{replayed:?}");
        let replayed = replayed.json();
        assert_eq!(replayed["revision"], revision, "{at}");
        let domain = replayed["userPool"].get("Domain").and_then(|domain| domain.as_str());
        assert_eq!(domain, (revision != "1").then_some("people-login"), "{at}");
    }
    let early = run(&server, &["replay", &id, "--at", "2017-12-10"]).await;
    assert_eq!(early.code, 64 + 11, "{early:?}");
    assert!(early.stderr.contains("BEFORE_CREATION"), "{}", early.stderr);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_diff_names_each_changed_member() {
    let server = TestServer::start().await;
    let id = three_events(&server).await;
    let differ = run(&server, &["diff", &id, "1", "3"]).await;
    assert_eq!(differ.code, 1);
    assert_eq!(
        differ.stdout,
        format!(
            "--- {id} at revision 1, position 1, 2017-12-11T00:00:01Z\n\
             +++ {id} at revision 3, position 3, 2017-12-11T00:00:03Z\n\
             - LastModifiedDate: \"2017-12-11T00:00:01Z\"\n\
             + LastModifiedDate: \"2017-12-11T00:00:03Z\"\n\
             + UserPoolTags: {{\"team\":\"people\"}}\n\
             + Domain: \"people-login\"\n"
        )
    );
    let equal = run(&server, &["diff", &id, "@3"]).await;
    assert_eq!((equal.code, equal.stdout.as_str()), (0, ""));

    let json = run(&server, &["diff", &id, "3", "1", "-o", "json"]).await;
    assert_eq!(json.code, 1);
    let json = json.json();
    assert_eq!((&json["from"]["revision"], &json["to"]["position"]), (&"3".into(), &"1".into()));
    assert_eq!(json["differences"][2]["path"], "Domain");
    assert_eq!(json["differences"][2]["from"], "people-login");
    assert!(json["differences"][2].get("to").is_none());

    assert_eq!(run(&server, &["domain", "delete", "people-login", &id]).await.code, 0);
    assert_eq!(run(&server, &["delete", &id, "--yes"]).await.code, 0);
    let deleted = run(&server, &["diff", &id, "4", "5", "-o", "jsonl"]).await;
    assert_eq!(
        (deleted.code, deleted.stdout.as_str()),
        (1, "{\"path\":\"deleted\",\"to\":true}\n")
    );
}
