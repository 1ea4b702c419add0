//! Who asks, from where, and what for: read from the connection and the metadata.

use http::Extensions;
use tonic::{Request, metadata::MetadataMap};

use crate::auth::{Identity, Peer, Who};
use crate::{app::Context, proto::Actor};

use super::{
    fingerprint::{Change, fingerprint},
    layer::CorrelationId,
    traceparent,
};

/// How much of a user agent is recorded, in characters.
const USER_AGENT: usize = 256;

/// What is recorded of a request beside what it asks for.
pub(super) fn context(request: &mut Request<impl Change>) -> Context {
    let fingerprint = fingerprint(request.get_mut());
    let correlation_id = request.extensions().get::<CorrelationId>();
    Context {
        actor: actor(request.extensions(), request.metadata()),
        correlation_id: correlation_id.map(|id| (*id.0).to_owned()).unwrap_or_default(),
        traceparent: traceparent::of(request.metadata().as_ref()).map(str::to_owned),
        fingerprint,
    }
}

fn actor(extensions: &Extensions, metadata: &MetadataMap) -> Actor {
    let user_agent = text(metadata, "user-agent").unwrap_or_default();
    let user_agent = user_agent.chars().take(USER_AGENT).collect();
    let identity = extensions.get::<Identity>().cloned().unwrap_or_else(Identity::anonymous);
    let (peer_address, process) = match extensions.get::<Peer>().map(|peer| peer.who) {
        Some(who @ Who::Address(_)) => (who.to_string(), None),
        Some(Who::Process(Some(process))) => {
            let pid = process.pid().map(|pid| format!(" pid={pid}")).unwrap_or_default();
            (String::new(), Some(format!("gid={}{pid}", process.gid())))
        }
        Some(Who::Process(None)) | None => (String::new(), None),
    };
    let Identity { kind, subject } = identity;
    Actor { kind: kind.into(), subject, peer_address, user_agent, process }
}

fn text<'a>(metadata: &'a MetadataMap, name: &str) -> Option<&'a str> {
    metadata.get(name).and_then(|value| value.to_str().ok())
}
