//! Callers of both applications race for the same domains, revisions and request IDs.

use std::collections::BTreeMap;

use userpool::{app::ExecuteError, event_log::EventLog as _, user_pool::Rejection};
use uuid::Uuid;

use super::{CALLERS, Pair, assign, create, follow, tag, user_pool};

#[tokio::test(flavor = "multi_thread")]
async fn a_domain_has_one_owner() {
    let pair = Pair::start().await;
    let ids = pair.pools(2 * CALLERS).await;

    let answers = pair.race(ids.iter().map(|id| assign(id, "login"))).await;

    let mut winners = Vec::new();
    for (id, answer) in ids.iter().zip(answers) {
        match answer {
            Ok(_) => winners.push(id.clone()),
            Err(ExecuteError::Rejected(Rejection::DomainTaken { .. })) => (),
            Err(error) => unreachable!("{error:?}"),
        }
    }
    assert_eq!(winners.len(), 1, "{winners:?}");
    pair.wait_for_both().await;
    for node in &pair.nodes {
        let domains = node.app.list_domains("", usize::MAX).expect("readable");
        let domains: Vec<_> =
            domains.iter().map(|it| (it.name.as_str(), it.user_pool_id.as_str())).collect();
        assert_eq!(domains, [("login", winners[0].as_str())]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revision_is_changed_once() {
    let pair = Pair::start().await;
    let id = pair.pools(1).await.remove(0);
    for seen in 1..=4 {
        let team = |caller: usize| format!("team {caller} at {seen}");
        let commands = (0..2 * CALLERS).map(|caller| tag(&id, &team(caller), Some(seen)));

        let answers = pair.race(commands).await;

        let mut winners = Vec::new();
        for (caller, answer) in answers.into_iter().enumerate() {
            match answer {
                Ok(outcome) => winners.push((caller, outcome)),
                Err(ExecuteError::Rejected(Rejection::RevisionMismatch { current, .. })) => {
                    assert_eq!(current, seen + 1);
                }
                Err(error) => unreachable!("{error:?}"),
            }
        }
        let [(caller, outcome)] = winners.as_slice() else { unreachable!("{winners:?}") };
        assert_eq!((outcome.revision, outcome.position), (seen + 1, seen + 1));
        assert_eq!(user_pool(outcome).user_pool_tags["team"], team(*caller));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn revisions_are_dense() {
    let pair = Pair::start().await;
    let ids = pair.pools(4).await;
    let commands = (0..2 * CALLERS).map(|caller| tag(&ids[caller % 4], &caller.to_string(), None));

    let answers = pair.race(commands).await;

    let mut given: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for (caller, answer) in answers.into_iter().enumerate() {
        given.entry(&ids[caller % 4]).or_default().push(answer.expect("changed").revision);
    }
    for revisions in given.values_mut() {
        revisions.sort_unstable();
        assert!((2..).zip(revisions.iter()).all(|(next, given)| next == *given), "{revisions:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_id_is_recorded_once() {
    let pair = Pair::start().await;
    let request_id = |number: usize| {
        Uuid::from_u128(u128::try_from(number + 1).expect("a small number")).to_string()
    };
    // Each application gets each request, one of them a little later.
    let order = (0..CALLERS).flat_map(|number| [number, (number + 1) % CALLERS]);
    let requests: Vec<_> = order.collect();

    let answers = pair.race(requests.iter().map(|number| create(Some(request_id(*number))))).await;

    let mut outcomes: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for (number, answer) in requests.iter().zip(answers) {
        outcomes.entry(*number).or_default().push(answer.expect("created"));
    }
    for (number, answered) in &outcomes {
        assert_eq!(answered.len(), 2);
        assert_eq!(answered[0], answered[1], "request {number}");
    }
    let end = pair.log.head().borrow().position.0;
    assert_eq!(end, u64::try_from(CALLERS).expect("a small number"));
}

/// An acknowledged position is the recorded one, whichever application answered.
#[tokio::test(flavor = "multi_thread")]
async fn an_acknowledged_command_is_recorded_where_its_answer_says() {
    let pair = Pair::start().await;
    let ids = pair.pools(8).await;
    let commands = (0..2 * CALLERS).map(|caller| tag(&ids[caller % 8], &caller.to_string(), None));

    let answers = pair.race(commands).await;

    pair.wait_for_both().await;
    for node in &pair.nodes {
        let mut seen = follow(&node.app, 8).await;
        let mut recorded = BTreeMap::new();
        for _ in &answers {
            let event = seen.next().await;
            recorded.insert(event.position, (event.user_pool_id, event.revision));
        }
        for (caller, answer) in answers.iter().enumerate() {
            let outcome = answer.as_ref().expect("changed");
            let expected = (ids[caller % 8].clone(), outcome.revision);
            assert_eq!(recorded[&outcome.position], expected);
        }
    }
}
