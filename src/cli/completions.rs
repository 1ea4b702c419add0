//! `userpool completions`: the completion script for a shell.

use clap::{Args, Command};
use clap_complete::Shell;

use super::{error::CliError, outcome::Outcome, output::print};

#[derive(Debug, Args)]
#[command(after_help = "Example:\n  source <(userpool completions bash)")]
pub(super) struct CompletionsCommand {
    /// The shell that will run the script.
    #[arg(value_name = "SHELL")]
    shell: Shell,
}

impl CompletionsCommand {
    pub(super) fn run(self, mut command: Command) -> Result<Outcome, CliError> {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut command, "userpool", &mut script);
        print(String::from_utf8_lossy(&script).trim_end())?;
        Ok(Outcome::Success)
    }
}
