//! A disk that fails on demand, under the real server: `faults.c`, which the C
//! compiler makes a library of.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command as Compiler,
    sync::OnceLock,
};

use tempfile::TempDir;
use tokio::process::Command;

use crate::tools::repository;

/// The error texts of Linux: an I/O error, a full disk, a read-only disk, and missing
/// permission.
pub(super) const EIO: i32 = 5;
pub(super) const ENOSPC: i32 = 28;
pub(super) const EROFS: i32 = 30;
pub(super) const EACCES: i32 = 13;

/// Which calls fail; `faults.c` explains the fields.
#[derive(Debug, Clone)]
pub(super) struct Rule {
    pub(super) calls: &'static str,
    pub(super) path: String,
    pub(super) nth: u64,
    pub(super) errno: i32,
    pub(super) times: u64,
    pub(super) effect: u64,
}

/// The disk below a directory.
#[derive(Debug)]
pub(super) struct Faults {
    library: &'static Path,
    under: PathBuf,
    control: TempDir,
}

impl Faults {
    /// `None` without a C compiler, which is reported.
    pub(super) fn under(directory: &Path, promise: &str) -> Option<Self> {
        static LIBRARY: OnceLock<Option<PathBuf>> = OnceLock::new();
        let Some(library) = LIBRARY.get_or_init(compiled) else {
            assert!(env::var_os("CI").is_none(), "cc is missing");
            eprintln!("NOT TESTED: {promise}; cc is missing");
            return None;
        };
        let control = TempDir::new().expect("a directory");
        Some(Self { library, under: directory.to_owned(), control })
    }

    /// Runs the server of the command on this disk.
    pub(super) fn below(&self, command: &mut Command) {
        command
            .env("LD_PRELOAD", self.library)
            .env("FAULTS_UNDER", &self.under)
            .env("FAULTS_CONTROL", self.control());
    }

    /// From now on, the calls that match the rule fail.
    pub(super) fn set(&self, rule: &Rule) {
        let Rule { calls, path, nth, errno, times, effect } = rule;
        let text = format!("{calls} {path} {nth} {errno} {times} {effect}");
        // Atomically, since the server may be reading the file.
        let beside = self.control.path().join("beside");
        fs::write(&beside, text).expect("written");
        fs::rename(&beside, self.control()).expect("moved");
    }

    /// Whether any call has failed.
    pub(super) fn hit(&self) -> bool {
        self.control.path().join("control.hit").exists()
    }

    fn control(&self) -> PathBuf {
        self.control.path().join("control")
    }
}

fn compiled() -> Option<PathBuf> {
    let source = repository().join("tests/it/disks/faults.c");
    let library = Path::new(env!("CARGO_TARGET_TMPDIR")).join("faults.so");
    let mut compiler = Compiler::new("cc");
    compiler.args(["-O1", "-Wall", "-Werror", "-shared", "-fPIC", "-o"]).arg(&library).arg(source);
    let output = compiler.output().ok()?;
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Some(library)
}
