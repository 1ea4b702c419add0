//! A limit that callers share fairly: a quarter of it is kept for callers that use less than
//! the others, so that no caller can take everything.

use std::{
    collections::{HashMap, hash_map::Entry},
    net::{IpAddr, Ipv6Addr},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use crate::auth::{Identity, Peer, PeerAddress};

/// Smaller limits have no part that is kept.
const MIN_FAIR: usize = 16;
/// How many bits of an IPv6 address usually belong to one customer.
const CUSTOMER_BITS: u32 = 64;

/// Who uses a limit: an identity, or else an address.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum User {
    /// An authenticated caller, as it is displayed.
    Identity(Arc<str>),
    /// An address; of IPv6, its network.
    Address(IpAddr),
    /// A process on this machine that cannot be identified, or a caller without a connection.
    Unknown,
}

impl User {
    /// The user of a call. If nothing identifies the call itself, its connection does.
    pub(crate) fn of_call(identity: Option<&Identity>, peer: Option<&Peer>) -> Self {
        let of_connection = peer.map(|peer| &peer.identity);
        let identity = identity.filter(|identity| !identity.is_anonymous()).or(of_connection);
        Self::of(identity, peer.map(|peer| peer.address))
    }

    /// The user with this identity, if it is not anonymous, or else at this address.
    pub(crate) fn of(identity: Option<&Identity>, address: Option<PeerAddress>) -> Self {
        match identity.filter(|identity| !identity.is_anonymous()) {
            Some(identity) => Self::Identity(identity.to_string().into()),
            None => address.map_or(Self::Unknown, Self::of_connection),
        }
    }

    /// The user of a connection, before it is authenticated.
    pub(crate) fn of_connection(address: PeerAddress) -> Self {
        match address {
            PeerAddress::Tcp(address) => Self::Address(network(address.ip().to_canonical())),
            PeerAddress::Unix(Some(_)) => Self::Identity(address.identity().to_string().into()),
            PeerAddress::Unix(None) => Self::Unknown,
        }
    }
}

fn network(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(address) => {
            let bits = address.to_bits() >> CUSTOMER_BITS << CUSTOMER_BITS;
            IpAddr::V6(Ipv6Addr::from_bits(bits))
        }
    }
}

/// A limit, and how much of it each user has taken.
#[derive(Debug)]
pub(crate) struct FairLimit {
    limit: usize,
    taken: Mutex<Taken>,
}

#[derive(Debug, Default)]
struct Taken {
    total: usize,
    by_user: HashMap<User, usize>,
}

/// What a user has taken of a limit; given back on drop.
#[derive(Debug)]
pub(crate) struct Share {
    limit: Arc<FairLimit>,
    user: User,
    count: usize,
}

impl FairLimit {
    pub(crate) fn new(limit: usize) -> Arc<Self> {
        Arc::new(Self { limit, taken: Mutex::default() })
    }

    /// Takes this much for a user, unless nothing is left for it.
    pub(crate) fn take(self: &Arc<Self>, user: User, count: usize) -> Option<Share> {
        let mut share = self.nothing(user);
        share.grow(count).ok().map(|()| share)
    }

    /// A share of nothing, which can grow.
    pub(crate) fn nothing(self: &Arc<Self>, user: User) -> Share {
        Share { limit: Arc::clone(self), user, count: 0 }
    }

    fn lock(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether a user that has taken `own` may take `count` more.
    fn check(&self, taken: &Taken, own: usize, count: usize) -> Result<(), Full> {
        let total = taken.total.saturating_add(count);
        let kept = if self.limit < MIN_FAIR { 0 } else { self.limit / 4 };
        if total <= self.limit.saturating_sub(kept) {
            return Ok(());
        }
        // One more than there are, for the next one.
        let users = taken.by_user.len().saturating_add(1);
        if own.saturating_add(count) > self.limit / users {
            Err(Full::ForUser)
        } else if total > self.limit {
            Err(Full::ForAll)
        } else {
            Ok(())
        }
    }
}

/// Why nothing more can be taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Full {
    /// The user has taken its part.
    ForUser,
    /// Others have taken everything.
    ForAll,
}

impl Share {
    /// Takes this much more.
    pub(crate) fn grow(&mut self, count: usize) -> Result<(), Full> {
        let limit = Arc::clone(&self.limit);
        let mut taken = limit.lock();
        let own = taken.by_user.get(&self.user).copied().unwrap_or_default();
        limit.check(&taken, own, count)?;
        self.add(&mut taken, count);
        Ok(())
    }

    /// Gives everything back, and makes this an empty share of another user.
    pub(crate) fn reset(&mut self, user: User) {
        *self = self.limit.nothing(user);
    }

    /// Takes this much more, whatever the limit.
    pub(crate) fn grow_beyond(&mut self, count: usize) {
        let limit = Arc::clone(&self.limit);
        self.add(&mut limit.lock(), count);
    }

    fn add(&mut self, taken: &mut Taken, count: usize) {
        taken.total = taken.total.saturating_add(count);
        let own = taken.by_user.entry(self.user.clone()).or_default();
        *own = own.saturating_add(count);
        self.count = self.count.saturating_add(count);
    }

    pub(crate) const fn user(&self) -> &User {
        &self.user
    }

    pub(crate) const fn count(&self) -> usize {
        self.count
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        let mut taken = self.limit.lock();
        taken.total = taken.total.saturating_sub(self.count);
        if let Entry::Occupied(mut own) = taken.by_user.entry(self.user.clone()) {
            let left = own.get().saturating_sub(self.count);
            if left == 0 {
                own.remove();
            } else {
                *own.get_mut() = left;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::ActorKind;

    fn user(number: u8) -> User {
        User::Address(IpAddr::from([192, 0, 2, number]))
    }

    fn take_all(limit: &Arc<FairLimit>, user: &User) -> Vec<Share> {
        std::iter::from_fn(|| limit.take(user.clone(), 1)).collect()
    }

    #[test]
    fn a_quarter_is_kept_for_others_and_given_back() {
        let limit = FairLimit::new(100);
        let first = take_all(&limit, &user(1));
        assert_eq!(first.len(), 75);
        let second = take_all(&limit, &user(2));
        assert_eq!(second.len(), 25);
        assert!(limit.take(user(3), 1).is_none());
        assert_eq!(limit.nothing(user(1)).grow(1), Err(Full::ForUser));
        assert_eq!(limit.nothing(user(3)).grow(1), Err(Full::ForAll));
        let mut beyond = limit.nothing(user(1));
        beyond.grow_beyond(5);
        assert_eq!(limit.lock().total, 105);
        drop(beyond);
        drop(second);
        // The first has more than a third.
        assert!(limit.take(user(1), 1).is_none());
        assert_eq!(take_all(&limit, &user(3)).len(), 25);
        drop(first);
        assert!(limit.lock().by_user.is_empty());
        assert_eq!(limit.lock().total, 0);
    }

    #[test]
    fn a_small_limit_is_for_everybody() {
        let limit = FairLimit::new(2);
        let shares = take_all(&limit, &user(1));
        assert_eq!(shares.len(), 2);
        assert!(limit.take(user(2), 1).is_none());
    }

    /// Whether the call itself or its connection shows the identity.
    #[test]
    fn a_caller_has_one_name() {
        let identity = |kind, subject: &str| Identity { kind, subject: subject.to_owned() };
        let certificate = identity(ActorKind::Certificate, "payments");
        let address = PeerAddress::Tcp("192.0.2.1:1".parse().expect("an address"));
        let peer = Peer::new(address, Some(certificate.clone()), 1);
        let (anonymous, key) = (Identity::anonymous(), identity(ActorKind::AccessKey, "ci"));
        let call = |identity| User::of_call(identity, Some(&peer));
        assert_eq!(call(None), User::of(Some(&certificate), None));
        assert_eq!(call(Some(&certificate)), call(None));
        assert_eq!(call(Some(&anonymous)), call(None));
        assert_eq!(call(Some(&key)), User::of(Some(&key), Some(address)));
    }

    #[test]
    fn addresses_of_a_network_are_one_user() {
        let of = |address: &str| {
            User::of_connection(PeerAddress::Tcp(address.parse().expect("an address")))
        };
        assert_eq!(of("[2001:db8::1]:1"), of("[2001:db8::ffff:1]:2"));
        assert_ne!(of("[2001:db8::1]:1"), of("[2001:db8:0:1::1]:1"));
        assert_eq!(of("[::ffff:192.0.2.1]:1"), of("192.0.2.1:2"));
        assert_ne!(of("192.0.2.1:1"), of("192.0.2.2:1"));
    }
}
