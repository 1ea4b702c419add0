//! The Debian package installs, its service starts, and its removal keeps the log. Packages
//! are installed into a directory that has the package list of this machine.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use tempfile::TempDir;
use userpool::proto::{
    DescribeLogRequest, user_pool_history_service_client::UserPoolHistoryServiceClient,
};

use super::{content, deploy, findings};
use crate::{
    binary::Process,
    tools::{self, repository},
};

/// Makes the package of the binary of this build.
fn package(directory: &Path) -> PathBuf {
    let mut build = Command::new(deploy("debian/build"));
    build.arg(env!("CARGO_BIN_EXE_userpool")).arg(directory).arg(repository().join("LICENSE"));
    build.env("SOURCE_DATE_EPOCH", "1512950400").env("DEB_COMPRESSION", "none");
    PathBuf::from(content(&mut build).trim())
}

/// A directory that packages are installed into.
#[derive(Debug)]
struct Root(TempDir);

impl Root {
    fn new() -> Self {
        let root = TempDir::new().expect("a directory");
        let database = root.path().join("var/lib/dpkg");
        for directory in ["info", "updates", "triggers"] {
            fs::create_dir_all(database.join(directory)).expect("a directory");
        }
        // Its libraries are those of this machine.
        fs::copy("/var/lib/dpkg/status", database.join("status")).expect("copied");
        Self(root)
    }

    fn path(&self, path: &str) -> PathBuf {
        self.0.path().join(path)
    }

    fn dpkg(&self, arguments: &[&str]) -> String {
        let mut dpkg = Command::new("dpkg");
        dpkg.arg(format!("--root={}", self.0.path().display()));
        dpkg.args(["--force-script-chrootless", "--force-not-root", "--force-confold"]);
        content(dpkg.args(arguments).env("DEBIAN_FRONTEND", "noninteractive"))
    }
}

#[test]
fn the_same_binary_makes_the_same_package() {
    if !tools::dpkg("that the same binary makes the same Debian package") {
        return;
    }
    let [first, second] = [(); 2].map(|()| {
        let directory = TempDir::new().expect("a directory");
        fs::read(package(directory.path())).expect("a package")
    });
    assert!(first == second, "the packages differ");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_package_installs_serves_and_keeps_the_log_when_removed() {
    if !tools::dpkg("that the Debian package installs") {
        return;
    }
    let directory = TempDir::new().expect("a directory");
    let package = package(directory.path());
    let package = package.to_str().expect("UTF-8");
    let root = Root::new();
    root.dpkg(&["--install", package]);
    assert!(root.dpkg(&["--verify", "userpool"]).is_empty());

    let binary = root.path("usr/bin/userpool");
    let version = content(Command::new(&binary).arg("--version"));
    assert_eq!(version, format!("userpool {}\n", env!("CARGO_PKG_VERSION")));
    for file in [
        "usr/share/man/man1/userpool-serve.1.gz",
        "usr/share/doc/userpool/third-party-licenses.txt.gz",
        "usr/share/doc/userpool/copyright",
    ] {
        assert!(root.path(file).exists(), "{file}");
    }
    for script in [
        "bash-completion/completions/userpool",
        "fish/vendor_completions.d/userpool.fish",
        "zsh/vendor-completions/_userpool",
    ] {
        let text = fs::read_to_string(root.path("usr/share").join(script)).expect(script);
        assert!(text.contains("/usr/bin/userpool") && !text.contains("/tmp/"), "{text}");
    }

    // The service starts with the settings as they are installed, in another directory here.
    let (settings, data) = (root.path("etc/userpool/userpool.toml"), root.path("var/lib/userpool"));
    let text = fs::read_to_string(&settings).expect("the settings");
    assert!(text.contains("\ndata-dir = \"/var/lib/userpool\"\n"), "{text}");
    fs::write(&settings, text.replace("/var/lib/userpool", data.to_str().expect("UTF-8")))
        .expect("written");
    let mut serve = tokio::process::Command::new(&binary);
    serve.args(["serve", "--listen=127.0.0.1:0", "--config"]).arg(&settings);
    serve.env_clear().stdout(Stdio::piped()).kill_on_drop(true);
    let server = Process::from(&mut serve).await;
    let mut client = UserPoolHistoryServiceClient::new(server.channel().await);
    let log = client.describe_log(DescribeLogRequest::default()).await.expect("described");
    assert_eq!(log.into_inner().server_version, env!("CARGO_PKG_VERSION"));
    server.terminate("TERM").await;

    // An upgrade keeps the changed settings; a purge removes them, and not the log.
    root.dpkg(&["--install", package]);
    let kept = fs::read_to_string(&settings).expect("the settings");
    assert!(kept.contains(data.to_str().expect("UTF-8")), "{kept}");
    root.dpkg(&["--purge", "userpool"]);
    assert!(!settings.exists() && !binary.exists() && data.join("log").exists());
}

#[test]
fn systemd_accepts_the_unit_of_the_package() {
    let promise = "that systemd accepts the unit of the Debian package";
    let Some(systemd_analyze) = tools::systemd_analyze(promise) else { return };
    if !tools::dpkg(promise) {
        return;
    }
    let directory = TempDir::new().expect("a directory");
    let root = directory.path().join("root");
    let package = package(directory.path());
    content(Command::new("dpkg-deb").arg("--extract").arg(package).arg(&root));
    let unit = root.join("usr/lib/systemd/system/userpool.service");
    let text = fs::read_to_string(&unit).expect("the unit");
    let command = "ExecStart=/usr/bin/userpool serve --config /etc/userpool/userpool.toml";
    assert!(text.starts_with("[Unit]\n") && text.contains(command), "{text}");
    assert!(!text.contains("/usr/local"), "{text}");
    let installed = format!("ExecStart={}", root.join("usr/bin/userpool").display());
    fs::write(&unit, text.replace("ExecStart=/usr/bin/userpool", &installed)).expect("written");
    assert_eq!(findings(Command::new(systemd_analyze).arg("verify").arg(&unit)), "");
}
