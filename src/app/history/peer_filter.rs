//! Which peer addresses a filter of events accepts.

use std::{
    net::{IpAddr, SocketAddr},
    str::FromStr,
};

/// An address, with or without a port, or a network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PeerFilter {
    Address(IpAddr),
    Socket(SocketAddr),
    Network { address: IpAddr, length: u32 },
}

/// The text is not a [`PeerFilter`], or no address matches it. The message continues "must".
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum PeerFilterError {
    #[error(
        "be an IP address for any port (192.0.2.7), an address and a port (192.0.2.7:41152), or a \
         network (192.0.2.0/24)"
    )]
    NotAnAddress,
    #[error("be {network}/{length} for the network, or {address} for one address")]
    BitsAfterPrefix { address: IpAddr, network: IpAddr, length: u32 },
    #[error("be an address that a client can have, or be absent for all of them")]
    Unspecified,
    #[error("have a port from 1 to 65535, or none for any port")]
    PortZero,
}

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

/// The address with only its first `length` bits.
fn first_bits(address: IpAddr, length: u32) -> IpAddr {
    match address {
        IpAddr::V4(address) => {
            let rest = u32::MAX.checked_shr(length).unwrap_or(0);
            IpAddr::V4((address.to_bits() & !rest).into())
        }
        IpAddr::V6(address) => {
            let rest = u128::MAX.checked_shr(length).unwrap_or(0);
            IpAddr::V6((address.to_bits() & !rest).into())
        }
    }
}

impl FromStr for PeerFilter {
    type Err = PeerFilterError;

    fn from_str(text: &str) -> Result<Self, PeerFilterError> {
        let not_an_address = |_| PeerFilterError::NotAnAddress;
        if let Some((address, length)) = text.split_once('/') {
            let address = address.parse().map_err(not_an_address)?;
            let length = length.parse().map_err(|_| PeerFilterError::NotAnAddress)?;
            return Self::network(address, length);
        }
        if let Ok(socket) = text.parse::<SocketAddr>() {
            if socket.port() == 0 {
                return Err(PeerFilterError::PortZero);
            }
            let address = specified(socket.ip())?;
            return Ok(Self::Socket(SocketAddr::new(address, socket.port())));
        }
        let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
        Ok(Self::Address(specified(bare.parse().map_err(not_an_address)?)?))
    }
}

impl PeerFilter {
    fn network(address: IpAddr, length: u32) -> Result<Self, PeerFilterError> {
        // Peers have IPv4 addresses in their own form.
        let (address, length) = match (address.to_canonical(), length.checked_sub(96)) {
            (canonical @ IpAddr::V4(_), Some(rest)) if address.is_ipv6() => (canonical, rest),
            _ => (address, length),
        };
        let most = if address.is_ipv4() { 32 } else { 128 };
        if length > most {
            return Err(PeerFilterError::NotAnAddress);
        }
        let network = first_bits(address, length);
        if network == address {
            Ok(Self::Network { address, length })
        } else {
            Err(PeerFilterError::BitsAfterPrefix { address, network, length })
        }
    }
}

/// The address in the form in which peers have it.
fn specified(address: IpAddr) -> Result<IpAddr, PeerFilterError> {
    let address = address.to_canonical();
    if address.is_unspecified() { Err(PeerFilterError::Unspecified) } else { Ok(address) }
}
