//! The `userpool` binary.

use std::{
    io::{self, Write as _},
    process::ExitCode,
    sync::Arc,
    time::Duration,
};

use tokio::runtime::Runtime;
use userpool::{
    app::SystemSource,
    cli::{Cli, CliError, Outcome},
    telemetry::error_chain,
};

/// A command consists of many small messages that one thread allocates and another frees.
/// With the system's allocator, this takes a quarter of the server's time.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// How long threads that wait for the disk may delay the end of the process.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(1);

fn main() -> ExitCode {
    let cli = match Cli::read() {
        Ok(Some(cli)) => cli,
        Ok(None) => return ExitCode::SUCCESS,
        Err(error) => return report(Err(error)),
    };
    let runtime = match Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => return report(Err(error.into())),
    };
    let result = runtime.block_on(cli.run(Arc::new(SystemSource)));
    // A disk that does not respond must not delay the error message.
    runtime.shutdown_timeout(SHUTDOWN_TIMEOUT);
    report(result)
}

/// Prints the error, if there is one, and returns the exit code.
fn report(result: Result<Outcome, CliError>) -> ExitCode {
    match result {
        Ok(answer) => answer.exit_code(),
        Err(error @ CliError::ClosedPipe) => error.exit_code(),
        Err(CliError::Usage(error)) => {
            // With the colors of clap. Ignored: stderr may be closed.
            let _ = error.print();
            CliError::Usage(error).exit_code()
        }
        Err(error) => {
            // Ignored: stderr may be closed.
            let _ = writeln!(io::stderr(), "userpool: {}", error_chain(&error));
            error.exit_code()
        }
    }
}
