//! Who may look, and what every answer allows its page to do.

use regex::Regex;

use super::{Console, Sample, send, unopened, without_own_scripts};
use crate::{
    binary::{run, userpool},
    support::TestServer,
};

#[tokio::test(flavor = "multi_thread")]
async fn the_link_works_once_and_becomes_a_cookie() {
    let server = TestServer::start().await;
    let (_child, address, link) = unopened(&server.endpoint.to_string(), &[]).await;
    let open = format!("GET {link} HTTP/1.1\r\nhost: {address}");

    let wrong = send(&address, &format!("GET /in/wrong HTTP/1.1\r\nhost: {address}")).await;
    assert_eq!((wrong.status, wrong.header("set-cookie")), (403, None));

    let opened = send(&address, &open).await;
    assert_eq!((opened.status, opened.header("location")), (303, Some("/")));
    let cookie = opened.header("set-cookie").expect("a cookie");
    let port = address.rsplit_once(':').expect("a port").1;
    assert!(cookie.starts_with(&format!("userpool-console-{port}=")), "{cookie}");
    assert!(cookie.ends_with("; HttpOnly; SameSite=Strict; Path=/"), "{cookie}");
    let secret = link.rsplit_once('/').expect("a secret").1;
    assert!(!cookie.contains(secret), "the secret of the link is in the cookie");

    let again = send(&address, &open).await;
    assert_eq!((again.status, again.header("set-cookie")), (403, None));
    again.has(&["This link does not work"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_cookie_nothing_of_the_server_is_shown() {
    let sample = Sample::new().await;
    let console = Console::of(&sample.server).await;
    let address = &console.address;
    for path in [
        "/",
        "/pools",
        "/pools.json",
        "/log",
        "/me",
        "/nothing",
        &format!("/pools/{}", sample.pool),
    ] {
        for cookie in ["", "\r\ncookie: userpool-console-1=x", "\r\nauthorization: Bearer x"] {
            let request = format!("GET {path} HTTP/1.1\r\nhost: {address}{cookie}");
            let refused = send(address, &request).await;
            assert_eq!(refused.status, 403, "{path}");
            refused.has(&["Open the link first"]);
            assert!(!refused.body.contains("payments"), "{}", refused.body);
            let is_json = refused.header("content-type") == Some("application/json");
            assert_eq!(is_json, path == "/pools.json", "{path}");
        }
    }
    let request = format!("GET /log HTTP/1.1\r\nhost: {address}\r\naccept: application/json");
    let refused = send(address, &request).await;
    let error: serde_json::Value = serde_json::from_str(&refused.body).expect("JSON");
    assert_eq!((refused.status, &error["error"]["title"]), (403, &"Open the link first".into()));
    let nothing = console.get("/nothing.json").await;
    assert_eq!(nothing.header("content-type"), Some("application/json"), "{nothing:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_links_only_to_pages_of_the_console() {
    let server = TestServer::start().await;
    let console = Console::of(&server).await;
    let address = &console.address;
    for (path, link) in [
        ("//attacker.example/pools", "/"),
        ("/\\\\attacker.example", "/"),
        ("/nothing", "/"),
        ("/pools?name=x", "/pools?name=x"),
        ("/pools/%22%3e%3cb%3e", "/pools/%22%3E%3Cb%3E"),
    ] {
        let refused = send(address, &format!("GET {path} HTTP/1.1\r\nhost: {address}")).await;
        assert_eq!(refused.status, 403, "{path}");
        refused.has(&[&format!("href=\"{link}\">Open the page again")]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_of_other_sites_are_refused() {
    let server = TestServer::start().await;
    let console = Console::of(&server).await;
    let (address, cookie) = (&console.address, &console.cookie);
    let ask = async |method: &str, host: &str, more: &str| {
        let head = format!("{method} /pools HTTP/1.1\r\nhost: {host}\r\ncookie: {cookie}{more}");
        send(address, &head).await
    };
    assert_eq!(ask("GET", address, "").await.status, 200);
    assert_eq!(ask("GET", "localhost:9999", "").await.status, 200);
    let rebound = ask("GET", "attacker.example", "").await;
    assert_eq!(rebound.status, 421);
    rebound.has(&["ssh -L"]);

    let fetched = "\r\nsec-fetch-site: cross-site\r\nsec-fetch-mode: no-cors";
    assert_eq!(ask("GET", address, fetched).await.status, 403);
    let framed =
        "\r\nsec-fetch-site: cross-site\r\nsec-fetch-mode: navigate\r\nsec-fetch-dest: iframe";
    assert_eq!(ask("GET", address, framed).await.status, 403);
    let own =
        "\r\nsec-fetch-site: same-origin\r\nsec-fetch-mode: navigate\r\nsec-fetch-dest: document";
    assert_eq!(ask("GET", address, own).await.status, 200);

    let changed = ask("POST", address, "\r\ncontent-length: 0").await;
    assert_eq!((changed.status, changed.header("allow")), (405, Some("GET, HEAD")));
    let head = ask("HEAD", address, "").await;
    assert_eq!((head.status, head.body.as_str()), (200, ""));
}

#[tokio::test(flavor = "multi_thread")]
async fn every_answer_limits_what_its_page_may_do() {
    let sample = Sample::new().await;
    let console = Console::of(&sample.server).await;
    let address = &console.address;
    let page = console.get("/pools").await;
    let asset = Regex::new(r#"(?:href|src)="(/assets/[^"]+)""#).expect("a pattern");
    let assets: Vec<_> = asset.captures_iter(&page.body).map(|found| found[1].to_owned()).collect();
    assert_eq!(assets.len(), 3, "{assets:?}");
    let mut answers = Vec::new();
    for path in assets.iter().map(String::as_str).chain([
        "/",
        "/pools",
        "/pools.json",
        "/pools/none",
        "/pools/none.json",
        "/log?since=x",
        "/nothing",
        "/in/x",
        "/assets/none.css",
        "/me",
    ]) {
        answers.push((path.to_owned(), console.get(path).await));
    }
    let stranger = send(address, &format!("GET /pools HTTP/1.1\r\nhost: {address}")).await;
    let rebound = send(address, "GET /pools HTTP/1.1\r\nhost: a.example").await;
    answers.extend([("without a cookie".to_owned(), stranger), ("rebound".to_owned(), rebound)]);
    let inline = Regex::new(r"<script|<iframe|\sstyle=|\son[a-z]+=|javascript:|https?://");
    let inline = inline.expect("a pattern");
    for (path, answer) in &answers {
        let policy = answer.header("content-security-policy").expect("a policy");
        for part in [
            "default-src 'none'",
            "style-src 'self'",
            "frame-ancestors 'none'",
            "base-uri 'none'",
            "form-action 'self'",
            "require-trusted-types-for 'script'",
            "script-src 'self'",
            "worker-src 'self'",
            "trusted-types rows verifier",
        ] {
            assert!(policy.contains(part), "{path}: {policy}");
        }
        assert!(!policy.contains("unsafe"), "{policy}");
        for (name, value) in [
            ("x-content-type-options", "nosniff"),
            ("referrer-policy", "no-referrer"),
            ("cross-origin-opener-policy", "same-origin"),
            ("cross-origin-resource-policy", "same-origin"),
        ] {
            assert_eq!(answer.header(name), Some(value), "{path}");
        }
        let is_asset = assets.contains(path);
        let kept = if is_asset { "public, max-age=31536000, immutable" } else { "no-store" };
        assert_eq!(answer.header("cache-control"), Some(kept), "{path}");
        if !is_asset && answer.header("content-type") == Some("text/html; charset=utf-8") {
            let body = without_own_scripts(&answer.body);
            assert!(!inline.is_match(&body), "{path}: {:?}", inline.find(&body));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_console_listens_on_its_own_machine_only() {
    let server = TestServer::start().await;
    let endpoint = server.endpoint.to_string();
    let start = ["console", "--no-open", "--endpoint", &endpoint, "--listen", "0.0.0.0:0"];
    let refused = run(userpool().args(start)).await;
    assert_eq!(refused.status.code(), Some(1));
    let told = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(told.contains("other machines can reach it"), "{told}");
}
