//! A log in memory, for tests. It implements [`EventLog`] without durability.

use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;
use tokio::sync::watch;

use super::{AppendError, EventLog, Head, Position, ReadError, ReadLimit, Record};

/// A log in memory.
#[derive(Debug)]
pub struct MemoryLog {
    records: Mutex<Vec<Record>>,
    head: watch::Sender<Head>,
}

impl Default for MemoryLog {
    fn default() -> Self {
        Self { records: Mutex::default(), head: watch::Sender::new(Head::default()) }
    }
}

#[async_trait]
impl EventLog for MemoryLog {
    fn engine(&self) -> &'static str {
        "memory"
    }

    fn head(&self) -> watch::Receiver<Head> {
        self.head.subscribe()
    }

    async fn append(&self, expected: Head, bodies: Vec<Bytes>) -> Result<Vec<Record>, AppendError> {
        let mut records = self.records.lock().unwrap_or_else(PoisonError::into_inner);
        let actual = records.last().map(Record::head).unwrap_or_default();
        if actual != expected {
            return Err(AppendError::Conflict { expected, actual });
        }
        let appended = Record::chain(actual, bodies);
        records.extend_from_slice(&appended);
        if let Some(last) = appended.last() {
            self.head.send_replace(last.head());
        }
        Ok(appended)
    }

    async fn read(&self, after: Position, limit: ReadLimit) -> Result<Vec<Record>, ReadError> {
        let records = self.records.lock().unwrap_or_else(PoisonError::into_inner);
        let start = usize::try_from(after.0).unwrap_or(usize::MAX);
        let mut left = limit;
        let read = records.iter().skip(start).enumerate();
        let fits = |(read, record): &(usize, &Record)| left.admits(*read, record.stored.len());
        Ok(read.take_while(fits).map(|(_, record)| record.clone()).collect())
    }
}
