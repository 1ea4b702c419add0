//! Every metric is documented, and the dashboard and the alerts use existing metrics.

use std::{collections::BTreeSet, fs, process::Command};

use regex::Regex;
use serde_json::Value;
use tempfile::TempDir;
use userpool::proto::{
    DescribeUserPoolRequest, user_pool_history_service_client::UserPoolHistoryServiceClient,
};

use super::{Reading, free, reading};
use crate::{
    authority::{Authority, connect},
    support::{Client, TestServer, create},
    tools::{promtool, repository},
};

const ALERTS: &str = "deploy/prometheus/alerts.yaml";
const DASHBOARD: &str = "deploy/grafana/userpool.json";
const METRICS_PAGE: &str = "docs/reference/metrics.md";
const ALERTS_PAGE: &str = "docs/operating/alerts.md";

/// Nobody serves there.
const WITNESS: &str =
    "http://127.0.0.1:9+witness.example+0af185d4+BKeSvIIDJ8P4GrE/ZCspBqymozoHsLsntuni7edjbXMY";

/// The metrics of a server with a witness and with certificates after some calls.
async fn after_traffic() -> Reading {
    let (authority, files) = (Authority::new("root"), TempDir::new().expect("a directory"));
    let certificates = authority.write_server_tls(files.path(), Some(false));
    let server = TestServer::with(|config| {
        config.metrics_listen = Some(free());
        config.tls = Some(certificates);
        config.witnesses = vec![WITNESS.parse().expect("an address")];
    })
    .await;
    let address = server.endpoint.to_string();
    let channel = connect(&address, authority.trusted()).await.expect("a connection");
    let mut client = Client::new(channel.clone());
    let id = create(&mut client, "people").await;
    let request =
        DescribeUserPoolRequest { user_pool_id: Some(id), ..DescribeUserPoolRequest::default() };
    client.describe_user_pool(request).await.expect("described");
    let mut history = UserPoolHistoryServiceClient::new(channel);
    let request = userpool::proto::ListUserPoolEventsRequest::default();
    history.list_user_pool_events(request).await.expect("listed");
    let reading = reading(&server).await;
    server.stop().await;
    reading
}

fn text(path: &str) -> String {
    fs::read_to_string(repository().join(path)).expect(path)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_table_has_every_metric_with_its_type_and_labels() {
    let reading = after_traffic().await;
    let documented = text(METRICS_PAGE);
    let row = Regex::new(r"(?m)^\| `([a-z_]+)` \| (\w+) \|[^|]*\|([^|]*)\| [^|]+ \|");
    let row = row.expect("a pattern");
    let documented: BTreeSet<_> = row
        .captures_iter(&documented)
        .map(|row| (row[1].to_owned(), row[2].to_owned(), labels(row[3].split(", "))))
        .collect();
    let exported = Regex::new(r"(?m)^# TYPE (\w+) (\w+)$").expect("a pattern");
    let exported: BTreeSet<_> = exported
        .captures_iter(&reading.text)
        .map(|exported| {
            let suffix = match &exported[2] {
                "counter" => "_total",
                "info" => "_info",
                "histogram" => "_count",
                _ => "",
            };
            let series = format!("{}{suffix}", &exported[1]);
            let suffix = suffix.trim_end_matches("_count");
            let names = labels_of(&reading, &series);
            (format!("{}{suffix}", &exported[1]), exported[2].to_owned(), names)
        })
        .collect();
    assert!(exported.len() > 30, "{exported:?}");
    let differing: Vec<_> = exported.symmetric_difference(&documented).collect();
    assert!(differing.is_empty(), "{differing:#?}");
}

fn labels<'a>(names: impl Iterator<Item = &'a str>) -> BTreeSet<String> {
    names.map(str::trim).filter(|name| !name.is_empty()).map(str::to_owned).collect()
}

fn labels_of(reading: &Reading, series: &str) -> BTreeSet<String> {
    let line = Regex::new(&format!(r"(?m)^{series}(\{{(.*)\}})? ")).expect("a pattern");
    let found = line.captures(&reading.text);
    let found = found.unwrap_or_else(|| unreachable!("{series} is not exported"));
    let label = Regex::new("([a-z_]+)=\"").expect("a pattern");
    let inside = found.get(2).map_or("", |inside| inside.as_str());
    labels(label.captures_iter(inside).map(|found| found.extract::<1>().1[0]))
}

#[tokio::test(flavor = "multi_thread")]
async fn the_dashboard_and_the_alerts_use_existing_metrics() {
    let reading = after_traffic().await;
    let known: BTreeSet<_> = reading.names().collect();
    let metric =
        Regex::new(r"(?-u:\b)(?:grpc_server|userpool|process)_[a-z_]+").expect("a pattern");
    let mut used = BTreeSet::new();
    for expression in expressions() {
        for found in metric.find_iter(&expression) {
            assert!(known.contains(found.as_str()), "{} of {expression}", found.as_str());
            used.insert(found.as_str().to_owned());
        }
    }
    assert!(used.len() > 25, "{used:?}");
}

/// Every expression of the dashboard and of the alerts.
fn expressions() -> Vec<String> {
    let dashboard: Value = serde_json::from_str(&text(DASHBOARD)).expect("JSON");
    let panels = dashboard["panels"].as_array().expect("panels");
    let targets = panels.iter().filter_map(|panel| panel["targets"].as_array()).flatten();
    let expression = |target: &Value| target["expr"].as_str().expect("an expression").to_owned();
    let mut expressions: Vec<_> = targets.map(expression).collect();
    let variables = dashboard["templating"]["list"].as_array().expect("variables");
    expressions
        .extend(variables.iter().filter_map(|all| Some(all["query"]["query"].as_str()?.into())));
    assert!(expressions.len() > 30, "{expressions:?}");
    // YAML is not parsed here: an alert's expression continues to its next key.
    let alerts = text(ALERTS);
    let alert = Regex::new(r"(?s)expr:(.*?)\n {8}(?:for|labels):").expect("a pattern");
    let found: Vec<_> = alert.captures_iter(&alerts).map(|alert| alert[1].to_owned()).collect();
    assert_eq!(found.len(), alerts.matches("- alert:").count());
    expressions.extend(found);
    expressions
}

/// Refused load and refused callers need different people.
#[tokio::test(flavor = "multi_thread")]
async fn every_reason_of_a_refusal_is_in_one_alert() {
    let reading = after_traffic().await;
    let series = Regex::new(r#"userpool_refused_total\{reason="(\w+)"\}"#).expect("a pattern");
    let mut reasons: Vec<_> =
        series.captures_iter(&reading.text).map(|series| series[1].to_owned()).collect();
    // A server that starts is neither.
    reasons.retain(|reason| reason != "starting");
    reasons.sort();

    let condition = Regex::new(r#"userpool_refused_total\{reason=~"([a-z_|]+)"\}"#);
    let condition = condition.expect("a pattern");
    let expressions = expressions().join("\n");
    let mut alerted: Vec<_> = condition
        .captures_iter(&expressions)
        .flat_map(|found| found[1].split('|').map(str::to_owned).collect::<Vec<_>>())
        .collect();
    alerted.sort();
    assert_eq!(alerted, reasons);
}

#[test]
fn every_alert_is_explained_with_a_remedy() {
    let alerts = text(ALERTS);
    let page = text(ALERTS_PAGE);
    let mut names = BTreeSet::new();
    for alert in alerts.split("- alert: ").skip(1) {
        let name = alert.lines().next().expect("a name");
        for key in ["severity: ", "summary: ", "description: "] {
            assert!(alert.contains(key), "{name} has no {key}");
        }
        let link = format!("runbook_url: {ALERTS_PAGE}#{}\n", name.to_lowercase());
        assert!(alert.contains(&link), "{name} has no {link}");
        assert!(names.insert(name.to_owned()), "{name} is there twice");
    }
    let headings = page.lines().filter_map(|line| line.strip_prefix("## Userpool"));
    let headings: BTreeSet<_> = headings.map(|name| format!("Userpool{name}")).collect();
    assert_eq!(names, headings);
}

#[test]
fn prometheus_reads_the_alerts() {
    let Some(promtool) = promtool("that Prometheus reads the alerts") else { return };
    let checked = Command::new(promtool)
        .args(["check", "rules", ALERTS])
        .current_dir(repository())
        .output()
        .expect("promtool runs");
    let printed = String::from_utf8_lossy(&checked.stdout);
    assert!(checked.status.success(), "{printed}{}", String::from_utf8_lossy(&checked.stderr));
    let count = text(ALERTS).matches("- alert:").count();
    assert!(printed.contains(&format!("SUCCESS: {count} rules found")), "{printed}");
}

/// Uses the parser of Prometheus itself, which requires times in storage.
#[tokio::test(flavor = "multi_thread")]
async fn prometheus_reads_the_metrics() {
    let Some(promtool) = promtool("that Prometheus reads the metrics") else { return };
    let reading = after_traffic().await;
    let directory = TempDir::new().expect("a directory");
    let file = directory.path().join("metrics");
    let sample = Regex::new("(?m)^[^#\n].*$").expect("a pattern");
    let timed = sample.replace_all(&reading.text, "$0 1512950400");
    fs::write(&file, timed.as_bytes()).expect("written");
    let checked = Command::new(promtool)
        .args(["tsdb", "create-blocks-from", "openmetrics"])
        .args([&file, &directory.path().join("blocks")])
        .output()
        .expect("promtool runs");
    assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stderr));
}
