//! Pages of events: complete, in order, filtered, and bounded.

use prost_types::Timestamp;
use tonic::Code;
use userpool::proto::{
    CreateUserPoolRequest, EventView, ListUserPoolEventsRequest, ListUserPoolEventsResponse,
    ReadDirection, UserPoolEventFilter, UserPoolEventType, user_pool_event::Payload,
};

use super::{History, history, six_events};
use crate::support::{TestServer, create, named, reason};

fn list(filter: UserPoolEventFilter) -> ListUserPoolEventsRequest {
    ListUserPoolEventsRequest { filter: Some(filter), ..Default::default() }
}

fn of(user_pool_id: &str) -> UserPoolEventFilter {
    UserPoolEventFilter { user_pool_id: Some(user_pool_id.to_owned()), ..Default::default() }
}

async fn page(
    history: &mut History,
    request: ListUserPoolEventsRequest,
) -> ListUserPoolEventsResponse {
    history.list_user_pool_events(request).await.expect("a page").into_inner()
}

/// The positions on all pages, one after the other.
async fn positions(history: &mut History, mut request: ListUserPoolEventsRequest) -> Vec<i64> {
    let mut positions = Vec::new();
    loop {
        let page = page(history, request.clone()).await;
        positions.extend(page.events.iter().map(|event| event.position));
        request.page_token = page.next_page_token;
        if request.page_token.is_empty() {
            return positions;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_event_is_listed_once_in_any_order_and_page_size() {
    let server = TestServer::start().await;
    six_events(&server).await;
    let mut history = history(&server).await;
    for page_size in [0, 1, 2, 5, 6, 1000, i32::MAX] {
        let forward = ListUserPoolEventsRequest { page_size, ..Default::default() };
        let backward = ListUserPoolEventsRequest {
            direction: ReadDirection::Backward.into(),
            ..forward.clone()
        };
        assert_eq!(positions(&mut history, forward).await, [1, 2, 3, 4, 5, 6]);
        assert_eq!(positions(&mut history, backward).await, [6, 5, 4, 3, 2, 1]);
    }
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_events_of_a_user_pool_are_its_revisions() {
    let server = TestServer::start().await;
    let [people, _, guests] = six_events(&server).await;
    let mut history = history(&server).await;
    let full = ListUserPoolEventsRequest { view: EventView::Full.into(), ..list(of(&people)) };
    let answer = page(&mut history, full).await;
    let shown: Vec<_> =
        answer.events.iter().map(|event| (event.revision, event.position)).collect();
    assert_eq!(shown, [(1, 1), (2, 3), (3, 6)]);
    assert_eq!(answer.head_position, 6);
    let Some(Payload::UserPoolUpdated(updated)) = &answer.events[2].payload else {
        panic!("an update, not {:?}", answer.events[2])
    };
    assert_eq!(updated.changed_paths, ["user_pool_tags"]);
    let backward = ListUserPoolEventsRequest {
        direction: ReadDirection::Backward.into(),
        page_size: 1,
        ..list(of(&guests))
    };
    assert_eq!(positions(&mut history, backward).await, [5, 4]);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_must_match_every_filter() {
    let server = TestServer::start().await;
    let [people, staff, _] = six_events(&server).await;
    let mut history = history(&server).await;
    let all = page(&mut history, ListUserPoolEventsRequest::default()).await.events;
    let time = |position: usize| all[position - 1].record_time;
    let address = all[0].actor.clone().expect("an actor").peer_address;
    let created = vec![UserPoolEventType::UserPoolCreated.into()];
    for (filter, expected) in [
        (UserPoolEventFilter { types: created.clone(), ..Default::default() }, vec![1, 2, 4]),
        (UserPoolEventFilter { types: created, ..of(&people) }, vec![1]),
        (UserPoolEventFilter { start_time: time(3), ..Default::default() }, vec![3, 4, 5, 6]),
        (UserPoolEventFilter { end_time: time(3), ..Default::default() }, vec![1, 2]),
        (UserPoolEventFilter { start_time: time(2), end_time: time(6), ..of(&people) }, vec![3]),
        (UserPoolEventFilter { start_time: time(3), ..of(&staff) }, vec![]),
        (UserPoolEventFilter { actor_subject: Some(String::new()), ..of(&people) }, vec![1, 3, 6]),
        (UserPoolEventFilter { actor_subject: Some("uid=0".into()), ..of(&people) }, vec![]),
        (
            UserPoolEventFilter { peer_address: Some("127.0.0.1".into()), ..of(&people) },
            vec![1, 3, 6],
        ),
        (UserPoolEventFilter { peer_address: Some(address), ..of(&staff) }, vec![2]),
        (UserPoolEventFilter { peer_address: Some("127.0.0.2".into()), ..of(&people) }, vec![]),
        (
            UserPoolEventFilter { peer_address: Some("127.0.0.0/8".into()), ..of(&people) },
            vec![1, 3, 6],
        ),
        (UserPoolEventFilter { peer_address: Some("127.0.0.2/32".into()), ..of(&people) }, vec![]),
        (UserPoolEventFilter { peer_address: Some("::/0".into()), ..of(&people) }, vec![]),
        (UserPoolEventFilter { actor_subject: Some("*".into()), ..of(&people) }, vec![1, 3, 6]),
        (UserPoolEventFilter { actor_subject: Some("uid=*".into()), ..of(&people) }, vec![]),
    ] {
        let backward = ListUserPoolEventsRequest {
            direction: ReadDirection::Backward.into(),
            page_size: 2,
            ..list(filter.clone())
        };
        assert_eq!(positions(&mut history, list(filter)).await, expected);
        let reversed: Vec<_> = expected.into_iter().rev().collect();
        assert_eq!(positions(&mut history, backward).await, reversed);
    }
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_of_large_events_fits_into_one_message() {
    let server = TestServer::start().await;
    let mut client = server.client().await;
    for _ in 0..12 {
        // The longest messages that Cognito allows, in the widest characters.
        let message = format!("{{####}}{}", "プ".repeat(19_994));
        let large = CreateUserPoolRequest {
            email_verification_message: Some(message.clone()),
            ..named("large")
        };
        client.create_user_pool(large).await.expect("a user pool");
    }
    let mut history = history(&server).await;
    let request = ListUserPoolEventsRequest { include_records: true, ..Default::default() };
    let first = page(&mut history, request.clone()).await;
    assert!((1..12).contains(&first.events.len()), "{} events", first.events.len());
    assert!(prost::Message::encoded_len(&first) < 1024 * 1024 + 1024);
    assert_eq!(positions(&mut history, request).await, (1..=12).collect::<Vec<_>>());
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_token_survives_a_restart_and_fits_only_its_list() {
    let server = TestServer::start().await;
    let [people, staff, _] = six_events(&server).await;
    let request = ListUserPoolEventsRequest { page_size: 2, ..list(of(&people)) };
    let token = page(&mut history(&server).await, request.clone()).await.next_page_token;
    create(&mut server.client().await, "later").await;

    let server = server.restart().await;
    let mut history = history(&server).await;
    let next = ListUserPoolEventsRequest { page_token: token.clone(), ..request };
    assert_eq!(positions(&mut history, next.clone()).await, [6]);

    let backward = ReadDirection::Backward.into();
    for wrong in [
        ListUserPoolEventsRequest { filter: Some(of(&staff)), ..next.clone() },
        ListUserPoolEventsRequest { direction: backward, ..next.clone() },
        ListUserPoolEventsRequest { filter: None, ..next.clone() },
        ListUserPoolEventsRequest { page_token: token[1..].to_owned(), ..next.clone() },
        ListUserPoolEventsRequest { page_token: "ü".to_owned(), ..next },
    ] {
        let refused = history.list_user_pool_events(wrong).await.expect_err("refused");
        assert_eq!(refused.code(), Code::InvalidArgument);
        assert_eq!(reason(&refused), "BAD_PAGE_TOKEN");
    }
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_invalid_query_is_refused_by_field() {
    let server = TestServer::start().await;
    let mut history = history(&server).await;
    let nonsense = UserPoolEventFilter {
        user_pool_id: Some("people".to_owned()),
        types: vec![0, 99],
        start_time: Some(Timestamp { seconds: i64::MAX, nanos: 0 }),
        ..Default::default()
    };
    let request = ListUserPoolEventsRequest { direction: 7, page_size: -1, ..list(nonsense) };
    let refused = history.list_user_pool_events(request).await.expect_err("refused");
    let fields = crate::support::fields(&refused);
    let expected =
        ["filter.user_pool_id", "filter.types[0]", "filter.types[1]", "filter.start_time"];
    assert_eq!(fields, [expected.as_slice(), &["direction", "page_size"]].concat());

    for address in ["", "*", "127.0.0", "127.0.0.0/33", "::/129", "127.0.0.1/", "localhost", "/8"] {
        let filter = UserPoolEventFilter {
            actor_subject: Some("*".repeat(2049)),
            peer_address: Some(address.to_owned()),
            start_time: Some(Timestamp { seconds: 1, nanos: 0 }),
            end_time: Some(Timestamp { seconds: 1, nanos: 0 }),
            ..Default::default()
        };
        let refused = history.list_user_pool_events(list(filter)).await.expect_err("refused");
        let fields = crate::support::fields(&refused);
        let expected = ["filter.actor_subject", "filter.peer_address", "filter.end_time"];
        assert_eq!(fields, expected, "{address:?}");
    }

    let unknown = list(of("us-east-1_AbCdEfGhI"));
    let refused = history.list_user_pool_events(unknown).await.expect_err("refused");
    assert_eq!(refused.code(), Code::NotFound);
    assert_eq!(reason(&refused), "USER_POOL_NOT_FOUND");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_filter_with_few_matches_ends_its_page_early() {
    let server = crate::support::long_log(25_000).await;
    let mut history = history(&server).await;
    let deleted = UserPoolEventFilter {
        types: vec![UserPoolEventType::UserPoolDeleted.into()],
        ..Default::default()
    };
    let mut request = list(deleted);
    let mut pages = 0;
    loop {
        let page = page(&mut history, request.clone()).await;
        assert!(page.events.is_empty());
        pages += 1;
        request.page_token = page.next_page_token;
        if request.page_token.is_empty() {
            break;
        }
    }
    assert_eq!(pages, 3);
    server.stop().await;
}
