//! The data directory: its layout, its format and its lock.
//!
//! | entry | is |
//! |---|---|
//! | `manifest.json` | the format of the directory, the region of its user pools, and the log if it is in a database |
//! | `lock` | locked by the process that uses the directory |
//! | `log/` | the event log; the only data that cannot be rebuilt |
//! | `seen_head`, `timeline` | what was last seen of a log in a database, instead of `log/` |
//! | `signing_key.pem` | the key that signs checkpoints; private to the owner |
//! | `checkpoints.jsonl` | the checkpoints that were signed at an interval and at each stop, oldest first; those of other servers of the log as well |
//! | `read_model/` | a projection of the log; rebuilt if it is deleted |

mod error;
mod format;

use std::{
    fs::{self, DirBuilder, File, TryLockError},
    io,
    os::unix::fs::DirBuilderExt as _,
    path::{Path, PathBuf},
};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize, de::Error as _};

use crate::fs::{FileLock, public_mode, read_optional, write_atomic};

pub use self::error::DataDirError;
use self::format::{FORMAT, REMOTE_FORMAT};

/// The name of the manifest.
const MANIFEST: &str = "manifest.json";

/// A data directory that this process has locked.
#[derive(Debug)]
pub struct DataDir {
    path: PathBuf,
    _lock: FileLock,
}

/// The description of a data directory.
#[derive(Debug, Serialize, Deserialize)]
struct Manifest {
    format: u32,
    region: String,
    created_at: DateTime<Utc>,
    /// The log, if it is in a database.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    log: Option<RemoteLog>,
}

/// A log in a database.
#[derive(Debug, Serialize, Deserialize)]
struct RemoteLog {
    engine: String,
    name: String,
}

/// The engine of a [`RemoteLog`].
const POSTGRES: &str = "postgres";

impl Manifest {
    fn write(&self, path: &Path) -> io::Result<()> {
        let mut json = serde_json::to_vec_pretty(self)?;
        json.push(b'\n');
        write_atomic(path, &json, 0o644)
    }
}

impl DataDir {
    /// Locks the directory, and creates it if it does not exist.
    ///
    /// # Errors
    /// See [`DataDirError`].
    pub fn open(path: &Path, region: &str, now: DateTime<Utc>) -> Result<Self, DataDirError> {
        let directory = Self::create(path)?;
        let manifest_path = directory.manifest();
        match manifest_of(region, &manifest_path)? {
            Some(manifest) => directory.check_log(&manifest)?,
            None if !is_empty(&directory.log()) => {
                return Err(DataDirError::ManifestMissing(manifest_path));
            }
            None => {
                // Created before the manifest: a manifest without a log means that the log is lost.
                private().create(directory.log()).map_err(unusable(&directory.log()))?;
                sync_parents(path).map_err(unusable(path))?;
                let region = region.to_owned();
                let manifest = Manifest { format: FORMAT, region, created_at: now, log: None };
                manifest.write(&manifest_path).map_err(unusable(&manifest_path))?;
            }
        }
        Ok(directory)
    }

    /// Locks the directory of a server whose log has this name in a database, and creates it if
    /// it does not exist.
    ///
    /// # Errors
    /// See [`DataDirError`].
    pub fn open_remote(
        path: &Path,
        region: &str,
        log: &str,
        now: DateTime<Utc>,
    ) -> Result<Self, DataDirError> {
        let directory = Self::create(path)?;
        let manifest_path = directory.manifest();
        match manifest_of(region, &manifest_path)? {
            Some(Manifest { log: Some(RemoteLog { name, .. }), .. }) if name == log => (),
            Some(Manifest { log: Some(RemoteLog { name, .. }), .. }) => {
                return Err(DataDirError::RemoteLog { path: path.to_owned(), log: name });
            }
            Some(Manifest { log: None, .. }) => return Err(DataDirError::OwnLog(path.to_owned())),
            None if !is_empty(&directory.log()) => {
                return Err(DataDirError::OwnLog(path.to_owned()));
            }
            None => {
                sync_parents(path).map_err(unusable(path))?;
                let log = RemoteLog { engine: POSTGRES.to_owned(), name: log.to_owned() };
                let (format, region) = (REMOTE_FORMAT, region.to_owned());
                let manifest = Manifest { format, region, created_at: now, log: Some(log) };
                manifest.write(&manifest_path).map_err(unusable(&manifest_path))?;
            }
        }
        Ok(directory)
    }

    fn create(path: &Path) -> Result<Self, DataDirError> {
        check_no_file(path)?;
        // User pools have confidential settings.
        private().create(path).map_err(unusable(path))?;
        if public_mode(path).map_err(unusable(path))?.is_some() {
            // Only a warning, because the permissions may be intended.
            let path = path.display();
            tracing::warn!(%path, "every user has access to the data directory; run chmod 700 on it");
        }
        Self::lock(path)
    }

    /// Checks whether the directory could be opened, without changing it. It need not
    /// exist, and another process may have locked it.
    ///
    /// # Errors
    /// See [`DataDirError`].
    pub fn check(path: &Path, region: &str) -> Result<(), DataDirError> {
        check_no_file(path)?;
        manifest_of(region, &path.join(MANIFEST)).map(|_| ())
    }

    /// Locks an existing directory of any region.
    ///
    /// # Errors
    /// See [`DataDirError`].
    pub fn open_existing(path: &Path) -> Result<Self, DataDirError> {
        let missing = || DataDirError::Missing(path.to_owned());
        if !path.join(MANIFEST).exists() {
            return Err(missing());
        }
        let directory = Self::lock(path)?;
        let manifest = read_manifest(&directory.manifest())?.ok_or_else(missing)?;
        directory.check_log(&manifest)?;
        Ok(directory)
    }

    /// Records that this version writes to the directory, so that an earlier one refuses it.
    ///
    /// # Errors
    /// See [`DataDirError`].
    pub fn raise_format(&self) -> Result<(), DataDirError> {
        let path = self.manifest();
        let Some(manifest) = read_manifest(&path)?.filter(|manifest| manifest.format < FORMAT)
        else {
            return Ok(());
        };
        let (from, to) = (manifest.format, FORMAT);
        tracing::info!(
            from,
            to,
            "the data directory gets a new format; earlier versions refuse it"
        );
        Manifest { format: FORMAT, ..manifest }.write(&path).map_err(unusable(&path))
    }

    fn lock(path: &Path) -> Result<Self, DataDirError> {
        let lock_path = path.join("lock");
        let lock = FileLock::try_new(&lock_path).map_err(|error| match error {
            TryLockError::WouldBlock => DataDirError::InUse(path.to_owned()),
            TryLockError::Error(error) => unusable(&lock_path)(error),
        })?;
        Ok(Self { path: path.to_owned(), _lock: lock })
    }

    fn check_log(&self, manifest: &Manifest) -> Result<(), DataDirError> {
        if let Some(RemoteLog { name, .. }) = &manifest.log {
            let (path, log) = (self.path.clone(), name.clone());
            return Err(DataDirError::RemoteLog { path, log });
        }
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

    /// Where the signing key is.
    #[must_use]
    pub fn signing_key(&self) -> PathBuf {
        signing_key(&self.path)
    }

    /// Where the signed checkpoints are.
    #[must_use]
    pub fn checkpoints(&self) -> PathBuf {
        checkpoints(&self.path)
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

/// Where the signed checkpoints of a data directory are.
#[must_use]
pub fn checkpoints(data_dir: &Path) -> PathBuf {
    data_dir.join("checkpoints.jsonl")
}

/// Creates directories that only their owner can access, with their parents.
fn private() -> DirBuilder {
    let mut builder = DirBuilder::new();
    builder.recursive(true).mode(0o700);
    builder
}

fn unusable(path: &Path) -> impl FnOnce(io::Error) -> DataDirError {
    let path = path.to_owned();
    move |source| DataDirError::Io { path, source }
}

fn check_no_file(path: &Path) -> Result<(), DataDirError> {
    let file = path.exists() && !path.is_dir();
    if file { Err(DataDirError::NotADirectory(path.to_owned())) } else { Ok(()) }
}

/// Whether a directory is empty or does not exist.
fn is_empty(path: &Path) -> bool {
    fs::read_dir(path).map_or(true, |mut entries| entries.next().is_none())
}

/// The manifest, if there is one. It must be for this region.
fn manifest_of(region: &str, path: &Path) -> Result<Option<Manifest>, DataDirError> {
    match read_manifest(path)? {
        Some(Manifest { region: found, .. }) if found != region => {
            Err(DataDirError::OtherRegion { path: path.to_owned(), found })
        }
        manifest => Ok(manifest),
    }
}

fn read_manifest(manifest_path: &Path) -> Result<Option<Manifest>, DataDirError> {
    let bytes = read_optional(manifest_path).map_err(unusable(manifest_path))?;
    let Some(bytes) = bytes else { return Ok(None) };
    let damaged = |source| DataDirError::Manifest { path: manifest_path.to_owned(), source };
    // Check the format first: the rest of a newer manifest is unknown.
    let manifest: serde_json::Value = serde_json::from_slice(&bytes).map_err(damaged)?;
    let format = manifest.get("format").and_then(serde_json::Value::as_u64).unwrap_or_default();
    let found = u32::try_from(format).unwrap_or(u32::MAX);
    if found > REMOTE_FORMAT {
        return Err(DataDirError::Newer { path: manifest_path.to_owned(), found });
    }
    if found == 0 {
        return Err(damaged(serde_json::Error::custom("there is no format 0")));
    }
    serde_json::from_value(manifest).map(Some).map_err(damaged)
}

/// Syncs the parents of a new directory, so that it survives a crash. Parents that this
/// process cannot read were not created by it, and are skipped.
fn sync_parents(path: &Path) -> io::Result<()> {
    for parent in path.canonicalize()?.ancestors().skip(1) {
        match File::open(parent) {
            Ok(parent) => parent.sync_all()?,
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => (),
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
