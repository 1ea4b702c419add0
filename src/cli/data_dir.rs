//! The argument that names the data directory of a stopped server.

use std::path::{Path, PathBuf};

use clap::Args;

use crate::{
    event_log::{END_UNKNOWN, SledLog},
    server::data_dir::DataDir,
};

use super::{error::CliError, output::print_note};

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
}

/// Locks a data directory and opens its log.
pub(super) fn open(path: &Path) -> Result<(DataDir, SledLog), CliError> {
    let data_dir = DataDir::open_existing(path).map_err(CliError::other)?;
    let log = open_log(&data_dir)?;
    Ok((data_dir, log))
}

/// Opens the log of a data directory, and reports if nothing shows whether it has lost its end.
pub(super) fn open_log(data_dir: &DataDir) -> Result<SledLog, CliError> {
    let log = SledLog::open(&data_dir.log()).map_err(CliError::other)?;
    if log.is_end_unknown() {
        print_note(&format!("{}: {END_UNKNOWN}", data_dir.log().join("head").display()));
    }
    Ok(log)
}
