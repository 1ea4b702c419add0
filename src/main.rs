//! The `userpool` binary.

use std::{
    io::{self, Write as _},
    process::ExitCode,
    sync::Arc,
};

use clap::Parser as _;
use userpool::{
    app::{SystemSource, in_full},
    cli::{Cli, CliError},
};

#[tokio::main]
async fn main() -> ExitCode {
    match Cli::parse().run(Arc::new(SystemSource)).await {
        Ok(answer) => answer.exit_code(),
        Err(error @ CliError::ClosedPipe) => error.exit_code(),
        Err(error) => {
            // Where stderr is closed there is nobody to tell.
            let _ = writeln!(io::stderr(), "userpool: {}", in_full(&error));
            error.exit_code()
        }
    }
}
