//! The `userpool` binary.

use std::{
    error::Error,
    io::{self, Write as _},
    process::ExitCode,
    sync::Arc,
};

use clap::Parser as _;
use userpool::{app::SystemSource, cli::Cli};

#[tokio::main]
async fn main() -> ExitCode {
    match Cli::parse().run(Arc::new(SystemSource)).await {
        Ok(answer) => answer.exit_code(),
        Err(error) => {
            // Where stderr is closed there is nobody to tell.
            let _ = writeln!(io::stderr(), "userpool: {}", in_full(&error));
            error.exit_code()
        }
    }
}

/// The error and what caused it, as one sentence.
fn in_full(error: &dyn Error) -> String {
    let mut sentence = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        sentence.push_str(": ");
        sentence.push_str(&cause.to_string());
        source = cause.source();
    }
    sentence
}
