//! The data directory: its layout, its format and its lock.
//!
//! | entry | is |
//! |---|---|
//! | `manifest.json` | the format of the directory and the region of its user pools |
//! | `lock` | locked by the process that uses the directory |
//! | `log/` | the event log; the only data that cannot be rebuilt |
//! | `signing_key.pem` | the key that signs checkpoints; private to the owner |
//! | `checkpoints.jsonl` | the checkpoints that were signed at an interval and at each stop, oldest first |
//! | `read_model/` | a projection of the log; rebuilt if it is deleted |

use std::{
    fs::{self, DirBuilder, File, TryLockError},
    io,
    os::unix::fs::DirBuilderExt as _,
    path::{Path, PathBuf},
};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize, de::Error as _};

use crate::fs::{FileLock, public_mode, read_optional, write_atomic};

/// The format that this version reads and writes.
///
/// 1: each record of the log is an entry by itself. 2: records are in packs.
const FORMAT: u32 = 2;

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
    /// The path is a file.
    #[error("the data directory {} is not a directory; choose another --data-dir", .0.display())]
    NotADirectory(PathBuf),
    /// There is no data directory.
    #[error("there is no data directory in {}; set --data-dir", .0.display())]
    Missing(PathBuf),
    /// The log was deleted.
    #[error(
        "the log {} is missing; restore it from a backup, or import an export of it with userpool \
         log import",
        .0.display()
    )]
    LogMissing(PathBuf),
    /// There is a log, but no manifest with its region.
    #[error(
        "{} is missing although there is a log; restore it from a backup, or write it: \
         {{\"format\": {FORMAT}, \
         \"region\": \"REGION OF THE USER POOLS\", \"created_at\": \"2017-12-11T00:00:00Z\"}}",
        .0.display()
    )]
    ManifestMissing(PathBuf),
    /// The directory or a file in it cannot be read or written.
    #[error("cannot use {}; check the disk, the owner and the permissions", path.display())]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// Another process has locked it.
    #[error(
        "the data directory {} is in use by another userpool process; stop that one, or choose \
         another --data-dir",
        .0.display()
    )]
    InUse(PathBuf),
    /// The manifest is invalid.
    #[error("{} is damaged; restore it from a backup", path.display())]
    Manifest {
        /// The manifest.
        path: PathBuf,
        /// Why it is invalid.
        source: serde_json::Error,
    },
    /// A newer version has written it.
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
    /// Its user pools belong to another region.
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
    /// Locks the directory, and creates it if it does not exist.
    ///
    /// # Errors
    /// See [`DataDirError`].
    pub fn open(path: &Path, region: &str, now: DateTime<Utc>) -> Result<Self, DataDirError> {
        check_no_file(path)?;
        // User pools have confidential settings.
        private().create(path).map_err(unusable(path))?;
        if public_mode(path).map_err(unusable(path))?.is_some() {
            // Only a warning, because the permissions may be intended.
            let path = path.display();
            tracing::warn!(%path, "every user has access to the data directory; run chmod 700 on it");
        }

        let directory = Self::lock(path)?;
        let manifest_path = directory.manifest();
        match manifest_of(region, &manifest_path)? {
            Some(_) => directory.check_log()?,
            None if !is_empty(&directory.log()) => {
                return Err(DataDirError::ManifestMissing(manifest_path));
            }
            None => {
                // Created before the manifest: a manifest without a log means that the log is lost.
                private().create(directory.log()).map_err(unusable(&directory.log()))?;
                sync_parents(path).map_err(unusable(path))?;
                let manifest =
                    Manifest { format: FORMAT, region: region.to_owned(), created_at: now };
                manifest.write(&manifest_path).map_err(unusable(&manifest_path))?;
            }
        }
        Ok(directory)
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
        read_manifest(&directory.manifest())?.ok_or_else(missing)?;
        directory.check_log()?;
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

    fn check_log(&self) -> Result<(), DataDirError> {
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
    if found > FORMAT {
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
