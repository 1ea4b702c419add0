//! The console of a server: who may look is what the server knows about each browser.

use std::{path::Path, sync::Arc};

use rcgen::{KeyPair, PKCS_ED25519};
use serde_json::json;
use tempfile::TempDir;
use tokio::net::TcpStream;
use tokio_rustls::{
    TlsConnector,
    rustls::{
        ClientConfig, RootCertStore,
        crypto::ring,
        pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject as _},
    },
};
use userpool::{auth::Grants, server::Config, transport::Endpoint};

use super::{Answer, exchange, send};
use crate::{
    authority::{Authority, IssuedCertificate},
    binary::{run, userpool},
    support::{TestServer, create},
    tokens::{Signer, claims, settings},
};

const AUDITOR: &str = "spiffe://example.org/ns/audit/sa/auditor";

pub(super) fn with_console(config: &mut Config) {
    config.console_listen = Some(Endpoint::Tcp("127.0.0.1:0".to_owned()));
    config.console_hosts = vec!["pools.example.org".to_owned()];
    config.console_dashboard = Some("https://grafana.example.org/d/a?b=1&c=2".to_owned());
}

fn readers(pattern: &str) -> Grants {
    Grants { readers: vec![pattern.parse().expect("a pattern")], ..Grants::default() }
}

/// The address of a console, without its scheme.
fn address(server: &TestServer) -> String {
    let url = server.console_url.as_deref().expect("a console");
    url.split_once("://").expect("a scheme").1.to_owned()
}

async fn ask(address: &str, path: &str, headers: &str) -> Answer {
    send(address, &format!("GET {path} HTTP/1.1\r\nhost: {address}{headers}")).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_without_grants_shows_everything_on_its_machine() {
    let server = TestServer::with(with_console).await;
    create(&mut server.client().await, "payments").await;
    let address = &address(&server);
    let page = ask(address, "/pools", "").await;
    assert_eq!(page.status, 200, "{}", page.body);
    page.has(&["payments", "anonymous", "href=\"https://grafana.example.org/d/a?b=1&amp;c=2\""]);
    assert_eq!(page.header("set-cookie"), None);
    // There is no link to open, and no way to give credentials in an address.
    assert_eq!(ask(address, "/in/secret", "").await.status, 404);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn only_configured_names_are_answered() {
    let server = TestServer::with(with_console).await;
    let address = &address(&server);
    for (host, status) in [
        ("pools.example.org", 200),
        ("POOLS.example.org:8443", 200),
        ("localhost:1", 200),
        ("example.org", 421),
        ("pools.example.org.attacker.example", 421),
    ] {
        let answer = send(address, &format!("GET /pools HTTP/1.1\r\nhost: {host}")).await;
        assert_eq!(answer.status, status, "{host}");
        if status == 421 {
            answer.has(&["console-hosts"]);
        }
    }
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_a_proxy_passes_on_is_checked() {
    let (files, signer) = (TempDir::new().expect("a directory"), Signer::es256());
    let tokens = settings(&files, &signer.public);
    let server = TestServer::with(|config| {
        with_console(config);
        config.tokens = Some(tokens);
        config.grants = readers("token:alice");
    })
    .await;
    let address = &address(&server);
    let bearer = |other: serde_json::Value| {
        format!("\r\nauthorization: Bearer {}", signer.sign(&claims(&other)))
    };
    let alice = ask(address, "/me", &bearer(json!({}))).await;
    assert_eq!(alice.status, 200, "{}", alice.body);
    alice.has(&["The server takes you for", "token:alice"]);

    let mallory = ask(address, "/pools", &bearer(json!({ "sub": "mallory" }))).await;
    assert_eq!(mallory.status, 403);
    mallory.has(&["PERMISSION_DENIED", "token:mallory", "readers", "not allowed to read"]);

    let nobody = ask(address, "/pools", "").await;
    assert_eq!(nobody.status, 401);
    nobody.has(&["CREDENTIALS_MISSING", "a certificate or a token", "readers"]);
    for (forged, reason) in [
        ("\r\nauthorization: Bearer e30.e30.e30", "TOKEN_REFUSED"),
        ("\r\nx-forwarded-user: alice\r\nx-forwarded-email: alice", "CREDENTIALS_MISSING"),
        ("\r\ncookie: userpool-console-1=x", "CREDENTIALS_MISSING"),
    ] {
        let refused = ask(address, "/pools?token=x", forged).await;
        assert_eq!(refused.status, 401, "{forged}");
        refused.has(&[reason]);
    }
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_is_asked_for_but_not_required() {
    let (authority, files) = (Authority::new("root"), TempDir::new().expect("a directory"));
    let settings = authority.write_server_tls(files.path(), Some(true));
    let server = TestServer::with(|config| {
        with_console(config);
        config.tls = Some(settings);
        config.grants = readers(&format!("certificate:{AUDITOR}"));
    })
    .await;
    let url = server.console_url.clone().expect("a console");
    assert!(url.starts_with("https://127.0.0.1:"), "{url}");
    let address = &address(&server);

    let page = ask_with_tls(address, &authority, Some(authority.workload(AUDITOR)), "/me").await;
    assert_eq!(page.status, 200, "{}", page.body);
    page.has(&[&format!("certificate:{AUDITOR}")]);

    let nobody = ask_with_tls(address, &authority, None, "/pools").await;
    assert_eq!(nobody.status, 401, "{}", nobody.body);
    nobody.has(&["The server does not know you", "certificate"]);
    let style = nobody.body.split("href=\"/assets/").nth(1).expect("a style sheet");
    let style = format!("/assets/{}", style.split('"').next().expect("an end"));
    assert_eq!(ask_with_tls(address, &authority, None, &style).await.status, 200);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_console_that_shows_everything_to_everyone_does_not_start() {
    let (authority, files) = (Authority::new("root"), TempDir::new().expect("a directory"));
    let with_tls = |required| Some(authority.write_server_tls(files.path(), required));
    let plain = {
        let mut config =
            Config::new(Endpoint::Tcp("127.0.0.1:0".to_owned()), files.path().join("data"));
        config.console_listen = Some(Endpoint::Tcp("0.0.0.0:0".to_owned()));
        config
    };
    let local =
        Config { console_listen: Some(Endpoint::Tcp("127.0.0.1:0".to_owned())), ..plain.clone() };
    let grants = readers("certificate:**");
    for (config, is_refused) in [
        (plain.clone(), true),
        (Config { tls: with_tls(None), ..plain.clone() }, true),
        (Config { grants: grants.clone(), ..plain.clone() }, true),
        (Config { tls: with_tls(Some(true)), ..plain.clone() }, true),
        (Config { tls: with_tls(Some(true)), grants: grants.clone(), ..plain.clone() }, false),
        (Config { insecure: true, ..plain.clone() }, false),
        (local.clone(), false),
        // Here every caller of gRPC has a certificate, but a browser needs none.
        (Config { tls: with_tls(Some(true)), ..local.clone() }, true),
        (Config { tls: with_tls(Some(false)), ..local.clone() }, false),
        (Config { tls: with_tls(Some(true)), grants, ..local }, false),
    ] {
        let found = config.check().await;
        let refused = found.iter().any(|problem| problem.to_string().contains("for the console"));
        assert_eq!(refused, is_refused, "{found:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_that_browsers_refuse_is_warned_of() {
    let files = TempDir::new().expect("a directory");
    let authority = Authority::new("root");
    authority.write_server_tls(files.path(), None);
    let arguments = ["--tls-cert=tls.crt", "--tls-key=tls.key"];
    let listen = "--console-listen=127.0.0.1:0";
    assert_eq!(objections(files.path(), &[&arguments[..], &[listen]].concat()).await, "");
    let key = KeyPair::generate_for(&PKCS_ED25519).expect("a key");
    authority.server_for(&key).write(files.path());
    let found = objections(files.path(), &[&arguments[..], &[listen]].concat()).await;
    assert!(found.contains("browsers refuse the certificate tls.crt"), "{found}");
    assert!(found.contains("P-256"), "{found}");
    // Other clients accept it.
    assert_eq!(objections(files.path(), &arguments).await, "");
    let idle = objections(files.path(), &["--console-hosts=a.example"]).await;
    assert!(idle.contains("--console-hosts has no effect without --console-listen"), "{idle}");
    for address in ["javascript:alert(1)", "grafana.example.org", "/d/userpool"] {
        let setting = format!("--console-dashboard={address}");
        let refused = objections(files.path(), &[&setting, listen]).await;
        assert!(refused.contains("expected an address at https://"), "{address}: {refused}");
    }
}

/// What is wrong with these settings.
async fn objections(directory: &Path, settings: &[&str]) -> String {
    let mut check = userpool();
    check.current_dir(directory).args(["serve", "--check-config"]).args(settings);
    String::from_utf8(run(&mut check).await.stderr).expect("UTF-8")
}

/// Asks over TLS, with a client certificate if there is one.
async fn ask_with_tls(
    address: &str,
    authority: &Authority,
    client: Option<IssuedCertificate>,
    path: &str,
) -> Answer {
    let mut roots = RootCertStore::empty();
    let root = CertificateDer::from_pem_slice(authority.pem.as_bytes()).expect("a certificate");
    roots.add(root).expect("a root");
    let config = ClientConfig::builder_with_provider(ring::default_provider().into())
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_root_certificates(roots);
    let config = match client {
        None => config.with_no_client_auth(),
        Some(IssuedCertificate { certificate, key }) => {
            let chain = CertificateDer::from_pem_slice(certificate.as_bytes());
            let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).expect("a key");
            config.with_client_auth_cert(vec![chain.expect("a chain")], key).expect("a pair")
        }
    };
    let socket = TcpStream::connect(address).await.expect("a connection");
    let name = ServerName::try_from("127.0.0.1").expect("a name");
    let connector = TlsConnector::from(Arc::new(config));
    let socket = connector.connect(name, socket).await.expect("a handshake");
    exchange(socket, &format!("GET {path} HTTP/1.1\r\nhost: {address}")).await
}
