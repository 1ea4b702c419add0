//! The image is built from existing files, by steps that work, and its binary finds
//! its libraries. There is no container engine here: a shell carries out the steps in
//! a directory, with a cargo that only checks what it would build.

use std::{
    collections::BTreeSet, env, fs, os::unix::fs::PermissionsExt as _, path::Path, process::Command,
};

use regex::Regex;
use tempfile::TempDir;

use super::{content, deploy, findings, read};
use crate::{
    support::copy_directory,
    tools::{self, repository},
};

/// The libraries in distroless/cc that a Rust program may need.
const LIBRARIES: [&str; 6] = [
    "linux-vdso.so.1",
    "ld-linux-x86-64.so.2",
    "ld-linux-aarch64.so.1",
    "libc.so.6",
    "libm.so.6",
    "libgcc_s.so.1",
];

/// Stands in for the build: checks that the manifest matches the copied files, and
/// that the arguments are those of a build.
const CARGO: &str = r#"#!/bin/sh
[ "$*" = "build --profile dist --locked --bin userpool" ] || exit 1
echo "$*" >> ../built
exec "$REAL_CARGO" metadata --locked --offline --no-deps --format-version 1 > ../metadata
"#;

/// The instructions of the Dockerfile, each on one line.
fn instructions() -> Vec<(String, String)> {
    let dockerfile = read("Dockerfile");
    let lines = dockerfile.lines().filter(|line| !line.starts_with('#'));
    let whole = lines.collect::<Vec<_>>().join("\n").replace("\\\n", " ");
    let words = whole.lines().filter_map(|line| line.split_once(' '));
    words.map(|(word, rest)| (word.to_owned(), rest.trim().to_owned())).collect()
}

/// Whether `.dockerignore` lets the file through to the builder.
fn is_sent(path: &str) -> bool {
    let ignored = fs::read_to_string(repository().join(".dockerignore")).expect("a file");
    ignored.lines().any(|line| line.strip_prefix('!') == Some(path))
}

#[test]
fn the_build_steps_work_with_the_files_they_copy() {
    let directory = TempDir::new().expect("a directory");
    let (build, bin) = (directory.path().join("build"), directory.path().join("bin"));
    for directory in [&build, &bin] {
        fs::create_dir(directory).expect("a directory");
    }
    let cargo = bin.join("cargo");
    fs::write(&cargo, CARGO).expect("written");
    fs::set_permissions(&cargo, fs::Permissions::from_mode(0o755)).expect("a mode");
    let path = env::var("PATH").unwrap_or_default();
    for (instruction, rest) in instructions() {
        match instruction.as_str() {
            "COPY" if rest.starts_with("--from") => {
                let from = rest.split_whitespace().rev().nth(1).expect("a source");
                let from = from.strip_prefix("/build/").expect("a source in the build");
                // The build is not run here, so this makes the binary.
                assert!(from.ends_with("/userpool") || build.join(from).exists(), "{from}");
            }
            "COPY" => {
                let (sources, target) = rest.rsplit_once(' ').expect("a target");
                for source in sources.split_whitespace() {
                    assert!(is_sent(source), "{source} is ignored");
                    let target = if target == "./" { source } else { target };
                    copy(&repository().join(source), &build.join(target));
                }
            }
            "RUN" => {
                let mut shell = Command::new("sh");
                shell.args(["-euc", &rest]).current_dir(&build);
                shell.env("PATH", format!("{}:{path}", bin.display()));
                content(shell.env("REAL_CARGO", env!("CARGO")));
            }
            "FROM" | "WORKDIR" | "USER" | "VOLUME" | "ENV" | "EXPOSE" | "STOPSIGNAL"
            | "HEALTHCHECK" | "ENTRYPOINT" | "CMD" => (),
            other => assert_eq!(other, "", "an unknown instruction"),
        }
    }
    let runs = fs::read_to_string(directory.path().join("built")).expect("builds");
    assert_eq!(runs.lines().count(), 2, "{runs}");
    let main = fs::read_to_string(build.join("src/main.rs")).expect("a file");
    assert!(main.len() > 100, "the sources replaced their stand-ins");
}

fn copy(from: &Path, to: &Path) {
    if from.is_dir() {
        copy_directory(from, to);
    } else {
        fs::create_dir_all(to.parent().expect("a directory")).expect("created");
        fs::copy(from, to).expect("copied");
    }
}

#[test]
fn the_sources_include_only_copied_files() {
    let include = Regex::new(r#"include_(str|bytes)!\(\s*"([^"]*)""#).expect("a pattern");
    let mut directories = vec![repository().join("src")];
    let mut files = 0;
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(directory).expect("a directory") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                directories.push(path);
                continue;
            }
            // The dictionary of the packs is not text.
            let Ok(source) = fs::read_to_string(&path) else { continue };
            files += 1;
            for included in include.captures_iter(&source) {
                let included = path.parent().expect("a directory").join(&included[2]);
                let included = included.canonicalize().expect("a file");
                let copied = ["src", "proto"].map(|part| repository().join(part));
                let found = copied.iter().any(|part| included.starts_with(part));
                assert!(found, "{}", included.display());
            }
        }
    }
    assert!(files > 50, "{files} sources");
}

#[test]
fn the_binary_needs_only_the_libraries_of_the_image() {
    let listed = content(Command::new("ldd").arg(env!("CARGO_BIN_EXE_userpool")));
    let names = listed.lines().filter_map(|line| line.split_whitespace().next());
    let needed: BTreeSet<_> = names.filter_map(|name| name.rsplit('/').next()).collect();
    assert!(needed.contains("libc.so.6"), "{needed:?}");
    assert!(needed.is_subset(&LIBRARIES.into()), "{needed:?}");
}

#[test]
fn the_image_runs_as_nobody_with_a_probe_and_a_stop_signal() {
    let all = instructions();
    let value = |word: &str| all.iter().rfind(|(name, _)| name == word).map(|(_, rest)| rest);
    assert_eq!(value("USER").map(String::as_str), Some("65532:65532"));
    assert_eq!(value("STOPSIGNAL").map(String::as_str), Some("SIGTERM"));
    let (_, health) = value("HEALTHCHECK").and_then(|rest| rest.split_once("CMD ")).expect("CMD");
    let health: Vec<String> = serde_json::from_str(health).expect("a list");
    assert_eq!(health[0], "/usr/local/bin/userpool");
    let mut probe = Command::new(env!("CARGO_BIN_EXE_userpool"));
    probe.args(&health[1..]).env("USERPOOL_ENDPOINT", "127.0.0.1:1");
    // The error of an unreachable server, not of an unknown command.
    assert_eq!(probe.output().expect("it runs").status.code(), Some(64 + 14));
}

#[test]
fn the_dockerfile_passes_the_linter() {
    let Some(hadolint) = tools::hadolint("that the Dockerfile passes a linter") else { return };
    assert_eq!(findings(Command::new(hadolint).arg(deploy("Dockerfile"))), "");
}
