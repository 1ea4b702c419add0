//! Signatures: what is accepted, and who the caller then is. `signer` signs, and `clients` has
//! those of the SDKs.

use std::{fs, os::unix::fs::PermissionsExt as _, path::Path};

use tempfile::TempDir;
use userpool::{
    auth::AccessKeySettings,
    proto::{
        ActorKind, ListUserPoolEventsRequest,
        user_pool_history_service_client::UserPoolHistoryServiceClient,
    },
};

use crate::{authority::replace, support::TestServer};

use super::{Answer, TARGET, send, signer::Signer, start_with};

pub(super) const KEYS: &str = "[ci]\naccess_key_id = \"AKIACI\"\nsecret_access_key = \"ci-secret\"\n\n\
                    [temporary]\naccess_key_id = \"ASIATEMP\"\nsecret_access_key = \"temp-secret\"\n\
                    session_token = \"session\"\n";

/// A request to be signed.
#[derive(Clone)]
pub(super) struct Signing {
    key_id: &'static str,
    secret: &'static str,
    at: &'static str,
    region: &'static str,
    service: &'static str,
    token: Option<&'static str>,
    /// Left out of the signature.
    unsigned: &'static str,
    /// Sent instead of the signed body.
    sent: Option<&'static str>,
}

/// The clock of the server begins at this time.
pub(super) const VALID: Signing = Signing {
    key_id: "AKIACI",
    secret: "ci-secret",
    at: "20171211T000000Z",
    region: "us-east-1",
    service: "cognito-idp",
    token: None,
    unsigned: "",
    sent: None,
};

/// Calls an operation with a signature.
pub(super) async fn call(
    server: &TestServer,
    signing: &Signing,
    operation: &str,
    body: &str,
) -> Answer {
    let Signing { key_id, secret, at, region, service, token, unsigned, sent } = signing.clone();
    let target = format!("{TARGET}.{operation}");
    let mut headers = vec![
        ("content-type", "application/x-amz-json-1.1"),
        ("host", "localhost"),
        ("x-amz-date", at),
    ];
    headers.extend(token.map(|token| ("x-amz-security-token", token)));
    headers.push(("x-amz-target", &target));
    let signed: Vec<_> = headers.iter().filter(|(name, _)| *name != unsigned).copied().collect();
    let authorization = Signer { key_id, secret, at, region, service }.authorization(&signed, body);
    headers.push(("authorization", &authorization));
    // `send` sends the host.
    headers.retain(|(name, _)| *name != "host");
    send(server, "POST /", &headers, sent.unwrap_or(body).as_bytes()).await
}

const CREATE: (&str, &str) = ("CreateUserPool", r#"{"PoolName":"people"}"#);
const LIST: (&str, &str) = ("ListUserPools", r#"{"MaxResults":1}"#);

pub(super) fn settings(directory: &Path, keys: &str) -> AccessKeySettings {
    let file = replace(directory, "keys.toml", keys);
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).expect("changed");
    AccessKeySettings { file }
}

async fn server(directory: &TempDir) -> TestServer {
    let keys = settings(directory.path(), KEYS);
    start_with(|config| config.aws_credentials = Some(keys)).await
}

#[tokio::test]
async fn the_caller_is_the_name_of_the_key() {
    let directory = TempDir::new().expect("a directory");
    let server = server(&directory).await;
    let created = call(&server, &VALID, CREATE.0, CREATE.1).await;
    assert_eq!(created.status, 200, "{created:?}");
    let token = Some("session");
    let temporary = Signing { key_id: "ASIATEMP", secret: "temp-secret", token, ..VALID };
    assert_eq!(call(&server, &temporary, CREATE.0, CREATE.1).await.status, 200);

    let mut history = UserPoolHistoryServiceClient::new(server.channel().await);
    let request = ListUserPoolEventsRequest::default();
    let events = history.list_user_pool_events(request).await.expect("events").into_inner();
    let actors = events.events.iter().map(|event| event.actor.as_ref().expect("an actor"));
    let actors: Vec<_> = actors
        .map(|actor| (actor.kind(), actor.subject.as_str(), actor.access_key_id.as_deref()))
        .collect();
    assert_eq!(
        actors,
        [
            (ActorKind::AccessKey, "ci", Some("AKIACI")),
            (ActorKind::AccessKey, "temporary", Some("ASIATEMP")),
        ]
    );
    server.stop().await;
}

#[tokio::test]
async fn a_wrong_signature_is_refused_as_by_aws() {
    let directory = TempDir::new().expect("a directory");
    let server = server(&directory).await;
    let invalid = "InvalidSignatureException";
    let unknown = "UnrecognizedClientException";
    for (signing, error, text) in [
        (Signing { secret: "other", ..VALID }, invalid, "The request signature we calculated"),
        (Signing { sent: Some("{}"), ..VALID }, invalid, "The request signature we calculated"),
        (Signing { key_id: "AKIAOTHER", ..VALID }, unknown, "The security token included"),
        (Signing { token: Some("any"), ..VALID }, unknown, "The security token included"),
        (
            Signing { key_id: "ASIATEMP", secret: "temp-secret", ..VALID },
            unknown,
            "The security token included",
        ),
        (Signing { region: "eu-west-1", ..VALID }, invalid, "this server is us-east-1"),
        (Signing { service: "iam", ..VALID }, invalid, "scoped to correct service: 'cognito-idp'"),
        (
            Signing { at: "20171210T234400Z", ..VALID },
            invalid,
            "Signature expired: 20171210T234400Z is now earlier than 2017121",
        ),
        (Signing { at: "20171211T001700Z", ..VALID }, invalid, "Signature not yet current"),
        (Signing { at: "yesterday", ..VALID }, "IncompleteSignatureException", "X-Amz-Date"),
        (Signing { unsigned: "host", ..VALID }, invalid, "'host' must be a 'SignedHeader'"),
        (Signing { unsigned: "x-amz-target", ..VALID }, invalid, "'x-amz-target' must be"),
    ] {
        let refused = call(&server, &signing, LIST.0, LIST.1).await;
        let (found, message) = refused.error();
        assert_eq!((refused.status, found.as_str()), (400, error), "{message}");
        assert!(message.contains(text), "{message}");
        assert!(!message.contains("secret"), "{message}");
    }
    // Unsigned, with no header or with others.
    let missing = super::call(&server, LIST.0, LIST.1).await;
    assert_eq!(missing.error().0, "MissingAuthenticationTokenException");
    for header in ["AWS4-HMAC-SHA256 Credential=A", "Basic YTpi", "Bearer token", ""] {
        let headers = [("authorization", header)];
        let refused = super::call_with(&server, LIST.0, &headers, LIST.1).await;
        assert_eq!(refused.error().0, "IncompleteSignatureException", "{header}");
    }
    server.stop().await;
}

#[tokio::test]
async fn grants_name_access_keys() {
    let directory = TempDir::new().expect("a directory");
    let keys = settings(directory.path(), KEYS);
    let server = start_with(|config| {
        config.aws_credentials = Some(keys);
        config.grants.readers = vec!["access-key:c*".parse().expect("a pattern")];
    })
    .await;
    assert_eq!(call(&server, &VALID, LIST.0, LIST.1).await.status, 200);
    let refused = call(&server, &VALID, CREATE.0, CREATE.1).await;
    let (error, message) = refused.error();
    assert_eq!(error, "AccessDeniedException");
    assert!(
        message.starts_with(
            "User: access-key:ci is not authorized to perform: cognito-idp:CreateUserPool"
        ),
        "{message}"
    );
    server.stop().await;
}

/// At the next check of the file, which is a second away.
#[tokio::test(flavor = "multi_thread")]
async fn keys_are_reloaded_when_their_file_changes() {
    let directory = TempDir::new().expect("a directory");
    let server = server(&directory).await;
    let rotated = KEYS.replace("AKIACI", "AKIANEW").replace("ci-secret", "new-secret");
    replace(directory.path(), "keys.toml", "not TOML");
    assert_eq!(call(&server, &VALID, LIST.0, LIST.1).await.status, 200);
    replace(directory.path(), "keys.toml", &rotated);
    let new = Signing { key_id: "AKIANEW", secret: "new-secret", ..VALID };
    let accepted = async {
        // Each call moves the clock of the server by a second, up to 15 minutes; health does
        // not read the clock.
        while call(&server, &new, LIST.0, LIST.1).await.status != 200 {
            for _ in 0..50 {
                send(&server, "GET /health", &[], b"").await;
            }
        }
    };
    let in_time = std::time::Duration::from_mins(1);
    tokio::time::timeout(in_time, accepted).await.expect("the new key is accepted");
    let refused = call(&server, &VALID, LIST.0, LIST.1).await;
    assert_eq!(refused.error().0, "UnrecognizedClientException");
    server.stop().await;
}

/// A caller without keys to verify can show any key, and gets no role by that.
#[tokio::test]
async fn a_key_that_is_not_verified_matches_no_grant() {
    let server = start_with(|config| {
        config.grants.writers = vec!["access-key:**".parse().expect("a pattern")];
    })
    .await;
    let refused = call(&server, &VALID, LIST.0, LIST.1).await;
    assert_eq!(refused.error().0, "MissingAuthenticationTokenException");
    server.stop().await;
}
