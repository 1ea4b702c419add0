//! A web page can call only if its origin is allowed.

use crate::support::TestServer;

use super::{call_with, send, start, start_with};

async fn allowing(origin: &str) -> TestServer {
    let origin = origin.parse().expect("an origin");
    start_with(|config| config.aws_allow_origin = vec![origin]).await
}

#[tokio::test]
async fn no_web_page_can_call_by_default() {
    let server = start().await;
    for origin in ["http://evil.example", "http://localhost:3000", "null"] {
        let headers = [("origin", origin)];
        let refused = call_with(&server, "ListUserPools", &headers, r#"{"MaxResults":1}"#).await;
        assert_eq!((refused.status, refused.error().0.as_str()), (403, "AccessDeniedException"));
        assert_eq!(refused.header("access-control-allow-origin"), None);
        for head in ["OPTIONS /", "GET /health"] {
            assert_eq!(send(&server, head, &headers, b"").await.status, 403, "{head}");
        }
    }
    server.stop().await;
}

#[tokio::test]
async fn an_allowed_page_can_call_and_read_the_answer() {
    let server = allowing("http://localhost:3000").await;
    let headers = [("origin", "http://localhost:3000")];
    let preflight = send(&server, "OPTIONS /", &headers, b"").await;
    assert_eq!(preflight.status, 204);
    for (name, value) in [
        ("access-control-allow-origin", "http://localhost:3000"),
        ("access-control-allow-methods", "POST"),
        ("access-control-max-age", "86400"),
        ("vary", "Origin"),
    ] {
        assert_eq!(preflight.header(name), Some(value), "{name}");
    }
    let allowed = preflight.header("access-control-allow-headers").expect("names");
    assert!(allowed.contains("x-amz-target") && !allowed.contains('*'), "{allowed}");

    let answer = call_with(&server, "ListUserPools", &headers, r#"{"MaxResults":1}"#).await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("access-control-allow-origin"), Some("http://localhost:3000"));
    let exposed = answer.header("access-control-expose-headers").expect("names");
    assert!(exposed.contains("x-amzn-RequestId"), "{exposed}");
    let other = [("origin", "http://localhost:3001")];
    let refused = call_with(&server, "ListUserPools", &other, r#"{"MaxResults":1}"#).await;
    assert_eq!(refused.status, 403);
    let both = [("origin", "http://localhost:3000"), ("origin", "http://evil.example")];
    let refused = call_with(&server, "ListUserPools", &both, r#"{"MaxResults":1}"#).await;
    assert_eq!(refused.status, 403);
    server.stop().await;
}
