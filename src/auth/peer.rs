//! The peer of a connection, and how many watches it may open.

use std::{fmt, net::SocketAddr, sync::Arc};

use http::Extensions;
use tokio::{net::unix::UCred, sync::Semaphore};

use crate::proto::ActorKind;

use super::Identity;

/// The peer of a connection, which is the same for all of its calls.
#[derive(Debug, Clone)]
pub struct Peer {
    pub(crate) address: PeerAddress,
    /// The identity of the certificate, otherwise of the socket.
    pub(crate) identity: Identity,
    /// Permits for the watches that it may still open.
    pub(crate) watches: Arc<Semaphore>,
}

/// The address of a [`Peer`].
#[derive(Debug, Clone, Copy)]
pub enum PeerAddress {
    /// An address on the network.
    Tcp(SocketAddr),
    /// A process on this machine; its credentials, if the system provides them.
    Unix(Option<UCred>),
}

impl Peer {
    /// Creates a peer that may have `watches` open at a time, with the identity of its
    /// certificate, if it sent one.
    #[must_use]
    pub fn new(address: PeerAddress, certificate: Option<Identity>, watches: usize) -> Self {
        Self {
            address,
            identity: certificate.unwrap_or_else(|| address.identity()),
            watches: Arc::new(Semaphore::new(watches.min(Semaphore::MAX_PERMITS))),
        }
    }

    /// The identity of the connection that a request came from.
    pub(crate) fn identity(request: &Extensions) -> Identity {
        request.get::<Self>().map_or_else(Identity::anonymous, |peer| peer.identity.clone())
    }

    /// Whether the peer is on this machine.
    pub(crate) fn is_local(&self) -> bool {
        match self.address {
            PeerAddress::Tcp(address) => address.ip().to_canonical().is_loopback(),
            PeerAddress::Unix(_) => true,
        }
    }
}

impl PeerAddress {
    /// The address on the network, if it is one.
    pub(crate) const fn tcp(self) -> Option<SocketAddr> {
        match self {
            Self::Tcp(address) => Some(address),
            Self::Unix(_) => None,
        }
    }

    /// The identity of a peer without a certificate.
    pub(crate) fn identity(self) -> Identity {
        match self {
            Self::Unix(Some(process)) => Identity {
                kind: ActorKind::LocalProcess,
                subject: format!("uid={}", process.uid()),
            },
            Self::Unix(None) | Self::Tcp(_) => Identity::anonymous(),
        }
    }
}

/// `ADDRESS:PORT`, or `pid=N` for a Unix socket.
impl fmt::Display for PeerAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => {
                // A listener on IPv6 reports IPv4 clients as mapped addresses.
                SocketAddr::new(address.ip().to_canonical(), address.port()).fmt(f)
            }
            Self::Unix(process) => match process.and_then(|process| process.pid()) {
                Some(pid) => write!(f, "pid={pid}"),
                None => f.write_str("unix"),
            },
        }
    }
}
