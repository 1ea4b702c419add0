//! `userpool proto` writes the schema that the server serves.

use std::{collections::BTreeMap, fs, path::Path};

use super::{output, userpool};
use crate::tools::repository;

/// Every file below a directory: its path there, and its content.
fn files(directory: &Path) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let mut left = vec![directory.to_owned()];
    while let Some(next) = left.pop() {
        for entry in fs::read_dir(next).expect("a directory") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                left.push(path);
                continue;
            }
            let name = path.strip_prefix(directory).expect("below it").display().to_string();
            found.insert(name, fs::read_to_string(&path).expect("a text"));
        }
    }
    found
}

#[tokio::test]
async fn proto_writes_every_file_of_the_schema() {
    let directory = tempfile::tempdir().expect("a directory");
    let target = directory.path().join("new/proto");
    for _ in 0..2 {
        let written = output(userpool("", &["proto", target.to_str().expect("UTF-8")])).await;
        assert_eq!(written.code, 0, "{}", written.stderr);
        assert_eq!(written.stdout.lines().count(), files(&target).len());
    }
    assert_eq!(files(&target), files(&repository().join("proto")));

    let file = directory.path().join("file");
    fs::write(&file, "").expect("written");
    let refused = output(userpool("", &["proto", file.to_str().expect("UTF-8")])).await;
    assert_eq!(refused.code, 1);
    assert!(refused.stderr.contains("file/userpool/v1"), "{}", refused.stderr);
}
