//! Programs of PostgreSQL, which run as the user `postgres` when the tests run as root: PostgreSQL
//! refuses root. They end with the tests.

use std::{
    fs,
    os::unix::fs::{PermissionsExt as _, chown},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use tempfile::TempDir;

use super::network::Place;

/// A program of PostgreSQL, run as the user that may run it.
pub(super) fn program(name: &str) -> Command {
    program_in(None, name)
}

/// The same in a place of a network.
pub(super) fn program_in(place: Option<&Place>, name: &str) -> Command {
    command_as_postgres(place, "QUIT", &path_of(name))
}

/// A program that runs as the user `postgres`. It gets `death_signal` when this process ends,
/// however that happens.
pub(super) fn command_as_postgres(
    place: Option<&Place>,
    death_signal: &str,
    program: &Path,
) -> Command {
    let setpriv = "setpriv";
    let mut command = place.map_or_else(|| Command::new(setpriv), |place| place.command(setpriv));
    command.args(["--pdeathsig", death_signal]);
    if rustix::process::geteuid().is_root() {
        command.args(["--reuid", "postgres", "--regid", "postgres", "--init-groups"]);
    }
    command.arg(program).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    command
}

/// Where a program of PostgreSQL is.
pub(super) fn path_of(name: &str) -> PathBuf {
    let packages = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut packages: Vec<_> = packages.map(|entry| entry.path().join("bin").join(name)).collect();
    packages.sort();
    let path = std::env::var_os("PATH").unwrap_or_default();
    let paths = std::env::split_paths(&path).map(|path| path.join(name));
    let found = packages.into_iter().rev().chain(paths).find(|path| path.exists());
    found.unwrap_or_else(|| {
        unreachable!("{name} is not on this machine; tests/run installs PostgreSQL")
    })
}

/// Runs a program to its end.
pub(super) fn run(command: &mut Command) {
    let output = command.output().expect("it runs");
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {error}");
}

/// A directory that the database may use.
pub(super) fn directory() -> TempDir {
    let directory = tempfile::Builder::new().prefix("pg").tempdir().expect("a directory");
    give(directory.path(), 0o700);
    directory
}

/// Makes the user of the database the owner of a path, and sets its permissions.
pub(super) fn give(path: &Path, mode: u32) {
    if rustix::process::geteuid().is_root() {
        let id = |flag: &str| {
            let output = Command::new("id").args([flag, "postgres"]).output().expect("id");
            String::from_utf8_lossy(&output.stdout).trim().parse().expect("the user postgres")
        };
        chown(path, Some(id("-u")), Some(id("-g"))).expect("owned");
    }
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("private");
}
