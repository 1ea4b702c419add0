//! Unusable files: at startup they are refused with a remedy, and later they change
//! nothing.

use std::{
    fs::{self, Permissions},
    os::unix::fs::PermissionsExt as _,
    path::Path,
    process::Stdio,
};

use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt as _, BufReader, Lines},
    process::{Child, ChildStderr},
};
use tonic::transport::ClientTlsConfig;

use crate::{
    authority::{Authority, connect, replace},
    binary::{run, userpool},
};

/// The defect of the files, and the expected error.
type Case = (&'static str, fn(&Path), &'static str);

const CASES: &[Case] = &[
    ("no certificate", |files| remove(files, "tls.crt"), "tls.crt; check its name"),
    ("no key", |files| remove(files, "tls.key"), "tls.key; check its name"),
    ("no authorities", |files| remove(files, "ca.crt"), "ca.crt; check its name"),
    (
        "an empty certificate",
        |files| put(files, "tls.crt", ""),
        "contains no certificate in PEM format",
    ),
    (
        "an empty key",
        |files| put(files, "tls.key", ""),
        "contains no unencrypted private key in PEM",
    ),
    (
        "empty authorities",
        |files| put(files, "ca.crt", ""),
        "contains no certificate in PEM format",
    ),
    ("a torn certificate", |files| tear(files, "tls.crt"), "tls.crt is not valid PEM"),
    ("a torn key", |files| tear(files, "tls.key"), "tls.key is not valid PEM"),
    (
        "the key of another",
        |files| put(files, "tls.key", &Authority::new("root").server().key),
        "does not match the key",
    ),
    ("a key that all may read", |files| open(files, 0o644), "(mode 0644); run chmod 600"),
    ("a key that all may write", |files| open(files, 0o602), "defaultMode: 0440"),
];

#[tokio::test(flavor = "multi_thread")]
async fn unusable_files_are_refused_at_the_start_with_a_remedy() {
    for (case, spoil, expected) in CASES {
        let files = TempDir::new().expect("a directory");
        Authority::new("root").write_server_tls(files.path(), Some(true));
        spoil(files.path());
        // The check first: a server that starts by mistake would not end.
        for check in [true, false] {
            let mut command = serve(files.path());
            let output = run(command.args(check.then_some("--check-config"))).await;
            let stderr = String::from_utf8(output.stderr).expect("UTF-8");
            assert_eq!(output.status.code(), Some(1), "{case}: {stderr}");
            assert!(stderr.contains(expected), "{case}: {stderr}");
            assert!(!stderr.contains("PRIVATE"), "{case}: {stderr}");
            assert!(!files.path().join("data").exists(), "{case}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn unusable_files_change_nothing_later_and_are_logged() {
    let files = TempDir::new().expect("a directory");
    let (directory, authority) = (files.path(), Authority::new("root"));
    authority.write_server_tls(directory, Some(true));
    let client = authority.workload("spiffe://prod/client").identity();
    let mut server = ServerWithLog::on(directory).await;
    for (case, spoil, expected) in CASES {
        spoil(directory);
        let line = server.next_line("cannot reload").await;
        assert!(line.contains(expected), "{case}: {line}");
        assert!(line.contains("\"WARN\""), "{case}: {line}");
        let trusted: ClientTlsConfig = authority.trusted().identity(client.clone());
        connect(&server.address, trusted).await.expect("as before");

        authority.write_server_tls(directory, Some(true));
        server.next_line("reloaded\"").await;
    }
    server.child.kill().await.expect("killed");
}

#[tokio::test(flavor = "multi_thread")]
async fn sighup_reloads_the_files() {
    let files = TempDir::new().expect("a directory");
    Authority::new("root").write_server_tls(files.path(), None);
    let mut server = ServerWithLog::on(files.path()).await;
    let process = server.child.id().expect("it runs").to_string();
    let sent = std::process::Command::new("sh").args(["-c", "kill -s HUP $0", &process]).status();
    assert!(sent.expect("a shell").success());
    server.next_line("reloaded\"").await;
    server.child.kill().await.expect("killed");
}

/// Kubernetes gives a secret to a user that is not root through the group.
#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_the_group_may_read_is_accepted() {
    let files = TempDir::new().expect("a directory");
    Authority::new("root").write_server_tls(files.path(), None);
    open(files.path(), 0o440);
    let output = run(serve(files.path()).arg("--check-config")).await;
    assert!(output.status.success(), "{output:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn settings_that_need_others_are_refused_without_them() {
    let directory = TempDir::new().expect("a directory");
    for (arguments, expected) in [
        (&["--tls-cert=a"][..], "tls-cert requires tls-key"),
        (&["--tls-key=a"], "tls-key requires tls-cert"),
        (&["--client-ca=a"], "client-ca requires tls-cert and tls-key"),
        (&["--tls-cert=a", "--tls-key=b", "--client-crl=c"], "client-crl requires client-ca"),
        (&["--client-auth=required"], "client-auth requires client-ca"),
        (
            &["--tls-cert=a", "--tls-key=b", "--listen=unix:socket"],
            "unix:socket is a Unix socket, where the system identifies the callers",
        ),
        (&["--listen=0.0.0.0:0"], "0.0.0.0:0 is reachable from other machines"),
        (&["--listen=[::]:0"], "--insecure"),
        (&["--listen=0.0.0.0:0", "--insecure=false"], "--tls-cert and --tls-key"),
    ] {
        let mut command = userpool();
        command.current_dir(directory.path()).arg("serve").arg("--check-config").args(arguments);
        let output = run(&mut command).await;
        let stderr = String::from_utf8(output.stderr).expect("UTF-8");
        assert_eq!(output.status.code(), Some(1), "{arguments:?}: {stderr}");
        assert!(stderr.contains(expected), "{arguments:?}: {stderr}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_remote_plaintext_listener_needs_a_flag() {
    let directory = TempDir::new().expect("a directory");
    let data = directory.path().join("data");
    let on = |listen: &str| {
        let mut command = userpool();
        command.arg("serve").arg("--data-dir").arg(&data).args(["--listen", listen]);
        command
    };
    let refused = run(&mut on("0.0.0.0:0")).await;
    let stderr = String::from_utf8(refused.stderr).expect("UTF-8");
    assert_eq!(refused.status.code(), Some(1), "{stderr}");
    assert!(stderr.contains("is reachable from other machines"), "{stderr}");
    assert!(!data.exists());

    for (listen, insecure) in [("0.0.0.0:0", true), ("[::1]:0", false), ("localhost:0", false)] {
        let mut command = on(listen);
        let mut child = command.args(insecure.then_some("--insecure")).spawn().expect("it runs");
        let mut stdout = BufReader::new(child.stdout.take().expect("a pipe")).lines();
        let line = stdout.next_line().await.expect("readable").expect("a line");
        assert!(line.starts_with("userpool listening on "), "{line}");
        child.kill().await.expect("killed");
    }
}

/// A server on files of a directory, whose log the test reads.
struct ServerWithLog {
    child: Child,
    address: String,
    log: Lines<BufReader<ChildStderr>>,
}

impl ServerWithLog {
    async fn on(files: &Path) -> Self {
        let mut command = serve(files);
        command.args(["--log-format=json", "--client-auth=optional"]).stdin(Stdio::null());
        let mut child = command.spawn().expect("the binary runs");
        let mut stdout = BufReader::new(child.stdout.take().expect("a pipe")).lines();
        let line = stdout.next_line().await.expect("readable").expect("a line");
        let address = line.strip_prefix("userpool listening on ").expect("an address").to_owned();
        let log = BufReader::new(child.stderr.take().expect("a pipe")).lines();
        Self { child, address, log }
    }

    /// The next line of the log with this text.
    async fn next_line(&mut self, text: &str) -> String {
        loop {
            let line = self.log.next_line().await.expect("readable").expect("a line");
            if line.contains(text) {
                return line;
            }
        }
    }
}

fn serve(files: &Path) -> tokio::process::Command {
    let mut command = userpool();
    command
        .args(["serve", "--listen=127.0.0.1:0"])
        .arg("--data-dir")
        .arg(files.join("data"))
        .arg("--tls-cert")
        .arg(files.join("tls.crt"))
        .arg("--tls-key")
        .arg(files.join("tls.key"))
        .arg("--client-ca")
        .arg(files.join("ca.crt"));
    command
}

fn remove(files: &Path, name: &str) {
    fs::remove_file(files.join(name)).expect("removed");
}

fn put(files: &Path, name: &str, text: &str) {
    replace(files, name, text);
}

fn tear(files: &Path, name: &str) {
    let text = fs::read_to_string(files.join(name)).expect("readable");
    replace(files, name, &text[..text.len() / 2]);
}

fn open(files: &Path, mode: u32) {
    fs::set_permissions(files.join("tls.key"), Permissions::from_mode(mode)).expect("changed");
}
