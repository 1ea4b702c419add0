//! Every link of every page leads to a page, and every page is one document that fits a screen.

use std::collections::{BTreeSet, VecDeque};

use regex::Regex;

use super::{Console, Sample};

/// A page has at most this many bytes.
const MAX_PAGE: usize = 50 * 1024;

#[tokio::test(flavor = "multi_thread")]
async fn every_link_leads_to_a_page() {
    let sample = Sample::new().await;
    let console = Console::of(&sample.server).await;
    let link = Regex::new(r##"(?:href|action)="(/[^"#]*)"##).expect("a pattern");
    let mut seen = BTreeSet::new();
    let mut left = VecDeque::from(["/".to_owned(), "/pools?state=deleted".to_owned()]);
    while let Some(path) = left.pop_front() {
        let found = console.get(&path).await;
        assert!(matches!(found.status, 200 | 303), "{path}: {}", found.head);
        left.extend(
            found.header("location").map(str::to_owned).filter(|path| seen.insert(path.clone())),
        );
        if found.header("content-type") != Some("text/html; charset=utf-8") {
            continue;
        }
        assert!(found.body.len() <= MAX_PAGE, "{path} has {} bytes", found.body.len());
        is_document(&path, &found.body);
        for found in link.captures_iter(&found.body) {
            let next = found[1].replace("&amp;", "&");
            if seen.insert(next.clone()) {
                left.push_back(next);
            }
        }
    }
    for page in ["/pools", "/domains", "/domains/login", "/log", "/me"] {
        assert!(seen.contains(page), "no page leads to {page}");
    }
    for id in [&sample.pool, &sample.other, &sample.deleted] {
        for page in ["", "/history"] {
            let path = format!("/pools/{id}{page}");
            assert!(seen.contains(&path), "no page leads to {path}");
        }
    }
    assert!(seen.iter().any(|path| path.contains("/diff?from=")), "{seen:?}");
    assert!(seen.len() > 60, "{} pages", seen.len());
}

/// Checks what assistive programs need of a page.
fn is_document(path: &str, body: &str) {
    let count = |text: &str| body.matches(text).count();
    assert!(body.starts_with("<!DOCTYPE html><html lang=\"en\">"), "{path}");
    assert_eq!((count("<h1"), count("<main")), (1, 1), "{path}");
    let head = body.split("</head>").next().unwrap_or_default();
    assert_eq!(head.matches("<title>").count(), 1, "{path}");
    let id = Regex::new(r#" id="([^"]+)""#).expect("a pattern");
    let ids: Vec<_> = id.captures_iter(body).map(|found| found[1].to_owned()).collect();
    let unique: BTreeSet<_> = ids.iter().collect();
    assert_eq!(unique.len(), ids.len(), "{path}: {ids:?}");
    assert_eq!(count("<table"), count("<caption"), "{path}: a table without a caption");
}
