//! `userpool key`: the public key of a data directory.

use std::path::PathBuf;

use clap::Args;

use crate::{
    audit::checkpoint::{self, Signer},
    server::data_dir,
};

use super::{error::CliError, outcome::Outcome, output::print};

#[derive(Debug, Args)]
#[command(after_help = "The server creates the key at its first start; this command never does. \
                        \"userpool checkpoint --key\" prints what a server says its key is.")]
pub(super) struct KeyCommand {
    /// Read this data directory. A server may be using it.
    #[arg(long, env = "USERPOOL_DATA_DIR", value_name = "DIR", default_value = "./data")]
    data_dir: PathBuf,
}

impl KeyCommand {
    pub(super) fn run(&self) -> Result<Outcome, CliError> {
        let path = &self.data_dir;
        let (key, checkpoints) = (data_dir::signing_key(path), data_dir::checkpoints(path));
        // A signer would create a missing key.
        if checkpoint::public_key(&key, &checkpoints).map_err(CliError::other)?.is_none() {
            return Err(CliError::message(format!(
                "there is no signing key in {}; set --data-dir, or start the server once, which \
                 creates the key",
                path.display()
            )));
        }
        let signer = Signer::open(&key, &checkpoints).map_err(CliError::other)?;
        print(signer.public_key_pem().trim_end())?;
        Ok(Outcome::Success)
    }
}
