//! Third-party tools, as `benches/run` installs them.

use std::path::PathBuf;

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

    fn program(&self, path: &str) -> Option<PathBuf> {
        let program = self.0.join(path);
        let there = program.is_file();
        if !there {
            println!("NOT MEASURED: {path} is not installed; benches/run does that");
        }
        there.then_some(program)
    }
}
