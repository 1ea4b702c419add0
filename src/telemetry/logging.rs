//! The log of the process, on stderr: pretty where people read it, JSON where
//! programs do, and more of it while somebody looks into something.
//!
//! SIGUSR1 turns it up and SIGUSR2 back, because the system lets only root and the
//! owner of the process send them: nothing listens for it, nobody needs a file that
//! is managed elsewhere, and nobody can silence the record of what is done.

mod stderr;

use std::{
    error::Error,
    io::{self, IsTerminal as _},
};

use clap::ValueEnum;
use tokio::signal::unix::{SignalKind, signal};
use tracing::Subscriber;
use tracing_subscriber::{
    EnvFilter, Layer, Registry, fmt, layer::SubscriberExt as _, registry::LookupSpan, reload,
    util::SubscriberInitExt as _,
};

use self::stderr::Stderr;

/// What is logged beside what was asked for, while the log is turned up.
const MORE: &str = "userpool=debug";

/// How the log is written.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum Format {
    /// Pretty on a terminal, JSON otherwise.
    Auto,
    /// For people.
    Pretty,
    /// One JSON object a line.
    Json,
}

/// Starts the log. From here on, the signals turn it up and back.
///
/// # Errors
/// The filter is none, or the signals cannot be listened for.
pub(crate) fn start(format: Format, filter: &str) -> Result<(), Box<dyn Error>> {
    let (filtering, handle) = reload::Layer::new(parse(filter)?);
    let stderr = Stderr::default();
    tracing_subscriber::registry().with(filtering).with(written(format, stderr.clone())).init();
    stderr.hold_back();
    std::panic::set_hook(Box::new(|panic| {
        let location = panic.location().map(ToString::to_string).unwrap_or_default();
        let says = panic.payload_as_str().unwrap_or_default();
        tracing::error!(location, says, "panic");
    }));
    Ok(listen(handle, filter.to_owned())?)
}

/// A filter, as it is written.
pub(crate) fn filter(text: &str) -> Result<String, String> {
    parse(text).map(|_| text.to_owned()).map_err(|error| error.to_string())
}

fn parse(filter: &str) -> Result<EnvFilter, Box<dyn Error>> {
    EnvFilter::try_new(filter).map_err(|error| format!("--log: {error}").into())
}

fn written<S>(format: Format, stderr: Stderr) -> Box<dyn Layer<S> + Send + Sync>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    let terminal = io::stderr().is_terminal();
    let layer = fmt::layer().with_writer(stderr).with_ansi(terminal);
    match format {
        Format::Pretty => layer.boxed(),
        Format::Auto if terminal => layer.boxed(),
        Format::Auto | Format::Json => layer.json().flatten_event(true).boxed(),
    }
}

fn listen(handle: reload::Handle<EnvFilter, Registry>, asked: String) -> io::Result<()> {
    let mut up = signal(SignalKind::user_defined1())?;
    let mut back = signal(SignalKind::user_defined2())?;
    tokio::spawn(async move {
        loop {
            let filter = tokio::select! {
                Some(()) = up.recv() => format!("{asked},{MORE}"),
                Some(()) = back.recv() => asked.clone(),
                else => return,
            };
            let reloaded = parse(&filter).map(|filter| handle.reload(filter));
            match reloaded {
                // At this level, so that it is told whatever is logged.
                Ok(Ok(())) => tracing::warn!(filter, "what is logged was changed by a signal"),
                Ok(Err(error)) => tracing::error!(%error, "what is logged cannot be changed"),
                Err(error) => tracing::error!(%error, "what is logged cannot be changed"),
            }
        }
    });
    Ok(())
}
