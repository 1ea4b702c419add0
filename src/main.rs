//! The `userpool` binary.

use std::{
    io::{self, Write as _},
    process::ExitCode,
    sync::{Arc, mpsc},
    thread,
    time::Duration,
};

use userpool::{
    app::SystemSource,
    cli::{Cli, CliError, Outcome},
    telemetry::error_chain,
};

/// A command consists of many small messages that one thread allocates and another frees.
/// With the system's allocator, this takes a quarter of the server's time.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    match Cli::read() {
        Ok(Some(cli)) => report(cli.run(Arc::new(SystemSource))),
        Ok(None) => ExitCode::SUCCESS,
        Err(error) => report(Err(error)),
    }
}

/// How long the error message may delay the end of the process.
const REPORT_TIMEOUT: Duration = Duration::from_secs(10);

/// Prints the error, if there is one, and returns the exit code.
#[expect(clippy::disallowed_methods, reason = "a thread waits for a real stderr")]
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
            let message = format!("userpool: {}", error_chain(&error));
            let (printed, is_printed) = mpsc::channel();
            thread::spawn(move || {
                // Ignored: stderr may be closed.
                let _ = writeln!(io::stderr(), "{message}");
                let _ = printed.send(());
            });
            // If nobody reads stderr, the exit code has to be enough.
            let _ = is_printed.recv_timeout(REPORT_TIMEOUT);
            error.exit_code()
        }
    }
}
