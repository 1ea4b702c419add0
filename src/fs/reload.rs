//! What was made of files, made anew when they change.
//!
//! A file is looked at when something happens in its directory (Kubernetes swaps a
//! link there, others move a new file into place), on SIGHUP, and every minute,
//! because some file systems tell nothing. What cannot be used changes nothing.

use std::{
    error::Error,
    fmt, fs, io,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    sync::{
        Arc,
        mpsc::{self, Receiver, RecvTimeoutError, Sender},
    },
    thread,
    time::{Duration, Instant},
};

use notify::{
    Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher as _,
    event::{AccessKind, AccessMode},
};
use sha2::{Digest as _, Sha256};
use tokio::{
    signal::unix::{SignalKind, signal},
    sync::watch,
    task::JoinHandle,
};

use crate::telemetry::error_chain;

/// How often the files are looked at, whatever is told.
const LOOK_EVERY: Duration = Duration::from_mins(1);
/// How long it has to be quiet first: a certificate and its key do not change at once.
const QUIET: Duration = Duration::from_millis(200);
/// How long that is waited for at most: some directories are never quiet.
const QUIET_AT_LAST: Duration = Duration::from_secs(4);

/// Something that is made of files.
pub(crate) trait Made: Send {
    /// The files.
    fn files(&self) -> &[PathBuf];
    /// Makes it anew if they are not what they were, or `anyway`.
    fn look(&mut self, anyway: bool);
}

/// The newest of what was made of the files and can be used.
pub(crate) struct Reloaded<T> {
    /// What it is, for people.
    what: &'static str,
    files: Vec<PathBuf>,
    seen: [u8; 32],
    make: Box<dyn Fn() -> Result<T, Box<dyn Error>> + Send>,
    newest: watch::Sender<Arc<T>>,
}

impl<T> Reloaded<T> {
    /// Makes it for the first time.
    pub(crate) fn new<E: Error + 'static>(
        what: &'static str,
        files: Vec<PathBuf>,
        make: impl Fn() -> Result<T, E> + Send + 'static,
    ) -> Result<Self, E> {
        // Before they are read: what changes meanwhile is seen later.
        let seen = digest(&files);
        let newest = watch::Sender::new(Arc::new(make()?));
        let make = Box::new(move || make().map_err(Box::from));
        Ok(Self { what, files, seen, make, newest })
    }

    /// Where the newest one can be had.
    pub(crate) fn newest(&self) -> Newest<T> {
        self.newest.subscribe()
    }
}

impl<T: Send + Sync> Made for Reloaded<T> {
    fn files(&self) -> &[PathBuf] {
        &self.files
    }

    fn look(&mut self, anyway: bool) {
        let found = digest(&self.files);
        if found == self.seen && !anyway {
            return;
        }
        self.seen = found;
        let what = self.what;
        match (self.make)() {
            Ok(made) => {
                self.newest.send_replace(Arc::new(made));
                tracing::info!(what, "reloaded");
            }
            Err(error) => {
                let error = error_chain(&*error);
                tracing::warn!(what, error, "cannot be reloaded; what was loaded before is kept");
            }
        }
    }
}

/// What the files contain and who may read them, or that they cannot be read. The
/// contents themselves are not kept: one of them is a key.
fn digest(files: &[PathBuf]) -> [u8; 32] {
    let mut hasher = Sha256::new();
    for file in files {
        let contents = fs::read(file).unwrap_or_default();
        let mode = fs::metadata(file).map(|file| file.permissions().mode()).unwrap_or_default();
        hasher.update(mode.to_be_bytes());
        hasher.update(Sha256::digest(contents));
    }
    hasher.finalize().into()
}

/// The newest of something that is reloaded.
pub(crate) type Newest<T> = watch::Receiver<Arc<T>>;

/// Looks after what is made of files. Dropped, it does no longer.
pub(crate) struct Reloading {
    wake: Sender<Wake>,
    hangups: JoinHandle<()>,
}

impl fmt::Debug for Reloading {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reloading").finish_non_exhaustive()
    }
}

/// Why the files are looked at.
enum Wake {
    Changed,
    Hangup,
    Stop,
}

impl Reloading {
    /// Starts to look after all of it; nothing where there is nothing.
    ///
    /// # Errors
    /// There can be no further thread, or no signal.
    pub(crate) fn start(mut all: Vec<Box<dyn Made>>) -> io::Result<Option<Self>> {
        // Also with nothing to look after: "systemctl reload" must not end the server.
        let mut hangup = signal(SignalKind::hangup())?;
        if all.is_empty() {
            return Ok(None);
        }
        let (wake, woken) = mpsc::channel();
        let hung_up = wake.clone();
        let hangups = tokio::spawn(async move {
            while hangup.recv().await.is_some() && hung_up.send(Wake::Hangup).is_ok() {}
        });
        let changed = wake.clone();
        thread::Builder::new().name("reload".to_owned()).spawn(move || {
            let _watcher = watch_directories(&all, changed);
            while let Some(anyway) = next(&woken) {
                for made in &mut all {
                    made.look(anyway);
                }
            }
        })?;
        Ok(Some(Self { wake, hangups }))
    }
}

impl Drop for Reloading {
    fn drop(&mut self) {
        self.hangups.abort();
        // Where nobody listens, nobody has to stop.
        let _ = self.wake.send(Wake::Stop);
    }
}

/// Waits until the files are to be looked at, and says whether to load them anyway;
/// nothing at the end.
fn next(woken: &Receiver<Wake>) -> Option<bool> {
    match woken.recv_timeout(LOOK_EVERY) {
        Ok(Wake::Changed) => (),
        Err(RecvTimeoutError::Timeout) => return Some(false),
        Ok(Wake::Hangup) => return Some(true),
        Ok(Wake::Stop) | Err(RecvTimeoutError::Disconnected) => return None,
    }
    let begun = Instant::now();
    while begun.elapsed() < QUIET_AT_LAST {
        match woken.recv_timeout(QUIET) {
            Ok(Wake::Changed) => (),
            Err(RecvTimeoutError::Timeout) => break,
            Ok(Wake::Hangup) => return Some(true),
            Ok(Wake::Stop) | Err(RecvTimeoutError::Disconnected) => return None,
        }
    }
    Some(false)
}

/// Has it told when something happens in the directories of the files.
fn watch_directories(all: &[Box<dyn Made>], changed: Sender<Wake>) -> Option<RecommendedWatcher> {
    let mut directories: Vec<_> =
        all.iter().flat_map(|made| made.files()).map(|file| directory(file)).collect();
    directories.sort_unstable();
    directories.dedup();
    if directories.is_empty() {
        return None;
    }
    let tell = move |event: notify::Result<Event>| {
        if event.is_ok_and(|event| is_change(event.kind)) {
            // Where nobody listens any more, it is of no interest.
            let _ = changed.send(Wake::Changed);
        }
    };
    let watcher = notify::recommended_watcher(tell).and_then(|mut watcher| {
        for directory in directories {
            watcher.watch(directory, RecursiveMode::NonRecursive)?;
        }
        Ok(watcher)
    });
    if let Err(error) = &watcher {
        tracing::warn!(%error, "files cannot be watched; they are looked at every minute");
    }
    watcher.ok()
}

fn directory(file: &Path) -> &Path {
    file.parent().filter(|above| !above.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Not what this process does itself when it reads them.
fn is_change(kind: EventKind) -> bool {
    match kind {
        EventKind::Access(AccessKind::Close(AccessMode::Write))
        | EventKind::Create(_)
        | EventKind::Modify(_)
        | EventKind::Remove(_)
        | EventKind::Any
        | EventKind::Other => true,
        EventKind::Access(_) => false,
    }
}
