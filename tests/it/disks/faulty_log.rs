//! Any log engine with injected faults.

use std::{
    future::pending,
    sync::{Arc, Mutex},
};

use bytes::Bytes;
use tokio::sync::{Semaphore, watch};
use userpool::event_log::{
    AppendError, Defect, EventLog, Head, Position, ReadError, ReadLimit, Record,
};

/// The fault of the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// An append fails before anything is written.
    BeforeAppend,
    /// An append is written, and then fails.
    AfterAppend,
    /// An append is written and never returns.
    Hang,
    /// Nothing can be read for now.
    Read,
    /// All records from this position on are reported as damaged.
    DamagedFrom(Position),
}

/// Any log with a fault that can be switched on and off again, like a disk that
/// recovers.
#[derive(Debug)]
pub(crate) struct FaultyLog {
    inner: Arc<dyn EventLog>,
    fault: Mutex<Option<Fault>>,
    hanging: Semaphore,
}

impl FaultyLog {
    pub(crate) fn on(inner: Arc<dyn EventLog>) -> Arc<Self> {
        Arc::new(Self { inner, fault: Mutex::default(), hanging: Semaphore::new(0) })
    }

    pub(crate) fn set(&self, fault: Option<Fault>) {
        *self.fault.lock().expect("no panic") = fault;
    }

    /// Waits until an append hangs.
    pub(crate) async fn hangs(&self) {
        self.hanging.acquire().await.expect("open").forget();
    }

    fn fault(&self) -> Option<Fault> {
        *self.fault.lock().expect("no panic")
    }

    fn failing_read(&self, last: Position) -> Result<(), ReadError> {
        match self.fault() {
            Some(Fault::Read) => Err(ReadError::Unavailable("the disk is gone".into())),
            Some(Fault::DamagedFrom(position)) if position <= last => {
                Err(ReadError::Damaged { position, defect: Defect::WrongHash })
            }
            Some(
                Fault::BeforeAppend | Fault::AfterAppend | Fault::Hang | Fault::DamagedFrom(_),
            )
            | None => Ok(()),
        }
    }
}

#[tonic::async_trait]
impl EventLog for FaultyLog {
    fn head(&self) -> watch::Receiver<Head> {
        self.inner.head()
    }

    /// The server has it for itself, as a log on its disk.
    fn is_shared(&self) -> bool {
        false
    }

    async fn append(&self, expected: Head, bodies: Vec<Bytes>) -> Result<Vec<Record>, AppendError> {
        let failed = || AppendError::Unknown("the disk is gone".into());
        match self.fault() {
            Some(fault @ (Fault::BeforeAppend | Fault::AfterAppend)) => {
                // Fails once, as a disk may: the application must not append again.
                self.set(None);
                if fault == Fault::AfterAppend {
                    self.inner.append(expected, bodies).await?;
                }
                Err(failed())
            }
            Some(Fault::Hang) => {
                self.inner.append(expected, bodies).await?;
                self.hanging.add_permits(1);
                pending().await
            }
            Some(Fault::Read | Fault::DamagedFrom(_)) | None => {
                self.inner.append(expected, bodies).await
            }
        }
    }

    async fn read(&self, after: Position, limit: ReadLimit) -> Result<Vec<Record>, ReadError> {
        let records = self.inner.read(after, limit).await?;
        self.failing_read(records.last().map(|record| record.position).unwrap_or_default())?;
        Ok(records)
    }
}
