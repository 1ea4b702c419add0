//! The argument that names the data directory of a stopped server.

use std::path::{Path, PathBuf};

use clap::Args;

use crate::{
    audit::checkpoint::Signer,
    event_log::SledLog,
    server::data_dir::{self, DataDir},
};

use super::{error::CliError, outcome::Outcome, output::print};

/// The data directory of a stopped server.
#[derive(Debug, Args)]
pub(super) struct DataDirArgs {
    /// Use this data directory. No server may be using it.
    #[arg(long, env = "USERPOOL_DATA_DIR", value_name = "DIR", default_value = "./data")]
    data_dir: PathBuf,
}

impl DataDirArgs {
    /// Locks the directory and opens its log.
    pub(super) fn open(&self) -> Result<(DataDir, SledLog), CliError> {
        open(&self.data_dir)
    }

    /// Prints the public key that verifies the checkpoints of this directory.
    pub(super) fn print_key(&self) -> Result<Outcome, CliError> {
        let data_dir = DataDir::open_existing(&self.data_dir).map_err(CliError::other)?;
        let key = data_dir::signing_key(&self.data_dir);
        let signer =
            Signer::open(&key, &data_dir::checkpoints(&self.data_dir)).map_err(CliError::other)?;
        drop(data_dir);
        print(signer.public_key_pem().trim_end())?;
        Ok(Outcome::Success)
    }
}

/// Locks a data directory and opens its log.
pub(super) fn open(path: &Path) -> Result<(DataDir, SledLog), CliError> {
    let data_dir = DataDir::open_existing(path).map_err(CliError::other)?;
    let log = SledLog::open(&data_dir.log()).map_err(CliError::other)?;
    Ok((data_dir, log))
}
