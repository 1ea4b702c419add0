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

/// A command is many small messages, which one thread makes and another drops: the
/// system's allocator spends a quarter of the server's time on that.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// How long a thread that waits for the disk may keep the process from ending.
const LINGER: Duration = Duration::from_secs(1);

fn main() -> ExitCode {
    let cli = match Cli::read() {
        Ok(cli) => cli,
        Err(error) => return ended(Err(error)),
    };
    let runtime = match Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => return ended(Err(error.into())),
    };
    let result = runtime.block_on(cli.run(Arc::new(SystemSource)));
    // A disk that never answers must not hold up what is to be said.
    runtime.shutdown_timeout(LINGER);
    ended(result)
}

/// Says what went wrong, if anything did.
fn ended(result: Result<Outcome, CliError>) -> ExitCode {
    match result {
        Ok(answer) => answer.exit_code(),
        Err(error @ CliError::ClosedPipe) => error.exit_code(),
        Err(error) => {
            // Where stderr is closed there is nobody to tell.
            let _ = writeln!(io::stderr(), "userpool: {}", error_chain(&error));
            error.exit_code()
        }
    }
}
