//! Pages without content, and pages about what went wrong.

use userpool::auth::Grants;

use super::{Console, Sample};
use crate::support::TestServer;

#[tokio::test(flavor = "multi_thread")]
async fn an_empty_server_says_how_to_begin() {
    let server = TestServer::start().await;
    let console = Console::of(&server).await;
    console.get("/pools").await.has(&["There are no user pools yet", "userpool create -"]);
    console.get("/domains").await.has(&["No user pool has a domain"]);
    console.get("/log").await.has(&["Nothing has been recorded yet", "As of position 0"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_pool_says_so_and_stays_readable() {
    let Sample { server, deleted, .. } = &Sample::new().await;
    let console = Console::of(server).await;
    let page = console.get(&format!("/pools/{deleted}")).await;
    assert_eq!(page.status, 200);
    page.has(&["This user pool was deleted", "</svg> anonymous", "in revision 2", "At least"]);
    page.has(&[
        &format!("userpool replay {deleted}"),
        &format!("userpool restore {deleted} --to=1"),
    ]);
    let history = console.get(&format!("/pools/{deleted}/history")).await;
    history.has(&["This user pool was deleted", "id=\"r2\"", "id=\"r1\""]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_exist_is_not_found() {
    let Sample { server, pool, other, .. } = &Sample::new().await;
    let console = Console::of(server).await;
    for page in ["", "/history", "/diff"] {
        let missing = console.get(&format!("/pools/us-east-1_000000000{page}")).await;
        assert_eq!(missing.status, 404);
        missing.has(&["USER_POOL_NOT_FOUND", "Correlation ID", "all user pools"]);
    }
    assert_eq!(console.get("/nothing").await.status, 404);

    let beyond = console.get(&format!("/pools/{pool}?at=99")).await;
    assert_eq!(beyond.status, 404);
    beyond.has(&["BEYOND_END", &format!("/pools/{pool}?at=6")]);
    let before = console.get(&format!("/pools/{other}?at=@1")).await;
    assert_eq!(before.status, 404);
    before.has(&["BEFORE_CREATION", &format!("/pools/{other}?at=1")]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_that_cannot_be_read_says_what_is_allowed() {
    let Sample { server, pool, .. } = &Sample::new().await;
    let console = Console::of(server).await;
    for (path, text) in [
        (format!("/pools/{pool}?at=yesterday"), "expected a revision (7)"),
        ("/log?since=x".to_owned(), "expected a time"),
        ("/log?type=x".to_owned(), "must be one of created"),
        ("/pools?state=x".to_owned(), "must be one of deleted, all, no-domain"),
        ("/log?address=x".to_owned(), "filter.peer_address"),
        ("/log?after=x".to_owned(), "Start at the first page"),
        ("/pools?after=x".to_owned(), "Start at the first page"),
    ] {
        let refused = console.get(&path).await;
        assert_eq!(refused.status, 400, "{path}");
        refused.has(&[text]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_without_a_role_learns_which_grant_to_ask_for() {
    let server = TestServer::with(|config| {
        let readers = vec!["token:auditor".parse().expect("a caller")];
        config.grants = Grants { readers, ..Grants::default() };
    })
    .await;
    let console = Console::of(&server).await;
    for path in ["/pools", "/log", "/domains", "/me", "/pools/us-east-1_000000000"] {
        let refused = console.get(path).await;
        assert_eq!(refused.status, 401, "{path}");
        refused.has(&[
            "CREDENTIALS_MISSING",
            "The server does not know you",
            "anonymous",
            "readers",
        ]);
    }
    let json = console.get("/pools.json").await;
    assert_eq!(json.status, 401);
    let json: serde_json::Value = serde_json::from_str(&json.body).expect("JSON");
    assert_eq!(json["error"]["reason"], "CREDENTIALS_MISSING");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_gone_is_asked_again() {
    let server = TestServer::start().await;
    let console = Console::of(&server).await;
    assert_eq!(console.get("/pools").await.status, 200);
    let endpoint = server.endpoint.to_string();
    server.stop().await;
    let gone = console.get("/pools").await;
    assert_eq!(gone.status, 503);
    assert!(gone.header("retry-after").is_some(), "{}", gone.head);
    gone.has(&["http-equiv=\"refresh\"", "no answer", "loads itself again"]);
    gone.has(&[&format!("no connection to the server {endpoint} (")]);
}
