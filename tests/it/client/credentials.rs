//! Certificates and tokens of both sides, and their rotation.

use std::{fs, path::Path};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use tempfile::TempDir;
use tonic::transport::{Certificate, Identity, ServerTlsConfig};
use userpool::{
    client::{ConnectError, Options, Tls},
    proto::ListUserPoolsRequest,
};

use super::proxy::Proxy;
use crate::{command_line::run_with, support::TestServer};

#[tokio::test(flavor = "multi_thread")]
async fn every_connection_option_has_a_flag() {
    let (server, directory) = (TestServer::start().await, TempDir::new().expect("a directory"));
    let (directory, authority) = (directory.path(), Authority::new());
    let proxy = proxy(&server, &authority, "userpool.internal").await;
    let (certificate, key, shown) = authority.issue("billing");
    let file = |name: &str, text: &str| write(directory, name, text).display().to_string();
    let (ca, token) = (file("ca.pem", &authority.pem()), file("token", "secret"));
    let (cert, cert_key) = (file("cert.pem", &certificate), file("key.pem", &key));
    let all = [
        "--ca",
        &ca,
        "--cert",
        &cert,
        "--cert-key",
        &cert_key,
        "--token-file",
        &token,
        "--server-name",
        "userpool.internal",
    ];
    let endpoint = proxy.endpoint.to_string();
    let backup = directory.join("backup.jsonl").display().to_string();
    for command in [
        &["list"][..],
        &["health"],
        &["watch", "--after", "7"],
        &["log", "export", "--from", &endpoint, &backup],
    ] {
        let ran = run_with(&endpoint, &[command, &all].concat(), "").await;
        let expected = if command[0] == "watch" { 64 + 11 } else { 0 };
        assert_eq!(ran.code, expected, "{ran:?}");
    }
    let refused = run_with(&endpoint, &["list", "--tls", "--server-name", "userpool.internal"], "");
    let refused = refused.await;
    assert_eq!(refused.code, 64 + 14);
    assert!(refused.stderr.contains("UnknownIssuer"), "{}", refused.stderr);

    let calls = proxy.calls();
    assert!(calls.len() >= 4, "{calls:?}");
    for call in calls {
        assert_eq!(call.metadata["authorization"], "Bearer secret", "{}", call.method);
        assert_eq!(call.certificate.as_ref(), Some(&shown), "{}", call.method);
    }
}

/// The certificate authority of a test.
struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::new([]).expect("names");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("a key");
        Self(CertifiedIssuer::self_signed(params, key).expect("a certificate"))
    }

    fn pem(&self) -> String {
        self.0.pem()
    }

    /// A certificate with this name and its key, both in PEM, and the certificate in
    /// DER.
    fn issue(&self, name: &str) -> (String, String, Vec<u8>) {
        let key = KeyPair::generate().expect("a key");
        let params = CertificateParams::new([name.to_owned()]).expect("a name");
        let certificate = params.signed_by(&key, &self.0).expect("a certificate");
        (certificate.pem(), key.serialize_pem(), certificate.der().to_vec())
    }
}

/// A server with this name that requests client certificates.
async fn proxy(server: &TestServer, authority: &Authority, name: &str) -> Proxy {
    let (certificate, key, _) = authority.issue(name);
    let tls = ServerTlsConfig::new()
        .identity(Identity::from_pem(certificate, key))
        .client_ca_root(Certificate::from_pem(authority.pem()))
        .client_auth_optional(true);
    Proxy::with_tls(server, Some(tls), []).await
}

fn write(directory: &Path, name: &str, text: &str) -> std::path::PathBuf {
    let path = directory.join(name);
    // As Kubernetes does: replaces the file by another one.
    let new = directory.join("new");
    fs::write(&new, text).expect("written");
    fs::rename(new, &path).expect("renamed");
    path
}

async fn list(client: &userpool::client::Client) {
    let request = ListUserPoolsRequest { max_results: Some(1), ..Default::default() };
    client.list_user_pools(request).await.expect("a list");
}

#[tokio::test]
async fn a_server_is_trusted_if_the_authority_signed_its_name() {
    let (server, directory) = (TestServer::start().await, TempDir::new().expect("a directory"));
    let (authority, stranger) = (Authority::new(), Authority::new());
    let ca = write(directory.path(), "ca.pem", &authority.pem());
    let other_ca = write(directory.path(), "other.pem", &stranger.pem());
    for (name, ca, server_name, believed) in [
        ("127.0.0.1", Some(&ca), None, true),
        ("127.0.0.1", Some(&other_ca), None, false),
        ("127.0.0.1", None, None, false),
        ("userpool.internal", Some(&ca), None, false),
        ("userpool.internal", Some(&ca), Some("userpool.internal"), true),
    ] {
        let proxy = proxy(&server, &authority, name).await;
        let tls =
            Tls { ca: ca.cloned(), server_name: server_name.map(str::to_owned), identity: None };
        let connected = Options { tls: Some(tls), ..proxy.options() }.connect().await;
        match connected {
            Ok(client) => {
                assert!(believed, "{name} is trusted");
                list(&client).await;
            }
            Err(ConnectError::Tls { cause, .. }) => {
                assert!(!believed && cause.contains("certificate"), "{name}: {cause}");
            }
            Err(error) => panic!("{error}"),
        }
    }
}

#[tokio::test]
async fn a_renewed_certificate_is_used_from_then_on() {
    let (server, directory) = (TestServer::start().await, TempDir::new().expect("a directory"));
    let (directory, authority) = (directory.path(), Authority::new());
    let proxy = proxy(&server, &authority, "127.0.0.1").await;
    let (certificate, key, first) = authority.issue("billing");
    let identity = (write(directory, "cert.pem", &certificate), write(directory, "key.pem", &key));
    let tls = Tls {
        ca: Some(write(directory, "ca.pem", &authority.pem())),
        identity: Some(identity),
        server_name: None,
    };
    let client = Options { tls: Some(tls), ..proxy.options() }.connect().await.expect("connected");
    list(&client).await;

    // An incomplete file is not used, and the previous certificate stays valid.
    let (certificate, key, second) = authority.issue("billing");
    write(directory, "cert.pem", &certificate);
    list(&client).await;
    write(directory, "key.pem", &key);
    list(&client).await;

    let shown: Vec<_> = proxy.calls().into_iter().map(|call| call.certificate).collect();
    assert_eq!(shown, [Some(first.clone()), Some(first), Some(second)]);
}

#[tokio::test]
async fn a_token_is_sent_and_read_again_when_it_changes() {
    let (server, directory) = (TestServer::start().await, TempDir::new().expect("a directory"));
    let proxy = Proxy::of(&server, []).await;
    let file = write(directory.path(), "token", "first\n");
    let options = Options { token_file: Some(file.clone()), ..proxy.options() };
    let client = options.connect().await.expect("connected");
    list(&client).await;
    write(directory.path(), "token", "second\n");
    list(&client).await;
    fs::remove_file(file).expect("removed");
    list(&client).await;

    let sent = proxy.calls().into_iter().map(|call| call.metadata["authorization"].clone());
    assert_eq!(sent.collect::<Vec<_>>(), ["Bearer first", "Bearer second", "Bearer second"]);
    assert!(!format!("{client:?}").contains("second"), "{client:?}");
}

#[tokio::test]
async fn a_token_is_not_sent_in_plaintext() {
    let directory = TempDir::new().expect("a directory");
    let file = write(directory.path(), "token", "secret");
    for (endpoint, sent) in [
        ("127.0.0.1:1", true),
        ("[::1]:1", true),
        ("localhost:1", true),
        ("unix:/no/such/socket", true),
        ("192.0.2.7:1", false),
        ("userpool.internal:1", false),
        ("127.0.0.1.example.com:1", false),
    ] {
        let options = Options::to(endpoint.parse().expect("an endpoint"));
        let options = Options { token_file: Some(file.clone()), ..options };
        let client = options.clone().connect_lazy();
        assert_eq!(client.is_ok(), sent, "{endpoint}");
        let tls = Options { tls: Some(Tls::default()), ..options };
        assert_eq!(tls.connect_lazy().is_ok(), !endpoint.starts_with("unix"), "{endpoint}");
    }
}

#[tokio::test]
async fn an_unusable_file_is_named_in_the_error() {
    let directory = TempDir::new().expect("a directory");
    let endpoint = || "127.0.0.1:1".parse().expect("an endpoint");
    let missing = directory.path().join("missing");
    let empty = write(directory.path(), "empty", "\n");
    for (file, expected) in [(&missing, "missing"), (&empty, "empty does not contain a token")] {
        let options = Options { token_file: Some(file.clone()), ..Options::to(endpoint()) };
        let error = options.connect_lazy().expect_err("no client");
        assert!(error.to_string().contains(expected), "{error}");
    }
    let tls = Tls { ca: Some(missing), ..Tls::default() };
    let error = Options { tls: Some(tls), ..Options::to(endpoint()) }.connect_lazy();
    assert!(matches!(error, Err(ConnectError::File { .. })), "{error:?}");
}
