//! The options of a client: the server's address, TLS, credentials and the deadline.

use std::{path::PathBuf, time::Duration};

use crate::endpoint::Endpoint;

/// The default deadline of a call.
const DEFAULT_DEADLINE: Duration = Duration::from_secs(30);

/// How to reach a server.
#[derive(Debug, Clone)]
pub struct Options {
    /// The address of the server.
    pub endpoint: Endpoint,
    /// The TLS settings; `None` connects without TLS.
    pub tls: Option<Tls>,
    /// A file with the bearer token to send with every call. It is read again when it
    /// changes.
    pub token_file: Option<PathBuf>,
    /// How long a call may take, with its retries.
    pub deadline: Duration,
    /// The user agent that the server records, such as `billing/1.2`.
    pub user_agent: String,
}

/// TLS settings. The files are read again when they change; open connections keep the
/// settings that they started with.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tls {
    /// The trusted certificate authorities, in PEM; `None` trusts those of the system.
    pub ca: Option<PathBuf>,
    /// The client certificate and its private key, in PEM.
    pub identity: Option<(PathBuf, PathBuf)>,
    /// The name that the server's certificate must have; `None` expects the host of the
    /// endpoint.
    pub server_name: Option<String>,
}

impl Options {
    /// Options to connect to `endpoint` without TLS or a token, with a deadline of 30
    /// seconds for each call.
    #[must_use]
    pub fn to(endpoint: Endpoint) -> Self {
        Self {
            endpoint,
            tls: None,
            token_file: None,
            deadline: DEFAULT_DEADLINE,
            user_agent: concat!("userpool/", env!("CARGO_PKG_VERSION")).to_owned(),
        }
    }
}
