//! Values that are loaded from files and reloaded when the files change.
//!
//! The files are checked once a second, which costs a system call each. Watching their
//! directories would cost less, but network file systems report no changes. A certificate
//! and its key change one after the other. So changed files are loaded only when they are
//! the same at two checks in a row, within two seconds. SIGHUP reloads at once. If loading
//! fails, the previous value stays in use.

use std::{
    error::Error,
    io,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc::{self, RecvTimeoutError},
    },
    thread,
    time::Duration,
};

use tokio::{
    signal::unix::{SignalKind, signal},
    sync::watch,
    task::JoinHandle,
};

use crate::telemetry::{WarnLimiter, error_chain};

use super::stamp::FileStamps;

/// How often the files are checked. Each check wakes an idle server.
const CHECK_INTERVAL: Duration = Duration::from_secs(1);

/// A value that can be reloaded.
pub(crate) trait Reload: Send {
    /// Reloads it if its files have changed, or if `force` is set.
    fn reload(&mut self, force: bool);
}

/// The value that was last loaded.
pub(crate) type Current<T> = watch::Receiver<Arc<T>>;

/// Whether a value could be loaded when its files last changed. Clones share it.
#[derive(Debug, Clone)]
pub(crate) struct ReloadStatus {
    /// The name of the value in the log.
    pub(crate) name: &'static str,
    has_failed: Arc<AtomicBool>,
}

impl ReloadStatus {
    /// Whether the value in use is that of the files.
    pub(crate) fn is_successful(&self) -> bool {
        !self.has_failed.load(Ordering::Relaxed)
    }

    fn set(&self, is_successful: bool) {
        self.has_failed.store(!is_successful, Ordering::Relaxed);
    }
}

/// Loads a value from files.
pub(crate) struct FileLoader<T> {
    files: Vec<PathBuf>,
    /// The state of the files at the last attempt to load the value.
    loaded: FileStamps,
    /// The result of that attempt. After a failure it is repeated at each check, because the
    /// cause may pass without a change of the files.
    status: ReloadStatus,
    warnings: WarnLimiter,
    /// The state of the files at the last check.
    checked: FileStamps,
    load: Box<dyn Fn() -> Result<T, Box<dyn Error>> + Send>,
    current: watch::Sender<Arc<T>>,
}

impl<T> FileLoader<T> {
    /// Loads the value for the first time.
    pub(crate) fn new<E: Error + 'static>(
        name: &'static str,
        files: Vec<PathBuf>,
        load: impl Fn() -> Result<T, E> + Send + 'static,
    ) -> Result<Self, E> {
        let loaded = FileStamps::of(&files);
        let current = watch::Sender::new(Arc::new(load()?));
        let load = Box::new(move || load().map_err(Box::from));
        let checked = loaded.clone();
        let warnings = WarnLimiter::default();
        let status = ReloadStatus { name, has_failed: Arc::default() };
        Ok(Self { files, loaded, status, warnings, checked, load, current })
    }

    /// Shows whether reloading succeeds.
    pub(crate) fn status(&self) -> ReloadStatus {
        self.status.clone()
    }

    /// A receiver of the current value.
    pub(crate) fn current(&self) -> Current<T> {
        self.current.subscribe()
    }
}

impl<T: Send + Sync> Reload for FileLoader<T> {
    fn reload(&mut self, force: bool) {
        let found = FileStamps::of(&self.files);
        let is_changing = found != self.checked;
        self.checked.clone_from(&found);
        let is_new = found != self.loaded;
        if !force && (is_changing || (!is_new && self.status.is_successful())) {
            return;
        }
        self.loaded = found;
        let name = self.status.name;
        match (self.load)() {
            Ok(value) => {
                self.status.set(true);
                self.current.send_replace(Arc::new(value));
                tracing::info!(name, "reloaded");
            }
            Err(error) => {
                self.status.set(false);
                // One warning for each change, and one a minute while it fails.
                if !self.warnings.allow() && !is_new && !force {
                    return;
                }
                let error = error_chain(&*error);
                tracing::warn!(name, error, "cannot reload; the previous value stays in use");
            }
        }
    }
}

/// Background reload task; stops on drop.
#[derive(Debug)]
pub(crate) struct ReloadTask {
    /// Owns the sender that keeps the thread running.
    signals: JoinHandle<()>,
}

impl ReloadTask {
    /// Starts reloading all of these; `None` if there are none.
    ///
    /// # Errors
    /// The signal cannot be handled, or no thread can be started.
    pub(crate) fn start(mut all: Vec<Box<dyn Reload>>) -> io::Result<Option<Self>> {
        // Handled even with nothing to reload: "systemctl reload" must not stop the server.
        let mut hangup = signal(SignalKind::hangup())?;
        if all.is_empty() {
            return Ok(None);
        }
        let (sender, forced) = mpsc::channel();
        thread::Builder::new().name("reload".to_owned()).spawn(move || {
            loop {
                let force = match forced.recv_timeout(CHECK_INTERVAL) {
                    Ok(()) => true,
                    Err(RecvTimeoutError::Timeout) => false,
                    Err(RecvTimeoutError::Disconnected) => return,
                };
                for each in &mut all {
                    each.reload(force);
                }
            }
        })?;
        let signals = tokio::spawn(async move {
            while hangup.recv().await.is_some() && sender.send(()).is_ok() {}
        });
        Ok(Some(Self { signals }))
    }
}

impl Drop for ReloadTask {
    fn drop(&mut self) {
        self.signals.abort();
    }
}

#[cfg(test)]
mod tests {
    use std::{cell::Cell, fs};

    use tempfile::TempDir;

    use super::{FileLoader, Reload as _};

    // Here, because no test of the server can let a read fail and pass again without
    // touching the file.
    #[test]
    fn a_failed_reload_is_repeated_although_no_file_changes() {
        let directory = TempDir::new().expect("a directory");
        let file = directory.path().join("file");
        fs::write(&file, "first").expect("written");
        let attempts = Cell::new(0);
        let load = move || {
            attempts.set(attempts.get() + 1);
            if attempts.get() == 2 { Err(std::fmt::Error) } else { Ok(attempts.get()) }
        };
        let mut loader = FileLoader::new("test", vec![file.clone()], load).expect("loaded");
        fs::write(&file, "second, and longer").expect("written");
        loader.reload(false);
        loader.reload(false);
        assert_eq!(**loader.current().borrow(), 1, "the second attempt fails");

        loader.reload(false);

        assert_eq!(**loader.current().borrow(), 3);
        loader.reload(false);
        assert_eq!(**loader.current().borrow(), 3, "it is loaded once");
    }
}
