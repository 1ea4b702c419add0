//! A disk whose power can be cut: only what the server synced is certain to survive.
//! `power_cut.c`, which is preloaded into the server, records the syncs.

use std::{
    collections::{BTreeMap, BTreeSet},
    env, fs,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
    process::Command,
    time::SystemTime,
};

use tempfile::TempDir;

use crate::{random::Random, tools::repository};

/// The size of an atomic write of a disk.
const SECTOR: usize = 512;

/// What survives a power cut besides synced data.
#[derive(Debug, Clone, Copy)]
pub(super) struct Survivors {
    /// This percentage of the unsynced sectors and names.
    pub(super) percent: usize,
    /// The same, and always the file `head`, which records how far the log was
    /// acknowledged.
    pub(super) head_file: bool,
}

/// A directory, and a copy of its durable content.
pub(super) struct Disk {
    directory: TempDir,
    library: PathBuf,
    cuts: usize,
}

/// A directory entry: its inode, and whether that is a directory.
type Entries = BTreeMap<String, (String, bool)>;

impl Disk {
    /// An empty disk; `None` without a C compiler.
    pub(super) fn new() -> Option<Self> {
        let directory = TempDir::new().expect("a directory");
        let library = directory.path().join("power_cut.so");
        let source = repository().join("tests/it/crash/power_cut.c");
        let compiled = Command::new("cc")
            .args(["-shared", "-fPIC", "-O1", "-Wall", "-Werror", "-o"])
            .args([&library, &source])
            .arg("-ldl")
            .status();
        let Ok(compiled) = compiled else {
            assert!(env::var_os("CI").is_none(), "cc is missing");
            eprintln!("NOT TESTED: that acknowledged changes survive a power cut; cc is missing");
            return None;
        };
        assert!(compiled.success(), "power_cut.c compiles");
        let disk = Self { directory, library, cuts: 0 };
        disk.format();
        Some(disk)
    }

    /// The same disk, empty.
    pub(super) fn erase(&mut self) {
        fs::remove_dir_all(self.world()).expect("removed");
        fs::remove_dir_all(self.durable()).expect("removed");
        self.format();
    }

    fn format(&self) {
        fs::create_dir_all(self.world()).expect("a directory");
        fs::create_dir_all(self.durable()).expect("a directory");
        fs::write(self.boot(), format!("boot {}", self.cuts)).expect("written");
    }

    fn world(&self) -> PathBuf {
        self.directory.path().join(format!("world-{}", self.cuts))
    }

    fn durable(&self) -> PathBuf {
        self.directory.path().join(format!("durable-{}", self.cuts))
    }

    fn boot(&self) -> PathBuf {
        self.directory.path().join("boot")
    }

    /// The data directory of the server.
    pub(super) fn data_dir(&self) -> PathBuf {
        self.world().join("userpool/data")
    }

    /// The environment of a server on this disk.
    pub(super) fn environment(&self) -> [(&'static str, PathBuf); 3] {
        [
            ("LD_PRELOAD", self.library.clone()),
            ("POWER_CUT_DURABLE", self.durable()),
            ("POWER_CUT_BOOT", self.boot()),
        ]
    }

    /// Cuts the power. No server may be running.
    pub(super) fn cut(&mut self, survival: Survivors, random: &mut Random) {
        let (world, durable) = (self.world(), self.durable());
        self.cuts += 1;
        self.format();
        let mut written = BTreeMap::new();
        find(&world, &mut written);
        let cut = PowerCut { durable, written, after: self.durable(), survival };
        cut.directory(&identity(&world), &self.world(), random);
        fs::remove_dir_all(world).expect("removed");
        fs::remove_dir_all(cut.durable).expect("removed");
    }
}

struct PowerCut {
    durable: PathBuf,
    /// All written data, synced or not.
    written: BTreeMap<String, PathBuf>,
    /// Marks all existing data as durable.
    after: PathBuf,
    survival: Survivors,
}

impl PowerCut {
    /// Keeps only what survives in a directory.
    fn directory(&self, id: &str, to: &Path, random: &mut Random) {
        let synced = synced_entries(&self.durable.join(id));
        let written = self.written.get(id).map(|path| entries(path)).unwrap_or_default();
        let names: BTreeSet<_> = synced.keys().chain(written.keys()).collect();
        for name in names {
            let survives = random.chance(self.survival.percent);
            let from = if survives { &written } else { &synced };
            let Some((id, is_directory)) = from.get(name) else { continue };
            let to = to.join(name);
            if *is_directory {
                fs::create_dir(&to).expect("a directory");
                self.directory(id, &to, random);
            } else {
                let contents = self.contents(id, name == "head", random);
                fs::write(&to, &contents).expect("written");
                // A file that only its owner may read has this mode from its
                // creation.
                if let Some(path) = self.written.get(id) {
                    let permissions = fs::metadata(path).expect("metadata").permissions();
                    fs::set_permissions(&to, permissions).expect("set");
                }
                fs::copy(&to, self.after.join(identity(&to))).expect("copied");
            }
        }
        note(&self.after.join(identity(to)), &entries(to));
    }

    fn contents(&self, id: &str, head_file: bool, random: &mut Random) -> Vec<u8> {
        let synced = fs::read(self.durable.join(id)).unwrap_or_default();
        let Some(path) = self.written.get(id) else { return synced };
        let written = fs::read(path).expect("readable");
        // Some files are written back and others are not; most in part.
        let percent = match random.below(4) {
            _ if head_file && self.survival.head_file => 100,
            _ if self.survival.percent == 0 => 0,
            0 => 100,
            1 => 0,
            _ => self.survival.percent,
        };
        let length = if random.chance(percent) { written.len() } else { synced.len() };
        let mut contents = vec![0; length];
        for start in (0..length).step_by(SECTOR) {
            let end = length.min(start + SECTOR);
            let from = if random.chance(percent) { &written } else { &synced };
            let found = from.get(start..from.len().min(end)).unwrap_or_default();
            contents[start..start + found.len()].copy_from_slice(found);
        }
        contents
    }
}

/// The name that `power_cut.c` gives it.
fn identity(path: &Path) -> String {
    let metadata = fs::symlink_metadata(path).expect("metadata");
    let birth = metadata.created().ok();
    let birth = birth.and_then(|birth| birth.duration_since(SystemTime::UNIX_EPOCH).ok());
    format!("{}-{}", metadata.ino(), birth.unwrap_or_default().as_nanos())
}

fn find(directory: &Path, found: &mut BTreeMap<String, PathBuf>) {
    found.insert(identity(directory), directory.to_owned());
    for (name, (id, is_directory)) in entries(directory) {
        let path = directory.join(name);
        if is_directory {
            find(&path, found);
        } else {
            found.insert(id, path);
        }
    }
}

fn entries(directory: &Path) -> Entries {
    let read = fs::read_dir(directory).expect("a directory");
    read.map(|entry| {
        let path = entry.expect("an entry").path();
        let name = path.file_name().and_then(|name| name.to_str()).expect("a name").to_owned();
        (name, (identity(&path), path.is_dir()))
    })
    .collect()
}

/// The entries of a directory at its last sync.
fn synced_entries(path: &Path) -> Entries {
    let lines = fs::read_to_string(path).unwrap_or_default();
    let parse = |line: &str| {
        let (id, rest) = line.split_once(' ').expect("an identity");
        let (kind, name) = rest.split_once(' ').expect("a kind");
        (name.to_owned(), (id.to_owned(), kind == "d"))
    };
    lines.lines().map(parse).collect()
}

fn note(path: &Path, entries: &Entries) {
    let line = |(name, (id, is_directory)): (&String, &(String, bool))| {
        format!("{id} {} {name}\n", if *is_directory { 'd' } else { 'f' })
    };
    fs::write(path, entries.iter().map(line).collect::<String>()).expect("written");
}
