//! The JSON of a page is that of the API.

use serde_json::Value;
use userpool::proto::{
    self, DescribeLogRequest, DescribeUserPoolDomainRequest, DescribeUserPoolRequest,
    ListUserPoolDomainsRequest, ListUserPoolEventsRequest, ListUserPoolsRequest, ReadDirection,
    ReplayUserPoolRequest, UserPoolEventFilter, replay_user_pool_request::AsOf,
    user_pool_history_service_client::UserPoolHistoryServiceClient,
};

use super::{Console, Sample};
use crate::binary::{run, userpool};

/// The JSON of a page, by its address and by the type that is accepted.
async fn json_of(console: &Console, path: &str, query: &str) -> Value {
    let by_address = console.get(&format!("{path}.json{query}")).await;
    assert_eq!(by_address.status, 200, "{path}: {}", by_address.body);
    assert_eq!(by_address.header("content-type"), Some("application/json"));
    let accept = "accept: application/json";
    let by_type = console.get_with(&format!("{path}{query}"), accept).await;
    assert_eq!(by_type.body, by_address.body, "{path}");
    serde_json::from_str(&by_address.body).expect("JSON")
}

#[tokio::test(flavor = "multi_thread")]
async fn the_json_of_user_pools_is_that_of_the_api() {
    let Sample { server, pool, .. } = &Sample::new().await;
    let console = Console::of(server).await;
    let mut client = server.client().await;
    let list = ListUserPoolsRequest { max_results: Some(50), ..ListUserPoolsRequest::default() };
    let list = client.list_user_pools(list).await.expect("listed").into_inner();
    assert_eq!(json_of(&console, "/pools", "").await, proto::to_json(&list).expect("JSON"));

    let describe = DescribeUserPoolRequest {
        user_pool_id: Some(pool.clone()),
        ..DescribeUserPoolRequest::default()
    };
    let described = client.describe_user_pool(describe).await.expect("described").into_inner();
    let expected = proto::to_json(&described).expect("JSON");
    assert_eq!(json_of(&console, &format!("/pools/{pool}"), "").await, expected);

    let list = ListUserPoolDomainsRequest {
        max_results: Some(40),
        ..ListUserPoolDomainsRequest::default()
    };
    let list = client.list_user_pool_domains(list).await.expect("listed").into_inner();
    assert_eq!(json_of(&console, "/domains", "").await, proto::to_json(&list).expect("JSON"));

    let describe = DescribeUserPoolDomainRequest {
        domain: Some("login".to_owned()),
        ..DescribeUserPoolDomainRequest::default()
    };
    let described = client.describe_user_pool_domain(describe).await.expect("described");
    let expected = proto::to_json(&described.into_inner()).expect("JSON");
    let found = json_of(&console, "/domains/login", "").await;
    assert_eq!(found["DomainDescription"], expected["DomainDescription"]);
    assert_eq!(found["events"].as_array().map(Vec::len), Some(5));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_json_of_the_history_is_that_of_the_api() {
    let Sample { server, pool, .. } = &Sample::new().await;
    let console = Console::of(server).await;
    let mut history = UserPoolHistoryServiceClient::new(server.channel().await);
    for (path, filter) in
        [("/log".to_owned(), None), (format!("/pools/{pool}/history"), Some(pool.clone()))]
    {
        let filter = UserPoolEventFilter { user_pool_id: filter, ..UserPoolEventFilter::default() };
        let list = ListUserPoolEventsRequest {
            filter: Some(filter),
            direction: ReadDirection::Backward.into(),
            page_size: 40,
            ..ListUserPoolEventsRequest::default()
        };
        let list = history.list_user_pool_events(list).await.expect("listed").into_inner();
        let expected = proto::to_json(&list).expect("JSON");
        assert_eq!(json_of(&console, &path, "").await, expected);
    }
    let replay = ReplayUserPoolRequest {
        user_pool_id: Some(pool.clone()),
        as_of: Some(AsOf::Revision(3)),
        ..ReplayUserPoolRequest::default()
    };
    let replayed = history.replay_user_pool(replay).await.expect("replayed").into_inner();
    let expected = proto::to_json(&replayed).expect("JSON");
    assert_eq!(json_of(&console, &format!("/pools/{pool}"), "?at=3").await, expected);

    let log = history.describe_log(DescribeLogRequest::default()).await.expect("described");
    let expected = proto::to_json(&log.into_inner()).expect("JSON");
    assert_eq!(json_of(&console, "/me", "").await, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_json_of_a_diff_is_that_of_the_command() {
    let Sample { server, pool, .. } = &Sample::new().await;
    let console = Console::of(server).await;
    let endpoint = server.endpoint.to_string();
    let command = ["diff", pool, "1", "6", "-o", "json", "--endpoint", &endpoint];
    let printed = run(userpool().args(command)).await;
    let printed: Value = serde_json::from_slice(&printed.stdout).expect("JSON");
    assert_eq!(json_of(&console, &format!("/pools/{pool}/diff"), "?from=1&to=6").await, printed);
}
