//! The certificate of a client is its identity.

use rcgen::SanType;
use tonic::Code;
use userpool::proto::ActorKind;

use super::{TlsServer, recorded};
use crate::{
    authority::{Authority, IssuedCertificate, uri},
    support::{Client, named},
};

pub(super) fn dns(name: &str) -> SanType {
    SanType::DnsName(name.try_into().expect("ASCII"))
}

fn email(address: &str) -> SanType {
    SanType::Rfc822Name(address.try_into().expect("ASCII"))
}

fn ip(address: &str) -> SanType {
    SanType::IpAddress(address.parse().expect("an address"))
}

const BILLING: &str = "spiffe://prod/ns/pay/sa/billing";

#[tokio::test]
async fn a_client_is_its_spiffe_id_else_its_san_else_its_common_name() {
    let secured = TlsServer::start(Some(true)).await;
    for (common_name, names, expected) in [
        ("cn", vec![dns("a.example"), uri(BILLING)], BILLING),
        ("cn", vec![email("c@example"), uri("https://b.example"), dns("a.example")], "a.example"),
        ("cn", vec![ip("192.0.2.1"), email("c@example"), uri("urn:b")], "urn:b"),
        ("cn", vec![ip("192.0.2.1"), email("c@example")], "c@example"),
        ("cn", vec![ip("2001:db8::1")], "2001:db8::1"),
        ("Jürgen in Zürich", vec![], "CN=Jürgen in Zürich"),
        // A client that may choose its common name cannot take the name of another.
        ("a.example", vec![], "CN=a.example"),
        (BILLING, vec![], "CN=spiffe://prod/ns/pay/sa/billing"),
    ] {
        let issued = secured.authority.client(common_name, &names);
        let tls = secured.authority.trusted().identity(issued.identity());
        let actor = recorded(secured.connect(tls).await.expect("a connection")).await;
        assert_eq!(actor.kind(), ActorKind::Certificate);
        assert_eq!(actor.subject, expected);
        assert!(actor.peer_address.starts_with("127.0.0.1:"), "{actor:?}");
    }
    secured.server.stop().await;
}

#[tokio::test]
async fn a_certificate_without_a_usable_name_is_refused() {
    let secured = TlsServer::start(Some(false)).await;
    for (common_name, names) in [
        ("", vec![]),
        ("cn", vec![uri(BILLING), uri("spiffe://prod/ns/pay/sa/admin")]),
        ("cn", vec![dns(BILLING)]),
        ("cn", vec![dns("CN=admin")]),
        ("cn", vec![uri("CN=admin")]),
        ("two\nlines", vec![]),
    ] {
        let issued = secured.authority.client(common_name, &names);
        assert!(refused(&secured, &issued).await, "{common_name} {names:?}");
    }
    secured.server.stop().await;
}

#[tokio::test]
async fn a_client_must_present_a_required_certificate() {
    let secured = TlsServer::start(Some(true)).await;
    let channel = secured.connect(secured.authority.trusted()).await;
    assert!(without_answer(channel).await);
    secured.server.stop().await;
}

#[tokio::test]
async fn a_client_without_an_optional_certificate_is_anonymous() {
    for required in [Some(false), None] {
        let secured = TlsServer::start(required).await;
        let channel = secured.connect(secured.authority.trusted()).await.expect("a connection");
        let actor = recorded(channel).await;
        assert_eq!((actor.kind(), actor.subject.as_str()), (ActorKind::Anonymous, ""));
        secured.server.stop().await;
    }
}

/// The identity never changes silently.
#[tokio::test]
async fn a_certificate_of_another_authority_is_always_refused() {
    for required in [true, false] {
        let secured = TlsServer::start(Some(required)).await;
        let stranger = Authority::new("root").workload(BILLING);
        assert!(refused(&secured, &stranger).await);
        secured.server.stop().await;
    }
}

/// A server certificate is not a client certificate.
#[tokio::test]
async fn a_certificate_for_another_purpose_is_refused() {
    let secured = TlsServer::start(Some(false)).await;
    let of_server = secured.authority.server();
    assert!(refused(&secured, &of_server).await);
    secured.server.stop().await;
}

pub(super) async fn refused(secured: &TlsServer, issued: &IssuedCertificate) -> bool {
    let tls = secured.authority.trusted().identity(issued.identity());
    without_answer(secured.connect(tls).await).await
}

/// A client with TLS 1.3 learns only with its first call that it was refused.
async fn without_answer(
    connected: Result<tonic::transport::Channel, tonic::transport::Error>,
) -> bool {
    let Ok(channel) = connected else { return true };
    let answer = Client::new(channel).create_user_pool(named("people")).await;
    answer.is_err_and(|status| matches!(status.code(), Code::Unknown | Code::Unavailable))
}
