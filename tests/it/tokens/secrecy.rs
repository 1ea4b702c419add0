//! No token is in the log of the process at any level, nor in an answer.

use serde_json::json;
use tempfile::TempDir;
use tonic::Request;

use super::{Signer, claims};
use crate::{
    authority::replace,
    binary::{Process, serve},
    support::{Client, named},
};

#[tokio::test(flavor = "multi_thread")]
async fn no_token_is_in_the_log_of_the_process() {
    let (directory, signer) = (TempDir::new().expect("a directory"), Signer::es256());
    let keys = replace(directory.path(), "keys", &signer.public);
    let mut command = serve(&directory.path().join("data"));
    command
        .args(["--listen=127.0.0.1:0", "--log=trace", "--token-issuer=https://issuer.example"])
        .arg("--token-audience=userpool")
        .arg("--token-keys")
        .arg(keys);
    let server = Process::from(&mut command).await;
    let good = signer.sign(&claims(&json!({})));
    let bad = Signer::es256().sign(&claims(&json!({})));
    for token in [&good, &bad] {
        let mut request = Request::new(named("people"));
        let value = format!("Bearer {token}").parse().expect("ASCII");
        request.metadata_mut().insert("authorization", value);
        let answer = Client::new(server.channel().await).create_user_pool(request).await;
        assert_eq!(answer.is_ok(), token == &good);
    }
    let log = server.terminate("TERM").await.stderr;
    assert!(log.contains("token:alice") && log.contains("token refused"), "{log}");
    for token in [good, bad] {
        for part in token.split('.').skip(1) {
            assert!(!log.contains(part), "a part of a token is in the log");
        }
    }
}
