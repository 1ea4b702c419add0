//! The caller, the origin and the trace of a call, which are recorded with a change.

use http::{Extensions, HeaderMap, header::USER_AGENT};

use crate::{
    auth::{Identity, Peer, PeerAddress},
    proto::Actor,
    service::Caller,
};

use super::{adapter::CallOrigin, correlation::CorrelationId, traceparent};

/// How many characters of a user agent are recorded.
pub(super) const MAX_USER_AGENT_CHARS: usize = 256;

/// The caller, as the call layer established it.
pub(crate) fn caller(extensions: &Extensions, headers: &HeaderMap) -> Caller {
    let correlation_id = extensions.get::<CorrelationId>();
    Caller {
        actor: actor(extensions, headers),
        correlation_id: correlation_id.map(|id| (*id.0).to_owned()).unwrap_or_default(),
        traceparent: traceparent::header(headers).map(str::to_owned),
    }
}

fn actor(extensions: &Extensions, headers: &HeaderMap) -> Actor {
    let user_agent = headers.get(USER_AGENT).and_then(|agent| agent.to_str().ok());
    let user_agent = user_agent.unwrap_or_default().chars().take(MAX_USER_AGENT_CHARS).collect();
    let identity = extensions.get::<Identity>().cloned().unwrap_or_else(Identity::anonymous);
    let (peer_address, process) = match extensions.get::<Peer>().map(|peer| peer.address) {
        Some(who @ PeerAddress::Tcp(_)) => (who.to_string(), None),
        Some(PeerAddress::Unix(Some(process))) => {
            let pid = process.pid().map(|pid| format!(" pid={pid}")).unwrap_or_default();
            (String::new(), Some(format!("gid={}{pid}", process.gid())))
        }
        Some(PeerAddress::Unix(None)) | None => (String::new(), None),
    };
    let Identity { kind, subject } = identity;
    let origin = extensions.get::<CallOrigin>();
    let door = origin.map(|origin| origin.door.to_owned());
    let access_key_id = origin.and_then(|origin| origin.access_key_id.clone());
    Actor { kind: kind.into(), subject, peer_address, user_agent, process, door, access_key_id }
}
