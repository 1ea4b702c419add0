//! Which peer addresses a filter of events accepts.

use std::{
    net::{IpAddr, SocketAddr},
    str::FromStr,
};

/// The texts that are accepted, to continue "must be".
pub(super) const FORMS: &str = "an IP address for any port (192.0.2.7), an address and a port \
                                (192.0.2.7:41152), or a network (192.0.2.0/24)";

/// An address, with or without a port, or a network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PeerFilter {
    Address(IpAddr),
    Socket(SocketAddr),
    Network { address: IpAddr, length: u32 },
}

/// The text is not a [`PeerFilter`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct PeerFilterError;

impl PeerFilter {
    /// Whether it accepts the address of a peer, which has a port. A peer on a Unix socket
    /// has no address.
    pub(super) fn matches(self, peer: &str) -> bool {
        let Ok(peer) = peer.parse::<SocketAddr>() else { return false };
        let address = peer.ip().to_canonical();
        match self {
            Self::Address(expected) => address == expected,
            Self::Socket(expected) => (address, peer.port()) == (expected.ip(), expected.port()),
            Self::Network { address: network, length } => is_within(address, network, length),
        }
    }
}

/// Whether the first `length` bits of both addresses are equal.
fn is_within(address: IpAddr, network: IpAddr, length: u32) -> bool {
    match (address, network) {
        (IpAddr::V4(address), IpAddr::V4(network)) => {
            let differing = address.to_bits() ^ network.to_bits();
            differing.leading_zeros() >= length
        }
        (IpAddr::V6(address), IpAddr::V6(network)) => {
            let differing = address.to_bits() ^ network.to_bits();
            differing.leading_zeros() >= length
        }
        (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => false,
    }
}

impl FromStr for PeerFilter {
    type Err = PeerFilterError;

    fn from_str(text: &str) -> Result<Self, PeerFilterError> {
        if let Some((address, length)) = text.split_once('/') {
            let address: IpAddr = address.parse().map_err(|_| PeerFilterError)?;
            let length = length.parse().map_err(|_| PeerFilterError)?;
            let most = if address.is_ipv4() { 32 } else { 128 };
            return if length <= most {
                Ok(Self::Network { address, length })
            } else {
                Err(PeerFilterError)
            };
        }
        if let Ok(socket) = text.parse::<SocketAddr>() {
            let address = socket.ip().to_canonical();
            return Ok(Self::Socket(SocketAddr::new(address, socket.port())));
        }
        let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
        let address: IpAddr = bare.parse().map_err(|_| PeerFilterError)?;
        Ok(Self::Address(address.to_canonical()))
    }
}
