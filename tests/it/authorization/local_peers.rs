//! Only local callers and readers see the schema. A test cannot call from another
//! machine, so it gives the layer a remote address.

use std::{convert::Infallible, net::SocketAddr, sync::Arc};

use http::{Request, Response};
use tokio::sync::watch;
use tonic::{Code, Status, body::Body};
use tower::{Layer as _, Service as _, service_fn};
use userpool::{
    auth::{Access, Grants, Peer, PeerAddress},
    grpc::{Grpc, methods},
    telemetry::{metrics::Metrics, spans::Tracer},
    transport::{CallLayer, Capacity, Phase},
};

use super::{Role, grants};
use crate::support::FixedSource;

const REFLECTION: [&str; 2] = [
    "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
    "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
];

#[tokio::test]
async fn reflection_requires_a_reader_unless_the_peer_is_local() {
    let (ok, refused) = (None, Some(Code::Unauthenticated));
    for (address, expected) in [
        ("127.0.0.1:40000", ok),
        ("127.8.0.1:40000", ok),
        ("[::1]:40000", ok),
        ("[::ffff:127.0.0.1]:40000", ok),
        ("192.0.2.1:40000", refused),
        ("[2001:db8::1]:40000", refused),
        ("[::ffff:192.0.2.1]:40000", refused),
    ] {
        for method in REFLECTION {
            let code = call(grants("anonymous", Role::Nobody), address, method).await;
            assert_eq!(code, expected, "{method} from {address}");
            let code = call(grants("anonymous", Role::Reader), address, method).await;
            assert_eq!(code, ok, "{method} from {address} for a reader");
            let code = call(Grants::default(), address, method).await;
            assert_eq!(code, ok, "{method} from {address} without grants");
        }
    }
}

#[tokio::test]
async fn a_local_peer_gets_nothing_else_and_health_is_open_to_all() {
    let list = "/userpool.v1.UserPoolService/ListUserPools";
    let code = call(grants("anonymous", Role::Nobody), "127.0.0.1:40000", list).await;
    assert_eq!(code, Some(Code::Unauthenticated));
    for method in ["/grpc.health.v1.Health/Check", "/grpc.health.v1.Health/Watch"] {
        let code = call(grants("anonymous", Role::Nobody), "192.0.2.1:40000", method).await;
        assert_eq!(code, None, "{method}");
    }
}

/// The status code if a call from this address is refused.
async fn call(grants: Grants, address: &str, path: &str) -> Option<Code> {
    let (_phase, phases) = watch::channel(Phase::Serving);
    let source = Arc::<FixedSource>::default();
    let metrics = Arc::new(Metrics::new(&methods()));
    let (capacity, tracer) = (Capacity::default(), Tracer::default());
    let access = Access { tokens: None, grants };
    let layer = CallLayer::new(&Grpc, source, access, capacity, phases, metrics, tracer);
    let reached = |_: Request<Body>| async { Ok::<_, Infallible>(Response::new(Body::empty())) };
    let address: SocketAddr = address.parse().expect("an address");
    let mut request = Request::new(Body::empty());
    *request.uri_mut() = path.parse().expect("a path");
    request.extensions_mut().insert(Peer::new(PeerAddress::Tcp(address), None, 1));
    let response = layer.layer(service_fn(reached)).call(request).await.expect("an answer");
    Status::from_header_map(response.headers()).map(|status| status.code())
}
