//! The counts are those of the recorded events, hour by hour.

use std::{collections::BTreeMap, fs, sync::Arc};

use prost::Message as _;
use prost_types::Timestamp;
use userpool::{
    event_log::{EventLog as _, Head, MemoryLog},
    proto::{
        CountInterval, CountUserPoolEventsRequest, ListUserPoolEventsRequest, UserPoolEvent,
        UserPoolEventCount, UserPoolEventType,
    },
};

use super::{History, history, six_events};
use crate::support::{TestServer, event_body, fields, reason};

const HOUR: i64 = 3600;
const DAY: i64 = 24 * HOUR;
/// 2017-12-11T00:00:00Z.
const MONDAY: i64 = 1_512_950_400;

#[expect(clippy::unnecessary_wraps, reason = "the times of messages are optional")]
fn at(seconds: i64) -> Option<Timestamp> {
    Some(Timestamp { seconds, nanos: 0 })
}

async fn counts(
    client: &mut History,
    request: &CountUserPoolEventsRequest,
) -> Vec<UserPoolEventCount> {
    let (mut counts, mut request) = (Vec::new(), request.clone());
    loop {
        let page = client.count_user_pool_events(request.clone()).await.expect("a page");
        let page = page.into_inner();
        assert!(page.counts.len() <= 1000);
        counts.extend(page.counts);
        request.page_token = page.next_page_token;
        if request.page_token.is_empty() {
            return counts;
        }
    }
}

/// The counts as they follow from the list of all events.
async fn listed(client: &mut History, length: i64) -> Vec<UserPoolEventCount> {
    let mut counts: BTreeMap<(i64, i32), i64> = BTreeMap::new();
    let mut request = ListUserPoolEventsRequest { page_size: 1000, ..Default::default() };
    loop {
        let page = client.list_user_pool_events(request.clone()).await.expect("a page");
        let page = page.into_inner();
        for event in page.events {
            let seconds = event.record_time.expect("a time").seconds;
            *counts.entry((seconds - seconds % length, event.r#type)).or_default() += 1;
        }
        request.page_token = page.next_page_token;
        if request.page_token.is_empty() {
            break;
        }
    }
    let count =
        |((start, r#type), count)| UserPoolEventCount { start_time: at(start), r#type, count };
    counts.into_iter().map(count).collect()
}

/// A server whose log has one user pool with events at these times.
async fn events_at(times: impl Iterator<Item = i64>) -> TestServer {
    let body = |(revision, seconds)| {
        let body = event_body("us-east-1_AbCdEfGhI", revision);
        let event = UserPoolEvent::decode(body).expect("an event");
        UserPoolEvent { record_time: at(seconds), ..event }.encode_to_vec().into()
    };
    let log = MemoryLog::default();
    log.append(Head::default(), (1..).zip(times).map(body).collect()).await.expect("appended");
    TestServer::on(Arc::new(log)).await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_counts_are_those_of_the_listed_events() {
    let server = TestServer::start().await;
    six_events(&server).await;
    let all = CountUserPoolEventsRequest::default();
    let check = async |server: &TestServer| {
        let mut client = history(server).await;
        let page = client.count_user_pool_events(all.clone()).await.expect("a page").into_inner();
        assert_eq!((page.head_position, page.next_page_token.as_str()), (6, ""));
        assert_eq!(page.counts.iter().map(|count| count.count).sum::<i64>(), 6);
        assert_eq!(page.counts, listed(&mut client, HOUR).await);
        let created = page.counts.first().expect("a count");
        assert_eq!(created.r#type(), UserPoolEventType::UserPoolCreated);
        assert_eq!((created.start_time, created.count), (at(MONDAY), 3));
    };
    check(&server).await;
    let server = server.restart().await;
    check(&server).await;
    let server = server
        .restart_after(|path| fs::remove_dir_all(path.join("read_model")).expect("removed"))
        .await;
    check(&server).await;
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn hours_and_days_begin_and_end_exactly() {
    let last = MONDAY + 2 * DAY - 1;
    let times = [MONDAY - 1, MONDAY, MONDAY + HOUR - 1, MONDAY + HOUR, MONDAY + DAY, last];
    let server = events_at(times.into_iter()).await;
    let mut client = history(&server).await;
    let by_hour = CountUserPoolEventsRequest::default();
    let by_day = CountUserPoolEventsRequest { interval: CountInterval::Day.into(), ..by_hour };
    let by_hour = CountUserPoolEventsRequest::default();
    assert_eq!(counts(&mut client, &by_hour).await, listed(&mut client, HOUR).await);
    assert_eq!(counts(&mut client, &by_day).await, listed(&mut client, DAY).await);
    let starts = async |client: &mut History, request: &CountUserPoolEventsRequest| {
        let counts = counts(client, request).await.into_iter();
        counts
            .map(|count| (count.start_time.expect("a time").seconds, count.count))
            .collect::<Vec<_>>()
    };
    let monday = CountUserPoolEventsRequest {
        start_time: at(MONDAY),
        end_time: at(MONDAY + DAY),
        ..CountUserPoolEventsRequest::default()
    };
    assert_eq!(starts(&mut client, &monday).await, [(MONDAY, 2), (MONDAY + HOUR, 1)]);
    let monday = CountUserPoolEventsRequest { interval: CountInterval::Day.into(), ..monday };
    assert_eq!(starts(&mut client, &monday).await, [(MONDAY, 3)]);
    let before = CountUserPoolEventsRequest { end_time: at(MONDAY), ..by_hour };
    assert_eq!(starts(&mut client, &before).await, [(MONDAY - HOUR, 1)]);
    let after = CountUserPoolEventsRequest {
        start_time: at(last + 1),
        ..CountUserPoolEventsRequest::default()
    };
    assert_eq!(starts(&mut client, &after).await, []);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_have_whole_hours_and_add_up() {
    let hours = 2500;
    let server = events_at((0..2 * hours).map(|half| MONDAY + half * HOUR / 2)).await;
    let mut client = history(&server).await;
    let all = CountUserPoolEventsRequest::default();
    let first = client.count_user_pool_events(all.clone()).await.expect("a page").into_inner();
    assert_eq!(first.counts.len(), 1000);
    let expected = listed(&mut client, HOUR).await;
    assert_eq!(counts(&mut client, &all).await, expected);
    let by_day = CountUserPoolEventsRequest { interval: CountInterval::Day.into(), ..all.clone() };
    assert_eq!(counts(&mut client, &by_day).await, listed(&mut client, DAY).await);

    // A token is valid for its request alone.
    let token = first.next_page_token;
    let other = CountUserPoolEventsRequest { page_token: token, ..by_day };
    let refused = client.count_user_pool_events(other).await.expect_err("refused");
    assert_eq!(reason(&refused), "BAD_PAGE_TOKEN");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn times_within_an_hour_or_day_are_refused() {
    let server = TestServer::start().await;
    let mut client = history(&server).await;
    let day = i32::from(CountInterval::Day);
    let request = |start, end, interval| CountUserPoolEventsRequest {
        start_time: start,
        end_time: end,
        interval,
        ..CountUserPoolEventsRequest::default()
    };
    let nanosecond = Some(Timestamp { seconds: MONDAY, nanos: 1 });
    for (request, refused) in [
        (request(at(MONDAY + 1), None, 0), vec!["start_time"]),
        (request(nanosecond, None, 0), vec!["start_time"]),
        (request(None, at(MONDAY + HOUR / 2), 0), vec!["end_time"]),
        (request(at(MONDAY + HOUR), None, day), vec!["start_time"]),
        (request(at(MONDAY), at(MONDAY), 0), vec!["end_time"]),
        (request(at(MONDAY + HOUR), at(MONDAY), 0), vec!["end_time"]),
        (request(at(MONDAY), None, 3), vec!["interval"]),
        (request(at(i64::MAX), at(1), day), vec!["start_time", "end_time", "end_time"]),
    ] {
        let status = client.count_user_pool_events(request.clone()).await.expect_err("refused");
        assert_eq!(fields(&status), refused, "{request:?}");
    }
    for valid in [request(at(MONDAY + HOUR), None, 0), request(at(-HOUR), at(HOUR), 0)] {
        client.count_user_pool_events(valid).await.expect("a page");
    }
    server.stop().await;
}
