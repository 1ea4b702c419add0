//! Who asks, from where, and what for: read from the connection and the metadata.

use std::net::SocketAddr;

use http::Extensions;
use tonic::{Request, metadata::MetadataMap};

use crate::{app::Context, proto::Actor};

use super::{
    Identity, Peer, Who,
    fingerprint::{Change, fingerprint},
    layer::CorrelationId,
};

/// How much of a user agent is recorded, in characters.
const USER_AGENT: usize = 256;

/// What is recorded of a request beside what it asks for.
pub(super) fn context(request: &mut Request<impl Change>) -> Context {
    let fingerprint = fingerprint(request.get_mut());
    let correlation_id = request.extensions().get::<CorrelationId>();
    Context {
        actor: actor(request.extensions(), request.metadata()),
        correlation_id: correlation_id.map(|id| id.0.clone()).unwrap_or_default(),
        traceparent: traceparent(request.metadata()),
        fingerprint,
    }
}

fn actor(extensions: &Extensions, metadata: &MetadataMap) -> Actor {
    let user_agent = text(metadata, "user-agent").unwrap_or_default();
    let user_agent = user_agent.chars().take(USER_AGENT).collect();
    let identity = extensions.get::<Identity>().cloned().unwrap_or_else(Identity::anonymous);
    let (peer_address, process) = match extensions.get::<Peer>().map(|peer| peer.who) {
        Some(Who::Address(address)) => {
            // A client of IPv4 is one, also where the listener speaks IPv6.
            let address = SocketAddr::new(address.ip().to_canonical(), address.port());
            (address.to_string(), None)
        }
        Some(Who::Process(Some(process))) => {
            let pid = process.pid().map(|pid| format!(" pid={pid}")).unwrap_or_default();
            (String::new(), Some(format!("gid={}{pid}", process.gid())))
        }
        Some(Who::Process(None)) | None => (String::new(), None),
    };
    let Identity { kind, subject } = identity;
    Actor { kind: kind.into(), subject, peer_address, user_agent, process }
}

/// The trace that the request is part of, in the only form that W3C allows.
fn traceparent(metadata: &MetadataMap) -> Option<String> {
    let given = text(metadata, "traceparent")?;
    let lengths = given.split('-').map(str::len);
    let hexadecimal =
        |byte: u8| byte == b'-' || byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    let legal = lengths.eq([2, 32, 16, 2]) && given.bytes().all(hexadecimal);
    legal.then(|| given.to_owned())
}

fn text<'a>(metadata: &'a MetadataMap, name: &str) -> Option<&'a str> {
    metadata.get(name).and_then(|value| value.to_str().ok())
}
