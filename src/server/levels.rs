//! What is looked up when the metrics are read: how far everything is, and what it
//! takes on the disk. Nothing here keeps the application or its files open.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
};

use rustix::fs::statvfs;
use tokio::sync::watch;

use crate::{
    app::App, event_log::Head, server::data_dir, telemetry::metrics::Metrics, transport::Phase,
};

/// From the first moment on: the phase, and what is on the disk.
pub(super) fn of_process(metrics: &Arc<Metrics>, phase: watch::Receiver<Phase>, data_dir: PathBuf) {
    let (log, read_model) = (data_dir::log(&data_dir), data_dir::read_model(&data_dir));
    let (server, of_log, app) = (metrics.server.clone(), metrics.log.clone(), metrics.app.clone());
    metrics.on_reading(move || {
        server.phase(&Phase::NAMES, phase.borrow().name());
        of_log.holds(bytes_in(&log));
        app.holds(bytes_in(&read_model));
        if let Ok(system) = statvfs(&data_dir) {
            server.free(system.f_bavail.saturating_mul(system.f_frsize));
        }
    });
}

/// Once the log is open: where it ends.
pub(super) fn of_log(metrics: &Arc<Metrics>, head: watch::Receiver<Head>) {
    let app = metrics.app.clone();
    metrics.on_reading(move || app.head(head.borrow().position.0));
}

/// Once calls are answered: what waits for the writer.
pub(super) fn of_app(metrics: &Arc<Metrics>, app: &App) {
    let (waiting, app) = (app.waiting(), metrics.app.clone());
    metrics.on_reading(move || {
        let (waiting, capacity) = waiting().unwrap_or_default();
        app.waiting(waiting, capacity);
    });
}

/// What the files in a directory take, as far as they can be seen.
fn bytes_in(directory: &Path) -> u64 {
    try_bytes_in(directory).unwrap_or_default()
}

fn try_bytes_in(directory: &Path) -> io::Result<u64> {
    let mut bytes = 0_u64;
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        // What is gone by now takes nothing.
        let Ok(file) = entry.metadata() else { continue };
        let more = if file.is_dir() { bytes_in(&entry.path()) } else { file.len() };
        bytes = bytes.saturating_add(more);
    }
    Ok(bytes)
}
