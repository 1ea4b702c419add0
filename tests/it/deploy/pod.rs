//! The process of the pod serves with the settings and certificates of its manifests,
//! and its probes succeed.

use std::{fs, os::unix::fs::PermissionsExt as _, path::Path};

use rcgen::{BasicConstraints, CertificateParams, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair};
use regex::Regex;
use tempfile::TempDir;

use super::read;
use crate::binary::{Process, run, userpool};

/// The settings file in the `ConfigMap`.
fn settings(manifests: &str) -> String {
    let block = manifests.split("  userpool.toml: |\n").nth(1).expect("a settings file");
    let lines = block.lines().map_while(|line| line.strip_prefix("    "));
    lines.collect::<Vec<_>>().join("\n")
}

/// The Secret as cert-manager makes it, with the mode in the manifests.
fn secret(directory: &Path, name: &str) {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().expect("a key");
    let authority = params.self_signed(&key).expect("a certificate");
    let issuer = Issuer::new(params, key);

    let mut params = CertificateParams::new([name.to_owned()]).expect("a name");
    params.extended_key_usages =
        vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
    let key = KeyPair::generate().expect("a key");
    let certificate = params.signed_by(&key, &issuer).expect("a certificate");
    for (file, text) in [
        ("ca.crt", authority.pem()),
        ("tls.crt", certificate.pem()),
        ("tls.key", key.serialize_pem()),
    ] {
        let path = directory.join(file);
        fs::write(&path, text).expect("written");
        fs::set_permissions(path, fs::Permissions::from_mode(0o440)).expect("a mode");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_settings_and_probes_of_the_manifests_match() {
    let manifests = read("kubernetes/userpool.yaml");
    let directory = TempDir::new().expect("a directory");
    let path = |rest: &str| format!("{}/{rest}", directory.path().display());
    let variable = Regex::new(r"name: (USERPOOL_\w+), value: ([^}]+)\}").expect("a pattern");
    let environment: Vec<_> = variable
        .captures_iter(&manifests)
        .map(|variable| (variable[1].to_owned(), variable[2].replace("/tls/", &path(""))))
        .collect();
    let name = environment.iter().find(|(name, _)| name == "USERPOOL_SERVER_NAME");
    secret(directory.path(), &name.expect("a name").1);
    // With free ports of this machine and with mounts below this directory.
    let settings = settings(&manifests)
        .replace("0.0.0.0:50051", "127.0.0.1:0")
        .replace("0.0.0.0:9464", "127.0.0.1:0")
        .replace("\"/tls/", &format!("\"{}", path("")))
        .replace("\"/data/", &format!("\"{}", path("")));
    let file = path("userpool.toml");
    fs::write(&file, settings).expect("written");
    let server =
        Process::from(userpool().args(["serve", "--config", &file]).envs(environment.clone()))
            .await;

    let probe = Regex::new(r"command: \[/usr/local/bin/userpool, (.*)\]").expect("a pattern");
    let probes: Vec<_> =
        probe.captures_iter(&manifests).map(|probe| probe[1].replace([',', '"'], "")).collect();
    assert_eq!(probes.len(), 2);
    // And "kubectl exec userpool-0 -- userpool list", as the comment says.
    for command in probes.iter().map(String::as_str).chain(["list"]) {
        let mut client = userpool();
        client.args(command.split(' ')).envs(environment.clone());
        let ran = run(client.env("USERPOOL_ENDPOINT", server.address())).await;
        assert!(ran.status.success(), "{command}: {}", String::from_utf8_lossy(&ran.stderr));
    }
    let stranger = run(userpool().args(["health", "--endpoint", server.address()])).await;
    assert!(!stranger.status.success(), "a client without TLS is refused");
    server.kill().await;
}
