//! Order and pages, even while the list changes.

use std::{
    collections::BTreeSet,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use chrono::{DateTime, Utc};
use prost::Message as _;
use tempfile::TempDir;
use tonic::Code;
use tonic_types::StatusExt as _;
use userpool::{
    app::{self, App, Context, Settings, Source},
    event_log::MemoryLog,
    proto::UserPool,
    telemetry::{metrics::AppMetrics, spans::Tracer},
    user_pool::{CheckedCommand, Limits, PoolFilter},
};
use uuid::Uuid;

use crate::{
    calls::Call,
    support::{TestServer, named, reason},
};

use super::{LISTS, List, Page, create_pools_with_domains, expected_items};

#[tokio::test(flavor = "multi_thread")]
async fn max_results_is_required_from_1_to_60() {
    let server = TestServer::start().await;
    let mut client = server.client().await;
    for list in LISTS {
        for refused in [None, Some(0), Some(61), Some(-1), Some(i32::MIN), Some(i32::MAX)] {
            let status = list.page(&mut client, refused, None).await.expect_err("a refusal");
            assert_eq!(status.code(), Code::InvalidArgument, "{list:?} {refused:?}");
            assert_eq!(reason(&status), "INVALID_REQUEST");
            let violations = status.get_details_bad_request().expect("violations");
            assert_eq!(violations.field_violations[0].field, "max_results");
        }
        for allowed in [1, 60] {
            list.page(&mut client, allowed, None).await.expect("a page");
        }
    }
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_empty_list_is_one_empty_page() {
    let server = TestServer::start().await;
    let mut client = server.client().await;
    for list in LISTS {
        let page = list.page(&mut client, 60, None).await.expect("a page");
        assert_eq!(page, Page { names: Vec::new(), next_token: None });
    }
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_of_any_size_add_up_to_the_list() {
    let server = TestServer::start().await;
    let mut client = server.client().await;
    let ids = create_pools_with_domains(&mut client, 12).await;
    for list in LISTS {
        for (size, pages) in [(1, 12), (2, 6), (5, 3), (6, 2), (11, 2), (12, 1), (13, 1), (60, 1)] {
            let found = list.rest(&mut client, size, None).await;
            // The last page has no token, even if it is full.
            assert_eq!(found.len(), pages, "{list:?} by {size}");
            assert_eq!(found.concat(), expected_items(list, &ids), "{list:?} by {size}");
        }
    }
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_of_many_pages_is_whole() {
    let server = TestServer::start().await;
    let mut client = server.client().await;
    let ids = create_pools_with_domains(&mut client, 75).await;
    for list in LISTS {
        let found = list.rest(&mut client, 60, None).await;
        assert_eq!(found.iter().map(Vec::len).collect::<Vec<_>>(), [60, 15]);
        assert_eq!(found.concat(), expected_items(list, &ids));
    }
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_does_not_move_a_user_pool_in_its_list() {
    let server = TestServer::start().await;
    let mut client = server.client().await;
    let ids = create_pools_with_domains(&mut client, 3).await;
    Call::tag(&ids[0], "changed").send(&mut client).await.expect("tagged");
    Call::release(&ids[1], "d12").send(&mut client).await.expect("released");
    assert_eq!(List::UserPools.all(&mut client, 2).await, ids);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn deleted_user_pools_and_domains_are_not_listed() {
    let server = TestServer::start().await;
    let mut client = server.client().await;
    let ids = create_pools_with_domains(&mut client, 3).await;
    Call::release(&ids[1], "d12").send(&mut client).await.expect("released");
    Call::delete(&ids[1]).send(&mut client).await.expect("deleted");
    assert_eq!(List::UserPools.all(&mut client, 60).await, [ids[0].clone(), ids[2].clone()]);
    assert_eq!(List::Domains.all(&mut client, 60).await, ["d11", "d13"]);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn changes_between_pages_lose_and_repeat_nothing() {
    for size in [1, 2, 3] {
        let server = TestServer::start().await;
        let mut client = server.client().await;
        let ids = create_pools_with_domains(&mut client, 9).await;
        let prefixes = expected_items(List::Domains, &ids);
        let mut walks = Vec::new();
        for list in LISTS {
            let page = list.page(&mut client, size, None).await.expect("a page");
            walks.push((list, page));
        }
        // Removes from each list the first item, which was seen; the one that the
        // token names; and the last, which was still to come.
        let (place, last) = (usize::try_from(size).expect("a small number") - 1, ids.len() - 1);
        for gone in BTreeSet::from([0, place, last - place, last]) {
            let (id, prefix) = (&ids[gone], &prefixes[last - gone]);
            Call::release(id, prefix).send(&mut client).await.expect("released");
            Call::delete(id).send(&mut client).await.expect("deleted");
        }
        // Adds domains on both sides of the token, and a user pool at the end.
        let new = Call::create("new").send(&mut client).await.expect("a user pool").id();
        Call::assign(&new, "a-before").send(&mut client).await.expect("a domain");
        let after = Call::create("new").send(&mut client).await.expect("a user pool").id();
        Call::assign(&after, "z-after").send(&mut client).await.expect("a domain");

        for (list, first) in walks {
            let now = list.all(&mut client, 60).await;
            let rest = list.rest(&mut client, size, first.next_token).await.concat();
            let before = expected_items(list, &ids);
            // The rest of the list is exactly its current content.
            let to_come: Vec<_> = now
                .iter()
                .filter(|name| !first.names.contains(name) && *name != "a-before")
                .cloned()
                .collect();
            assert_eq!(rest, to_come, "{list:?} by {size}");
            for stayed in before.iter().filter(|name| now.contains(name)) {
                let times = first.names.iter().chain(&rest).filter(|name| *name == stayed).count();
                assert_eq!(times, 1, "{list:?} by {size}: {stayed}");
            }
        }
        server.stop().await;
    }
}

/// Identifiers that count down, so that their order is not the order of creation.
#[derive(Debug)]
struct CountdownSource(AtomicU64);

impl Source for CountdownSource {
    fn now(&self) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH
    }

    fn uuid(&self) -> Uuid {
        Uuid::from_u128(self.0.fetch_sub(1, Ordering::Relaxed).into())
    }

    fn user_pool_suffix(&self) -> String {
        format!("{:09}", self.0.fetch_sub(1, Ordering::Relaxed))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn user_pools_are_listed_in_the_order_of_creation() {
    let directory = TempDir::new().expect("a directory");
    let limits = Limits::default();
    let settings = Settings {
        region: "us-east-1".to_owned(),
        limits,
        cache: app::CACHE,
        clock: app::ClockSettings::default(),
        reads: app::ReadSettings::default(),
        metrics: AppMetrics::default(),
        tracer: Tracer::default(),
    };
    let source = Arc::new(CountdownSource(AtomicU64::new(1000)));
    let log = Arc::new(MemoryLog::default());
    let app = App::start(log, &directory.path().join("read_model"), source, settings)
        .await
        .expect("started");
    let mut created = Vec::new();
    for name in ["one", "two", "three"] {
        let checked = CheckedCommand::create_user_pool(named(name), &limits).expect("legal");
        let outcome = app.execute(checked, Context::default()).await.expect("a user pool");
        created.push(UserPool::decode(outcome.user_pool).expect("a user pool").id);
    }
    assert!(created.is_sorted_by(|one, next| one > next), "{created:?}");
    let listed = app.find(&PoolFilter::default(), None, 60).await.expect("a list").pools;
    let listed: Vec<_> =
        listed.into_iter().map(|stored| stored.user_pool.and_then(|pool| pool.id)).collect();
    assert_eq!(listed, created);
    assert!(app.close().await, "closed gracefully");
}
