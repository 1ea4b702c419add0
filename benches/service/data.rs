//! Directories of many user pools: written once, kept in `target/bench-data` under
//! the hash of what made them, and copied for each run, because servers change them.

use std::{
    fs,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
    process::Command,
    time::Instant,
};

use prost::Message as _;
use sha2::{Digest as _, Sha256};
use userpool::proto::UserPool;

use crate::{Bench, figures::shown, made::Made};

/// How many events the user pool has that has more than one.
pub(crate) const OWN: u64 = 500;

/// The run's own copy of a log of so many events. It comes without a read model, and
/// keeps the one that its first server builds: that takes longest of all.
pub(crate) fn copy(bench: &Bench, events: u64) -> PathBuf {
    let copy = bench.scratch.path().join(format!("events-{events}"));
    if copy.is_dir() {
        return copy;
    }
    let kept = kept(bench, events);
    let copied = Command::new("cp").arg("-a").arg(kept).arg(&copy).status();
    assert!(copied.is_ok_and(|status| status.success()), "the log cannot be copied");
    // What is measured next must not wait for these bytes.
    let synced = Command::new("sync").arg("-f").arg(&copy).status();
    assert!(synced.is_ok_and(|status| status.success()), "the copy cannot be synced");
    copy
}

fn kept(bench: &Bench, events: u64) -> PathBuf {
    let made = Made { events, own: OWN.min(events / 2), pool: template(&bench.messages.pool) };
    let mut key = Sha256::new();
    key.update(include_bytes!("../made.rs"));
    key.update(made.events.to_be_bytes());
    key.update(made.own.to_be_bytes());
    key.update(made.pool.encode_to_vec());
    let key = data_encoding::HEXLOWER.encode(&key.finalize());
    let all = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/bench-data");
    let kept = all.join(format!("{events}-{}", key.get(..16).unwrap_or_default()));
    if !kept.is_dir() {
        fs::create_dir_all(&all).expect("target/bench-data");
        let half = tempfile::tempdir_in(&all).expect("a directory");
        let started = Instant::now();
        bench.runtime.block_on(made.write(half.path()));
        let seconds = started.elapsed().as_secs_f64();
        println!("{} events written in {seconds:.1} s", shown(events as f64));
        fs::rename(half.keep(), &kept).expect("the directory in its place");
    }
    kept
}

/// What every user pool has. The server's own part is not the same in each run.
fn template(pool: &UserPool) -> UserPool {
    let mut pool = pool.clone();
    (pool.id, pool.name, pool.creation_date, pool.last_modified_date) = (None, None, None, None);
    pool
}

/// How many bytes a directory takes on the disk.
pub(crate) fn size(directory: &Path) -> u64 {
    let entries = fs::read_dir(directory).expect("a directory").filter_map(Result::ok);
    let size = |path: &Path| {
        let file = path.symlink_metadata().expect("a file");
        // The system counts in blocks of 512 bytes, whatever the disk has.
        if file.is_dir() { size(path) } else { file.blocks() * 512 }
    };
    entries.map(|entry| size(&entry.path())).sum()
}
