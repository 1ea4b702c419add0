//! The keys that verify tokens: their formats and their rotation.

use std::time::Duration;

use data_encoding::BASE64URL_NOPAD;
use jsonwebtoken::{Algorithm, Header};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::time::timeout;
use userpool::auth::TokenKeys;

use super::{Signer, claims, created, refused, server};
use crate::{authority::replace, support::TestServer};

/// Longer than the server needs to notice a changed file.
const IN_TIME: Duration = Duration::from_mins(1);

fn encoded(bytes: &[u8]) -> String {
    BASE64URL_NOPAD.encode(bytes)
}

fn jwk(signer: &Signer, other: &Value) -> Value {
    let mut jwk = if signer.algorithm == Algorithm::EdDSA {
        json!({ "kty": "OKP", "crv": "Ed25519", "x": encoded(&signer.raw) })
    } else {
        let (x, y) = (encoded(&signer.raw[1..33]), encoded(&signer.raw[33..]));
        json!({ "kty": "EC", "crv": "P-256", "x": x, "y": y })
    };
    let more = other.as_object().expect("an object").clone();
    jwk.as_object_mut().expect("an object").extend(more);
    jwk
}

fn with_id(algorithm: Algorithm, id: &str) -> Header {
    Header { kid: Some(id.to_owned()), ..Header::new(algorithm) }
}

#[tokio::test]
async fn a_key_of_a_set_verifies_tokens_that_name_it() {
    let directory = TempDir::new().expect("a directory");
    let (first, second) = (Signer::es256(), Signer::ed25519());
    let set = json!({ "keys": [
        { "kty": "unheard-of" },
        jwk(&Signer::es256(), &json!({ "kid": "b", "use": "enc" })),
        jwk(&first, &json!({ "kid": "a", "use": "sig", "alg": "ES256" })),
        jwk(&second, &json!({ "kid": "b" })),
    ]});
    let server = server(&directory, &set.to_string()).await;
    let good = claims(&json!({}));
    for token in [
        first.sign_as(&with_id(Algorithm::ES256, "a"), &good),
        second.sign_as(&with_id(Algorithm::EdDSA, "b"), &good),
        second.sign(&good),
    ] {
        created(server.channel().await, &format!("Bearer {token}")).await.expect("accepted");
    }
    let unknown = first.sign_as(&with_id(Algorithm::ES256, "c"), &good);
    let message = refused(server.channel().await, &format!("Bearer {unknown}")).await;
    assert!(message.contains("no configured key has"), "{message}");
    server.stop().await;
}

/// Another library signs, so that the two have to agree.
#[tokio::test]
async fn a_token_is_believed_with_each_algorithm_that_its_key_fits() {
    let directory = TempDir::new().expect("a directory");
    let (rsa, p256, p384, ed25519) =
        (Signer::rs256(), Signer::es256(), Signer::es384(), Signer::ed25519());
    let keys = [&rsa, &p256, &p384, &ed25519].map(|signer| signer.public.as_str()).concat();
    let mut settings = super::settings(&directory, &keys);
    settings.algorithms =
        ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "EdDSA"]
            .map(|name| name.parse().expect("one"))
            .to_vec();
    let server = TestServer::with(|config| config.tokens = Some(settings)).await;
    let good = claims(&json!({}));
    for (signer, algorithm) in [
        (&rsa, Algorithm::RS256),
        (&rsa, Algorithm::RS384),
        (&rsa, Algorithm::RS512),
        (&rsa, Algorithm::PS256),
        (&rsa, Algorithm::PS384),
        (&rsa, Algorithm::PS512),
        (&p256, Algorithm::ES256),
        (&p384, Algorithm::ES384),
        (&ed25519, Algorithm::EdDSA),
    ] {
        let token = signer.sign_as(&Header::new(algorithm), &good);
        let believed = created(server.channel().await, &format!("Bearer {token}")).await;
        believed.unwrap_or_else(|status| panic!("{algorithm:?}: {status}"));
        let (message, signature) = token.rsplit_once('.').expect("three parts");
        let mut signature = BASE64URL_NOPAD.decode(signature.as_bytes()).expect("base64url");
        signature[8] ^= 1;
        let forged = format!("Bearer {message}.{}", encoded(&signature));
        let told = refused(server.channel().await, &forged).await;
        assert!(told.contains("signature of the token is invalid"), "{algorithm:?}: {told}");
    }
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_rotate_without_a_restart_and_old_ones_are_refused() {
    let directory = TempDir::new().expect("a directory");
    let (old, new) = (Signer::es256(), Signer::es256());
    let server = server(&directory, &old.public).await;
    let (old_token, new_token) = (old.sign(&claims(&json!({}))), new.sign(&claims(&json!({}))));
    let (old_token, new_token) = (format!("Bearer {old_token}"), format!("Bearer {new_token}"));
    let channel = server.channel().await;
    created(channel.clone(), &old_token).await.expect("accepted");

    replace(directory.path(), "keys", &format!("{}{}", old.public, new.public));
    let believed = async { while created(channel.clone(), &new_token).await.is_err() {} };
    timeout(IN_TIME, believed).await.expect("the new key is loaded");
    created(channel.clone(), &old_token).await.expect("still accepted");

    // An unusable file changes nothing; the next usable one does.
    replace(directory.path(), "keys", "nothing");
    replace(directory.path(), "keys", &new.public);
    let refused = async { while created(channel.clone(), &old_token).await.is_ok() {} };
    timeout(IN_TIME, refused).await.expect("the old key is gone");
    created(channel, &new_token).await.expect("accepted");
    server.stop().await;
}

#[test]
fn unusable_keys_are_refused_with_the_reason() {
    let es256 = Signer::es256();
    let private = rcgen::KeyPair::generate().expect("a key").serialize_pem();
    let set = |key: Value| json!({ "keys": [key] }).to_string();
    let off_the_curve = json!({ "x": encoded(&[1; 32]), "y": encoded(&[1; 32]) });
    let (odd, even) = (encoded(&[0xff; 256]), encoded(&[0xfe; 256]));
    let data = crate::tools::repository().join("tests/it/data/token-rsa-1024.pub.pem");
    let small = std::fs::read_to_string(data).expect("readable");
    for (text, expected) in [
        (String::new(), "expected a JWK set"),
        ("nothing".to_owned(), "expected a JWK set"),
        ("{}".to_owned(), "expected a JWK set"),
        ("{\"keys\": []}".to_owned(), "no signature key for an allowed algorithm"),
        (set(jwk(&es256, &json!({ "use": "enc" }))), "no signature key for an allowed algorithm"),
        (set(jwk(&es256, &json!({ "alg": "ES384" }))), "no signature key for an allowed algorithm"),
        (set(jwk(&es256, &json!({ "d": "AAAA" }))), "a private key"),
        (set(json!({ "kty": "oct", "k": "c2VjcmV0" })), "a private key"),
        (set(jwk(&es256, &off_the_curve)), "key 1 is invalid: the point is not on the curve"),
        (set(jwk(&es256, &json!({ "x": "!" }))), "key 1 is invalid: a member is not base64url"),
        (set(json!({ "kty": "RSA", "n": "AQAB", "e": "AQAB" })), "2048 to 4096 bits"),
        (
            set(json!({ "kty": "RSA", "n": odd, "e": "AQ" })),
            "key 1 is invalid: the modulus or exponent is invalid",
        ),
        (
            set(json!({ "kty": "RSA", "n": even, "e": "AQAB" })),
            "key 1 is invalid: the modulus or exponent is invalid",
        ),
        (small, "key 1 is invalid: an RSA key must have 2048 to 4096 bits"),
        (private, "a private key"),
        (es256.public[..80].to_owned(), "expected a JWK set"),
        (Signer::ed25519().public, "no signature key for an allowed algorithm"),
    ] {
        let algorithms = ["ES256", "RS256"].map(|name| name.parse().expect("one"));
        let error = TokenKeys::parse(text.as_bytes(), &algorithms).expect_err(&text).to_string();
        assert!(error.contains(expected), "{text}: {error}");
    }
}

/// An issuer may have keys for others, which nobody uses here.
#[test]
fn an_unusable_key_of_an_unused_algorithm_is_ignored() {
    let broken = json!({ "kty": "OKP", "crv": "Ed25519", "x": "AAAA" });
    let set = json!({ "keys": [broken, jwk(&Signer::es256(), &json!({}))] }).to_string();
    let parse = |names: &[&str]| {
        let algorithms: Vec<_> = names.iter().map(|name| name.parse().expect("one")).collect();
        TokenKeys::parse(set.as_bytes(), &algorithms)
    };
    parse(&["ES256"]).expect("one key that can be used");
    let error = parse(&["ES256", "EdDSA"]).expect_err("not usable").to_string();
    assert_eq!(error, "key 1 is invalid: an Ed25519 key must have 32 bytes");
}

#[test]
fn shared_secret_algorithms_are_not_offered() {
    use userpool::auth::TokenAlgorithm;
    for name in ["HS256", "HS384", "HS512", "none", "es256", ""] {
        name.parse::<TokenAlgorithm>().expect_err(name);
    }
    assert_eq!("EdDSA".parse::<TokenAlgorithm>().expect("one").to_string(), "EdDSA");
}
