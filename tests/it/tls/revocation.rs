//! A revoked certificate is refused, and so is one whose status is unknown.

use std::time::Duration;

use tempfile::TempDir;
use tokio::time::timeout;

use super::{TlsServer, clients::refused};
use crate::{
    authority::{Authority, IssuedCertificate, replace, with_revocation_lists},
    binary::{run, userpool},
    support::TestServer,
};

const BILLING: &str = "spiffe://prod/billing";
/// A year that is not over for a long time.
const LATER: i32 = 4000;
/// A year that is over.
const EARLIER: i32 = 2001;
/// Longer than the server needs to notice a changed file.
const IN_TIME: Duration = Duration::from_mins(1);

/// A server that checks the revocation lists in a file.
async fn server(authority: Authority, lists: &str) -> TlsServer {
    let files = TempDir::new().expect("a directory");
    let tls = with_revocation_lists(
        authority.write_server_tls(files.path(), Some(true)),
        files.path(),
        lists,
    );
    let server = TestServer::with(|config| config.tls = Some(tls)).await;
    TlsServer { server, authority, files }
}

#[tokio::test]
async fn a_revoked_certificate_is_refused_and_no_other() {
    let authority = Authority::new("root");
    let list = authority.revocation_list(&[2, 3], LATER);
    let secured = server(authority, &list).await;
    for (serial, expected) in [(1, false), (2, true), (3, true), (4, false)] {
        let issued = secured.authority.numbered(BILLING, serial);
        assert_eq!(refused(&secured, &issued).await, expected, "{serial}");
    }
    secured.server.stop().await;
}

/// Otherwise whoever keeps the server from getting a new list undoes a revocation.
#[tokio::test]
async fn an_expired_list_refuses_every_certificate_of_its_authority() {
    let authority = Authority::new("root");
    let expired = authority.revocation_list(&[2], EARLIER);
    let secured = server(authority, &expired).await;
    for serial in [1, 2] {
        let issued = secured.authority.numbered(BILLING, serial);
        assert!(refused(&secured, &issued).await, "{serial}");
    }
    secured.server.stop().await;
}

#[tokio::test]
async fn a_forged_list_refuses_every_certificate_of_its_authority() {
    let forged = Authority::new("root").revocation_list(&[], LATER);
    let secured = server(Authority::new("root"), &forged).await;
    let issued = secured.authority.numbered(BILLING, 1);
    assert!(refused(&secured, &issued).await);
    secured.server.stop().await;
}

#[tokio::test]
async fn every_certificate_of_a_chain_needs_a_list() {
    let (root, chain) = (Authority::new("root"), |issuer: &Authority| {
        let IssuedCertificate { certificate, key } = issuer.numbered(BILLING, 1);
        IssuedCertificate { certificate: format!("{certificate}{}", issuer.pem), key }
    });
    let (good, revoked, unlisted) = (
        root.intermediate("good", 10),
        root.intermediate("revoked", 11),
        root.intermediate("unlisted", 12),
    );
    let lists = [
        root.revocation_list(&[11], LATER),
        good.revocation_list(&[], LATER),
        revoked.revocation_list(&[], LATER),
    ];
    let secured = server(root, &lists.concat()).await;
    for (issuer, expected) in [(&good, false), (&revoked, true), (&unlisted, true)] {
        assert_eq!(refused(&secured, &chain(issuer)).await, expected);
    }
    secured.server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_list_counts_for_new_connections() {
    let authority = Authority::new("root");
    let none = authority.revocation_list(&[], LATER);
    let secured = server(authority, &none).await;
    let billing = secured.authority.numbered(BILLING, 1);
    assert!(!refused(&secured, &billing).await);

    let list = secured.authority.revocation_list(&[1], LATER);
    replace(secured.files.path(), "crl.pem", &list);

    let revoked = async { while !refused(&secured, &billing).await {} };
    timeout(IN_TIME, revoked).await.expect("the new list is used");
    assert!(!refused(&secured, &secured.authority.numbered(BILLING, 2)).await);
    secured.server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn unusable_lists_are_refused_at_the_start_with_a_remedy() {
    let (root, other) = (Authority::new("root"), Authority::new("other"));
    let list = root.revocation_list(&[1], LATER);
    let torn = list.get(..list.len() / 2).expect("ASCII").to_owned();
    let wrong = list.replace("X509 CRL", "CERTIFICATE");
    let not_one = root.pem.replace("CERTIFICATE", "X509 CRL");
    for (case, lists, expected) in [
        ("empty", String::new(), "crl.pem contains no revocation list (X509 CRL) in PEM format"),
        ("other sections", wrong, "crl.pem contains no revocation list (X509 CRL) in PEM format"),
        ("torn", torn, "crl.pem is not valid PEM"),
        ("no list", not_one, "cannot parse a revocation list (CRL) in "),
        (
            "of another authority",
            other.revocation_list(&[], LATER),
            "the authority \"CN=root\" has no revocation list (CRL) in ",
        ),
    ] {
        let files = TempDir::new().expect("a directory");
        root.write_server_tls(files.path(), Some(true));
        replace(files.path(), "crl.pem", &lists);
        let mut command = userpool();
        command.current_dir(files.path()).args([
            "serve",
            "--check-config",
            "--tls-cert=tls.crt",
            "--tls-key=tls.key",
            "--client-ca=ca.crt",
            "--client-crl=crl.pem",
        ]);
        let output = run(&mut command).await;
        let stderr = String::from_utf8(output.stderr).expect("UTF-8");
        assert_eq!(output.status.code(), Some(1), "{case}: {stderr}");
        assert!(stderr.contains(expected), "{case}: {stderr}");
    }
}
