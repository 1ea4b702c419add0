//! A page examines a bounded number of user pools.

use std::sync::Arc;

use prost::Message as _;
use prost_types::Timestamp;
use userpool::{
    event_log::{EventLog as _, Head, MemoryLog},
    proto::{
        UserPool, UserPoolCreated, UserPoolEvent, UserPoolEventType, user_pool_event::Payload,
    },
};

use super::{by, find, page, text};
use crate::support::TestServer;

/// How many user pools a page examines.
const EXAMINED: usize = 10_000;

/// A server whose log has this many user pools, of which the last one has a tag.
async fn many_pools(count: usize) -> TestServer {
    let body = |number: usize| {
        let (id, name) = (format!("us-east-1_{number:09}"), format!("pool {number:09}"));
        let tags =
            if number == count { vec![("team".to_owned(), "last".to_owned())] } else { vec![] };
        let user_pool = Some(UserPool {
            id: Some(id.clone()),
            name: Some(name),
            user_pool_tags: tags.into_iter().collect(),
            ..UserPool::default()
        });
        let event = UserPoolEvent {
            position: i64::try_from(number).expect("a small number"),
            user_pool_id: id,
            revision: 1,
            r#type: UserPoolEventType::UserPoolCreated.into(),
            record_time: Some(Timestamp { seconds: 1_512_950_400, nanos: 0 }),
            schema_version: 1,
            payload: Some(Payload::UserPoolCreated(Box::new(UserPoolCreated { user_pool }))),
            ..UserPoolEvent::default()
        };
        event.encode_to_vec().into()
    };
    let log = MemoryLog::default();
    log.append(Head::default(), (1..=count).map(body).collect()).await.expect("appended");
    TestServer::on(Arc::new(log)).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_that_found_nothing_has_a_token_to_go_on() {
    let server = many_pools(EXAMINED + 100).await;
    let mut client = server.client().await;
    let tagged = by(|filter| filter.tag_key = text("team"));
    let first = page(&mut client, &tagged, 60, None).await.expect("a page");
    assert_eq!(first.user_pools, []);
    let token = first.next_token.expect("a token");
    let second = page(&mut client, &tagged, 60, Some(token)).await.expect("a page");
    let names: Vec<_> = second.user_pools.into_iter().map(|pool| pool.name).collect();
    assert_eq!(names, [Some("pool 000010100".to_owned())]);
    assert_eq!(second.next_token, None);

    // An index finds it at once, in any order.
    let by_name = by(|filter| filter.name_prefix = text("pool 0000101"));
    let first = page(&mut client, &by_name, 60, None).await.expect("a page");
    assert_eq!((first.user_pools.len(), first.next_token), (1, None));
    let by_name = by(|filter| {
        filter.name_prefix = text("pool 0000");
        filter.tag_key = text("team");
    });
    assert_eq!(find(&mut client, &by_name, 60).await.len(), 1);
    server.stop().await;
}
