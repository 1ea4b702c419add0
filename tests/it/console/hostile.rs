//! Foreign text stays text: no value of a caller becomes an element, or hides another one.

use super::{AGENT, Console, Sample, without_own_scripts};

/// What must not be in a page: the beginnings of the elements in the sample.
const ELEMENTS: [&str; 5] = ["<svg/", "<script", "<img", "<h1>Welcome", "onerror=\""];

#[tokio::test(flavor = "multi_thread")]
async fn hostile_values_are_shown_as_text() {
    let Sample { server, pool, other, .. } = &Sample::new().await;
    let console = Console::of(server).await;
    let evil = "%3Csvg/onload=alert(1)%3E%22%27%0a%e2%80%ae";
    for path in [
        format!("/pools/{pool}"),
        format!("/pools/{pool}/history"),
        format!("/pools/{pool}/diff?from=1&to=6"),
        format!("/pools/{pool}/diff?from=1&to=6&view=unified&all=1"),
        format!("/pools/{other}/history"),
        "/log".to_owned(),
        "/domains/login".to_owned(),
        format!("/pools/{evil}"),
        format!("/pools/{pool}?at={evil}"),
        format!("/pools?q={evil}"),
        format!("/pools?tag={evil}={evil}"),
        format!("/pools?state={evil}"),
        format!("/log?actor={evil}&address={evil}&pool={evil}"),
        format!("/log?correlation={evil}&{evil}={evil}"),
        format!("/log?after={evil}"),
        format!("/domains/{evil}"),
        format!("/domains?q={evil}"),
        format!("/go?q={evil}"),
        format!("/{evil}"),
        format!("/in/{evil}"),
    ] {
        let page = console.get(&path).await;
        assert!(page.status < 500, "{path}: {}", page.head);
        let body = without_own_scripts(&page.body);
        for element in ELEMENTS {
            assert!(!body.contains(element), "{path} has {element}\n{body}");
        }
        let hidden = |letter: char| {
            letter.is_control() && !matches!(letter, '\n' | '\t')
                || matches!(letter, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
        };
        assert!(!page.body.contains(hidden), "{path} has a character that hides text");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn hostile_values_are_readable() {
    let Sample { server, pool, .. } = &Sample::new().await;
    let console = Console::of(server).await;
    let page = console.get(&format!("/pools/{pool}")).await;
    page.has(&["&lt;img src=x onerror=alert(1)&gt;", "\\u{202e}txet\\u{202c}\\u{7}"]);
    let history = console.get(&format!("/pools/{pool}/history")).await;
    let agent = AGENT.replace('<', "&lt;").replace('>', "&gt;");
    history.has(&[&agent, "&quot;&gt;&lt;script&gt;alert(3)&lt;/script&gt;"]);
}
