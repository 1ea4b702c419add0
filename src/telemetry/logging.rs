//! The process log, on stderr: pretty on a terminal, JSON otherwise.
//!
//! SIGUSR1 adds debug messages, and SIGUSR2 removes them. Only root and the owner of the
//! process can send signals, so this needs no protected port or file. No signal turns off
//! the access log.

mod stderr;

use std::{
    error::Error,
    io::{self, IsTerminal as _},
};

use anstream::ColorChoice;
use clap::ValueEnum;
use tokio::signal::unix::{SignalKind, signal};
use tracing::Subscriber;
use tracing_subscriber::{
    EnvFilter, Layer, Registry, fmt, layer::SubscriberExt as _, registry::LookupSpan, reload,
    util::SubscriberInitExt as _,
};

use self::stderr::Stderr;
pub(crate) use self::stderr::dropped_lines;

/// The directive that SIGUSR1 adds to the filter.
const DEBUG_DIRECTIVE: &str = "userpool=debug";

/// The format of the log.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum Format {
    /// Pretty on a terminal, JSON otherwise.
    Auto,
    /// Human-readable.
    Pretty,
    /// One JSON object per line.
    Json,
}

/// The log of this process. Dropping it waits, for a second at most, until the last lines
/// are written.
#[derive(Debug)]
#[must_use]
pub(crate) struct Log(Stderr);

impl Drop for Log {
    fn drop(&mut self) {
        self.0.finish();
    }
}

/// Starts the log and the handling of the signals.
///
/// # Errors
/// The filter is invalid, the signals cannot be handled, or no thread can be started.
pub(crate) fn start(format: Format, filter: &str) -> Result<Log, Box<dyn Error>> {
    let (filter_layer, handle) = reload::Layer::new(parse(filter)?);
    let stderr = Stderr::default();
    tracing_subscriber::registry()
        .with(filter_layer)
        .with(output_layer(format, stderr.clone()))
        .init();
    stderr.start()?;
    std::panic::set_hook(Box::new(|panic| {
        let location = panic.location().map(ToString::to_string).unwrap_or_default();
        let text = panic.payload_as_str().unwrap_or_default();
        tracing::error!(location, text, "panic");
    }));
    handle_signals(handle, filter.to_owned())?;
    Ok(Log(stderr))
}

/// Checks the text of a filter.
pub(crate) fn filter(text: &str) -> Result<String, String> {
    parse(text).map(|_| text.to_owned()).map_err(|error| error.to_string())
}

fn parse(filter: &str) -> Result<EnvFilter, Box<dyn Error>> {
    EnvFilter::try_new(filter).map_err(|error| format!("--log: {error}").into())
}

fn output_layer<S>(format: Format, stderr: Stderr) -> Box<dyn Layer<S> + Send + Sync>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    let is_terminal = io::stderr().is_terminal();
    // Also follows NO_COLOR, CLICOLOR, CLICOLOR_FORCE and TERM.
    let has_colors = anstream::AutoStream::choice(&io::stderr()) != ColorChoice::Never;
    let layer = fmt::layer().with_writer(stderr).with_ansi(has_colors);
    match format {
        Format::Pretty => layer.boxed(),
        Format::Auto if is_terminal => layer.boxed(),
        Format::Auto | Format::Json => layer.json().flatten_event(true).boxed(),
    }
}

fn handle_signals(
    handle: reload::Handle<EnvFilter, Registry>,
    configured: String,
) -> io::Result<()> {
    let mut add = signal(SignalKind::user_defined1())?;
    let mut remove = signal(SignalKind::user_defined2())?;
    tokio::spawn(async move {
        loop {
            let filter = tokio::select! {
                Some(()) = add.recv() => format!("{configured},{DEBUG_DIRECTIVE}"),
                Some(()) = remove.recv() => configured.clone(),
                else => return,
            };
            let reloaded = parse(&filter).map(|filter| handle.reload(filter));
            match reloaded {
                // A warning, because most filters log it.
                Ok(Ok(())) => tracing::warn!(filter, "log level changed"),
                Ok(Err(error)) => tracing::error!(%error, "cannot change the log level"),
                Err(error) => tracing::error!(%error, "cannot change the log level"),
            }
        }
    });
    Ok(())
}
