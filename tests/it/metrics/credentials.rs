//! The metrics show when each certificate in use expires, and whether changed files could be
//! loaded.

use std::time::Duration;

use rcgen::{SerialNumber, date_time_ymd};
use tempfile::TempDir;
use tokio::time::timeout;

use super::{free, reading};
use crate::{
    authority::{Authority, replace, with_revocation_lists},
    support::TestServer,
    tokens,
};

/// Longer than the server needs to notice a changed file.
const IN_TIME: Duration = Duration::from_mins(1);
const RELOADED: &str = "userpool_last_reload_successful{files=\"certificates\"}";

/// A server whose certificate and revocation list end at the start of a year.
async fn server(authority: &Authority, files: &TempDir) -> TestServer {
    let list = authority.revocation_list(&[], 4000);
    let certificates = with_revocation_lists(
        authority.write_server_tls(files.path(), Some(true)),
        files.path(),
        &list,
    );
    issue(authority, files, 3000, 7);
    let tokens = tokens::settings(files, &tokens::Signer::es256().public);
    TestServer::with(|config| {
        config.tls = Some(certificates);
        config.tokens = Some(tokens);
        config.metrics_listen = Some(free());
    })
    .await
}

fn issue(authority: &Authority, files: &TempDir, end: i32, serial: u64) {
    let issued = authority.server_with(|params| {
        params.not_before = date_time_ymd(2000, 1, 1);
        params.not_after = date_time_ymd(end, 1, 1);
        params.serial_number = Some(SerialNumber::from(serial));
    });
    issued.write(files.path());
}

fn series(edge: &str, labels: &str) -> String {
    format!("userpool_certificate_{edge}_timestamp_seconds{{{labels}}}")
}

#[tokio::test(flavor = "multi_thread")]
async fn every_certificate_and_list_in_use_has_its_dates() {
    let (authority, files) = (Authority::new("root"), TempDir::new().expect("a directory"));
    let server = server(&authority, &files).await;
    let labels = |serial: &str| {
        format!("use=\"server\",subject=\"CN=rcgen self signed cert\",serial=\"{serial}\"")
    };
    let list = "use=\"client_crl\",subject=\"CN=root\",serial=\"\"";
    let metrics = reading(&server).await;
    metrics.expect(&[
        (&series("not_before", &labels("07")), 946_684_800.0),
        (&series("not_after", &labels("07")), 32_503_680_000.0),
        (&series("not_before", list), 946_684_800.0),
        (&series("not_after", list), 64_060_588_800.0),
    ]);
    assert!(metrics.text.contains("use=\"client_ca\",subject=\"CN=root\""), "{}", metrics.text);

    // A replaced certificate is no longer in use.
    issue(&authority, &files, 3500, 8);
    let renewed = async {
        while !reading(&server).await.text.contains(&series("not_after", &labels("08"))) {}
    };
    timeout(IN_TIME, renewed).await.expect("the new certificate is shown");
    let metrics = reading(&server).await;
    assert!(!metrics.text.contains(&labels("07")), "{}", metrics.text);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_reload_is_shown_until_it_succeeds() {
    let (authority, files) = (Authority::new("root"), TempDir::new().expect("a directory"));
    let server = server(&authority, &files).await;
    let other = "userpool_last_reload_successful{files=\"token keys\"}";
    reading(&server).await.expect(&[(RELOADED, 1.0), (other, 1.0)]);

    for (list, expected) in [("none", 0.0), (&authority.revocation_list(&[], 4000), 1.0)] {
        replace(files.path(), "crl.pem", list);
        let shown = async {
            while (reading(&server).await.value(RELOADED) - expected).abs() > f64::EPSILON {}
        };
        timeout(IN_TIME, shown).await.expect("the result of the reload is shown");
        reading(&server).await.expect(&[(other, 1.0)]);
    }
    server.stop().await;
}
