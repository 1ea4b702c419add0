//! Data directories as a server leaves them, with any number of events.

use std::path::Path;

use bytes::Bytes;
use prost::Message as _;
use prost_types::Timestamp;
use userpool::{
    app::{Source as _, SystemSource},
    event_log::{EventLog as _, SledLog},
    proto::{
        UserPool, UserPoolCreated, UserPoolEvent, UserPoolEventType, UserPoolUpdated,
        user_pool_event::Payload,
    },
    server::data_dir::DataDir,
};

/// The user pool with many events.
pub(crate) const POOL: &str = "us-east-1_AbCdEfGhI";

/// The content of a directory.
#[derive(Debug)]
pub(crate) struct DataDirectory {
    /// The number of events.
    pub(crate) events: u64,
    /// How many of them are those of [`POOL`]; every other user pool has one.
    pub(crate) own: u64,
    /// The settings of every user pool besides its name and its tag.
    pub(crate) pool: UserPool,
}

impl DataDirectory {
    /// Writes the log, and returns the number of appended bytes. There is no read
    /// model: the first server builds it.
    pub(crate) async fn write(&self, data_dir: &Path) -> u64 {
        let now = SystemSource.now();
        drop(DataDir::open(data_dir, "us-east-1", now).expect("a directory"));
        let log = SledLog::open(&data_dir.join("log")).expect("a log");
        let (mut position, mut bytes) = (0, 0);
        while position < self.events {
            let batch = 4096.min(self.events - position);
            let bodies: Vec<Bytes> =
                (position + 1..=position + batch).map(|position| self.body(position)).collect();
            bytes += bodies.iter().map(|body| u64::try_from(body.len()).unwrap_or(0)).sum::<u64>();
            let head = *log.head().borrow();
            log.append(head, bodies).await.expect("appended");
            position += batch;
        }
        bytes
    }

    /// The user pool has every n-th event, and the others one each.
    fn body(&self, position: u64) -> Bytes {
        let every = self.events / self.own;
        let (id, revision) = if position.is_multiple_of(every) {
            (POOL.to_owned(), position / every)
        } else {
            (id_at(position), 1)
        };
        let mut pool = self.pool.clone();
        pool.id = Some(id.clone());
        pool.name = Some(format!("pool-{position}"));
        pool.user_pool_tags.insert("position".to_owned(), position.to_string());
        let user_pool = Some(pool);
        let (kind, payload) = if revision == 1 {
            let created = UserPoolCreated { user_pool };
            (UserPoolEventType::UserPoolCreated, Payload::UserPoolCreated(Box::new(created)))
        } else {
            let changed_paths = vec!["user_pool_tags".to_owned()];
            let updated = UserPoolUpdated { changed_paths, user_pool };
            (UserPoolEventType::UserPoolUpdated, Payload::UserPoolUpdated(Box::new(updated)))
        };
        let seconds = i64::try_from(position).expect("a small number");
        let event = UserPoolEvent {
            position: seconds,
            user_pool_id: id,
            revision: i64::try_from(revision).expect("a small number"),
            event_id: "01a20d57-bfff-770d-8588-db4c9d022666".to_owned(),
            r#type: kind.into(),
            record_time: Some(Timestamp { seconds, nanos: 0 }),
            schema_version: 1,
            payload: Some(payload),
            ..UserPoolEvent::default()
        };
        event.encode_to_vec().into()
    }
}

/// The user pool that was created at a position, unless that is [`POOL`].
pub(crate) fn id_at(position: u64) -> String {
    format!("us-east-1_{position:09}")
}
