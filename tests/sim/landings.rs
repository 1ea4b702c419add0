//! What must be true of each record when it is written, given those before it.

use std::collections::BTreeMap;

use prost::Message as _;
use userpool::{
    event_log::Record,
    proto::{UserPoolEvent, user_pool_event::Payload},
};

/// What is known of the records of a log.
#[derive(Debug, Default)]
pub(crate) struct Landings {
    /// The position of each request ID.
    request_ids: BTreeMap<String, i64>,
    /// The time of the last record, in seconds and nanoseconds.
    time: (i64, i32),
    user_pools: u64,
}

impl Landings {
    /// Adds the next record, with the number of user pools that there may be.
    ///
    /// # Errors
    /// It breaks a promise.
    pub(crate) fn add(&mut self, record: &Record, max_user_pools: u64) -> Result<(), String> {
        let position = record.position;
        let Ok(event) = UserPoolEvent::decode(record.body.clone()) else {
            return Err(format!("the record at {position} is no event"));
        };
        if event.position != position.to_int() {
            return Err(format!("the record at {position} says {}", event.position));
        }
        if let Some(id) = event.request_id
            && let Some(before) = self.request_ids.insert(id.clone(), event.position)
        {
            return Err(format!("request {id} is at {before} and at {position}"));
        }
        let time = event.record_time.map(|time| (time.seconds, time.nanos)).unwrap_or_default();
        if time < self.time {
            return Err(format!("the time of the record at {position} is before the one before"));
        }
        self.time = time;
        match event.payload {
            Some(Payload::UserPoolCreated(_)) => self.user_pools += 1,
            Some(Payload::UserPoolRestored(restored)) if restored.was_deleted => {
                self.user_pools += 1;
            }
            Some(Payload::UserPoolDeleted(_)) => {
                let left = self.user_pools.checked_sub(1);
                self.user_pools = left.ok_or_else(|| format!("nothing to delete at {position}"))?;
            }
            Some(_) | None => (),
        }
        if self.user_pools > max_user_pools {
            return Err(format!("there are more than {max_user_pools} user pools at {position}"));
        }
        Ok(())
    }
}
