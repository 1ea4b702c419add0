//! What is looked up when the metrics are read: how far everything is, and what it
//! takes on the disk. Nothing here keeps the application or its files open.

use std::{path::PathBuf, sync::Arc};

use rustix::fs::statvfs;
use tokio::sync::watch;

use crate::{
    app::App, event_log::Head, fs::directory_size, server::data_dir, telemetry::metrics::Metrics,
    transport::Phase,
};

/// From the first moment on: the phase, and what is on the disk.
pub(super) fn of_process(metrics: &Arc<Metrics>, phase: watch::Receiver<Phase>, data_dir: PathBuf) {
    let (log, read_model) = (data_dir::log(&data_dir), data_dir::read_model(&data_dir));
    let (server, of_log, app) = (metrics.server.clone(), metrics.log.clone(), metrics.app.clone());
    metrics.on_reading(move || {
        server.phase(&Phase::NAMES, phase.borrow().name());
        of_log.holds(directory_size(&log).unwrap_or_default());
        app.holds(directory_size(&read_model).unwrap_or_default());
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
