//! The arguments that name a log in a database.

use std::path::PathBuf;

use clap::{Args, ValueEnum, ValueHint};

use crate::{
    event_log::{DatabaseTls, Durability, LogName, LogUrl, PostgresLog, PostgresSettings},
    telemetry::metrics::LogMetrics,
};

use super::error::CliError;

/// A log in a database.
#[derive(Debug, Args)]
#[command(next_help_heading = "Log in PostgreSQL")]
pub(super) struct DatabaseArgs {
    /// Use the log in this PostgreSQL database instead of one in the data directory:
    /// postgres://USER@HOST:PORT/DATABASE, with several HOST:PORT separated by commas. Other
    /// machines are reached with TLS. The URL must not have a password; see --log-url-file.
    #[arg(long, env = "USERPOOL_LOG_URL", value_name = "URL")]
    log_url: Option<String>,
    /// Read the URL, which may have a password, from this file, which must not be world-readable.
    /// It is read again for each new connection.
    #[arg(long, env = "USERPOOL_LOG_URL_FILE", value_name = "FILE", value_hint = ValueHint::FilePath)]
    log_url_file: Option<PathBuf>,
    /// Use the log with this name, because a database can have several.
    #[arg(long, env = "USERPOOL_LOG_NAME", value_name = "NAME", default_value = "main")]
    log_name: LogName,
    /// Trust the database if its certificate is signed by the authorities in this PEM file. If
    /// omitted, those of the system.
    #[arg(long, env = "USERPOOL_DATABASE_CA", value_name = "FILE", value_hint = ValueHint::FilePath)]
    database_ca: Option<PathBuf>,
    /// Log in to the database with the certificate chain in this PEM file.
    #[arg(long, env = "USERPOOL_DATABASE_CERT", value_name = "FILE", value_hint = ValueHint::FilePath)]
    database_cert: Option<PathBuf>,
    /// Read the private key of --database-cert from this PEM file, which must not be
    /// world-readable.
    #[arg(long, env = "USERPOOL_DATABASE_KEY", value_name = "FILE", value_hint = ValueHint::FilePath)]
    database_key: Option<PathBuf>,
    /// Require that the database waits for a synchronous standby, or believe that the storage below
    /// it is replicated, as that of managed services is.
    #[arg(
        long,
        env = "USERPOOL_DATABASE_DURABILITY",
        value_name = "KIND",
        default_value = "synchronous"
    )]
    database_durability: DatabaseDurability,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum DatabaseDurability {
    /// Refuse a database that waits for no standby.
    Synchronous,
    /// Check nothing.
    Managed,
}

impl DatabaseArgs {
    /// The settings, if a log in a database is named.
    ///
    /// # Errors
    /// Settings contradict each other.
    pub(super) fn settings(self) -> Result<Option<PostgresSettings>, CliError> {
        let url = match (self.log_url, self.log_url_file) {
            (None, None) => return Ok(None),
            (Some(_), Some(_)) => {
                return Err(CliError::message("set log-url or log-url-file, and not both"));
            }
            (Some(url), None) => LogUrl::Text(url),
            (None, Some(file)) => LogUrl::File(file),
        };
        let client = match (self.database_cert, self.database_key) {
            (None, None) => None,
            (Some(chain), Some(key)) => Some((chain, key)),
            (Some(_), None) => {
                return Err(CliError::message("database-cert requires database-key"));
            }
            (None, Some(_)) => {
                return Err(CliError::message("database-key requires database-cert"));
            }
        };
        let durability = match self.database_durability {
            DatabaseDurability::Synchronous => Durability::Synchronous,
            DatabaseDurability::Managed => Durability::Managed,
        };
        let tls = DatabaseTls { authorities: self.database_ca, client };
        Ok(Some(PostgresSettings { url, name: self.log_name, tls, durability, replica: None }))
    }

    /// The settings of a log in a database, which must be named.
    ///
    /// # Errors
    /// None is named, or settings contradict each other.
    pub(super) fn required(self) -> Result<PostgresSettings, CliError> {
        let named = self.settings()?;
        named.ok_or_else(|| CliError::message("name the database with --log-url or --log-url-file"))
    }
}

/// Opens a log in a database.
pub(super) async fn open(settings: PostgresSettings) -> Result<PostgresLog, CliError> {
    let opened = PostgresLog::open(settings, None, LogMetrics::default()).await;
    opened.map_err(CliError::other)
}
