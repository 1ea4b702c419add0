//! A server that cannot start prints one sentence and changes nothing.

use std::{collections::BTreeMap, fs, net::TcpListener, path::Path};

use tempfile::TempDir;
use tokio::process::Command;

use crate::{
    binary::{Process, run, serve, userpool},
    support::{copy_directory, create, pools},
};

#[tokio::test(flavor = "multi_thread")]
async fn a_data_directory_in_use_is_refused() {
    let directory = TempDir::new().expect("a directory");
    let server = Process::start(directory.path()).await;
    let mut client = server.client().await;
    create(&mut client, "people").await;

    let sentence = refused(on_free_port(directory.path())).await;

    assert!(sentence.contains("is in use by another userpool process"), "{sentence}");
    assert!(sentence.contains("--data-dir"), "{sentence}");
    create(&mut client, "the first is not disturbed").await;
    server.kill().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unusable_address_is_refused_and_nothing_is_created() {
    for address in ["192.0.2.1:0", "no-such-host.invalid:0", "unix:/no/such/directory/socket"] {
        let directory = TempDir::new().expect("a directory");
        let data_dir = directory.path().join("data");

        let sentence = refused(serve(&data_dir).args(["--listen", address])).await;

        assert!(sentence.contains(&format!("cannot listen on {address}")), "{sentence}");
        assert!(!data_dir.exists(), "{address}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_in_use_is_refused_and_nothing_is_created() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("bound");
    let address = taken.local_addr().expect("an address").to_string();
    let directory = TempDir::new().expect("a directory");
    let data_dir = directory.path().join("data");

    let sentence = refused(serve(&data_dir).args(["--listen", &address])).await;

    assert!(sentence.contains(&format!("cannot listen on {address}")), "{sentence}");
    assert!(!data_dir.exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_data_directory_that_cannot_be_written_is_refused() {
    let directory = TempDir::new().expect("a directory");
    let file = directory.path().join("file");
    fs::write(&file, "precious").expect("written");

    let sentence = refused(on_free_port(&file)).await;
    assert!(sentence.contains("is not a directory; choose another --data-dir"), "{sentence}");
    assert_eq!(fs::read_to_string(&file).expect("readable"), "precious");

    // Nobody can write there, not even root.
    for path in ["/proc/userpool", "/proc/self"] {
        let sentence = refused(on_free_port(Path::new(path))).await;
        assert!(sentence.contains("cannot use "), "{sentence}");
    }
    let sentence = refused(on_free_port(&file.join("inside"))).await;
    assert!(sentence.contains("cannot use "), "{sentence}");
}

/// The change of the directory, and the expected error.
type Case<'a> = (&'a dyn Fn(&Path), &'a str);

#[tokio::test(flavor = "multi_thread")]
async fn an_unsupported_data_directory_is_refused_and_unchanged() {
    let manifest = |path: &Path, text: &str| {
        fs::write(path.join("manifest.json"), text).expect("written");
    };
    let newer = r#"{"format": 4, "rooms": ["of", "the", "future"]}"#;
    let other = r#"{"format": 1, "region": "eu-west-1", "created_at": "2017-12-11T00:00:00Z"}"#;
    let cases: [Case<'_>; 5] = [
        (&|path| manifest(path, newer), "has format 4, which is newer than format 3"),
        (&|path| manifest(path, other), "start with --region eu-west-1"),
        (&|path| manifest(path, "{"), "manifest.json is damaged; restore it from a backup"),
        (&|path| manifest(path, "{}"), "manifest.json is damaged; restore it from a backup"),
        (
            &|path| fs::remove_dir_all(path.join("log/records")).expect("removed"),
            "ends at position 0, but position 1 was acknowledged",
        ),
    ];
    for (change, expected) in cases {
        let directory = TempDir::new().expect("a directory");
        let server = Process::start(directory.path()).await;
        create(&mut server.client().await, "people").await;
        assert!(server.terminate("TERM").await.status.success());
        change(directory.path());
        let before = contents(directory.path());

        let sentence = refused(on_free_port(directory.path())).await;

        assert!(sentence.contains(expected), "{sentence}");
        let mut after = contents(directory.path());
        // sled creates missing files.
        after.retain(|path, _| !path.contains("log/records") || before.contains_key(path));
        assert_eq!(after, before, "{sentence}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_flag_exits_with_2() {
    let directory = TempDir::new().expect("a directory");
    for (arguments, expected) in [
        (["--listen", "nonsense"], "expected HOST:PORT"),
        (["--listen", "127.0.0.1:65536"], "expected HOST:PORT"),
        (["--listen", "unix:"], "expected HOST:PORT"),
        (["--region", "us_east_1"], "expected 1 to 45 letters, digits and hyphens"),
        (["--account-id", "1234"], "expected 12 digits"),
        (["--max-user-pools", "1.5"], "invalid digit"),
        (["--max-tags", "many"], "invalid digit"),
        (["--log-format", "xml"], "possible values: auto, pretty, json"),
        (["--colour", "blue"], "unexpected argument"),
    ] {
        let data_dir = directory.path().join("data");
        let output = run(serve(&data_dir).args(arguments)).await;
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {stderr}");
        assert!(stderr.contains(expected), "{arguments:?}: {stderr}");
        assert!(!data_dir.exists(), "{arguments:?}");
    }
    assert_eq!(run(&mut userpool()).await.status.code(), Some(2));
    assert_eq!(run(userpool().arg("--version")).await.status.code(), Some(0));
}

/// The error of a server that did not start.
async fn refused(mut command: impl std::borrow::BorrowMut<Command>) -> String {
    let output = run(command.borrow_mut().args(["--log", "error"])).await;
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    assert_eq!(output.stdout, b"", "{stderr}");
    assert!(stderr.starts_with("userpool: ") && stderr.ends_with('\n'), "{stderr}");
    assert_eq!(stderr.lines().count(), 1, "{stderr}");
    assert!(!stderr.contains("panic"), "{stderr}");
    stderr
}

fn on_free_port(data_dir: &Path) -> Command {
    let mut command = serve(data_dir);
    command.arg("--listen=127.0.0.1:0");
    command
}

/// The content of a directory, by path.
fn contents(directory: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut contents = BTreeMap::new();
    for entry in fs::read_dir(directory).expect("a directory") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            contents.extend(self::contents(&path));
        } else {
            contents.insert(path.display().to_string(), fs::read(&path).expect("readable"));
        }
    }
    contents
}

/// The whole log with the record of its last acknowledged position, and no read model.
#[tokio::test(flavor = "multi_thread")]
async fn a_log_without_the_record_of_a_checkpoint_is_refused() {
    let directory = TempDir::new().expect("a directory");
    let at = |name: &str| directory.path().join(name);
    let server = Process::start(directory.path()).await;
    create(&mut server.client().await, "people").await;
    server.terminate("TERM").await;
    copy_directory(&at("log"), &at("earlier"));
    for name in ["others", "more"] {
        let server = Process::start(directory.path()).await;
        create(&mut server.client().await, name).await;
        server.terminate("TERM").await;
    }
    fs::rename(at("log"), at("whole")).expect("moved");
    fs::rename(at("earlier"), at("log")).expect("moved");
    fs::remove_dir_all(at("read_model")).expect("removed");

    let rolled_back = refused(on_free_port(directory.path())).await;
    let expected = "checkpoints.jsonl, at position 3, is not of this log, which ends at position 1";
    assert!(rolled_back.contains(expected), "{rolled_back}");

    // As long, with other events.
    let kept = at("kept.jsonl");
    fs::rename(at("checkpoints.jsonl"), &kept).expect("moved");
    for name in ["new", "newer", "newest"] {
        let server = Process::start(directory.path()).await;
        create(&mut server.client().await, name).await;
        server.terminate("TERM").await;
    }
    fs::rename(&kept, at("checkpoints.jsonl")).expect("moved back");
    let other = refused(on_free_port(directory.path())).await;
    let expected = "checkpoints.jsonl, at position 3, is not of this log, which ends at position 4";
    assert!(other.contains(expected), "{other}");

    fs::remove_dir_all(at("log")).expect("removed");
    fs::remove_dir_all(at("read_model")).expect("removed");
    fs::rename(at("whole"), at("log")).expect("moved back");
    let server = Process::start(directory.path()).await;
    assert_eq!(pools(&mut server.client().await).await.len(), 3);
    server.kill().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_lost_its_end_is_refused() {
    let directory = TempDir::new().expect("a directory");
    let server = Process::start(directory.path()).await;
    let id = create(&mut server.client().await, "people").await;
    server.terminate("TERM").await;
    let log = directory.path().join("log");
    let aside = directory.path().join("aside");
    fs::rename(&log, &aside).expect("moved");
    fs::create_dir(&log).expect("a directory");

    let sentence = refused(on_free_port(directory.path())).await;

    let file = directory.path().join("checkpoints.jsonl");
    let of_another_log =
        format!("the last checkpoint in {}, at position 1, is not", file.display());
    assert!(sentence.contains(&of_another_log), "{sentence}");

    let kept = directory.path().join("kept.jsonl");
    fs::rename(&file, &kept).expect("moved");
    let sentence = refused(on_free_port(directory.path())).await;

    assert!(
        sentence
            .contains("the read model ends at position 1, after the log, which ends at position 0"),
        "{sentence}"
    );
    fs::remove_dir_all(&log).expect("removed");
    fs::rename(&aside, &log).expect("moved back");
    fs::rename(&kept, &file).expect("moved back");
    let server = Process::start(directory.path()).await;
    assert_eq!(pools(&mut server.client().await).await[0].id.as_ref(), Some(&id));
    server.kill().await;
}
