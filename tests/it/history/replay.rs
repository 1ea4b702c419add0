//! Past states of a user pool, computed from its events alone.

use prost_types::Timestamp;
use tonic::{Code, Status};
use userpool::proto::{
    DescribeUserPoolRequest, ReplayUserPoolRequest, ReplayUserPoolResponse,
    replay_user_pool_request::AsOf,
};

use super::{History, history, six_events};
use crate::{
    read_model::forge_state,
    support::{TestServer, metadata, reason},
};

async fn replay(
    history: &mut History,
    id: &str,
    as_of: Option<AsOf>,
) -> Result<ReplayUserPoolResponse, Status> {
    let request = ReplayUserPoolRequest {
        user_pool_id: Some(id.to_owned()),
        as_of,
        ..ReplayUserPoolRequest::default()
    };
    history.replay_user_pool(request).await.map(tonic::Response::into_inner)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_pool_is_shown_as_of_each_revision_position_and_time() {
    let server = TestServer::start().await;
    let [people, ..] = six_events(&server).await;
    let mut history = history(&server).await;
    let mut times = Vec::new();
    for (revision, position, domain, tags) in
        [(1, 1, None, 0), (2, 3, Some("people-login"), 0), (3, 6, Some("people-login"), 1)]
    {
        let at = replay(&mut history, &people, Some(AsOf::Revision(revision))).await;
        let at = at.expect("a user pool");
        assert_eq!((at.revision, at.position, at.deleted), (revision, position, false));
        assert_eq!(at.hash.len(), 32);
        let pool = at.user_pool.clone().expect("a user pool");
        assert_eq!(pool.domain.as_deref(), domain);
        assert_eq!(pool.user_pool_tags.len(), tags);

        let by_position = replay(&mut history, &people, Some(AsOf::Position(position))).await;
        assert_eq!(by_position.expect("a user pool"), at);
        let time = at.record_time.expect("a time");
        let by_time = replay(&mut history, &people, Some(AsOf::Time(time))).await;
        assert_eq!(by_time.expect("a user pool"), at);
        times.push(time);
    }
    // Between two events, the earlier one counts.
    let by_position = replay(&mut history, &people, Some(AsOf::Position(5))).await;
    assert_eq!(by_position.expect("a user pool").revision, 2);
    let just_before = Timestamp { seconds: times[2].seconds - 1, nanos: 999_999_999 };
    let by_time = replay(&mut history, &people, Some(AsOf::Time(just_before))).await;
    assert_eq!(by_time.expect("a user pool").revision, 2);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replay_to_the_end_is_what_describe_shows() {
    let server = TestServer::start().await;
    let pools = six_events(&server).await;
    let mut history = history(&server).await;
    let mut client = server.client().await;
    for id in &pools[..2] {
        let described = DescribeUserPoolRequest {
            user_pool_id: Some(id.clone()),
            ..DescribeUserPoolRequest::default()
        };
        let described = client.describe_user_pool(described).await.expect("shown").into_inner();
        let replayed = replay(&mut history, id, None).await.expect("a user pool");
        assert_eq!(replayed.user_pool, described.user_pool);
        assert_eq!(replayed.revision, described.revision);
        assert_eq!(replayed.position, described.position);
    }
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_user_pool_is_shown_in_its_last_state() {
    let server = TestServer::start().await;
    let [_, _, guests] = six_events(&server).await;
    let mut history = history(&server).await;
    let before = replay(&mut history, &guests, Some(AsOf::Revision(1))).await.expect("shown");
    let after = replay(&mut history, &guests, None).await.expect("shown");
    assert_eq!((before.deleted, after.deleted, after.revision), (false, true, 2));
    assert_eq!(after.user_pool, before.user_pool);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replay_does_not_depend_on_the_projection_of_a_user_pool() {
    let server = TestServer::start().await;
    let [people, ..] = six_events(&server).await;
    let before = replay(&mut history(&server).await, &people, None).await.expect("shown");
    let server = server
        .restart_after(|data_dir| {
            // Changes the data that Describe reads, without the log.
            forge_state(&data_dir.join("read_model"), &people, |pool| {
                let pool = pool.user_pool.as_mut().expect("a user pool");
                pool.estimated_number_of_users = Some(7);
            });
        })
        .await;
    let after = replay(&mut history(&server).await, &people, None).await.expect("shown");
    assert_eq!(after, before);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn before_creation_and_beyond_the_end_are_different_errors() {
    let server = TestServer::start().await;
    let [people, _, guests] = six_events(&server).await;
    let mut history = history(&server).await;
    let future = Timestamp { seconds: 4_102_444_800, nanos: 0 };
    for (id, as_of, code, why, requested) in [
        (&people, AsOf::Revision(4), Code::OutOfRange, "BEYOND_END", "4"),
        (&people, AsOf::Position(7), Code::OutOfRange, "BEYOND_END", "7"),
        (&people, AsOf::Time(future), Code::OutOfRange, "BEYOND_END", "2100-01-01T00:00:00.000Z"),
        (&guests, AsOf::Position(3), Code::OutOfRange, "BEFORE_CREATION", "3"),
        (
            &guests,
            AsOf::Time(Timestamp::default()),
            Code::OutOfRange,
            "BEFORE_CREATION",
            "1970-01-01T00:00:00.000Z",
        ),
    ] {
        let refused = replay(&mut history, id, Some(as_of)).await.expect_err("refused");
        assert_eq!((refused.code(), reason(&refused).as_str()), (code, why));
        assert_eq!(metadata(&refused, "requested").as_deref(), Some(requested));
    }
    let refused = replay(&mut history, "us-east-1_AbCdEfGhI", None).await.expect_err("refused");
    assert_eq!(
        (refused.code(), reason(&refused).as_str()),
        (Code::NotFound, "USER_POOL_NOT_FOUND")
    );
    for (as_of, field) in [(AsOf::Revision(0), "revision"), (AsOf::Position(-1), "position")] {
        let refused = replay(&mut history, &people, Some(as_of)).await.expect_err("refused");
        assert_eq!(crate::support::fields(&refused), [field]);
    }
    server.stop().await;
}
