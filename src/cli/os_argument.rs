//! Arguments that may hold a file name, which need not be UTF-8.

use clap::{
    Args, ValueHint,
    builder::{OsStringValueParser, TypedValueParser},
};

use crate::{
    audit::{LogKey, Quorum, TrustedCheckpoints, WitnessKey},
    transport::Endpoint,
};

use super::error::CliError;

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

/// The witnesses that must have cosigned checkpoints.
#[derive(Debug, Args)]
pub(super) struct QuorumArgs {
    /// Require that the checkpoint of a proof, or else each trusted checkpoint, is cosigned by these
    /// witnesses, separated by commas: NAME+HASH+KEY, as "userpool witness" prints it.
    #[arg(long, value_name = "KEYS", value_delimiter = ',')]
    witness: Vec<WitnessKey>,
    /// Require cosignatures of only so many of the witnesses. If omitted, of all.
    #[arg(long, value_name = "N", requires = "witness")]
    quorum: Option<usize>,
}

impl QuorumArgs {
    /// The quorum, if witnesses are named.
    ///
    /// # Errors
    /// There is no such quorum.
    pub(super) fn quorum(self) -> Result<Option<Quorum>, CliError> {
        match self.witness {
            witnesses if witnesses.is_empty() => Ok(None),
            witnesses => Quorum::new(witnesses, self.quorum).map(Some).map_err(CliError::argument),
        }
    }
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
