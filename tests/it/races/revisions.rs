//! Races for a revision, and the positions of all changes.

use std::collections::BTreeMap;

use futures_util::future::join_all;
use tonic::Code;

use crate::{
    calls::Call,
    support::{metadata, reason},
};

use super::{CALLERS, CONNECTIONS, Callers, describe, one_winner};

#[tokio::test(flavor = "multi_thread")]
async fn one_of_many_changes_to_one_revision_succeeds() {
    let crowd = Callers::gather().await;
    let id = crowd.pools(1).await.remove(0);
    for seen in 1..=4 {
        let team = |index: usize| format!("team {index} at {seen}");
        let calls = (0..CALLERS).map(|index| Call::tag(&id, &team(index)).expecting(seen));

        let (winner, answer, losers) = one_winner(crowd.race(calls).await);

        assert_eq!((answer.revision, answer.position), (seen + 1, seen + 1));
        for status in losers {
            assert_eq!(
                (status.code(), reason(&status).as_str()),
                (Code::Aborted, "REVISION_MISMATCH")
            );
            assert_eq!(metadata(&status, "expected_revision"), Some(seen.to_string()));
            assert_eq!(metadata(&status, "current_revision"), Some((seen + 1).to_string()));
        }
        let described = crowd.describe(&id).await.expect("a user pool");
        assert_eq!(described.user_pool, answer.user_pool);
        assert_eq!(described.user_pool.expect("a user pool").user_pool_tags["team"], team(winner));
    }
    crowd.server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_update_with_an_expected_revision_is_lost() {
    const EACH: usize = 4;
    let crowd = Callers::gather().await;
    let id = crowd.pools(1).await.remove(0);
    let callers = crowd.clients.iter().cloned().map(|mut client| {
        let id = id.clone();
        tokio::spawn(async move {
            for _ in 0..EACH {
                loop {
                    let seen = describe(&mut client, &id).await.expect("a user pool");
                    let tags = seen.user_pool.expect("a user pool").user_pool_tags;
                    let count = tags.get("team").map_or(0, |count| count.parse().expect("a count"));
                    let next: u32 = count + 1;
                    let call = Call::tag(&id, &next.to_string()).expecting(seen.revision);
                    match call.send(&mut client).await {
                        Ok(_) => break,
                        Err(status) => assert_eq!(status.code(), Code::Aborted, "{status:?}"),
                    }
                }
            }
        })
    });
    for ended in join_all(callers).await {
        ended.expect("no panic");
    }
    let described = crowd.describe(&id).await.expect("a user pool");
    let counted = described.user_pool.expect("a user pool").user_pool_tags["team"].clone();
    assert_eq!(counted, (CONNECTIONS * EACH).to_string());
    assert_eq!(described.revision.to_string(), (CONNECTIONS * EACH + 1).to_string());
    crowd.server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_pool_is_deleted_once() {
    let crowd = Callers::gather().await;
    let id = crowd.pools(1).await.remove(0);
    let (_, answer, losers) = one_winner(crowd.race((0..CALLERS).map(|_| Call::delete(&id))).await);
    assert_eq!((answer.revision, answer.position), (2, 2));
    for status in losers {
        assert_eq!(
            (status.code(), reason(&status).as_str()),
            (Code::NotFound, "USER_POOL_DELETED")
        );
        assert_eq!(metadata(&status, "revision").as_deref(), Some("2"));
    }
    crowd.server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn positions_and_revisions_are_unique_and_dense() {
    let crowd = Callers::gather().await;
    let ids = crowd.pools(40).await;
    // Successful calls change something; others are refused.
    let changes = ids.iter().enumerate().flat_map(|(index, id)| {
        let free = format!("login-{index}");
        [
            (id, Call::tag(id, "one")),
            (id, Call::assign(id, &free)),
            (id, Call::assign(id, "contested")),
            (id, Call::release(id, &free)),
            (id, Call::tag(id, "two").only_validated()),
            (id, Call::tag(id, "three")),
            (id, Call::delete(id).expecting(4)),
        ]
    });
    let (of, calls): (Vec<_>, Vec<_>) = changes.unzip();

    let answers = crowd.race(calls).await;

    let mut positions: Vec<_> = (1..=40).collect();
    let mut revisions: BTreeMap<_, Vec<_>> = ids.iter().map(|id| (id, vec![1])).collect();
    for (id, answer) in of.into_iter().zip(answers) {
        if let Some(answer) = answer.ok().filter(|answer| answer.position > 0) {
            positions.push(answer.position);
            revisions.entry(id).or_default().push(answer.revision);
        }
    }
    assert!(positions.len() >= 120, "each user pool changes twice at least: {positions:?}");
    for mut places in revisions.into_values().chain([positions]) {
        places.sort_unstable();
        assert!((1..).zip(&places).all(|(place, found)| place == *found), "{places:?}");
    }
    crowd.server.stop().await;
}
