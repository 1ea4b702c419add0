//! Where a server listens: a TCP address or a Unix socket.

use std::{ffi::OsStr, fmt, os::unix::ffi::OsStrExt as _, path::PathBuf, str::FromStr};

/// Where a server listens: `HOST:PORT`, or `unix:PATH`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Endpoint {
    /// A host and a port; port 0 takes a free one.
    Tcp(String),
    /// A socket in the file system.
    Unix(PathBuf),
}

/// The text is not an endpoint.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected HOST:PORT (127.0.0.1:50051, [::1]:50051, localhost:0) or unix:PATH")]
pub struct EndpointError;

impl FromStr for Endpoint {
    type Err = EndpointError;

    fn from_str(text: &str) -> Result<Self, EndpointError> {
        if let Some(path) = text.strip_prefix("unix:") {
            let path = Some(path).filter(|path| !path.is_empty()).ok_or(EndpointError)?;
            return Ok(Self::Unix(path.into()));
        }
        let (host, port) = text.rsplit_once(':').ok_or(EndpointError)?;
        let bracketed = host.starts_with('[') && host.ends_with(']');
        let plain = !host.is_empty() && !host.contains(':');
        let port: Result<u16, _> = port.parse();
        if port.is_ok() && (bracketed || plain) {
            Ok(Self::Tcp(text.to_owned()))
        } else {
            Err(EndpointError)
        }
    }
}

impl Endpoint {
    /// Reads an endpoint from an argument, in which the path of a socket may be any file name.
    ///
    /// # Errors
    /// The text is not an endpoint.
    pub fn from_os(text: &OsStr) -> Result<Self, EndpointError> {
        match (text.to_str(), text.as_bytes().strip_prefix(b"unix:")) {
            (Some(text), _) => text.parse(),
            (None, Some(path)) => Ok(Self::Unix(OsStr::from_bytes(path).into())),
            (None, None) => Err(EndpointError),
        }
    }

    /// Whether the system chooses the port.
    #[must_use]
    pub fn has_any_port(&self) -> bool {
        match self {
            Self::Tcp(address) => address.ends_with(":0"),
            Self::Unix(_) => false,
        }
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => f.write_str(address),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}
