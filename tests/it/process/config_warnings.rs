//! The check of the settings reports combinations that start but can never work.

use rcgen::KeyPair;
use tempfile::TempDir;
use userpool::audit::{NoteKey, PublicKey, SignatureKind};

use crate::{
    authority::{Authority, replace},
    binary::{run, userpool},
};

/// The settings of a server with TLS, of one that requests certificates, and of one
/// that accepts tokens.
const TLS: &str = "--tls-cert=tls.crt --tls-key=tls.key";
const CERTIFICATES: &str = "--client-ca=ca.crt";
const OPTIONAL: &str = "--client-auth=optional";
const TOKENS: &str = "--token-issuer=a --token-audience=b --token-keys=keys.pem";

#[tokio::test(flavor = "multi_thread")]
async fn a_limit_that_admits_nothing_is_reported() {
    for setting in ["max-connections", "max-reads", "max-watches-per-connection"] {
        let expected =
            format!("userpool: --{setting} is 0, which admits nothing: set it to at least 1");
        assert_eq!(objections(&[&format!("--{setting}=0")]).await, [expected]);
    }
    // These are ways to have none of something.
    let none = ["--max-watches=0", "--max-watches-per-connection=0", "--max-tags=0"];
    assert_eq!(objections(&none).await, [""; 0]);
    let none = ["--max-user-pools=0", "--max-custom-attributes=0"];
    assert_eq!(objections(&none).await, [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_endpoint_for_calls_and_metrics_is_reported() {
    for endpoint in ["127.0.0.1:50051", "unix:socket"] {
        let message =
            objections(&["--listen", endpoint, "--metrics-listen", endpoint]).await.join("\n");
        let expected = format!("userpool: {endpoint} is both --listen and --metrics-listen");
        assert!(message.starts_with(&expected), "{message}");
    }
    // Each takes a free port.
    let free = ["--listen=127.0.0.1:0", "--metrics-listen=127.0.0.1:0"];
    assert_eq!(objections(&free).await, [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_grant_that_no_caller_can_match_is_reported() {
    let socket = "--listen=unix:socket";
    let (certificates, tokens) = ("certificate:**,certificate:a", "token:alice");
    for (settings, grants, expected) in [
        (&[][..], certificates, Some("set --client-ca")),
        (&[], tokens, Some("set --token-issuer")),
        (&[], "local:uid=*", Some("listen on unix:PATH")),
        (&[], "anonymous", None),
        (&[socket], certificates, Some("set --client-ca")),
        (&[socket], "local:uid=*", None),
        (&[socket], "anonymous", Some("grant the role to local:uid=N")),
        (&[TLS], certificates, Some("set --client-ca")),
        (&[TLS], "anonymous", None),
        (&[TLS, CERTIFICATES], certificates, None),
        (&[TLS, CERTIFICATES, TOKENS], tokens, Some("set --client-auth optional")),
        (&[TLS, CERTIFICATES], "anonymous", Some("set --client-auth optional")),
        (&[TLS, CERTIFICATES], "local:uid=0", Some("listen on unix:PATH")),
        (&[TLS, CERTIFICATES, OPTIONAL, TOKENS], tokens, None),
        (&[TLS, CERTIFICATES, OPTIONAL], "anonymous", None),
        (&[TOKENS], tokens, None),
        // Callers of the listener for AWS clients can match as well.
        (&[socket, "--aws-listen=127.0.0.1:0"], "anonymous", None),
        (&["--aws-listen=unix:aws"], "local:uid=*", None),
        (&[socket, TOKENS], tokens, None),
    ] {
        for setting in ["readers", "writers"] {
            let grants = format!("--{setting}={grants}");
            let messages = objections(&[settings, &[&grants]].concat()).await;
            let whole = format!("{settings:?} {grants}: {messages:?}");
            assert_eq!(messages.len(), usize::from(expected.is_some()), "{whole}");
            for (message, expected) in messages.iter().zip(expected) {
                assert!(
                    message.starts_with(&format!("userpool: --{setting} grants a role to ")),
                    "{whole}"
                );
                assert!(message.contains(expected), "{whole}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn witnesses_that_can_do_nothing_are_reported() {
    let keys = [
        "w1+1849fa6c+BKeSvIIDJ8P4GrE/ZCspBqymozoHsLsntuni7edjbXMY",
        "w2+88226ce0+BKeSvIIDJ8P4GrE/ZCspBqymozoHsLsntuni7edjbXMY",
    ];
    let [first, second] = keys.map(|key| format!("--witness=https://witness.example+{key}"));
    assert_eq!(objections(&[&first]).await, [""; 0]);
    let same = objections(&[&first, &second]).await.join("\n");
    assert!(same.starts_with("userpool: --witness has https://witness.example/+w1+"), "{same}");
    assert!(same.ends_with("so they are one witness: remove one of them"), "{same}");
    // A note with more signatures is malformed.
    let witnesses = |count: u8| {
        let keys = (0..count).map(|number| {
            let key = NoteKey::new(&format!("w{number}"), PublicKey([number; 32])).expect("a key");
            format!("https://witness.example+{}", key.of_kind(SignatureKind::Witness))
        });
        format!("--witness={}", keys.collect::<Vec<_>>().join(","))
    };
    assert_eq!(objections(&[&witnesses(63)]).await, [""; 0]);
    let many = objections(&[&witnesses(64)]).await;
    let expected = "userpool: --witness names 64 witnesses, but a checkpoint has at most 63 \
                    cosignatures; remove some of them";
    assert_eq!(many, [expected]);
    let idle = objections(&[&first, "--checkpoint-interval=off"]).await;
    let expected = "userpool: --witness has no effect with --checkpoint-interval off: set an \
                    interval, such as 1h";
    assert_eq!(idle, [expected]);
}

/// The warnings about such settings, one per line.
async fn objections(settings: &[&str]) -> Vec<String> {
    let files = TempDir::new().expect("a directory");
    Authority::new("root").write_server_tls(files.path(), Some(true));
    replace(files.path(), "keys.pem", &KeyPair::generate().expect("a key").public_key_pem());
    let mut check = userpool();
    check.current_dir(&files).args(["serve", "--check-config"]);
    let output = run(check.args(settings.iter().flat_map(|settings| settings.split(' ')))).await;
    let stderr = String::from_utf8(output.stderr).expect("UTF-8");
    let messages: Vec<_> = stderr.lines().map(str::to_owned).collect();
    assert_eq!(output.status.success(), messages.is_empty(), "{settings:?}: {stderr}");
    messages
}
