//! The tools that read the files in `deploy/` accept them, and the files match the
//! server.

mod cargo_package;
mod debian;
mod image;
mod local_replicas;
mod pod;

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use regex::Regex;
use tempfile::TempDir;

use crate::tools::{self, repository};

/// The highest exposure that systemd may report, from 0 to 100. Today it is 12.
const EXPOSURE: &str = "15";
/// The oldest supported version of Kubernetes.
const KUBERNETES: &str = "1.33";
/// The manifests of one server, and those of several with one log.
const MANIFESTS: [&str; 2] = ["kubernetes/userpool.yaml", "kubernetes-replicas/userpool.yaml"];

fn deploy(file: &str) -> PathBuf {
    repository().join("deploy").join(file)
}

fn read(file: &str) -> String {
    fs::read_to_string(deploy(file)).expect("a file")
}

/// What the tool wrote to its output. Its messages do not count: cargo says there, for example,
/// that it waits for another cargo.
fn content(tool: &mut Command) -> String {
    output(tool)[0].clone()
}

/// All that the checker wrote, messages too.
fn findings(checker: &mut Command) -> String {
    output(checker).concat()
}

/// The output and the messages of the tool, which must succeed.
fn output(tool: &mut Command) -> [String; 2] {
    let ran = tool.output().expect("it runs");
    let written = [ran.stdout, ran.stderr].map(|text| String::from_utf8_lossy(&text).into_owned());
    assert!(ran.status.success(), "{}", written.concat());
    written
}

/// The unit with the binary of this build.
fn unit(directory: &Path) -> PathBuf {
    let unit = read("systemd/userpool.service");
    let path = directory.join("userpool.service");
    let unit = unit.replace("/usr/local/bin/userpool", env!("CARGO_BIN_EXE_userpool"));
    fs::write(&path, unit).expect("written");
    path
}

#[test]
fn systemd_accepts_the_unit_and_rates_its_exposure_low() {
    let promise = "that systemd accepts the unit";
    let Some(systemd_analyze) = tools::systemd_analyze(promise) else { return };
    let directory = TempDir::new().expect("a directory");
    let unit = unit(directory.path());
    let verified = findings(Command::new(&systemd_analyze).arg("verify").arg(&unit));
    assert_eq!(verified, "");
    let threshold = format!("--threshold={EXPOSURE}");
    let security = ["security", "--offline=true", "--no-pager", &threshold];
    content(Command::new(&systemd_analyze).args(security).arg(&unit));
}

#[test]
fn the_stop_timeouts_cover_a_full_shutdown() {
    // 30 seconds for calls and 20 for the log.
    for (file, pattern) in [
        ("systemd/userpool.service", r"(?m)^TimeoutStopSec=(\d+)$"),
        (MANIFESTS[0], r"(?m)^ +terminationGracePeriodSeconds: (\d+)$"),
        (MANIFESTS[1], r"(?m)^ +terminationGracePeriodSeconds: (\d+)$"),
    ] {
        let text = read(file);
        let found = Regex::new(pattern).expect("a pattern").captures(&text).expect("a time");
        assert!(found[1].parse::<u32>().expect("seconds") > 50, "{file}");
    }
}

#[test]
fn kubernetes_accepts_the_manifests() {
    let promise = "that Kubernetes accepts the manifests";
    let Some(python) = tools::kubernetes_validate(promise) else { return };
    let validate = ["-m", "kubernetes_validate", "--strict", "--quiet", "-k", KUBERNETES];
    content(Command::new(python).args(validate).args(MANIFESTS.map(deploy)));
}

#[test]
fn cloudnative_pg_accepts_the_manifest_of_the_database() {
    let promise = "that CloudNativePG accepts the manifest of the database";
    let Some(definition) = tools::cloudnative_pg(promise) else { return };
    let Some(python) = tools::kubernetes_validate(promise) else { return };
    let check = |manifest: &Path| {
        let mut check = Command::new(&python);
        check.arg(repository().join("tests/it/deploy/cloudnative_pg.py"));
        check.arg(&definition).arg(manifest);
        check
    };
    content(&mut check(&deploy("kubernetes-replicas/postgres.yaml")));

    let directory = TempDir::new().expect("a directory");
    let unknown = directory.path().join("unknown.yaml");
    let manifest = read("kubernetes-replicas/postgres.yaml");
    fs::write(&unknown, manifest.replace("failoverQuorum", "failoverQuorums")).expect("written");
    let refused = check(&unknown).output().expect("it runs");
    assert!(!refused.status.success(), "the check finds nothing");
}

#[test]
fn the_manifests_pass_the_linter() {
    let Some(kube_score) = tools::kube_score("that the manifests pass a linter") else { return };
    for manifests in MANIFESTS {
        let score = ["score", "--output-format", "ci"];
        let scored = content(Command::new(&kube_score).args(score).arg(deploy(manifests)));
        let wrong: Vec<_> = scored
            .lines()
            .filter(|line| !line.starts_with("[OK]") && !line.starts_with("[SKIPPED]"))
            .collect();
        assert_eq!(wrong, Vec::<&str>::new(), "{manifests}");
        assert!(scored.lines().count() > 30, "{scored}");
    }
}
