//! Arguments that may hold a file name, which need not be UTF-8.

use clap::builder::{OsStringValueParser, TypedValueParser};

use crate::{
    audit::{LogKey, TrustedCheckpoints},
    transport::Endpoint,
};

/// Parses `HOST:PORT` or `unix:PATH`.
pub(super) fn endpoint() -> impl TypedValueParser<Value = Endpoint> {
    OsStringValueParser::new().try_map(|text| Endpoint::from_os(&text))
}

/// Parses `POSITION:HASH`, or reads a file with signed checkpoints.
pub(super) fn checkpoints() -> impl TypedValueParser<Value = TrustedCheckpoints> {
    OsStringValueParser::new().try_map(|text| TrustedCheckpoints::read(&text))
}

/// Parses NAME+HASH+KEY or 64 hexadecimal digits, or reads a file with a key.
pub(super) fn log_key() -> impl TypedValueParser<Value = LogKey> {
    OsStringValueParser::new().try_map(|text| LogKey::read(&text))
}
