//! A TLS mismatch between server and client is not reported as an unreachable server.

use tempfile::TempDir;

use super::run_with;
use crate::{
    authority::{Authority, replace},
    support::TestServer,
};

#[tokio::test(flavor = "multi_thread")]
async fn a_tls_error_is_explained_with_a_remedy() {
    let files = TempDir::new().expect("a directory");
    let settings = Authority::new("root").write_server_tls(files.path(), None);
    let other = replace(files.path(), "other.crt", &Authority::new("other").pem);
    let (other, ca) = (other.display().to_string(), files.path().join("ca.crt"));
    let ca = ca.display().to_string();
    let with = TestServer::with(|config| config.tls = Some(settings)).await;
    let without = TestServer::start().await;
    for (server, flags, cause) in [
        (&with, &["--ca", &other][..], "invalid peer certificate: UnknownIssuer"),
        (&with, &["--tls"], "invalid peer certificate: UnknownIssuer"),
        (
            &with,
            &["--ca", &ca, "--server-name", "elsewhere"],
            "invalid peer certificate: certificate not valid for name \"elsewhere\"; certificate \
             is only valid for DnsName(\"localhost\") or IpAddress(127.0.0.1)",
        ),
        (&without, &["--ca", &ca], "received corrupt message of type InvalidContentType"),
    ] {
        let endpoint = server.endpoint.to_string();
        let refused = run_with(&endpoint, &[&["list"], flags].concat(), "").await;
        assert_eq!((refused.code, refused.stdout.as_str()), (64 + 14, ""), "{refused:?}");
        assert_eq!(
            refused.stderr,
            format!(
                "userpool: {endpoint} answers, but the TLS handshake fails ({cause}): name its \
                 authority with --ca and its name with --server-name, or connect without TLS if it \
                 has none\n"
            )
        );
    }
    let known = run_with(&with.endpoint.to_string(), &["list", "--ca", &ca], "").await;
    assert_eq!(known.code, 0, "{known:?}");
    with.stop().await;
    without.stop().await;
}
