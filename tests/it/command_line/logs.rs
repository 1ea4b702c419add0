//! `log export` and `log import`: which log, and which line.

use std::{fs, io::Write as _, path::Path};

use flate2::{Compression, write::GzEncoder};
use tempfile::TempDir;

use super::{CommandOutput, create, output, run_with, userpool};
use crate::support::TestServer;

/// An export of three events.
async fn export() -> String {
    let server = TestServer::start().await;
    for name in ["a", "b", "c"] {
        create(&server, name).await;
    }
    let endpoint = server.endpoint.to_string();
    let exported = run_with(&endpoint, &["log", "export", "--from", &endpoint], "").await;
    assert_eq!(exported.code, 0, "{exported:?}");
    server.stop().await;
    exported.stdout
}

/// Imports bytes into a new data directory.
async fn import(directory: &TempDir, bytes: &[u8]) -> CommandOutput {
    let file = directory.path().join("log.jsonl");
    fs::write(&file, bytes).expect("a file");
    let data_dir = directory.path().join("data");
    let mut command = userpool("127.0.0.1:1", &["log", "import"]);
    command.arg(&file).arg("--data-dir").arg(&data_dir);
    let imported = output(command).await;
    assert_eq!(data_dir.exists(), imported.code == 0);
    imported
}

#[tokio::test(flavor = "multi_thread")]
async fn an_export_is_of_the_server_in_the_environment() {
    let server = TestServer::start().await;
    create(&server, "people").await;
    let elsewhere = TempDir::new().expect("a directory");
    let export = |data_dir: Option<&Path>| {
        let mut command = userpool(&server.endpoint.to_string(), &["log", "export"]);
        command.current_dir(elsewhere.path());
        command.envs(data_dir.map(|path| ("USERPOOL_DATA_DIR", path)));
        command
    };
    let exported = output(export(None)).await;
    assert_eq!((exported.code, exported.stdout.lines().count()), (0, 1), "{exported:?}");

    let both = output(export(Some(elsewhere.path()))).await;
    assert_eq!(
        (both.code, both.stderr.as_str()),
        (
            1,
            "userpool: both USERPOOL_ENDPOINT and USERPOOL_DATA_DIR are set; name one log with \
             --from or --data-dir\n"
        )
    );
    let mut command = export(None);
    command.env_remove("USERPOOL_ENDPOINT");
    let neither = output(command).await;
    assert_eq!(neither.code, 1);
    assert!(
        neither.stderr.ends_with("; to export from a running server, name it with --from\n"),
        "{neither:?}"
    );
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_invalid_export_is_refused_by_the_line_of_the_file() {
    let export = export().await;
    let lines: Vec<_> = export.lines().collect();
    let directory = TempDir::new().expect("a directory");
    let joined = |lines: &[&str]| lines.join("\n").into_bytes();
    let not_utf8 = [lines[0].as_bytes(), b"\n\xff\n"].concat();
    for (bytes, message) in [
        (joined(&[lines[0], "", lines[1]]), "line 2 is blank, but each line of an export"),
        (joined(&[lines[0], lines[1], " \t"]), "line 3 is blank, but each line of an export"),
        (joined(&[lines[0], lines[1], "{}"]), "line 3: position 3: the event has no record"),
        (joined(&[lines[0], "[1]"]), "line 2: position 2: the line is not an event in JSON"),
        (joined(&[lines[0], lines[2]]), "line 2: position 2: the record"),
        (not_utf8, "cannot read line 2: stream did not contain valid UTF-8"),
    ] {
        let refused = import(&directory, &bytes).await;
        assert_eq!(refused.code, 1, "{refused:?}");
        let file = directory.path().join("log.jsonl");
        let message = format!("userpool: {}: {message}", file.display());
        assert!(refused.stderr.starts_with(&message), "{refused:?} for {message}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_compressed_export_is_imported_under_any_name() {
    let export = export().await;
    let compressed = |text: &str| {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(text.as_bytes()).expect("memory");
        encoder.finish().expect("memory")
    };
    let (first, rest) = export.split_at(export.find('\n').expect("a line") + 1);
    let two_parts = [compressed(first), compressed(rest)].concat();
    for bytes in [compressed(&export), two_parts] {
        let directory = TempDir::new().expect("a directory");
        let imported = import(&directory, &bytes).await;
        assert_eq!(imported.code, 0, "{imported:?}");
        assert!(imported.stdout.starts_with("imported 3 events, "), "{imported:?}");
    }
    let directory = TempDir::new().expect("a directory");
    let whole = compressed(&export);
    let truncated = import(&directory, &whole[..whole.len() / 2]).await;
    assert_eq!(truncated.code, 1, "{truncated:?}");
    assert!(
        truncated.stderr.contains("log.jsonl: the compressed data is damaged"),
        "{truncated:?}"
    );
}
