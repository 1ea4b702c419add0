//! Races for a domain, and against the deletion of its user pool.

use tonic::Code;

use crate::{
    calls::Call,
    support::{metadata, reason},
};

use super::{CALLERS, Callers, domain_of, one_winner};

#[tokio::test(flavor = "multi_thread")]
async fn one_of_hundreds_racing_for_a_prefix_gets_it() {
    let crowd = Callers::gather().await;
    let ids = crowd.pools(CALLERS).await;

    let answers = crowd.race(ids.iter().map(|id| Call::assign(id, "login"))).await;

    let (winner, answer, losers) = one_winner(answers);
    let after_the_pools = i64::try_from(CALLERS).expect("a small number") + 1;
    assert_eq!((answer.revision, answer.position), (2, after_the_pools));
    assert_eq!(losers.len(), CALLERS - 1);
    for status in losers {
        assert_eq!(
            (status.code(), reason(&status).as_str()),
            (Code::AlreadyExists, "DOMAIN_TAKEN")
        );
        assert_eq!(metadata(&status, "domain").as_deref(), Some("login"));
    }
    assert_eq!(crowd.describe_domain("login").await.user_pool_id.as_ref(), Some(&ids[winner]));
    for (index, id) in ids.iter().enumerate() {
        let described = crowd.describe(id).await.expect("a user pool");
        let (domain, revision) =
            if index == winner { (Some("login".to_owned()), 2) } else { (None, 1) };
        assert_eq!((domain_of(described.user_pool), described.revision), (domain, revision));
    }
    crowd.server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_of_many_prefixes_racing_for_a_user_pool_is_assigned() {
    let crowd = Callers::gather().await;
    let id = crowd.pools(1).await.remove(0);

    let prefixes: Vec<_> = (0..CALLERS).map(|index| format!("login-{index}")).collect();
    let answers = crowd.race(prefixes.iter().map(|prefix| Call::assign(&id, prefix))).await;

    let (winner, answer, losers) = one_winner(answers);
    let won = &prefixes[winner];
    assert_eq!((answer.revision, answer.position), (2, 2));
    for status in losers {
        assert_eq!(status.code(), Code::FailedPrecondition);
        assert_eq!(reason(&status), "USER_POOL_HAS_DOMAIN");
        // The refusal names the domain even if the winner was decided in the same
        // batch.
        assert_eq!(metadata(&status, "domain").as_ref(), Some(won));
    }
    let domains = crowd.domains().await;
    assert_eq!(domains.len(), 1, "{domains:?}");
    assert_eq!(domains[0].domain.as_ref(), Some(won));
    assert_eq!(
        domain_of(crowd.describe(&id).await.expect("a user pool").user_pool).as_ref(),
        Some(won)
    );
    crowd.server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_pool_is_either_deleted_or_gets_its_domain() {
    let crowd = Callers::gather().await;
    let ids = crowd.pools(CALLERS / 2).await;
    let prefix = |index: usize| format!("login-{index}");
    let calls = ids.iter().enumerate().flat_map(|(index, id)| {
        let (assign, delete) = (Call::assign(id, &prefix(index)), Call::delete(id));
        if index % 2 == 0 { [assign, delete] } else { [delete, assign] }
    });

    let answers = crowd.race(calls).await;

    for (index, (id, pair)) in ids.iter().zip(answers.chunks(2)).enumerate() {
        let (assigned, deleted) =
            if index % 2 == 0 { (&pair[0], &pair[1]) } else { (&pair[1], &pair[0]) };
        let described = crowd.describe(id).await;
        let owner = crowd.describe_domain(&prefix(index)).await.user_pool_id;
        match (assigned, deleted) {
            (Ok(_), Err(status)) => {
                assert_eq!(reason(status), "USER_POOL_HAS_DOMAIN");
                assert_eq!(
                    domain_of(described.expect("it is there").user_pool),
                    Some(prefix(index))
                );
                assert_eq!(owner.as_ref(), Some(id));
            }
            (Err(status), Ok(_)) => {
                assert_eq!(reason(status), "USER_POOL_DELETED");
                assert_eq!(reason(&described.expect_err("it is gone")), "USER_POOL_DELETED");
                assert_eq!(owner, None);
            }
            both => unreachable!("{both:?}"),
        }
    }
    crowd.server.stop().await;
}
