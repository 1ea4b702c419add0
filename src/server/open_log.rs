//! Opens the data directory and the log: in the directory, or in a database.

use std::{path::Path, sync::Arc};

use crate::{
    app::{Source, find_fork},
    audit::checkpoint::{self, KeyError, Signer},
    event_log::{EventLog, PostgresCheckpoints, PostgresLog, PostgresSettings, SledLog},
    telemetry::metrics::LogMetrics,
};

use super::{
    config::Config,
    data_dir::{self, DataDir},
    error::ServerError,
};

/// An open log, with what belongs to it.
pub(super) struct OpenLog {
    pub(super) log: Arc<dyn EventLog>,
    pub(super) data_dir: DataDir,
    pub(super) signer: Signer,
    /// The checkpoints in the database of the log. `None` for a log in the data directory.
    pub(super) checkpoints: Option<PostgresCheckpoints>,
}

impl OpenLog {
    /// Opens the log that the settings name.
    ///
    /// # Errors
    /// See [`ServerError`].
    pub(super) async fn open(
        config: &Config,
        source: &dyn Source,
        metrics: LogMetrics,
    ) -> Result<Self, ServerError> {
        let opened = match &config.postgres {
            None => {
                let opened = Self::in_directory(config, source, metrics)?;
                refuse_other_history(&*opened.log, &opened.data_dir.checkpoints()).await?;
                opened
            }
            Some(settings) => Self::in_database(config, settings, source, metrics).await?,
        };
        let head = *opened.log.head().borrow();
        let engine = opened.log.engine();
        tracing::info!(engine, position = %head.position, hash = %head.hash, "log opened");
        Ok(opened)
    }

    fn in_directory(
        config: &Config,
        source: &dyn Source,
        metrics: LogMetrics,
    ) -> Result<Self, ServerError> {
        let data_dir = DataDir::open(&config.data_dir, &config.region, source.now())?;
        let signer = open_signer(config)?;
        let log = SledLog::open_with_metrics(&data_dir.log(), metrics)?;
        data_dir.raise_format()?;
        Ok(Self { log: Arc::new(log), data_dir, signer, checkpoints: None })
    }

    async fn in_database(
        config: &Config,
        settings: &PostgresSettings,
        source: &dyn Source,
        metrics: LogMetrics,
    ) -> Result<Self, ServerError> {
        let (path, region) = (&config.data_dir, &config.region);
        let key = config.signing_key.as_ref().ok_or(ServerError::NoSigningKey)?;
        if !key.exists() {
            return Err(ServerError::Key(KeyError::Missing(key.clone())));
        }
        let name = settings.name.as_str();
        let data_dir = DataDir::open_remote(path, region, name, source.now())?;
        let signer = open_signer(config)?;
        let replica = Some(config.replica.clone()).filter(|name| !name.is_empty());
        let settings = PostgresSettings { replica, ..settings.clone() };
        let log = PostgresLog::open(settings, Some(path), metrics).await?;
        if log.row().region != *region {
            let found = log.row().region.clone();
            return Err(ServerError::OtherRegion { found });
        }
        if log.row().checkpoint_key != signer.public_key() {
            return Err(ServerError::OtherKey(key.clone()));
        }
        let checkpoints = Some(log.checkpoints());
        Ok(Self { log: Arc::new(log), data_dir, signer, checkpoints })
    }
}

/// Refuses a log without the record that the last of `checkpoints` is of. Servers that share a log
/// compare it with more than that.
async fn refuse_other_history(log: &dyn EventLog, checkpoints: &Path) -> Result<(), ServerError> {
    let io_error = |source| KeyError::Io { path: checkpoints.to_owned(), source };
    let last = checkpoint::last(checkpoints).map_err(io_error)?;
    let Some(stated) = last.and_then(|last| checkpoint::verify(&last).ok()) else { return Ok(()) };
    // A damaged record is reported where it is used.
    let Ok(Some(fork)) = find_fork(log, stated.head).await else { return Ok(()) };
    let (position, end) = (fork.known.position, log.head().borrow().position);
    Err(ServerError::OtherHistory { checkpoints: checkpoints.to_owned(), position, end })
}

/// Opens the key that signs checkpoints. Called before the log is opened.
///
/// # Errors
/// See [`KeyError`].
pub(super) fn open_signer(config: &Config) -> Result<Signer, KeyError> {
    let key = config.signing_key.clone();
    let key = key.unwrap_or_else(|| data_dir::signing_key(&config.data_dir));
    let checkpoints = data_dir::checkpoints(&config.data_dir);
    let signer = Signer::open(&key, &checkpoints)?.with_origin(config.checkpoint_origin.clone());
    if let Some(earlier) = signer.earlier_name(&checkpoints)? {
        tracing::warn!(
            earlier,
            "the name of the log in checkpoints has changed, so witnesses and auditors take it for \
             another log; set --checkpoint-origin as it was, unless this is intended"
        );
    }
    Ok(signer)
}
