//! Settings that a server starts with, and that can never do what they are for.

use crate::transport::{Endpoint, listen::Reach};
use crate::{auth::Grants, proto::ActorKind, transport::Capacity};

use super::Config;

/// What is of no use. The remedy is in the text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Futile {
    /// A limit is too low for anything.
    #[error("--{setting} is 0, which lets in nothing: give at least 1")]
    NoRoom {
        /// The limit.
        setting: &'static str,
    },
    /// Whoever listens there first, the other cannot.
    #[error("{endpoint} is both --listen and --metrics-listen: give each its own")]
    OneEndpoint {
        /// The endpoint.
        endpoint: Endpoint,
    },
    /// Something is granted to callers whom the server cannot know.
    #[error("--{setting} names {kind} callers, of whom there are none: {why}")]
    Nobody {
        /// The grant.
        setting: &'static str,
        /// What they are called in it.
        kind: &'static str,
        /// Why there are none, and how there could be.
        why: &'static str,
    },
}

/// All that is futile, where it is known from where callers come.
pub(super) fn all(config: &Config, reach: Option<Reach>) -> Vec<Futile> {
    let mut all = no_room(config);
    let endpoint = &config.listen;
    if config.metrics_listen.as_ref() == Some(endpoint) && !endpoint.has_any_port() {
        all.push(Futile::OneEndpoint { endpoint: endpoint.clone() });
    }
    all.extend(reach.into_iter().flat_map(|reach| nobody(config, reach)));
    all
}

fn no_room(config: &Config) -> Vec<Futile> {
    let Capacity { reads, watches, watches_per_connection } = config.capacity;
    let limits = [
        ("max-connections", config.connections == 0),
        ("max-reads", reads == 0),
        // Who wants no watches may say so in both.
        ("max-watches-per-connection", watches_per_connection == 0 && watches > 0),
    ];
    let too_low = limits.into_iter().filter(|(_, too_low)| *too_low);
    too_low.map(|(setting, _)| Futile::NoRoom { setting }).collect()
}

fn nobody(config: &Config, reach: Reach) -> Vec<Futile> {
    let Grants { readers, writers } = &config.grants;
    let mut nobody = Vec::new();
    for (setting, patterns) in [("readers", readers), ("writers", writers)] {
        for (kind, name) in [
            (ActorKind::Certificate, "certificate"),
            (ActorKind::Token, "token"),
            (ActorKind::LocalProcess, "local"),
            (ActorKind::Anonymous, "anonymous"),
        ] {
            let named = patterns.iter().any(|pattern| pattern.kind() == kind);
            if let Some(why) = why_none(config, reach, kind).filter(|_| named) {
                nobody.push(Futile::Nobody { setting, kind: name, why });
            }
        }
    }
    nobody
}

/// Why there are no callers of a kind, unless there are.
fn why_none(config: &Config, reach: Reach, kind: ActorKind) -> Option<&'static str> {
    let socket = reach == Reach::File;
    let clients = config.tls.as_ref().and_then(|tls| tls.clients.as_ref());
    let certified = clients.is_some_and(|clients| clients.required);
    match kind {
        ActorKind::Certificate => clients
            .is_none()
            .then_some("no certificate is asked for; give --client-ca, or name them otherwise"),
        ActorKind::Token if config.tokens.is_none() => Some(
            "no token is taken; give --token-issuer, --token-audience and --token-keys, or name \
             them otherwise",
        ),
        ActorKind::Token => certified.then_some(
            "everybody has to have a certificate, which counts before a token; say --client-auth \
             optional, or name the certificates",
        ),
        ActorKind::LocalProcess => (!socket).then_some(
            "only a socket tells whose the process at its other end is; listen on unix:PATH, or \
             name them otherwise",
        ),
        ActorKind::Anonymous if socket => Some(
            "a socket tells whose the process at its other end is; name local:uid=N, or listen on \
             HOST:PORT",
        ),
        ActorKind::Anonymous => certified.then_some(
            "everybody has to have a certificate; say --client-auth optional, or name the \
             certificates",
        ),
        ActorKind::Unspecified => None,
    }
}
