//! Encoding events into the bodies of records, and decoding them. An event of an older
//! schema version would be upgraded here.

use bytes::{Bytes, BytesMut};
use prost::Message as _;

use crate::{
    event_log::{Position, Record},
    proto::{UserPoolEvent, UserPoolEventType, user_pool_event::Payload},
};

/// The schema version of the payloads that this version writes.
pub(crate) const SCHEMA_VERSION: i32 = 1;

/// An intact record holds no event that this version can decode.
#[derive(Debug, thiserror::Error)]
#[error("cannot decode the record at position {position}")]
pub struct DecodeError {
    /// The position of the record.
    pub position: Position,
    /// Why it cannot be decoded.
    pub source: DecodeCause,
}

/// Why the event of an intact record cannot be decoded.
#[derive(Debug, thiserror::Error)]
pub enum DecodeCause {
    /// The body is not an event.
    #[error("the record does not hold an event")]
    NotAnEvent(#[from] prost::DecodeError),
    /// A newer version wrote the event.
    #[error("the event has schema version {0}; this version knows {SCHEMA_VERSION}")]
    Newer(i32),
    /// The payload is missing, or of a type that this version does not know.
    #[error("the event has no payload that this version knows")]
    UnknownPayload,
    /// The event belongs to another position.
    #[error("the event has position {0}")]
    WrongPosition(i64),
}

/// The type of an event with this payload.
pub(crate) const fn event_type(event: &Payload) -> UserPoolEventType {
    match event {
        Payload::UserPoolCreated(_) => UserPoolEventType::UserPoolCreated,
        Payload::UserPoolUpdated(_) => UserPoolEventType::UserPoolUpdated,
        Payload::UserPoolDeleted(_) => UserPoolEventType::UserPoolDeleted,
        Payload::UserPoolDomainCreated(_) => UserPoolEventType::UserPoolDomainCreated,
        Payload::UserPoolDomainDeleted(_) => UserPoolEventType::UserPoolDomainDeleted,
        Payload::UserPoolDomainUpdated(_) => UserPoolEventType::UserPoolDomainUpdated,
        Payload::UserPoolTagged(_) => UserPoolEventType::UserPoolTagged,
        Payload::UserPoolUntagged(_) => UserPoolEventType::UserPoolUntagged,
        Payload::CustomAttributesAdded(_) => UserPoolEventType::CustomAttributesAdded,
        Payload::UserPoolMfaConfigSet(_) => UserPoolEventType::UserPoolMfaConfigSet,
        Payload::UserPoolRestored(_) => UserPoolEventType::UserPoolRestored,
    }
}

/// Encodes the body of a record: the event without the hashes, which the log adds. The body has
/// each text of the event as it is; filters of the history depend on that.
pub(crate) fn encode(event: &UserPoolEvent) -> Bytes {
    event.encode_to_vec().into()
}

/// Encodes the event of a record for a response, with its hashes and, on request, the
/// record. The body is not decoded: concatenating two encoded messages merges them.
pub(crate) fn encode_served(record: &Record, include_record: bool) -> Bytes {
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

/// Decodes the event of a record, with its hashes.
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

/// Decodes the event of a record, with its hashes and the record.
///
/// # Errors
/// This version cannot decode the event.
pub fn decode_with_record(record: &Record) -> Result<UserPoolEvent, DecodeError> {
    Ok(UserPoolEvent { record: Some(record.stored.clone()), ..decode(record)? })
}
