//! Events to the bodies of records and back: the one place where an event of an
//! older form would be brought up to date.

use bytes::{Bytes, BytesMut};
use prost::Message as _;

use crate::{
    event_log::{Position, Record},
    proto::{UserPoolEvent, UserPoolEventType, user_pool_event::Payload},
};

/// The form of the payloads that this version writes.
pub(crate) const SCHEMA_VERSION: i32 = 1;

/// A record that is intact, but holds no event that this version understands.
#[derive(Debug, thiserror::Error)]
#[error("the record at position {position} is not understood")]
pub struct DecodeError {
    /// The position of the record.
    pub position: Position,
    /// Why it is not understood.
    pub source: DecodeCause,
}

/// Why an intact record is not understood.
#[derive(Debug, thiserror::Error)]
pub enum DecodeCause {
    /// It is no event.
    #[error("the record does not hold an event")]
    NotAnEvent(#[from] prost::DecodeError),
    /// It was written by a newer version.
    #[error("the event has schema version {0}; this version knows {SCHEMA_VERSION}")]
    Newer(i32),
    /// What happened is not there, or of a kind that this version does not know.
    #[error("the event has no payload that this version knows")]
    UnknownPayload,
    /// It is the event of another position.
    #[error("the event states position {0}")]
    WrongPosition(i64),
}

/// The type that goes with a payload.
pub(crate) const fn event_type(event: &Payload) -> UserPoolEventType {
    match event {
        Payload::UserPoolCreated(_) => UserPoolEventType::UserPoolCreated,
        Payload::UserPoolUpdated(_) => UserPoolEventType::UserPoolUpdated,
        Payload::UserPoolDeleted(_) => UserPoolEventType::UserPoolDeleted,
        Payload::UserPoolDomainCreated(_) => UserPoolEventType::UserPoolDomainCreated,
        Payload::UserPoolDomainDeleted(_) => UserPoolEventType::UserPoolDomainDeleted,
    }
}

/// The body of the record: the event as it is served, without the hashes, which
/// the log adds.
pub(crate) fn encode(event: &UserPoolEvent) -> Bytes {
    event.encode_to_vec().into()
}

/// The event of a record as it is sent, with its hashes and, where that is asked for,
/// the record. Nobody has to know what is in it: to put two messages one after the other
/// is to merge them.
pub(crate) fn sent(record: &Record, include_record: bool) -> Bytes {
    let added = UserPoolEvent {
        previous_hash: record.previous_hash.0.to_vec(),
        hash: record.hash.0.to_vec(),
        record: include_record.then(|| record.stored.clone()),
        ..UserPoolEvent::default()
    };
    let length = record.body.len().saturating_add(added.encoded_len());
    let mut both = BytesMut::with_capacity(length);
    both.extend_from_slice(&record.body);
    added.encode_raw(&mut both);
    both.freeze()
}

/// The event of a record, with its hashes.
pub(crate) fn decode(record: &Record) -> Result<UserPoolEvent, DecodeError> {
    let decode = || {
        let event = UserPoolEvent::decode(record.body.as_ref())?;
        if event.schema_version > SCHEMA_VERSION {
            return Err(DecodeCause::Newer(event.schema_version));
        }
        if event.payload.is_none() {
            return Err(DecodeCause::UnknownPayload);
        }
        if event.position != record.position.to_int() {
            return Err(DecodeCause::WrongPosition(event.position));
        }
        let previous_hash = record.previous_hash.0.to_vec();
        Ok(UserPoolEvent { previous_hash, hash: record.hash.0.to_vec(), ..event })
    };
    decode().map_err(|source| DecodeError { position: record.position, source })
}

/// The event of a record, with its hashes and the record.
///
/// # Errors
/// This version cannot decode the event.
pub fn decode_with_record(record: &Record) -> Result<UserPoolEvent, DecodeError> {
    Ok(UserPoolEvent { record: Some(record.stored.clone()), ..decode(record)? })
}
