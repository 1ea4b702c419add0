//! A suite that every log engine passes: the guarantees that the application relies
//! on.

mod damage;
mod packs;
#[path = "../engines/mod.rs"]
mod promises;
mod reopening;

use std::sync::Arc;

use bytes::Bytes;
use proptest::prelude::*;
use tempfile::TempDir;
use userpool::event_log::{EventLog, MemoryLog, Position, ReadLimit, SledLog};

use self::promises::{ALL, append, positions};
pub(crate) use self::reopening::tamper;

/// Makes every promise a test of every engine.
macro_rules! every_engine_promises {
    ($($promise:ident)*) => {
        mod in_memory {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $promise() {
                let log = std::sync::Arc::new(super::MemoryLog::default());
                super::promises::$promise(log).await;
            })*
        }
        mod in_postgres {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $promise() {
                let test = crate::postgres::TestLog::new().await;
                super::promises::$promise(std::sync::Arc::new(test.open().await)).await;
            })*
        }
        mod in_sled {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $promise() {
                let directory = tempfile::TempDir::new().expect("a directory");
                let log = super::SledLog::open(directory.path()).expect("a log");
                super::promises::$promise(std::sync::Arc::new(log)).await;
            })*
        }
    };
}

promises::with_every_promise!(every_engine_promises);

fn batches() -> impl Strategy<Value = Vec<Vec<Vec<u8>>>> {
    let body = prop_oneof![
        8 => prop::collection::vec(any::<u8>(), 0..40),
        1 => prop::collection::vec(any::<u8>(), 4000..9000),
    ];
    prop::collection::vec(prop::collection::vec(body, 0..6), 0..12)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn both_engines_store_the_same_records(batches in batches(), page in 1_usize..5, bytes in 0_usize..9000) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
        runtime.block_on(async {
            let directory = TempDir::new().expect("a directory");
            let memory: Arc<dyn EventLog> = Arc::new(MemoryLog::default());
            let sled: Arc<dyn EventLog> = Arc::new(SledLog::open(directory.path()).expect("a log"));
            for bodies in batches {
                let bodies: Vec<_> = bodies.into_iter().map(Bytes::from).collect();
                let head = *memory.head().borrow();
                let expected = memory.append(head, bodies.clone()).await.expect("appended");
                let appended = sled.append(head, bodies).await.expect("appended");
                assert_eq!(appended, expected);
                assert_eq!(*memory.head().borrow(), *sled.head().borrow());
            }
            let (mut position, limit) = (Position::START, ReadLimit { records: page, bytes });
            loop {
                let expected = memory.read(position, limit).await.expect("readable");
                assert_eq!(sled.read(position, limit).await.expect("readable"), expected);
                let Some(last) = expected.last() else { break };
                position = last.position;
            }
            assert_eq!(position, sled.head().borrow().position);
        });
    }
}
