//! Directories of many user pools: written once, kept in `target/bench-data` under
//! the hash of their sources, and copied for each run, because servers change them.

use std::{
    fs,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
    process::Command,
    time::Instant,
};

use sha2::{Digest as _, Sha256};

use crate::{Bench, data_directory::DataDirectory, figures::shown};

/// The number of events of the one user pool that has more than one.
pub(crate) const OWN: u64 = 500;

/// A copy of a log with this many events for this run. It has no read model at first,
/// and keeps the one that its first server builds, since that takes longest.
pub(crate) fn copy(bench: &Bench, events: u64) -> PathBuf {
    let copy = bench.scratch.path().join(format!("events-{events}"));
    if copy.is_dir() {
        return copy;
    }
    let kept = cached(bench, events);
    let copied = Command::new("cp").arg("-a").arg(kept).arg(&copy).status();
    assert!(copied.is_ok_and(|status| status.success()), "the log cannot be copied");
    // The next measurement must not wait for these bytes.
    let synced = Command::new("sync").arg("-f").arg(&copy).status();
    assert!(synced.is_ok_and(|status| status.success()), "the copy cannot be synced");
    copy
}

fn cached(bench: &Bench, events: u64) -> PathBuf {
    let directory = DataDirectory { events, own: OWN.min(events / 2) };
    let mut key = Sha256::new();
    key.update(include_bytes!("../data_directory.rs"));
    key.update(include_bytes!("../varied_pools.rs"));
    key.update(directory.events.to_be_bytes());
    key.update(directory.own.to_be_bytes());
    let key = data_encoding::HEXLOWER.encode(&key.finalize());
    let all = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/bench-data");
    let cached = all.join(format!("{events}-{}", key.get(..16).unwrap_or_default()));
    if !cached.is_dir() {
        fs::create_dir_all(&all).expect("target/bench-data");
        let half = tempfile::tempdir_in(&all).expect("a directory");
        let started = Instant::now();
        bench.runtime.block_on(directory.write(half.path()));
        let seconds = started.elapsed().as_secs_f64();
        println!("{} events written in {seconds:.1} s", shown(events as f64));
        fs::rename(half.keep(), &cached).expect("the directory in its place");
    }
    cached
}

/// The bytes of a directory on the disk.
pub(crate) fn size(directory: &Path) -> u64 {
    let entries = fs::read_dir(directory).expect("a directory").filter_map(Result::ok);
    let size = |path: &Path| {
        let file = path.symlink_metadata().expect("a file");
        // The system counts in blocks of 512 bytes, whatever the file system uses.
        if file.is_dir() { size(path) } else { file.blocks() * 512 }
    };
    entries.map(|entry| size(&entry.path())).sum()
}
