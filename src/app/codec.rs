//! Events to the bodies of records and back: the one place where an event of an
//! older form would be brought up to date.

use bytes::{Bytes, BytesMut};
use prost::Message as _;

use crate::{
    event_log::Record,
    proto::{UserPoolEvent, UserPoolEventType},
    user_pool::Event,
};

use super::LoadError;

/// The form of the payloads that this version writes.
pub(super) const SCHEMA_VERSION: i32 = 1;

/// Why a record that is whole is not understood.
#[derive(Debug, thiserror::Error)]
pub enum DecodeError {
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
pub(super) const fn event_type(event: &Event) -> UserPoolEventType {
    match event {
        Event::UserPoolCreated(_) => UserPoolEventType::UserPoolCreated,
        Event::UserPoolUpdated(_) => UserPoolEventType::UserPoolUpdated,
        Event::UserPoolDeleted(_) => UserPoolEventType::UserPoolDeleted,
        Event::UserPoolDomainCreated(_) => UserPoolEventType::UserPoolDomainCreated,
        Event::UserPoolDomainDeleted(_) => UserPoolEventType::UserPoolDomainDeleted,
        Event::UserPoolStatusChanged(_) => UserPoolEventType::UserPoolStatusChanged,
    }
}

/// The body of the record: the event as it is served, without the hashes, which
/// the log adds.
pub(super) fn encode(event: &UserPoolEvent) -> Bytes {
    event.encode_to_vec().into()
}

/// The event of a record as it is sent, with its hashes and, where that is asked for,
/// the record. Nobody has to know what is in it: to put two messages one after the other
/// is to merge them.
pub(super) fn sent(record: &Record, include_record: bool) -> Bytes {
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
pub(super) fn decode(record: &Record) -> Result<UserPoolEvent, LoadError> {
    let decode = || {
        let event = UserPoolEvent::decode(record.body.as_ref())?;
        if event.schema_version > SCHEMA_VERSION {
            return Err(DecodeError::Newer(event.schema_version));
        }
        if event.payload.is_none() {
            return Err(DecodeError::UnknownPayload);
        }
        if event.position != record.position.to_int() {
            return Err(DecodeError::WrongPosition(event.position));
        }
        let previous_hash = record.previous_hash.0.to_vec();
        Ok(UserPoolEvent { previous_hash, hash: record.hash.0.to_vec(), ..event })
    };
    decode().map_err(|source| LoadError::Decode { position: record.position, source })
}
