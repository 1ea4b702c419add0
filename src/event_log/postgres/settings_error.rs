//! Why the settings of a database cannot be used.

use std::{
    io,
    path::{Path, PathBuf},
};

/// The settings of a database cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum PostgresSettingsError {
    /// A file cannot be read.
    #[error("cannot read {}; check its name, owner and permissions", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The error of the system.
        source: io::Error,
    },
    /// Every user of the machine can read the password.
    #[error("every user of this machine has access to {}; run chmod 600 on it", .0.display())]
    Exposed(PathBuf),
    /// The address has a password that other users of the machine can see.
    #[error("--log-url has a password; write the URL to a file, and name that with --log-url-file")]
    Password,
    /// The address is invalid.
    #[error(
        "the URL of the log is not postgres://USER@HOST:PORT/DATABASE; separate several \
         HOST:PORT with commas"
    )]
    Url(#[source] tokio_postgres::Error),
    /// The address names no server.
    #[error("the URL of the log has no host")]
    NoHost,
    /// A certificate or key cannot be used.
    #[error("cannot use the certificates in {}: {problem}", path.display())]
    Certificate {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        problem: String,
    },
    /// TLS cannot be configured.
    #[error("cannot set up TLS to the database")]
    Tls(#[source] tokio_rustls::rustls::Error),
}

/// Converts an error of reading `path`.
pub(super) fn unreadable(path: &Path) -> impl FnOnce(io::Error) -> PostgresSettingsError {
    let path = path.to_owned();
    move |source| PostgresSettingsError::Unreadable { path, source }
}
