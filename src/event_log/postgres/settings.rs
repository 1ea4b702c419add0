//! Where the database is, and how it is reached. The files are read again for each session, so
//! a changed password or certificate is used by the next one.

use std::{fmt, fs, net::IpAddr, path::PathBuf, str::FromStr, time::Duration};

use tokio_postgres::{
    Config,
    config::{Host, SslMode, TargetSessionAttrs},
};
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::fs::public_mode;

use super::{
    settings_error::PostgresSettingsError,
    tls::{self, DatabaseTls},
};

/// How long one server may take to accept a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
/// How often a silent connection is probed, and how many probes may be unanswered.
const KEEPALIVE: Duration = Duration::from_secs(1);
const KEEPALIVE_PROBES: u32 = 3;
/// How long sent data may be unacknowledged.
const MAX_UNACKNOWLEDGED: Duration = Duration::from_secs(10);
/// The longest name of a log. With a prefix, it is the name of a channel for notifications.
const MAX_NAME_BYTES: usize = 40;

/// Where the log is in PostgreSQL, and how it is reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PostgresSettings {
    /// The address of the database.
    pub url: LogUrl,
    /// The name of the log in it.
    pub name: LogName,
    /// The certificates of connections to it.
    pub tls: DatabaseTls,
    /// What keeps acknowledged records.
    pub durability: Durability,
    /// The name of this server among those of the log, unless it is none.
    pub replica: Option<String>,
}

/// The address of a database: `postgres://USER@HOST1,HOST2/DATABASE`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LogUrl {
    /// The address, without a password.
    Text(String),
    /// A file with the address, which may have a password.
    File(PathBuf),
}

/// The name of a log in a database: lower-case letters, digits, `_` and `-`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogName(String);

/// The text is not a [`LogName`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected 1 to {MAX_NAME_BYTES} lower-case letters, digits, hyphens and underscores")]
pub struct LogNameError;

impl FromStr for LogName {
    type Err = LogNameError;

    fn from_str(text: &str) -> Result<Self, LogNameError> {
        let legal =
            |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-_".contains(&byte);
        let fits = (1..=MAX_NAME_BYTES).contains(&text.len()) && text.bytes().all(legal);
        if fits { Ok(Self(text.to_owned())) } else { Err(LogNameError) }
    }
}

impl LogName {
    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for LogName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What keeps the records that a database has acknowledged.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Durability {
    /// A synchronous standby, which is checked.
    #[default]
    Synchronous,
    /// The storage below the database, which cannot be checked.
    Managed,
}

/// What a session is opened with.
pub(super) struct Target {
    pub(super) config: Config,
    pub(super) tls: MakeRustlsConnect,
}

impl PostgresSettings {
    /// Reads the files and parses the address.
    ///
    /// # Errors
    /// See [`PostgresSettingsError`].
    pub(super) fn load(&self) -> Result<Target, PostgresSettingsError> {
        let text = self.url.read()?;
        let mut config = parse(&text)?;
        if matches!(self.url, LogUrl::Text(_)) && config.get_password().is_some() {
            return Err(PostgresSettingsError::Password);
        }
        // A certificate is always checked completely, so there is only one such mode.
        if !text.contains("sslmode=") {
            let mode = if is_local(&config) { SslMode::Disable } else { SslMode::Require };
            config.ssl_mode(mode);
        }
        if config.get_application_name().is_none() {
            config.application_name("userpool");
        }
        config
            .target_session_attrs(TargetSessionAttrs::ReadWrite)
            .connect_timeout(CONNECT_TIMEOUT)
            .tcp_user_timeout(MAX_UNACKNOWLEDGED)
            .keepalives_idle(KEEPALIVE)
            .keepalives_interval(KEEPALIVE)
            .keepalives_retries(KEEPALIVE_PROBES);
        let is_encrypted = config.get_ssl_mode() != SslMode::Disable;
        Ok(Target { config, tls: tls::connector(&self.tls, is_encrypted)? })
    }

    /// Checks that the settings can be used, without connecting.
    ///
    /// # Errors
    /// See [`PostgresSettingsError`].
    pub fn check(&self) -> Result<(), PostgresSettingsError> {
        self.load().map(drop)
    }

    /// The log and its servers, for messages; without the password.
    pub(super) fn place(&self) -> String {
        let config = self.url.read().and_then(|text| parse(&text));
        let Ok(config) = config else { return self.name.to_string() };
        let host = |(host, port): (&Host, &u16)| match host {
            Host::Tcp(name) => format!("{name}:{port}"),
            Host::Unix(path) => path.display().to_string(),
        };
        let ports = config.get_ports();
        let ports = ports.iter().chain(ports.last().or(Some(&5432)).into_iter().cycle());
        let hosts: Vec<_> = config.get_hosts().iter().zip(ports).map(host).collect();
        let database = config.get_dbname().or(config.get_user()).unwrap_or_default();
        format!("{} in postgres://{}/{database}", self.name, hosts.join(","))
    }
}

impl LogUrl {
    fn read(&self) -> Result<String, PostgresSettingsError> {
        let path = match self {
            Self::Text(text) => return Ok(text.clone()),
            Self::File(path) => path,
        };
        let unreadable = |source| PostgresSettingsError::Unreadable { path: path.clone(), source };
        if public_mode(path).map_err(unreadable)?.is_some() {
            return Err(PostgresSettingsError::Exposed(path.clone()));
        }
        Ok(fs::read_to_string(path).map_err(unreadable)?.trim().to_owned())
    }
}

fn parse(text: &str) -> Result<Config, PostgresSettingsError> {
    let text = text.replace("sslmode=verify-full", "sslmode=require");
    let config: Config = text.parse().map_err(PostgresSettingsError::Url)?;
    if config.get_hosts().is_empty() { Err(PostgresSettingsError::NoHost) } else { Ok(config) }
}

/// Whether nothing that is sent leaves this machine.
fn is_local(config: &Config) -> bool {
    config.get_hosts().iter().all(|host| match host {
        Host::Unix(_) => true,
        Host::Tcp(name) => {
            name == "localhost" || name.parse().is_ok_and(|address: IpAddr| address.is_loopback())
        }
    })
}
