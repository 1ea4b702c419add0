//! Whom a connection is with, and what it has open beyond single calls.

use std::{fmt, net::SocketAddr, sync::Arc};

use tokio::{net::unix::UCred, sync::Semaphore};

use super::Identity;

/// The other end of a connection, the same for all of its calls.
#[derive(Debug, Clone)]
pub struct Peer {
    pub(crate) who: Who,
    /// Who the connection says that it is.
    pub(crate) identity: Identity,
    /// The watches that it may open beside those that it has.
    pub(crate) watches: Arc<Semaphore>,
}

/// Who is at the other end.
#[derive(Debug, Clone, Copy)]
pub enum Who {
    /// A client on the network.
    Address(SocketAddr),
    /// A process on this machine, where the system tells which one.
    Process(Option<UCred>),
}

impl Peer {
    /// A peer that may have so many watches open at a time, with the identity that
    /// its certificate has, where it showed one.
    #[must_use]
    pub fn new(who: Who, certificate: Option<Identity>, watches: usize) -> Self {
        let identity = certificate.unwrap_or_else(|| Identity::of(who));
        Self {
            who,
            identity,
            watches: Arc::new(Semaphore::new(watches.min(Semaphore::MAX_PERMITS))),
        }
    }
}

impl Who {
    /// Where a client on the network is.
    pub(crate) const fn address(self) -> Option<SocketAddr> {
        match self {
            Self::Address(address) => Some(address),
            Self::Process(_) => None,
        }
    }
}

/// `ADDRESS:PORT`, or `pid=N` on a socket of this machine.
impl fmt::Display for Who {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(address) => {
                // A client of IPv4 is one, also where the listener speaks IPv6.
                SocketAddr::new(address.ip().to_canonical(), address.port()).fmt(f)
            }
            Self::Process(process) => match process.and_then(|process| process.pid()) {
                Some(pid) => write!(f, "pid={pid}"),
                None => f.write_str("unix"),
            },
        }
    }
}
