//! The crate that cargo packages has what its build needs, and little else.

use std::{collections::BTreeSet, fs, path::Path, process::Command};

use super::content;
use crate::tools::repository;

/// A larger package has something in it that is not for its users.
const MAX_BYTES: u64 = 4 << 20;

/// Every file below a directory of the repository.
fn files(directory: &Path) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for entry in fs::read_dir(directory).expect("a directory") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            let below = path.strip_prefix(repository()).expect("below it");
            found.insert(below.to_str().expect("UTF-8").to_owned());
        }
    }
    found
}

#[test]
fn the_packaged_crate_has_the_sources_and_no_tests() {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["package", "--list", "--allow-dirty", "--locked", "--offline", "--quiet"]);
    let listed = cargo.current_dir(repository()).output().expect("it runs");
    assert!(listed.status.success(), "{}", String::from_utf8_lossy(&listed.stderr));
    let listed = String::from_utf8(listed.stdout).expect("UTF-8");
    let listed: BTreeSet<_> = listed.lines().map(str::to_owned).collect();

    let mut needed = files(&repository().join("src"));
    needed.extend(files(&repository().join("proto")));
    needed.extend(["build.rs", "Cargo.lock", "LICENSE", "README.md"].map(str::to_owned));
    let missing: Vec<_> = needed.difference(&listed).collect();
    assert!(missing.is_empty(), "{missing:?}");
    for other in ["tests/", "benches/", "fuzz/", "examples/", "deploy/debian/"] {
        assert!(!listed.iter().any(|file| file.starts_with(other)), "{other}");
    }
    let sizes = listed.iter().filter_map(|file| fs::metadata(repository().join(file)).ok());
    let bytes: u64 = sizes.map(|file| file.len()).sum();
    assert!(bytes < MAX_BYTES, "{bytes} bytes");
}

#[test]
fn cargo_knows_what_the_crate_is() {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["metadata", "--locked", "--offline", "--no-deps", "--format-version", "1"]);
    let metadata = content(cargo.current_dir(repository()));
    let metadata: serde_json::Value = serde_json::from_str(&metadata).expect("JSON");
    let package = &metadata["packages"][0];
    for field in ["description", "license", "readme", "rust_version"] {
        assert!(package[field].is_string(), "{field}");
    }
    for field in ["keywords", "categories"] {
        let values = package[field].as_array().expect("a list");
        // More than five are refused by the registry.
        assert!((1..=5).contains(&values.len()), "{field}");
    }
}
