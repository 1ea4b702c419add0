//! An application that has not seen the other's last change refuses no command by its
//! stale state.

use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::watch;
use userpool::{
    app::Context,
    event_log::{AppendError, EventLog, Head, MemoryLog, Position, ReadError, ReadLimit, Record},
    proto::DeleteUserPoolDomainRequest,
    user_pool::CheckedCommand,
};

use super::{Node, assign, create, id};

/// A wrapper of a log that announces no record.
#[derive(Debug)]
struct SilentLog {
    shared: Arc<MemoryLog>,
    head: watch::Sender<Head>,
}

#[async_trait::async_trait]
impl EventLog for SilentLog {
    fn head(&self) -> watch::Receiver<Head> {
        self.head.subscribe()
    }

    async fn latest(&self) -> Result<Head, ReadError> {
        self.shared.latest().await
    }

    async fn append(&self, expected: Head, bodies: Vec<Bytes>) -> Result<Vec<Record>, AppendError> {
        self.shared.append(expected, bodies).await
    }

    async fn read(&self, after: Position, limit: ReadLimit) -> Result<Vec<Record>, ReadError> {
        self.shared.read(after, limit).await
    }
}

#[tokio::test]
async fn a_domain_that_the_other_application_released_is_not_refused() {
    let shared = Arc::new(MemoryLog::default());
    let first = Node::start_in_memory(Arc::<MemoryLog>::clone(&shared), 0).await;
    let mut pools = Vec::new();
    for _ in 0..2 {
        let created = first.app.execute(create(None), Context::default()).await;
        pools.push(id(&created.expect("created")));
    }
    let assigned = first.app.execute(assign(&pools[0], "login"), Context::default()).await;
    assert_eq!(assigned.expect("assigned").position, 3);
    let head = watch::Sender::new(*shared.head().borrow());
    let silent = SilentLog { shared: Arc::clone(&shared), head };
    let second = Node::start_in_memory(Arc::new(silent), 1).await;
    let release = DeleteUserPoolDomainRequest {
        domain: Some("login".to_owned()),
        user_pool_id: Some(pools[0].clone()),
        ..Default::default()
    };
    let release = CheckedCommand::delete_user_pool_domain(release).expect("a legal request");
    first.app.execute(release, Context::default()).await.expect("released");

    let assigned = second.app.execute(assign(&pools[1], "login"), Context::default()).await;

    assert_eq!(assigned.expect("assigned").position, 5);
}
