//! Gauges that are set when metrics are scraped: progress, queue length and disk usage.
//! They hold no strong reference to the application and keep no file open.

use std::{path::PathBuf, sync::Arc};

use rustix::fs::statvfs;
use tokio::sync::watch;

use crate::{
    app::App,
    event_log::Head,
    fs::{
        directory_size,
        reload::{Current, ReloadStatus},
    },
    server::data_dir,
    telemetry::{logging, metrics::Metrics},
    transport::{LoadedTls, Phase},
};

/// Registers the gauges of the phase and the disk usage, at the start of the server.
pub(super) fn register_process(
    metrics: &Arc<Metrics>,
    phase: watch::Receiver<Phase>,
    data_dir: PathBuf,
) {
    let (log_dir, read_model_dir) = (data_dir::log(&data_dir), data_dir::read_model(&data_dir));
    let (server, log, app) = (metrics.server.clone(), metrics.log.clone(), metrics.app.clone());
    metrics.on_scrape(move || {
        server.set_phase(&Phase::NAMES, phase.borrow().name());
        server.set_dropped_lines(logging::dropped_lines());
        log.set_disk_bytes(directory_size(&log_dir).unwrap_or_default());
        app.set_disk_bytes(directory_size(&read_model_dir).unwrap_or_default());
        if let Ok(system) = statvfs(&data_dir) {
            server.set_free_bytes(system.f_bavail.saturating_mul(system.f_frsize));
        }
    });
}

/// Registers the gauges of certificates and of the reloads of their files.
pub(super) fn register_credentials(
    metrics: &Arc<Metrics>,
    tls: Option<Current<LoadedTls>>,
    reloads: Vec<ReloadStatus>,
) {
    let credentials = metrics.credentials.clone();
    metrics.on_scrape(move || {
        if let Some(tls) = &tls {
            credentials.set_certificates(&tls.borrow().validities);
        }
        for reload in &reloads {
            credentials.set_reload(reload.name, reload.is_successful());
        }
    });
}

/// Registers the gauges of the log's head and of the read model's progress, once the log is open.
pub(super) fn register_log(metrics: &Arc<Metrics>, head: watch::Receiver<Head>) {
    let app = metrics.app.clone();
    metrics.on_scrape(move || app.set_progress(head.borrow().position.0));
}

/// Registers the gauge of the writer's queue, once the application is loaded.
pub(super) fn register_app(metrics: &Arc<Metrics>, app: &App) {
    let (waiting, app) = (app.waiting(), metrics.app.clone());
    metrics.on_scrape(move || {
        let (waiting, capacity) = waiting().unwrap_or_default();
        app.set_queue(waiting, capacity);
    });
}
