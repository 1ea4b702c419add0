//! Compressed exports: written by their names, read by their contents, and never short.

use std::{fs, process::Stdio};

use tokio::{io::AsyncWriteExt as _, process::Command};

use crate::{binary::userpool, tools::repository};

use super::{directory, printed, run, whole, write};

#[tokio::test(flavor = "multi_thread")]
async fn a_name_says_how_an_export_is_compressed() {
    let directory = directory().await;
    let path = directory.path();
    for (name, magic) in [
        ("log.jsonl", &b"{\"position\""[..]),
        ("log.gz", b"\x1f\x8b"),
        ("log.zst", b"\x28\xb5\x2f\xfd"),
    ] {
        printed(path, &["log", "export", name]).await;
        let file = fs::read(path.join(name)).expect("an export");
        assert!(file.starts_with(magic), "{name}");
        assert!(name == "log.jsonl" || file.len() < whole().len() / 2, "{} bytes", file.len());
        // Read by its content, whatever the name is.
        fs::rename(path.join(name), path.join("any")).expect("renamed");
        let verified = printed(path, &["verify", "any"]).await;
        assert!(verified.starts_with("Every record up to position 16 is valid"), "{verified}");
        printed(path, &["log", "import", "any", "--data-dir", name]).await;
        assert_eq!(printed(path, &["log", "export", "--data-dir", name]).await, whole());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn other_tools_read_and_write_the_same() {
    let directory = directory().await;
    let path = directory.path();
    printed(path, &["log", "export", "log.jsonl.gz"]).await;
    let gzip = Command::new("gzip").args(["-dc", "log.jsonl.gz"]).current_dir(path).output();
    assert_eq!(String::from_utf8(gzip.await.expect("gzip").stdout).expect("UTF-8"), whole());
    // Written by the reference implementation, in two frames.
    let reference = repository().join("tests/fixtures/data-directory-2.jsonl.zst");
    let verified = printed(path, &["verify", reference.to_str().expect("UTF-8")]).await;
    assert!(verified.starts_with("Every record up to position 16 is valid"), "{verified}");
    for file in ["log.jsonl.gz", reference.to_str().expect("UTF-8")] {
        let mut verify = userpool();
        verify.args(["verify", "-"]).stdin(Stdio::piped()).current_dir(path);
        let mut verify = verify.spawn().expect("the binary runs");
        let mut stdin = verify.stdin.take().expect("a pipe");
        stdin.write_all(&fs::read(path.join(file)).expect("a file")).await.expect("written");
        drop(stdin);
        assert!(verify.wait().await.expect("an end").success(), "{file}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_truncated_or_damaged_file_is_never_a_success() {
    let directory = directory().await;
    let path = directory.path();
    for name in ["log.gz", "log.zst"] {
        printed(path, &["log", "export", name]).await;
        let file = fs::read(path.join(name)).expect("an export");
        let lengths = [0, 1, 3, 5, 12, file.len() / 2, file.len() - 9, file.len() - 1];
        for length in lengths {
            write(path, "short", &file[..length]);
            let verified = run(path, &["verify", "short"]).await;
            assert_eq!(verified.code, Some(1), "{length} of {}: {verified:?}", file.len());
            if length == file.len() - 9 {
                let expected = "the compressed data is damaged, or ends too early";
                assert!(verified.stderr.contains(expected), "{name}: {verified:?}");
                assert!(!verified.stderr.contains("Error"), "{name}: {verified:?}");
            }
        }
        for at in [5, file.len() / 3, file.len() / 2, file.len() - 2] {
            let mut changed = file.clone();
            changed[at] ^= 0x10;
            write(path, "changed", &changed);
            let import = ["log", "import", "changed", "--data-dir", "new"];
            for command in [&["verify", "changed"][..], &import] {
                let refused = run(path, command).await;
                // The header of gzip has a time and a system, which mean nothing.
                if (name, at) != ("log.gz", 5) {
                    assert_eq!(refused.code, Some(1), "byte {at} of {name}: {refused:?}");
                }
            }
            fs::remove_dir_all(path.join("new")).ok();
        }
        // Something that is not compressed after the end.
        write(path, "longer", [file.as_slice(), b"tail"].concat());
        assert_eq!(run(path, &["verify", "longer"]).await.code, Some(1), "{name}");
        write(path, "twice", [file.as_slice(), file.as_slice()].concat());
        let twice = run(path, &["verify", "twice"]).await;
        assert!(twice.stdout.contains("INVALID at position 17"), "{twice:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_export_leaves_no_file() {
    let directory = directory().await;
    for name in ["log.gz", "log.zst"] {
        let failed = run(directory.path(), &["log", "export", "--after", "99", name]).await;
        assert_eq!(failed.code, Some(1));
        let full = run(directory.path(), &["log", "export", "/dev/full"]).await;
        assert_eq!(full.code, Some(1), "{full:?}");
        assert!(full.stderr.contains("No space left"), "{}", full.stderr);
    }
    assert_eq!(fs::read_dir(directory.path()).expect("a directory").count(), 2);
}
