//! `userpool read-model`: rebuilding the read model of a stopped server.

use clap::Subcommand;

use crate::{
    app,
    event_log::{EventLog as _, Head, Position},
};

use super::{data_dir::DataDirArgs, error::CliError, outcome::Outcome, output::print, progress};

/// Rebuild the read model of a stopped server.
#[derive(Debug, Subcommand)]
pub(super) enum ReadModelCommand {
    /// Delete the read model and project the log again.
    Rebuild {
        #[command(flatten)]
        directory: DataDirArgs,
    },
}

impl ReadModelCommand {
    pub(super) async fn run(self) -> Result<Outcome, CliError> {
        let Self::Rebuild { directory } = self;
        let (directory, log) = directory.open()?;
        let bar = progress::new_bar(log.head().borrow().position.0);
        let progress = |position: Position| bar.set_position(position.0);
        app::rebuild(&log, &directory.read_model(), app::CACHE, &progress)
            .await
            .map_err(CliError::other)?;
        bar.finish_and_clear();
        let Head { position, hash } = *log.head().borrow();
        print(&format!(
            "rebuilt {} up to position {position}, hash {hash}",
            directory.read_model().display()
        ))?;
        Ok(Outcome::Success)
    }
}
