//! Each application shows the changes that the other records.

use std::sync::Arc;

use tokio::task::JoinSet;
use userpool::{
    app::{Context, StoredPool},
    event_log::{EventLog as _, MemoryLog, Position, ReadLimit},
    proto::DeleteUserPoolRequest,
    user_pool::{CheckedCommand, PoolFilter},
};

use super::{CALLERS, Node, Pair, assign, create, follow, tag};

#[tokio::test(flavor = "multi_thread")]
async fn an_idle_application_shows_what_the_other_records() {
    let pair = Pair::start().await;
    let [first, second] = &pair.nodes;
    let mut seen = follow(&second.app, 0).await;
    for position in 1..=3 {
        let outcome = first.app.execute(create(None), Context::default()).await.expect("created");
        assert_eq!(outcome.position, position);

        assert_eq!(seen.next().await.position, position);

        assert_eq!(listed(second).await, listed(first).await);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn both_read_models_end_equal_and_watches_are_complete() {
    let pair = Pair::start().await;
    let mut watches = JoinSet::new();
    for node in &pair.nodes {
        for _ in 0..4 {
            let app = Arc::clone(&node.app);
            watches.spawn(async move {
                let mut seen = follow(&app, 0).await;
                let mut positions = Vec::new();
                loop {
                    let event = seen.next().await;
                    positions.push((event.position, event.hash));
                    if event.correlation_id == "last" {
                        return positions;
                    }
                }
            });
        }
    }
    let ids = pair.pools(2 * CALLERS).await;
    let commands = ids.iter().enumerate().flat_map(|(index, id)| {
        let domain = format!("login-{}", index % CALLERS);
        [tag(id, "one", None), assign(id, &domain), tag(id, "two", Some(2)), delete(id)]
    });

    let answers = pair.race(commands).await;

    // Each user pool is changed or deleted at least once.
    assert!(answers.iter().filter(|answer| answer.is_ok()).count() >= 2 * CALLERS);
    let context = Context { correlation_id: "last".to_owned(), ..Context::default() };
    pair.nodes[0].app.execute(create(None), context).await.expect("created");
    pair.wait_for_both().await;

    let all = ReadLimit { records: usize::MAX, bytes: usize::MAX };
    let records = pair.log.read(Position::START, all).await.expect("readable");
    let expected: Vec<_> =
        records.iter().map(|it| (it.position.to_int(), it.hash.0.to_vec())).collect();
    for seen in watches.join_all().await {
        assert_eq!(seen, expected);
    }
    let fresh = Node::start_in_memory(Arc::<MemoryLog>::clone(&pair.log), 2).await;
    let head = *pair.log.head().borrow();
    for node in pair.nodes.iter().chain([&fresh]) {
        let app = &node.app;
        assert_eq!(app.history().head(), head);
        let pools = listed(node).await;
        assert_eq!(pools, listed(&fresh).await);
        assert!(!pools.is_empty());
        let domains = app.list_domains("", usize::MAX).expect("readable");
        assert_eq!(domains, fresh.app.list_domains("", usize::MAX).expect("readable"));
        assert!(!domains.is_empty());
    }
}

async fn listed(node: &Node) -> Vec<StoredPool> {
    let page = node.app.find(&PoolFilter::default(), None, usize::MAX).await;
    page.expect("readable").pools
}

fn delete(id: &str) -> CheckedCommand {
    let request = DeleteUserPoolRequest { user_pool_id: Some(id.to_owned()), ..Default::default() };
    CheckedCommand::delete_user_pool(request).expect("a legal request")
}
