//! Which calls are retried, when, and how often. A refused call is not, and no change
//! is made twice.

use std::time::Duration;

use http::HeaderMap;
use tokio::time::{self, Instant};
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt as _};
use userpool::proto::{DescribeUserPoolRequest, ListUserPoolsRequest, WatchUserPoolEventsRequest};

use super::proxy::{Action, Proxy};
use crate::support::{TestServer, domain, named};

fn list() -> ListUserPoolsRequest {
    ListUserPoolsRequest { max_results: Some(60), ..Default::default() }
}

fn overloaded(again_in: Duration) -> Status {
    let details = ErrorDetails::with_retry_info(Some(again_in));
    Status::with_error_details(Code::ResourceExhausted, "too much", details)
}

/// The `grpc-timeout` of a call.
fn timeout(metadata: &HeaderMap) -> Duration {
    let text = metadata["grpc-timeout"].to_str().expect("ASCII");
    let (number, unit) = text.split_at(text.len() - 1);
    let number = number.parse().expect("a number");
    assert_eq!(unit, "u", "{text}");
    Duration::from_micros(number)
}

#[tokio::test]
async fn a_read_is_retried_until_it_succeeds_within_its_deadline() {
    let server = TestServer::start().await;
    let refusals = [Status::unavailable("starting"), overloaded(Duration::from_millis(1))];
    let proxy = Proxy::of(&server, refusals.map(Action::Refuse)).await;
    let client = proxy.options().connect().await.expect("connected");

    let listed = client.list_user_pools(list()).await.expect("a list");

    assert_eq!(listed.user_pools.len(), 0);
    let left: Vec<_> = proxy.calls().iter().map(|call| timeout(&call.metadata)).collect();
    assert_eq!(left.len(), 3);
    assert!(left.is_sorted_by(|one, next| one > next), "{left:?}");
    assert!(left[0] <= Duration::from_secs(30), "{left:?}");
}

#[tokio::test]
async fn an_error_has_the_correlation_id_of_every_attempt() {
    let server = TestServer::start().await;
    let refusals = [Status::unavailable("starting"), Status::not_found("no")];
    let proxy = Proxy::of(&server, refusals.map(Action::Refuse)).await;
    let client = proxy.options().connect().await.expect("connected");
    let sent = || {
        let calls = proxy.calls();
        let ids = calls.iter().map(|call| call.metadata["x-request-id"].to_str().expect("ASCII"));
        ids.map(str::to_owned).collect::<Vec<_>>()
    };
    let of = |status: &Status| {
        let id = status.metadata().get("x-request-id").expect("a correlation ID");
        id.to_str().expect("ASCII").to_owned()
    };
    let refused = client.list_user_pools(list()).await.expect_err("refused");
    assert_eq!(sent(), vec![of(&refused); 2]);

    // No answer came.
    proxy.will(Action::Silence);
    let mut call = Box::pin(client.list_user_pools(list()));
    while proxy.calls().len() < 3 {
        tokio::select! {
            answer = &mut call => unreachable!("no answer was sent: {answer:?}"),
            () = tokio::task::yield_now() => (),
        }
    }
    time::pause();
    let silent = call.await.expect_err("no answer");
    time::resume();
    assert_eq!((silent.code(), &sent()[2]), (Code::DeadlineExceeded, &of(&silent)));
    assert_ne!(of(&silent), of(&refused), "each call has its own");

    // The headers of a watch have it, but not the error at its end.
    proxy.will(Action::EndWatch(Status::internal("a fault")));
    let mut watch = client.watch(WatchUserPoolEventsRequest::default()).await.expect("a watch");
    let ended = loop {
        match watch.next().await {
            Ok(_) => (),
            Err(status) => break status,
        }
    };
    assert_eq!((ended.code(), &sent()[3]), (Code::Internal, &of(&ended)));
}

#[tokio::test]
async fn a_refused_call_is_not_retried() {
    let server = TestServer::start().await;
    let proxy = Proxy::of(&server, []).await;
    let client = proxy.options().connect().await.expect("connected");
    let codes = (1..=16).map(Code::from).filter(|code| *code != Code::Unavailable);
    for (code, calls) in codes.zip(1..) {
        proxy.will(Action::Refuse(Status::new(code, "no")));
        let refused = if calls % 2 == 0 {
            client.list_user_pools(list()).await.map(|_| ())
        } else {
            client.create_user_pool(named("people")).await.map(|_| ())
        };
        assert_eq!(refused.expect_err("refused").code(), code);
        assert_eq!(proxy.calls().len(), calls, "{code:?}");
    }
}

fn lost() -> Action {
    Action::LoseAnswer(Status::unavailable("the answer is lost"))
}

#[tokio::test]
async fn a_change_whose_answer_is_lost_is_made_once() {
    let server = TestServer::start().await;
    let proxy = Proxy::of(&server, [lost(), lost()]).await;
    let client = proxy.options().connect().await.expect("connected");

    let created = client.create_user_pool(named("people")).await.expect("created");
    assert_eq!((created.position, proxy.calls().len()), (1, 3));

    let id = created.user_pool.and_then(|pool| pool.id).expect("an ID");
    proxy.will(lost());
    let assigned = client.create_user_pool_domain(domain("people-login", &id)).await;
    assert_eq!(assigned.expect("assigned").position, 2);
    assert_eq!(client.list_user_pools(list()).await.expect("a list").user_pools.len(), 1);
}

#[tokio::test]
async fn the_request_id_of_the_caller_is_sent() {
    let server = TestServer::start().await;
    let client = Proxy::of(&server, []).await.options();
    let client = userpool::client::Options { endpoint: server.endpoint.clone(), ..client };
    let client = client.connect().await.expect("connected");
    let request_id = Some("0193b5f0-7c5e-7d7a-9c55-2d1d8f1b6a01".to_owned());
    let request = userpool::proto::CreateUserPoolRequest { request_id, ..named("people") };

    let first = client.create_user_pool(request.clone()).await.expect("created");
    let again = client.create_user_pool(request).await.expect("answered");
    let other = client.create_user_pool(named("people")).await.expect("created");

    assert_eq!(first, again);
    assert_ne!(first.position, other.position);
}

#[tokio::test]
async fn a_retry_waits_as_long_as_the_server_asks() {
    let server = TestServer::start().await;
    let actions = [overloaded(Duration::from_secs(10)), Status::not_found("no")];
    let proxy = Proxy::of(&server, actions.map(Action::Refuse)).await;
    let client = proxy.options().connect().await.expect("connected");
    time::pause();

    client.list_user_pools(list()).await.expect_err("refused");

    let calls = proxy.calls();
    let paused = calls[1].at - calls[0].at;
    assert!((10_000..10_200).contains(&paused.as_millis()), "{paused:?}");
}

#[tokio::test]
async fn pauses_grow_and_end_before_the_deadline() {
    let server = TestServer::start().await;
    let gone = || Action::Refuse(Status::unavailable("gone"));
    let proxy = Proxy::of(&server, (0..100).map(|_| gone())).await;
    let client = proxy.options().connect().await.expect("connected");
    time::pause();
    let begun = Instant::now();

    let refused = client.list_user_pools(list()).await.expect_err("unavailable");

    assert_eq!((refused.code(), refused.message()), (Code::Unavailable, "gone"));
    assert!(begun.elapsed() < Duration::from_secs(30), "{:?}", begun.elapsed());
    let calls = proxy.calls();
    assert!((8..16).contains(&calls.len()), "{} calls", calls.len());
    let pauses: Vec<_> =
        calls.windows(2).map(|calls| (calls[1].at - calls[0].at).as_millis()).collect();
    for (pause, longest) in pauses.iter().zip([100, 200, 400, 800, 1600, 3200, 5000, 5000]) {
        assert!((longest / 2..longest + 20).contains(pause), "{pauses:?}");
    }
}

#[tokio::test]
async fn a_silent_server_times_out_and_the_error_names_the_change() {
    let server = TestServer::start().await;
    let proxy = Proxy::of(&server, [Action::Silence, Action::Silence]).await;
    let client = proxy.options().connect().await.expect("connected");
    time::pause();
    let begun = Instant::now();
    let late = client.create_user_pool(named("people")).await.expect_err("late");
    assert_eq!(begun.elapsed().as_secs(), 30);
    assert_eq!(late.code(), Code::DeadlineExceeded);
    assert!(
        late.message().starts_with(
            "no answer within 30s; the change may or may not have been recorded; it is safe \
             to retry it with request_id "
        ),
        "{late}"
    );
    let soon = client.with_deadline(Duration::from_millis(1500));
    let request = DescribeUserPoolRequest {
        user_pool_id: Some("us-east-1_AbCdEfGhI".to_owned()),
        ..DescribeUserPoolRequest::default()
    };
    let late = soon.describe_user_pool(request).await.expect_err("late");
    assert_eq!(late.message(), "no answer within 1.5s");
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_made_during_a_restart_are_answered_after_it() {
    let server = TestServer::with(|config| {
        let socket = config.data_dir.join("socket");
        config.listen = userpool::transport::Endpoint::Unix(socket);
    })
    .await;
    let endpoint = server.endpoint.clone();
    let client = userpool::client::Options::to(endpoint.clone());
    let client = client.connect_lazy().expect("a client");
    client.create_user_pool(named("people")).await.expect("created");
    let directory = server.stop().await;

    let asking = client.clone();
    let created = tokio::spawn(async move { asking.create_user_pool(named("staff")).await });
    let _server = TestServer::with(|config| {
        config.listen = endpoint;
        config.data_dir = directory.path().to_owned();
    })
    .await;

    assert_eq!(created.await.expect("no panic").expect("created").position, 2);
}
