//! Why a data directory cannot be used.

use std::{io, path::PathBuf};

use super::format::{FORMAT, REMOTE_FORMAT};

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
    /// Its log is in a database.
    #[error(
        "the data directory {} belongs to the log {log} in PostgreSQL; name its database with \
         --log-url or --log-url-file, or choose another --data-dir",
        path.display()
    )]
    RemoteLog {
        /// The directory.
        path: PathBuf,
        /// The name of the log.
        log: String,
    },
    /// It has a log, although that should be in a database.
    #[error(
        "the data directory {} has a log; choose another --data-dir for a log in PostgreSQL, and \
         move this one there with userpool log export and userpool log import",
        .0.display()
    )]
    OwnLog(PathBuf),
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
        "the data directory of {} has format {found}, which is newer than format {REMOTE_FORMAT} \
         of this version; use the version that wrote it, or a newer one",
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
