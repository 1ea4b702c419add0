//! A SPIFFE ID has one spelling, so that a grant cannot be met by another one.

use rcgen::KeyUsagePurpose;
use userpool::auth::Grants;

use super::{
    TlsServer,
    clients::{dns, refused},
    recorded,
};
use crate::{
    authority::{Authority, uri},
    support::TestServer,
};

#[tokio::test]
async fn a_spiffe_id_that_the_standard_allows_is_accepted() {
    let secured = TlsServer::start(Some(true)).await;
    let longest = format!("spiffe://prod/{}", "a".repeat(2048 - "spiffe://prod/".len()));
    let domain = format!("spiffe://{}/a", "d".repeat(255));
    for id in ["spiffe://prod/a", "spiffe://a-b_c.9/A-z_0.9/...", &longest, &domain] {
        let identity = secured.authority.workload(id).identity();
        let channel = secured.connect(secured.authority.trusted().identity(identity)).await;
        assert_eq!(recorded(channel.expect("a connection")).await.subject, id);
    }
    secured.server.stop().await;
}

/// Source: the standard SPIFFE-ID, sections 2 to 2.3, and X509-SVID, section 5.2.
#[tokio::test]
async fn a_spiffe_id_that_the_standard_forbids_is_refused() {
    let secured = TlsServer::start(Some(true)).await;
    let too_long = format!("spiffe://prod/{}", "a".repeat(2049 - "spiffe://prod/".len()));
    let long_domain = format!("spiffe://{}/a", "d".repeat(256));
    for id in [
        "spiffe://prod/ns/../sa/reader",
        "spiffe://prod/ns/./sa/reader",
        "spiffe://prod/ns//sa/reader",
        "spiffe://prod/ns/x/sa/reader/",
        "spiffe://prod/",
        "spiffe://prod",
        "spiffe://",
        "spiffe:///ns/x",
        "spiffe:prod/ns/x",
        "spiffe://prod/ns/%2e%2e/sa/reader",
        "spiffe://prod/ns/a%62",
        "spiffe://Prod/ns/x",
        "SPIFFE://prod/ns/x",
        "Spiffe://prod/ns/x",
        "spiffe://prod:443/ns/x",
        "spiffe://user@prod/ns/x",
        "spiffe://prod/ns/x?a=b",
        "spiffe://prod/ns/x#a",
        "spiffe://prod/ns/x y",
        "spiffe://prod/ns/a~b",
        "spiffe://prod/ns/*",
        &too_long,
        &long_domain,
    ] {
        let issued = secured.authority.workload(id);
        assert!(refused(&secured, &issued).await, "{id}");
    }
    secured.server.stop().await;
}

#[tokio::test]
async fn a_certificate_with_a_spiffe_id_and_another_uri_is_refused() {
    let secured = TlsServer::start(Some(true)).await;
    let (id, other) = (uri("spiffe://prod/a"), uri("https://b.example"));
    for names in [vec![id.clone(), other.clone()], vec![other, dns("a.example"), id]] {
        let issued = secured.authority.client("cn", &names);
        assert!(refused(&secured, &issued).await, "{names:?}");
    }
    secured.server.stop().await;
}

#[tokio::test]
async fn a_spiffe_id_of_a_key_that_signs_certificates_is_refused() {
    let secured = TlsServer::start(Some(true)).await;
    for (usage, expected) in [
        (KeyUsagePurpose::KeyCertSign, true),
        (KeyUsagePurpose::CrlSign, true),
        (KeyUsagePurpose::KeyEncipherment, false),
    ] {
        let issued = secured.authority.client_with("", &[uri("spiffe://prod/a")], |params| {
            params.key_usages = vec![KeyUsagePurpose::DigitalSignature, usage];
        });
        assert_eq!(refused(&secured, &issued).await, expected, "{usage:?}");
    }
    secured.server.stop().await;
}

/// With a grant for every namespace, the name of no namespace must not pass.
#[tokio::test]
async fn no_other_spelling_of_a_spiffe_id_passes_a_grant() {
    let authority = Authority::new("root");
    let files = tempfile::TempDir::new().expect("a directory");
    let tls = authority.write_server_tls(files.path(), Some(true));
    let server = TestServer::with(|config| {
        config.tls = Some(tls);
        let pattern = "certificate:spiffe://prod/ns/*/sa/writer".parse().expect("a pattern");
        config.grants = Grants { writers: vec![pattern], readers: Vec::new() };
    })
    .await;
    let secured = TlsServer { server, authority, files };
    for (id, expected) in [
        ("spiffe://prod/ns/x/sa/writer", false),
        ("spiffe://prod/ns/../sa/writer", true),
        ("spiffe://prod/ns//sa/writer", true),
        ("spiffe://prod/ns/%2F/sa/writer", true),
    ] {
        let issued = secured.authority.workload(id);
        assert_eq!(refused(&secured, &issued).await, expected, "{id}");
    }
    secured.server.stop().await;
}
