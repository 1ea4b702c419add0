//! The log as one of several servers reaches it: a test holds back what the server reads, hears
//! or asks.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
};

use bytes::Bytes;
use tokio::{
    sync::{Semaphore, watch},
    time::Instant,
};
use userpool::event_log::{
    AppendError, EventLog, Head, MemoryLog, Position, ReadError, ReadLimit, Record,
};

/// As many answers as there are questions, and more.
const ANSWERS: usize = 1_000_000;

/// A connection to a log that servers share.
#[derive(Debug)]
pub(crate) struct Engine {
    shared: Mutex<Arc<MemoryLog>>,
    /// Announces nothing: the server must ask.
    silent: watch::Sender<Head>,
    is_cut: AtomicBool,
    /// The last position that can be read.
    readable: AtomicU64,
    /// How often records were missing because of that.
    pub(crate) missing: AtomicUsize,
    /// How often the end of the log was asked for.
    pub(crate) asked: AtomicUsize,
    /// How many of these may be answered.
    answers: Semaphore,
    /// How often the durable end was asked for.
    pub(crate) durable_heads: AtomicUsize,
    /// The end of the log that a former primary tells.
    former_primary: Mutex<Option<Head>>,
    pub(crate) last_contact: Mutex<Option<Instant>>,
}

impl Engine {
    pub(crate) fn on(shared: &Arc<MemoryLog>) -> Arc<Self> {
        Arc::new(Self {
            shared: Mutex::new(Arc::clone(shared)),
            silent: watch::Sender::default(),
            is_cut: AtomicBool::default(),
            readable: AtomicU64::new(u64::MAX),
            missing: AtomicUsize::default(),
            asked: AtomicUsize::default(),
            answers: Semaphore::new(ANSWERS),
            durable_heads: AtomicUsize::default(),
            former_primary: Mutex::default(),
            last_contact: Mutex::default(),
        })
    }

    /// Lets the server read up to this position and no further.
    pub(crate) fn read_up_to(&self, position: u64) {
        self.readable.store(position, Ordering::Relaxed);
    }

    /// Cuts the server from the log, or connects it again.
    pub(crate) fn cut(&self, is_cut: bool) {
        self.is_cut.store(is_cut, Ordering::Relaxed);
    }

    /// Has a former primary answer, which has the log up to here, unless its answer must be durable.
    pub(crate) fn ask_former_primary(&self, head: Head) {
        *self.former_primary.lock().expect("no panic") = Some(head);
    }

    /// Puts another log in the place of this one, as a restored backup does.
    pub(crate) fn replace(&self, by: &Arc<MemoryLog>) {
        *self.shared.lock().expect("no panic") = Arc::clone(by);
    }

    /// Answers no question for the end of the log until [`answer_all`](Self::answer_all).
    pub(crate) fn answer_none(&self) {
        self.answers.forget_permits(ANSWERS);
    }

    pub(crate) fn answer_all(&self) {
        self.answers.add_permits(ANSWERS);
    }

    fn shared(&self) -> Result<Arc<MemoryLog>, &'static str> {
        if self.is_cut.load(Ordering::Relaxed) {
            return Err("the test cut the connection");
        }
        Ok(Arc::clone(&self.shared.lock().expect("no panic")))
    }
}

#[async_trait::async_trait]
impl EventLog for Engine {
    fn head(&self) -> watch::Receiver<Head> {
        self.silent.subscribe()
    }

    async fn latest(&self) -> Result<Head, ReadError> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        let _answer = self.answers.acquire().await.expect("not closed");
        if let Some(head) = *self.former_primary.lock().expect("no panic") {
            return Ok(head);
        }
        self.shared().map_err(|error| ReadError::Unavailable(error.into()))?.latest().await
    }

    async fn durable_head(&self) -> Result<Head, ReadError> {
        self.durable_heads.fetch_add(1, Ordering::Relaxed);
        self.shared().map_err(|error| ReadError::Unavailable(error.into()))?.latest().await
    }

    fn last_contact(&self) -> Option<Instant> {
        *self.last_contact.lock().expect("no panic")
    }

    async fn append(&self, expected: Head, bodies: Vec<Bytes>) -> Result<Vec<Record>, AppendError> {
        let shared = self.shared().map_err(|error| AppendError::NotAppended(error.into()))?;
        shared.append(expected, bodies).await
    }

    fn can_append_again(&self) -> bool {
        true
    }

    async fn read(&self, after: Position, limit: ReadLimit) -> Result<Vec<Record>, ReadError> {
        let shared = self.shared().map_err(|error| ReadError::Unavailable(error.into()))?;
        let mut records = shared.read(after, limit).await?;
        let readable = self.readable.load(Ordering::Relaxed);
        records.retain(|record| record.position.0 <= readable);
        if records.is_empty() {
            self.missing.fetch_add(1, Ordering::Relaxed);
        }
        Ok(records)
    }
}
