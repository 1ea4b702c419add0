//! The data directory of a stopped server.

use std::{
    io::{self, Write as _},
    path::PathBuf,
};

use clap::Args;

use crate::{
    audit::checkpoint::Signer,
    event_log::SledLog,
    server::data_dir::{self, DataDir},
};

use super::{error::CliError, outcome::Outcome};

/// Where the data is.
#[derive(Debug, Args)]
pub(super) struct Directory {
    /// The data directory. No server may be using it.
    #[arg(long, env = "USERPOOL_DATA_DIR", value_name = "DIR", default_value = "./data")]
    data_dir: PathBuf,
}

impl Directory {
    /// Takes hold of the directory and opens its log.
    pub(super) fn open(&self) -> Result<(DataDir, SledLog), CliError> {
        let held = DataDir::open_existing(&self.data_dir).map_err(CliError::other)?;
        let log = SledLog::open(&held.log()).map_err(CliError::other)?;
        Ok((held, log))
    }

    /// Prints the public key that checkpoints of this directory are checked with.
    pub(super) fn print_key(&self) -> Result<Outcome, CliError> {
        let held = DataDir::open_existing(&self.data_dir).map_err(CliError::other)?;
        let key = data_dir::signing_key(&self.data_dir);
        let signer =
            Signer::open(&key, &data_dir::checkpoints(&self.data_dir)).map_err(CliError::other)?;
        drop(held);
        write!(io::stdout(), "{}", signer.public_key_pem())?;
        Ok(Outcome::Success)
    }
}
