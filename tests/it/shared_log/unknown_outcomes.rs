//! The outcome of an append is unknown and the log can append again: the writer
//! resolves the outcome and acknowledges each command once.

use std::sync::{Arc, Mutex};

use bytes::Bytes;
use tokio::sync::watch;
use userpool::{
    app::{Context, ExecuteError},
    event_log::{AppendError, EventLog, Head, MemoryLog, Position, ReadError, ReadLimit, Record},
    user_pool::Rejection,
};

use super::{Node, assign, create, id};

/// What happens to an append before its outcome is reported as unknown.
#[derive(Debug, Clone, Copy)]
enum Fate {
    /// It is lost.
    Lost,
    /// It is written.
    Written,
    /// It arrives when the batch is appended again, and is written first.
    Late,
    /// Another writer appends first, then it is lost.
    Overtaken,
}

/// A wrapper of a log whose next append has a given fate.
#[derive(Debug)]
struct UncertainLog {
    shared: Arc<MemoryLog>,
    fate: Mutex<Option<Fate>>,
    /// An append that is still in transit.
    late: Mutex<Option<(Head, Vec<Bytes>)>>,
    /// The batch of the other writer.
    other: Vec<Bytes>,
}

#[tonic::async_trait]
impl EventLog for UncertainLog {
    fn head(&self) -> watch::Receiver<Head> {
        self.shared.head()
    }

    async fn append(&self, expected: Head, bodies: Vec<Bytes>) -> Result<Vec<Record>, AppendError> {
        let late = self.late.lock().expect("no panic").take();
        if let Some((expected, bodies)) = late {
            self.shared.append(expected, bodies).await.expect("it is first");
        }
        let fate = self.fate.lock().expect("no panic").take();
        match fate {
            None => return self.shared.append(expected, bodies).await,
            Some(Fate::Lost) => (),
            Some(Fate::Written) => {
                self.shared.append(expected, bodies).await?;
            }
            Some(Fate::Late) => {
                *self.late.lock().expect("no panic") = Some((expected, bodies));
            }
            Some(Fate::Overtaken) => {
                self.shared.append(expected, self.other.clone()).await?;
            }
        }
        Err(AppendError::Unknown("no answer".into()))
    }

    fn can_append_again(&self) -> bool {
        true
    }

    async fn read(&self, after: Position, limit: ReadLimit) -> Result<Vec<Record>, ReadError> {
        self.shared.read(after, limit).await
    }
}

/// An application assigns a domain while its append has this fate. Returns the
/// answer, and the log afterwards.
async fn assign_under(fate: Fate) -> (Result<i64, ExecuteError>, Vec<Record>) {
    let shared = Arc::new(MemoryLog::default());
    let first = Node::start_in_memory(Arc::<MemoryLog>::clone(&shared), 0).await;
    let pools = [first.create().await, first.create().await];
    // The batch that another writer appends at this head: the same domain for another
    // pool.
    let other = {
        let copy = Arc::new(MemoryLog::default());
        let all = ReadLimit { records: usize::MAX, bytes: usize::MAX };
        for record in shared.read(Position::START, all).await.expect("readable") {
            let head = *copy.head().borrow();
            copy.append(head, vec![record.body]).await.expect("appended");
        }
        let node = Node::start_in_memory(Arc::<MemoryLog>::clone(&copy), 2).await;
        let command = assign(&pools[0], "login");
        node.app.execute(command, Context::default()).await.expect("assigned");
        let last = copy.read(Position(2), all).await.expect("readable");
        last.into_iter().map(|record| record.body).collect()
    };
    let log = UncertainLog {
        shared: Arc::clone(&shared),
        fate: Mutex::new(Some(fate)),
        late: Mutex::default(),
        other,
    };
    let node = Node::start_in_memory(Arc::new(log), 1).await;

    let answer = node.app.execute(assign(&pools[1], "login"), Context::default()).await;

    // The application still works.
    node.create().await;
    let all = ReadLimit { records: usize::MAX, bytes: usize::MAX };
    let records = shared.read(Position::START, all).await.expect("readable");
    (answer.map(|outcome| outcome.position), records)
}

impl Node {
    async fn create(&self) -> String {
        let created = self.app.execute(create(None), Context::default()).await;
        id(&created.expect("created"))
    }
}

#[tokio::test(start_paused = true)]
async fn a_batch_with_an_unknown_outcome_is_written_once() {
    for fate in [Fate::Lost, Fate::Written, Fate::Late] {
        let (answer, records) = assign_under(fate).await;
        assert!(matches!(answer, Ok(3)), "{fate:?}: {answer:?}");
        assert_eq!(records.len(), 4, "{fate:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_batch_that_another_writer_overtook_is_decided_again() {
    let (answer, records) = assign_under(Fate::Overtaken).await;
    assert!(
        matches!(answer, Err(ExecuteError::Rejected(Rejection::DomainTaken { .. }))),
        "{answer:?}"
    );
    assert_eq!(records.len(), 4);
}
