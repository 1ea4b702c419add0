//! A token of another kind, which the same issuer may sign with the same key, is no access
//! token.

use data_encoding::BASE64URL_NOPAD;
use jsonwebtoken::{Header, crypto};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::{Signer, claims, created, refused, server};

/// A token with any header, signed as it is.
fn signed(signer: &Signer, header: &Value, payload: &str) -> String {
    let encoded = |text: &str| BASE64URL_NOPAD.encode(text.as_bytes());
    let message = format!("{}.{}", encoded(&header.to_string()), encoded(payload));
    let signature = crypto::sign(message.as_bytes(), &signer.key, signer.algorithm);
    format!("{message}.{}", signature.expect("a signature"))
}

#[tokio::test]
async fn an_access_token_is_accepted_however_its_type_is_written() {
    let (directory, signer) = (TempDir::new().expect("a directory"), Signer::es256());
    let server = server(&directory, &signer.public).await;
    for typ in ["JWT", "jwt", "at+jwt", "AT+JWT", "application/at+jwt", "Application/JWT"] {
        let header = Header { typ: Some(typ.to_owned()), ..Header::new(signer.algorithm) };
        let token = signer.sign_as(&header, &claims(&json!({})));
        created(server.channel().await, &format!("Bearer {token}")).await.expect(typ);
    }
    let header = Header { typ: None, ..Header::new(signer.algorithm) };
    let token = signer.sign_as(&header, &claims(&json!({})));
    created(server.channel().await, &format!("Bearer {token}")).await.expect("without a type");
    server.stop().await;
}

/// Source: RFC 8725, sections 3.1 and 3.11; RFC 7515, section 4.1.11; RFC 9068, section 4.
#[tokio::test]
async fn a_token_of_another_kind_is_refused() {
    let (directory, signer) = (TempDir::new().expect("a directory"), Signer::es256());
    let server = server(&directory, &signer.public).await;
    let payload = claims(&json!({})).to_string();
    let another = "is of another type than an access token";
    for (header, expected) in [
        (json!({ "alg": "ES256", "typ": "logout+jwt" }), another),
        (json!({ "alg": "ES256", "typ": "secevent+jwt" }), another),
        (json!({ "alg": "ES256", "typ": "dpop+jwt" }), another),
        (json!({ "alg": "ES256", "typ": "application/logout+jwt" }), another),
        (json!({ "alg": "ES256", "typ": "text/at+jwt" }), another),
        (json!({ "alg": "ES256", "typ": "JOSE" }), another),
        (json!({ "alg": "ES256", "typ": "" }), another),
        (json!({ "alg": "ES256", "typ": 7 }), "not a signed JWT"),
        (json!({ "alg": "ES256", "cty": "JWT" }), "not a signed JWT"),
        (json!({ "alg": "ES256", "b64": false }), "not a signed JWT"),
        (json!({ "alg": "ES256", "crit": [] }), "not a signed JWT"),
        (json!({ "alg": "ES256", "crit": null }), "not a signed JWT"),
        (json!({ "alg": "ES256", "crit": ["exp"], "exp": 1 }), "not a signed JWT"),
        (json!({ "alg": "ES256", "zip": "DEF" }), "not a signed JWT"),
        (json!({ "alg": "ES256", "enc": "A256GCM" }), "not a signed JWT"),
        (json!({ "alg": "es256" }), "algorithm of the token is not allowed"),
    ] {
        let token = signed(&signer, &header, &payload);
        let message = refused(server.channel().await, &format!("Bearer {token}")).await;
        assert!(message.contains(expected), "{header}: {message}");
    }
    server.stop().await;
}

/// Parsers disagree on which of two equal members counts.
#[tokio::test]
async fn a_token_with_a_member_twice_is_refused() {
    let (directory, signer) = (TempDir::new().expect("a directory"), Signer::es256());
    let server = server(&directory, &signer.public).await;
    let payload = claims(&json!({})).to_string();
    let twice = payload.replacen('{', r#"{"sub":"mallory","#, 1);
    let token = signed(&signer, &json!({ "alg": "ES256" }), &twice);
    let message = refused(server.channel().await, &format!("Bearer {token}")).await;
    assert!(message.contains("not a signed JWT"), "{message}");
    server.stop().await;
}

/// A SPIFFE ID in a token is restricted as in a certificate.
#[tokio::test]
async fn a_subject_that_is_no_valid_spiffe_id_is_refused() {
    let (directory, signer) = (TempDir::new().expect("a directory"), Signer::es256());
    let server = server(&directory, &signer.public).await;
    let bearer = |sub: &str| format!("Bearer {}", signer.sign(&claims(&json!({ "sub": sub }))));
    let valid = bearer("spiffe://prod/ns/x/sa/reader");
    created(server.channel().await, &valid).await.expect("accepted");
    for sub in ["spiffe://prod/ns/../sa/reader", "SPIFFE://prod/a", "spiffe://prod"] {
        let message = refused(server.channel().await, &bearer(sub)).await;
        assert!(message.contains("is not a valid SPIFFE ID"), "{sub}: {message}");
    }
    server.stop().await;
}
