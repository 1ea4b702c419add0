//! Bearer tokens: which ones are accepted, and that they are never shown.

mod keys;
mod kinds;
mod secrecy;

use std::{
    fs,
    io::Write as _,
    process::{Command, Stdio},
};

use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use rcgen::{KeyPair, PKCS_ECDSA_P384_SHA384, PKCS_ED25519};
use serde_json::{Value, json};
use tempfile::TempDir;
use tonic::{Code, Request, Status, metadata::MetadataValue, transport::Channel};
use tonic_health::pb::{HealthCheckRequest, health_client::HealthClient};
use userpool::{
    auth::TokenSettings,
    proto::{
        Actor, ActorKind, ListUserPoolEventsRequest,
        user_pool_history_service_client::UserPoolHistoryServiceClient,
    },
};

use crate::{
    authority::{Authority, connect, replace},
    support::{Client, TestServer, named, reason},
};

/// A signing key and its algorithm.
pub(crate) struct Signer {
    algorithm: Algorithm,
    key: EncodingKey,
    /// The public half, in PEM.
    pub(crate) public: String,
    /// The public half, raw.
    raw: Vec<u8>,
}

impl Signer {
    pub(crate) fn es256() -> Self {
        let key = KeyPair::generate().expect("a key");
        let pem = key.serialize_pem();
        let encoding = EncodingKey::from_ec_pem(pem.as_bytes()).expect("a key");
        Self::new(Algorithm::ES256, encoding, &key)
    }

    pub(crate) fn ed25519() -> Self {
        let key = KeyPair::generate_for(&PKCS_ED25519).expect("a key");
        let pem = key.serialize_pem();
        let encoding = EncodingKey::from_ed_pem(pem.as_bytes()).expect("a key");
        Self::new(Algorithm::EdDSA, encoding, &key)
    }

    pub(crate) fn es384() -> Self {
        let key = KeyPair::generate_for(&PKCS_ECDSA_P384_SHA384).expect("a key");
        let encoding = EncodingKey::from_ec_pem(key.serialize_pem().as_bytes()).expect("a key");
        Self::new(Algorithm::ES384, encoding, &key)
    }

    /// A key that openssl makes.
    pub(crate) fn rs256() -> Self {
        let openssl = |arguments: &[&str], input: &[u8]| {
            let mut command = Command::new("openssl");
            command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped());
            let mut child = command.stderr(Stdio::null()).spawn().expect("openssl runs");
            child.stdin.take().expect("a pipe").write_all(input).expect("written");
            let output = child.wait_with_output().expect("openssl ends");
            assert!(output.status.success(), "openssl {arguments:?}");
            output.stdout
        };
        let private = openssl(&["genrsa", "2048"], &[]);
        let public = openssl(&["pkey", "-pubout"], &private);
        let key = EncodingKey::from_rsa_pem(&private).expect("a key");
        let public = String::from_utf8(public).expect("PEM");
        Self { algorithm: Algorithm::RS256, key, public, raw: Vec::new() }
    }

    fn new(algorithm: Algorithm, key: EncodingKey, pair: &KeyPair) -> Self {
        let (public, raw) = (pair.public_key_pem(), pair.public_key_raw().to_vec());
        Self { algorithm, key, public, raw }
    }

    pub(crate) fn sign(&self, claims: &Value) -> String {
        self.sign_as(&Header::new(self.algorithm), claims)
    }

    fn sign_as(&self, header: &Header, claims: &Value) -> String {
        encode(header, claims, &self.key).expect("a token")
    }
}

/// Valid claims with these replacements; `null` removes a claim.
pub(crate) fn claims(other: &Value) -> Value {
    let mut claims = json!({
        "iss": "https://issuer.example", "aud": "userpool", "sub": "alice", "exp": 4_102_444_800_u32,
    });
    let claimed = claims.as_object_mut().expect("an object");
    claimed.extend(other.as_object().expect("an object").clone());
    claimed.retain(|_, value| !value.is_null());
    claims
}

/// Settings that trust the key in a file of this directory.
pub(crate) fn settings(directory: &TempDir, keys: &str) -> TokenSettings {
    TokenSettings {
        issuer: "https://issuer.example".to_owned(),
        audience: "userpool".to_owned(),
        algorithms: ["ES256", "EdDSA", "RS256"].map(|name| name.parse().expect("one")).to_vec(),
        keys: replace(directory.path(), "keys", keys),
    }
}

async fn server(directory: &TempDir, keys: &str) -> TestServer {
    let settings = settings(directory, keys);
    TestServer::with(|config| config.tokens = Some(settings)).await
}

/// The actor that is recorded for a creation with this header.
async fn recorded(channel: Channel, authorization: &str) -> Result<Actor, Status> {
    let position = created(channel.clone(), authorization).await?;
    let mut history = UserPoolHistoryServiceClient::new(channel);
    let list = with(authorization, ListUserPoolEventsRequest::default());
    let events = history.list_user_pool_events(list).await.expect("events").into_inner().events;
    let event = events.into_iter().find(|event| event.position == position);
    Ok(event.expect("its event").actor.expect("an actor"))
}

/// The position of a creation with this header.
async fn created(channel: Channel, authorization: &str) -> Result<i64, Status> {
    let request = with(authorization, named("people"));
    Ok(Client::new(channel).create_user_pool(request).await?.into_inner().position)
}

fn with<M>(authorization: &str, message: M) -> Request<M> {
    let mut request = Request::new(message);
    let value = MetadataValue::try_from(authorization).expect("ASCII");
    request.metadata_mut().insert("authorization", value);
    request
}

async fn refused(channel: Channel, authorization: &str) -> String {
    let status = recorded(channel, authorization).await.expect_err(authorization);
    assert_eq!(status.code(), Code::Unauthenticated, "{status}");
    assert_eq!(reason(&status), "TOKEN_REFUSED");
    status.message().to_owned()
}

#[tokio::test]
async fn a_caller_with_a_token_is_its_subject() {
    let (directory, signer) = (TempDir::new().expect("a directory"), Signer::es256());
    let server = server(&directory, &signer.public).await;
    let token = signer.sign(&claims(&json!({ "aud": ["other", "userpool"], "nbf": 1.5 })));
    // The second time, the token is in the cache.
    for scheme in ["Bearer", "bearer"] {
        let header = format!("{scheme} {token}");
        let actor = recorded(server.channel().await, &header).await.expect("accepted");
        assert_eq!((actor.kind(), actor.subject.as_str()), (ActorKind::Token, "alice"));
        assert!(actor.peer_address.starts_with("127.0.0.1:"), "{actor:?}");
    }
    server.stop().await;
}

#[tokio::test]
async fn a_token_for_another_service_or_time_is_refused() {
    let (directory, signer) = (TempDir::new().expect("a directory"), Signer::es256());
    let server = server(&directory, &signer.public).await;
    for (other, expected) in [
        (json!({ "iss": null }), "the token has no iss"),
        (json!({ "aud": null }), "the token has no aud"),
        (json!({ "exp": null }), "the token has no exp"),
        (json!({ "sub": null }), "the token has no sub"),
        (json!({ "sub": "" }), "the token has no sub"),
        (
            json!({ "iss": "https://issuer.example/" }),
            "the issuer (iss) of the token is not accepted",
        ),
        (json!({ "iss": ["https://issuer.example"] }), "not a signed JWT"),
        (json!({ "aud": "userpools" }), "does not include this service"),
        (json!({ "aud": [] }), "does not include this service"),
        (json!({ "exp": "4102444800" }), "not a signed JWT"),
        (json!({ "exp": -1 }), "not a signed JWT"),
        // The clock of the server begins at 1512950400, with a tolerance of 30
        // seconds.
        (json!({ "exp": 1_512_950_370 }), "has expired"),
        (json!({ "nbf": 1_512_951_000 }), "not valid yet"),
        (json!({ "sub": "two\nlines" }), "is too long or has control characters"),
        (json!({ "sub": "s".repeat(1025) }), "is too long or has control characters"),
    ] {
        let token = signer.sign(&claims(&other));
        let message = refused(server.channel().await, &format!("Bearer {token}")).await;
        assert!(message.contains(expected), "{other}: {message}");
        assert!(!message.contains(&token), "{message}");
    }
    server.stop().await;
}

#[tokio::test]
async fn an_accepted_token_expires() {
    let (directory, signer) = (TempDir::new().expect("a directory"), Signer::es256());
    let server = server(&directory, &signer.public).await;
    // Each reading of this clock takes a second.
    let soon = claims(&json!({ "exp": 1_512_950_400 }));
    let header = format!("Bearer {}", signer.sign(&soon));
    created(server.channel().await, &header).await.expect("accepted");
    loop {
        if let Err(status) = created(server.channel().await, &header).await {
            assert!(status.message().contains("has expired"), "{status}");
            break;
        }
    }
    server.stop().await;
}

#[tokio::test]
async fn a_forged_token_is_refused() {
    let (directory, signer) = (TempDir::new().expect("a directory"), Signer::es256());
    let server = server(&directory, &signer.public).await;
    let good = signer.sign(&claims(&json!({})));
    let (message, _) = good.rsplit_once('.').expect("three parts");
    let (head, _) = message.split_once('.').expect("two parts");
    let other_claims = signer.sign(&claims(&json!({ "sub": "mallory" })));
    let (_, other_claims) = other_claims.split_once('.').expect("two parts");
    let (payload, _) = other_claims.split_once('.').expect("two parts");
    let signature = good.rsplit('.').next().expect("a signature");
    // With a public value as the secret.
    let secret = EncodingKey::from_secret(signer.public.as_bytes());
    let confused = encode(&Header::new(Algorithm::HS256), &claims(&json!({})), &secret);
    let mut critical = Header::new(Algorithm::ES256);
    critical.crit = Some(vec!["b64".to_owned()]);
    let none = data_encoding::BASE64URL_NOPAD.encode(br#"{"alg":"none"}"#);
    for (header, expected) in [
        (format!("Basic {good}"), "must be one \"Bearer TOKEN\""),
        (good.clone(), "must be one \"Bearer TOKEN\""),
        ("Bearer ".to_owned(), "not a signed JWT"),
        ("Bearer a.b.c".to_owned(), "not a signed JWT"),
        (format!("Bearer {message}."), "signature of the token is invalid"),
        (format!("Bearer {head}.{payload}.{signature}"), "signature of the token is invalid"),
        (format!("Bearer {none}.{payload}."), "not a signed JWT"),
        (format!("Bearer {}", confused.expect("a token")), "algorithm of the token is not allowed"),
        (format!("Bearer {}", signer.sign_as(&critical, &claims(&json!({})))), "not a signed JWT"),
        (
            format!("Bearer {}", Signer::es256().sign(&claims(&json!({})))),
            "signature of the token is invalid",
        ),
        (
            format!("Bearer {}", Signer::ed25519().sign(&claims(&json!({})))),
            "no configured key has",
        ),
    ] {
        let message = refused(server.channel().await, &header).await;
        assert!(message.contains(expected), "{header}: {message}");
    }
    let mut twice = Request::new(named("people"));
    for _ in 0..2 {
        let value = format!("Bearer {good}").parse().expect("ASCII");
        twice.metadata_mut().append("authorization", value);
    }
    let status = server.client().await.create_user_pool(twice).await.expect_err("refused");
    assert_eq!(reason(&status), "TOKEN_REFUSED");
    server.stop().await;
}

/// The identity never changes silently, and is never dropped.
#[tokio::test]
async fn a_server_that_takes_no_tokens_refuses_them() {
    let server = TestServer::start().await;
    let token = Signer::es256().sign(&claims(&json!({})));
    let message = refused(server.channel().await, &format!("Bearer {token}")).await;
    assert!(message.contains("accepts no tokens"), "{message}");
    server.stop().await;
}

#[tokio::test]
async fn a_certificate_wins_over_a_token_which_must_be_valid() {
    let (directory, signer) = (TempDir::new().expect("a directory"), Signer::es256());
    let authority = Authority::new("root");
    let (tls, tokens) = (
        authority.write_server_tls(directory.path(), Some(false)),
        settings(&directory, &signer.public),
    );
    let server = TestServer::with(|config| {
        config.tls = Some(tls);
        config.tokens = Some(tokens);
    })
    .await;
    let address = server.endpoint.to_string();
    let client = authority.workload("spiffe://prod/client");
    let trusted = authority.trusted().identity(client.identity());
    let channel = connect(&address, trusted).await.expect("a connection");
    let header = format!("Bearer {}", signer.sign(&claims(&json!({}))));

    let actor = recorded(channel.clone(), &header).await.expect("accepted");
    assert_eq!(actor.subject, "spiffe://prod/client");
    refused(channel, "Bearer none").await;
    // Without a certificate, the token counts.
    let channel = connect(&address, authority.trusted()).await.expect("a connection");
    let actor = recorded(channel, &header).await.expect("accepted");
    assert_eq!((actor.kind(), actor.subject.as_str()), (ActorKind::Token, "alice"));
    server.stop().await;
}

#[tokio::test]
async fn health_answers_with_any_credentials() {
    let (directory, signer) = (TempDir::new().expect("a directory"), Signer::es256());
    let server = server(&directory, &signer.public).await;
    let mut request = Request::new(HealthCheckRequest::default());
    request.metadata_mut().insert("authorization", "Bearer none".parse().expect("ASCII"));
    HealthClient::new(server.channel().await).check(request).await.expect("an answer");
    server.stop().await;
}

/// Signed by openssl.
#[tokio::test]
async fn a_token_of_another_implementation_is_accepted() {
    let directory = TempDir::new().expect("a directory");
    let data = crate::tools::repository().join("tests/it/data");
    let read = |name: &str| fs::read_to_string(data.join(name)).expect("readable");
    let server = server(&directory, &read("token-rs256.pub.pem")).await;
    let header = format!("Bearer {}", read("token-rs256.txt").trim());
    let actor = recorded(server.channel().await, &header).await.expect("accepted");
    assert_eq!((actor.kind(), actor.subject.as_str()), (ActorKind::Token, "rsa"));
    server.stop().await;
}
