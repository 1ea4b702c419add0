//! The data directory: whose it is, and in which form.
//!
//! | entry | what |
//! |---|---|
//! | `manifest.json` | the form of the directory and the region of its pools |
//! | `lock` | held by the process that uses the directory |
//! | `log/` | the event log; all there is to keep |
//! | `signing_key.pem` | what checkpoints are signed with; for the owner alone |
//! | `checkpoints.jsonl` | the checkpoint that was signed at each stop, oldest first |
//! | `read_model/` | a projection of it; deleted, it is built again |

use std::{
    fs::{self, DirBuilder, File, OpenOptions, TryLockError},
    io,
    os::unix::fs::DirBuilderExt as _,
    path::{Path, PathBuf},
};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize, de::Error as _};

use crate::fs::{public_mode, write_atomic};

/// The form that this version reads and writes.
const FORMAT: u32 = 1;

/// The file that says what the directory is.
const MANIFEST: &str = "manifest.json";

/// A data directory that this process holds.
#[derive(Debug)]
pub struct DataDir {
    path: PathBuf,
    /// Locked for as long as it is open.
    _lock: File,
}

/// What a data directory says of itself.
#[derive(Debug, Serialize, Deserialize)]
struct Manifest {
    format: u32,
    region: String,
    created_at: DateTime<Utc>,
}

impl Manifest {
    fn write(&self, path: &Path) -> io::Result<()> {
        let mut json = serde_json::to_vec_pretty(self)?;
        json.push(b'\n');
        write_atomic(path, &json, 0o644)
    }
}

/// Why a data directory cannot be used. Nothing in it was changed.
#[derive(Debug, thiserror::Error)]
pub enum DataDirError {
    /// It is a file.
    #[error("the data directory {} is not a directory; choose another --data-dir", .0.display())]
    NotADirectory(PathBuf),
    /// There is none.
    #[error("there is no data directory in {}; name one with --data-dir", .0.display())]
    Missing(PathBuf),
    /// It had a log, and has none any more.
    #[error(
        "the log {} is missing; restore it from a backup, or from an export of it with userpool \
         log import",
        .0.display()
    )]
    LogMissing(PathBuf),
    /// It has a log, and nothing says of which region.
    #[error(
        "{} is missing beside a log; restore it from a backup, or write it: {{\"format\": {FORMAT}, \
         \"region\": \"REGION OF THE USER POOLS\", \"created_at\": \"2017-12-11T00:00:00Z\"}}",
        .0.display()
    )]
    ManifestMissing(PathBuf),
    /// It, or a file in it, cannot be read or written.
    #[error("{} cannot be used; see to the disk, its owner and its permissions", path.display())]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// Another process has it.
    #[error(
        "the data directory {} is in use by another userpool process; stop that one, or choose \
         another --data-dir",
        .0.display()
    )]
    InUse(PathBuf),
    /// Its manifest is not one.
    #[error("{} is damaged; restore it from a backup", path.display())]
    Manifest {
        /// The manifest.
        path: PathBuf,
        /// What is wrong with it.
        source: serde_json::Error,
    },
    /// A newer version wrote it.
    #[error(
        "the data directory of {} has format {found}, which is newer than format {FORMAT} of \
         this version; use the version that wrote it, or a newer one",
        path.display()
    )]
    Newer {
        /// The manifest.
        path: PathBuf,
        /// Its format.
        found: u32,
    },
    /// Its pools are of another region.
    #[error(
        "the data directory of {} has the user pools of region {found}; start with \
         --region {found}, or choose another --data-dir",
        path.display()
    )]
    OtherRegion {
        /// The manifest.
        path: PathBuf,
        /// Its region.
        found: String,
    },
}

impl DataDir {
    /// Takes hold of the directory, creating it where there is none.
    ///
    /// # Errors
    /// See [`DataDirError`].
    pub fn open(path: &Path, region: &str, now: DateTime<Utc>) -> Result<Self, DataDirError> {
        is_no_file(path)?;
        // The pools' settings are nobody else's business.
        private().create(path).map_err(unusable(path))?;
        if public_mode(path).map_err(unusable(path))?.is_some() {
            // Whoever made it may have had a reason.
            let path = path.display();
            tracing::warn!(%path, "the data directory is open to every user; run chmod 700 on it");
        }

        let held = Self::hold(path)?;
        let manifest_path = held.manifest();
        match manifest_of(region, &manifest_path)? {
            Some(_) => held.has_log()?,
            None if !is_empty(&held.log()) => {
                return Err(DataDirError::ManifestMissing(manifest_path));
            }
            None => {
                // Before the manifest: a manifest without a log is a log that was lost.
                private().create(held.log()).map_err(unusable(&held.log()))?;
                sync_above(path).map_err(unusable(path))?;
                let manifest =
                    Manifest { format: FORMAT, region: region.to_owned(), created_at: now };
                manifest.write(&manifest_path).map_err(unusable(&manifest_path))?;
            }
        }
        Ok(held)
    }

    /// Whether the directory could be opened, as far as can be seen without touching it:
    /// it need not be there, and another process may have it.
    ///
    /// # Errors
    /// See [`DataDirError`].
    pub fn check(path: &Path, region: &str) -> Result<(), DataDirError> {
        is_no_file(path)?;
        manifest_of(region, &path.join(MANIFEST)).map(|_| ())
    }

    /// Takes hold of a directory that is there, whatever its region.
    ///
    /// # Errors
    /// See [`DataDirError`].
    pub fn open_existing(path: &Path) -> Result<Self, DataDirError> {
        let missing = || DataDirError::Missing(path.to_owned());
        if !path.join(MANIFEST).exists() {
            return Err(missing());
        }
        let held = Self::hold(path)?;
        read_manifest(&held.manifest())?.ok_or_else(missing)?;
        held.has_log()?;
        Ok(held)
    }

    fn hold(path: &Path) -> Result<Self, DataDirError> {
        let lock_path = path.join("lock");
        let mut options = OpenOptions::new();
        let lock = options.write(true).create(true).truncate(false).open(&lock_path);
        let lock = lock.map_err(unusable(&lock_path))?;
        lock.try_lock().map_err(|error| match error {
            TryLockError::WouldBlock => DataDirError::InUse(path.to_owned()),
            TryLockError::Error(error) => unusable(&lock_path)(error),
        })?;
        Ok(Self { path: path.to_owned(), _lock: lock })
    }

    fn has_log(&self) -> Result<(), DataDirError> {
        if self.log().is_dir() { Ok(()) } else { Err(DataDirError::LogMissing(self.log())) }
    }

    fn manifest(&self) -> PathBuf {
        self.path.join(MANIFEST)
    }

    /// Where the log is.
    #[must_use]
    pub fn log(&self) -> PathBuf {
        log(&self.path)
    }

    /// Where the read model is.
    #[must_use]
    pub fn read_model(&self) -> PathBuf {
        read_model(&self.path)
    }
}

/// Where the log of a data directory is.
#[must_use]
pub fn log(data_dir: &Path) -> PathBuf {
    data_dir.join("log")
}

/// Where the read model of a data directory is.
#[must_use]
pub fn read_model(data_dir: &Path) -> PathBuf {
    data_dir.join("read_model")
}

/// Where the signing key of a data directory is.
#[must_use]
pub fn signing_key(data_dir: &Path) -> PathBuf {
    data_dir.join("signing_key.pem")
}

/// Where the checkpoints of a data directory are noted.
#[must_use]
pub fn checkpoints(data_dir: &Path) -> PathBuf {
    data_dir.join("checkpoints.jsonl")
}

/// A directory for its owner alone, with what is above it.
fn private() -> DirBuilder {
    let mut builder = DirBuilder::new();
    builder.recursive(true).mode(0o700);
    builder
}

fn unusable(path: &Path) -> impl FnOnce(io::Error) -> DataDirError {
    let path = path.to_owned();
    move |source| DataDirError::Io { path, source }
}

fn is_no_file(path: &Path) -> Result<(), DataDirError> {
    let file = path.exists() && !path.is_dir();
    if file { Err(DataDirError::NotADirectory(path.to_owned())) } else { Ok(()) }
}

/// Whether nothing is in a directory, or it is none.
fn is_empty(path: &Path) -> bool {
    fs::read_dir(path).map_or(true, |mut entries| entries.next().is_none())
}

/// The manifest, where there is one; it must be of this region.
fn manifest_of(region: &str, path: &Path) -> Result<Option<Manifest>, DataDirError> {
    match read_manifest(path)? {
        Some(Manifest { region: found, .. }) if found != region => {
            Err(DataDirError::OtherRegion { path: path.to_owned(), found })
        }
        manifest => Ok(manifest),
    }
}

fn read_manifest(manifest_path: &Path) -> Result<Option<Manifest>, DataDirError> {
    let bytes = match fs::read(manifest_path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(unusable(manifest_path)(error)),
    };
    let damaged = |source| DataDirError::Manifest { path: manifest_path.to_owned(), source };
    // The format first: of a newer one nothing else can be known.
    let manifest: serde_json::Value = serde_json::from_slice(&bytes).map_err(damaged)?;
    let format = manifest.get("format").and_then(serde_json::Value::as_u64).unwrap_or_default();
    let found = u32::try_from(format).unwrap_or(u32::MAX);
    if found > FORMAT {
        return Err(DataDirError::Newer { path: manifest_path.to_owned(), found });
    }
    if found == 0 {
        return Err(damaged(serde_json::Error::custom("there is no format 0")));
    }
    serde_json::from_value(manifest).map(Some).map_err(damaged)
}

/// A new directory is there for good once the one above it is synced, and those
/// may be new as well. One that this process may not read is not its creation.
fn sync_above(path: &Path) -> io::Result<()> {
    for above in path.canonicalize()?.ancestors().skip(1) {
        match File::open(above) {
            Ok(above) => above.sync_all()?,
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => (),
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
