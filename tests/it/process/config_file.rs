//! Flags override the environment, which overrides the settings file, which overrides
//! the defaults; errors name the source.

use std::{fs, path::Path, process::Output};

use tempfile::TempDir;

use crate::{
    binary::{self, Process, run, userpool},
    support::{create, named},
};

#[tokio::test(flavor = "multi_thread")]
async fn flags_override_environment_then_file_then_defaults() {
    let directory = TempDir::new().expect("a directory");
    let file = directory.path().join("userpool.toml");
    let text = "max-tags = 1\nmax-reads = 0x1_0\nregion = \"eu-west-1\"\nlog-format = \"json\"";
    fs::write(&file, text).expect("written");
    let mut command = userpool();
    command.args(["serve", "--print-config", "--max-tags=3"]);
    command.env("USERPOOL_CONFIG", &file).env("USERPOOL_REGION", "ap-east-1");
    command.env("USERPOOL_MAX_TAGS", "2");

    let printed = printed(run(&mut command).await);

    let from_file = file.display();
    for line in [
        "max-tags = 3  # flag".to_owned(),
        "region = \"ap-east-1\"  # environment USERPOOL_REGION".to_owned(),
        format!("max-reads = 16  # {from_file}"),
        format!("log-format = \"json\"  # {from_file}"),
        "max-watches = 4096  # default".to_owned(),
    ] {
        assert!(printed.lines().any(|printed| printed == line), "{line}: {printed}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_printed_settings_are_a_settings_file() {
    let directory = TempDir::new().expect("a directory");
    let file = directory.path().join("userpool.toml");
    let mut command = userpool();
    command.args(["serve", "--print-config", "--data-dir=/a \"b\"\n# c", "--max-user-pools=7"]);
    let first = printed(run(&mut command).await);
    fs::write(&file, &first).expect("written");

    let second = run(userpool().args(["serve", "--print-config", "--config"]).arg(&file)).await;

    let values = |printed: &str| -> Vec<_> {
        printed.lines().map(|line| line.split("  # ").next().map(str::to_owned)).collect()
    };
    assert_eq!(values(&printed(second)), values(&first));
}

#[tokio::test(flavor = "multi_thread")]
async fn settings_from_the_file_hold() {
    let directory = TempDir::new().expect("a directory");
    let data_dir = directory.path().join("elsewhere");
    let file = directory.path().join("userpool.toml");
    let text = format!(
        "listen = \"127.0.0.1:0\"\ndata-dir = {:?}\nregion = \"eu-west-1\"\nmax-user-pools = 1\n",
        data_dir.display().to_string()
    );
    fs::write(&file, text).expect("written");
    let server = Process::from(userpool().args(["serve", "--config"]).arg(&file)).await;
    let mut client = server.client().await;

    let id = create(&mut client, "people").await;

    assert!(id.starts_with("eu-west-1_"), "{id}");
    client.create_user_pool(named("more")).await.expect_err("one alone");
    assert!(data_dir.join("manifest.json").exists());
    server.kill().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn errors_in_the_file_are_reported_by_line_and_stop_the_start() {
    let text = "max_tags = 5\nmax-reads = \"5\"\nlog-format = \"xml\"\naccount-id = \"s3cr3t\"\n\
                listn = \"127.0.0.1:0\"\nmax-watches = -1\n\
                max-user-pools = 1.5\n[region]\nname = \"eu-west-1\"";
    let stderr = refused(text).await;
    let lines = [
        "line 1: unknown setting \"max_tags\"; did you mean max-tags?",
        "line 2: max-reads: expected an integer",
        "line 3: log-format: expected one of auto, pretty, json",
        "line 4: account-id: expected 12 digits",
        "line 5: unknown setting \"listn\"; did you mean listen?",
        "line 6: max-watches: invalid digit found in string",
        "line 7: max-user-pools: expected an integer",
        "line 8: region: expected a string in quotes",
    ];
    let reported: Vec<_> = stderr.lines().skip(1).map(str::trim).collect();
    assert_eq!(reported, lines);
    assert!(!stderr.contains("s3cr3t"), "a value may be a secret: {stderr}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_invalid_or_missing_settings_file_is_refused() {
    for (text, expected) in [
        ("region = \"eu-west-1\"\nlog = \"s3cr3t\n", "line 2: invalid basic string"),
        ("max-tags = 1\nmax-tags = 2\n", "line 2: duplicate key"),
        ("config = \"s3cr3t\"", "line 1: unknown setting \"config\""),
    ] {
        let stderr = refused(text).await;
        assert!(stderr.contains(expected) && !stderr.contains("s3cr3t"), "{stderr}");
    }
    let output = run(userpool().args(["serve", "--config=/no/such/file"])).await;
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr.starts_with("userpool: /no/such/file: No such file"), "{stderr}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_invalid_value_is_reported_even_if_a_flag_overrides_it() {
    let directory = TempDir::new().expect("a directory");
    let file = directory.path().join("userpool.toml");
    fs::write(&file, "max-tags = -1").expect("written");
    let mut command = userpool();
    command.args(["serve", "--max-tags=3", "--check-config", "--config"]).arg(&file);
    let output = run(&mut command).await;
    assert_eq!(output.status.code(), Some(1), "{output:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn check_config_reports_all_errors_and_changes_nothing() {
    let directory = TempDir::new().expect("a directory");
    let data_dir = directory.path().join("data");
    let check = async |listen: &str| {
        let mut command = binary::serve(&data_dir);
        run(command.args(["--check-config", "--listen", listen])).await
    };

    let good = check("localhost:50051").await;
    assert_eq!(printed(good), "the settings are valid\n");
    assert!(!data_dir.exists());

    fs::write(&data_dir, "precious").expect("written");
    let bad = check("no-such-host.invalid:0").await;
    let stderr = String::from_utf8_lossy(&bad.stderr);
    assert_eq!(bad.status.code(), Some(1), "{stderr}");
    assert_eq!(stderr.lines().count(), 2, "{stderr}");
    assert!(stderr.contains("cannot listen on no-such-host.invalid:0"), "{stderr}");
    assert!(stderr.contains("is not a directory; choose another --data-dir"), "{stderr}");
}

#[tokio::test(flavor = "multi_thread")]
async fn check_config_compares_with_a_data_directory_that_is_in_use() {
    let directory = TempDir::new().expect("a directory");
    let server = Process::start(directory.path()).await;
    let check = async |region: &str| {
        let mut command = binary::serve(directory.path());
        run(command.args(["--check-config", "--region", region])).await
    };
    printed(check("us-east-1").await);
    let other = check("eu-west-1").await;
    assert_eq!(other.status.code(), Some(1));
    let stderr = String::from_utf8_lossy(&other.stderr);
    assert!(stderr.contains("start with --region us-east-1"), "{stderr}");
    create(&mut server.client().await, "people").await;
    server.kill().await;
}

/// The output of a server that is started with such a file.
async fn refused(text: &str) -> String {
    let directory = TempDir::new().expect("a directory");
    let file = directory.path().join("userpool.toml");
    fs::write(&file, text).expect("written");
    let data_dir = directory.path().join("data");
    let output = run(binary::serve(&data_dir).arg("--config").arg(&file)).await;
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    let first = format!("userpool: invalid settings in {}:\n", file.display());
    assert!(stderr.starts_with(&first), "{stderr}");
    assert!(!Path::new(&data_dir).exists());
    stderr
}

/// The output of a command that succeeded.
fn printed(output: Output) -> String {
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).expect("UTF-8")
}
