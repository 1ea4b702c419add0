//! Damaged disks: acknowledged data is served, or the server says in one sentence why
//! not. Nothing is invented, and nothing hangs.
//!
//! `USERPOOL_ROUNDS` is the number of damages (a few by default), and `USERPOOL_SEED`
//! repeats those of a failed run.

mod damage;
mod engine;
mod faults;
mod faulty_log;
mod files;
mod full;
mod server;
mod snapshot;

use std::{collections::BTreeMap, env, fs, path::Path};

/// The rounds of a harness, where `few` is the default.
fn rounds(few: u64) -> u64 {
    let value = env::var("USERPOOL_ROUNDS").ok();
    value.map_or(few, |rounds| rounds.parse().expect("USERPOOL_ROUNDS is a number"))
}

/// The seed of the first round; the next rounds count up from it.
fn seed() -> u64 {
    let value = env::var("USERPOOL_SEED").ok();
    value.map_or(1, |seed| seed.parse().expect("USERPOOL_SEED is a number"))
}

/// Pseudorandom numbers (`SplitMix64`).
#[derive(Debug)]
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `end`; 0 if `end` is 0.
    fn below(&mut self, end: u64) -> u64 {
        self.next() % end.max(1)
    }

    fn one_of<'a, T>(&mut self, choices: &'a [T]) -> &'a T {
        let choice = self.below(u64::try_from(choices.len()).expect("a small number"));
        &choices[usize::try_from(choice).expect("a small number")]
    }
}

/// Every file below a directory, by its path.
fn contents(directory: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut contents = BTreeMap::new();
    for entry in fs::read_dir(directory).expect("a directory") {
        let path = entry.expect("an entry").path();
        let name = path.file_name().expect("a name").to_string_lossy().into_owned();
        if path.is_dir() {
            let below = self::contents(&path);
            contents.extend(below.into_iter().map(|(path, file)| (format!("{name}/{path}"), file)));
        } else {
            contents.insert(name, fs::read(&path).expect("readable"));
        }
    }
    contents
}
