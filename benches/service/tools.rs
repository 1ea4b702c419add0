//! Third-party tools, as `benches/run` installs them.

use std::{env, path::PathBuf};

/// The programs in `target/tools`.
#[derive(Debug)]
pub(crate) struct Tools(PathBuf);

impl Tools {
    pub(crate) fn find() -> Self {
        Self(PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("target/tools"))
    }

    pub(crate) fn etcd(&self) -> Option<PathBuf> {
        self.program("bin/etcd")
    }

    pub(crate) fn ghz(&self) -> Option<PathBuf> {
        self.program("bin/ghz")
    }

    pub(crate) fn moto(&self) -> Option<PathBuf> {
        self.program("python-bench/bin/moto_server")
    }

    /// Part of a package of the system, so it is in `PATH`.
    pub(crate) fn nghttpd() -> Option<PathBuf> {
        let path = env::var_os("PATH").unwrap_or_default();
        let mut programs = env::split_paths(&path).map(|directory| directory.join("nghttpd"));
        let program = programs.find(|program| program.is_file());
        if program.is_none() {
            println!("NOT MEASURED: nghttpd is not installed; benches/run does that");
        }
        program
    }

    fn program(&self, path: &str) -> Option<PathBuf> {
        let program = self.0.join(path);
        let there = program.is_file();
        if !there {
            println!("NOT MEASURED: {path} is not installed; benches/run does that");
        }
        there.then_some(program)
    }
}
