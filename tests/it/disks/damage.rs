//! Damage to files, at places that follow from a seed.

use std::{fmt, fs, os::unix::fs::FileExt as _, path::Path};

use super::Random;

/// The smallest part that a disk returns as zeros.
const PAGE: u64 = 4096;

/// A damage: a file and its change.
#[derive(Debug, Clone)]
pub(super) struct Damage {
    /// Its path in the data directory.
    pub(super) file: String,
    what: Change,
}

#[derive(Debug, Clone)]
enum Change {
    Truncated(u64),
    BitFlipped { byte: u64, bit: u64 },
    Zeroed(u64),
    Removed,
    ReplacedByADirectory,
    Appended(u64),
    LeftOver(&'static str),
}

impl Damage {
    /// A random damage that is possible in the data directory.
    pub(super) fn draw(random: &mut Random, data_dir: &Path) -> Self {
        let all: Vec<String> = super::contents(data_dir).into_keys().collect();
        // Large files are damaged more often.
        let file = match random.below(10) {
            0..=3 => "log/records/db".to_owned(),
            4..=6 => {
                let read_model: Vec<_> =
                    all.iter().filter(|path| path.starts_with("read_model/")).collect();
                (*random.one_of(&read_model)).clone()
            }
            7.. => random.one_of(&all).clone(),
        };
        let size = fs::metadata(data_dir.join(&file)).expect("a file").len();
        let what = match random.below(12) {
            0..=2 => Change::Truncated(random.below(size)),
            3..=5 => Change::BitFlipped { byte: random.below(size), bit: random.below(8) },
            6..=8 => Change::Zeroed(random.below(size) / PAGE * PAGE),
            9 => Change::Appended(random.below(2 * PAGE)),
            10 if file.contains("/db") && random.below(2) == 0 => Change::LeftOver("stray"),
            10 if file.contains("/db") => Change::LeftOver("snap.0000000000000001.generating"),
            10 => Change::Removed,
            11.. => random.one_of(&[Change::Removed, Change::ReplacedByADirectory]).clone(),
        };
        Self { file, what }
    }

    pub(super) fn do_to(&self, data_dir: &Path) {
        let path = data_dir.join(&self.file);
        let file = fs::OpenOptions::new().read(true).write(true).open(&path).expect("a file");
        match &self.what {
            Change::Truncated(length) => file.set_len(*length).expect("cut"),
            Change::BitFlipped { byte, bit } => {
                let mut bytes = [0];
                // An empty file has no bit.
                if file.read_at(&mut bytes, *byte).expect("readable") == 1 {
                    bytes[0] ^= 1 << bit;
                    file.write_all_at(&bytes, *byte).expect("flipped");
                }
            }
            Change::Zeroed(start) => {
                let size = file.metadata().expect("a file").len();
                let length = usize::try_from(PAGE.min(size - start)).expect("a page");
                file.write_all_at(&vec![0; length], *start).expect("zeroed");
            }
            Change::Appended(length) => {
                let size = file.metadata().expect("a file").len();
                let garbage = vec![0xa5; usize::try_from(*length).expect("small")];
                file.write_all_at(&garbage, size).expect("appended");
            }
            Change::Removed => fs::remove_file(&path).expect("removed"),
            Change::ReplacedByADirectory => {
                fs::remove_file(&path).expect("removed");
                fs::create_dir(&path).expect("a directory");
            }
            Change::LeftOver(name) => {
                fs::write(path.with_file_name(name), [0xa5; 100]).expect("written");
            }
        }
    }
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {:?}", self.file, self.what)
    }
}
