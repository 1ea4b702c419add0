//! Arguments that may hold a file name, which need not be UTF-8.

use clap::{
    Args, ValueHint,
    builder::{OsStringValueParser, TypedValueParser},
};

use crate::{
    audit::{LogKey, TrustedCheckpoints},
    transport::Endpoint,
};

/// The key that checkpoints must be signed with.
#[derive(Debug, Args)]
pub(super) struct LogKeyArgs {
    /// Require that checkpoints are signed with this public key: 64 hexadecimal digits,
    /// NAME+HASH+KEY, or a file with one of them or in PEM, obtained from another source than the
    /// server. NAME is compared with the log of a proof and of a signed note. If omitted, the key of
    /// the trusted checkpoints is required, which a signed note does not have.
    #[arg(long, value_name = "KEY", value_parser = log_key(), value_hint = ValueHint::FilePath)]
    pub(super) key: Option<LogKey>,
}

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
