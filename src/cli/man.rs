//! `userpool man`: the man pages, for packages.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use clap::{Args, Command};
use clap_mangen::Man;

use super::{error::CliError, outcome::Outcome};

#[derive(Debug, Args)]
#[command(after_help = "Example, read the page of a command:\n  userpool man man\n  man \
                  man/userpool-serve.1")]
pub(super) struct ManCommand {
    /// Write the pages, one for each command, into this directory, which is created if it is
    /// missing. Files of the same names are replaced.
    #[arg(value_name = "DIR", default_value = "man")]
    directory: PathBuf,
}

impl ManCommand {
    /// Writes the pages of `command`, the root of the command line.
    pub(super) fn run(self, command: Command) -> Result<Outcome, CliError> {
        let mut command = with_all_help(command.disable_help_subcommand(true));
        command.build();
        let written = fs::create_dir_all(&self.directory)
            .and_then(|()| write_pages(&command, &self.directory));
        written.map_err(|error| CliError::file(&self.directory, &error))?;
        Ok(Outcome::Success)
    }
}

/// The command with the help of the flags that `-h` leaves out.
fn with_all_help(command: Command) -> Command {
    command.mut_args(|arg| arg.hide_short_help(false)).mut_subcommands(with_all_help)
}

fn write_pages(command: &Command, directory: &Path) -> io::Result<()> {
    for nested in command.get_subcommands() {
        write_pages(nested, directory)?;
    }
    let version = concat!("userpool ", env!("CARGO_PKG_VERSION"));
    Man::new(command.clone()).source(version).generate_to(directory)?;
    Ok(())
}
