//! The formats of data directories.

/// The format of a directory with a log.
///
/// 1: each record of the log is an entry by itself. 2: records are in packs.
pub(super) const FORMAT: u32 = 2;
/// The format of a directory whose log is in a database. It is the newest that this version
/// reads.
pub(super) const REMOTE_FORMAT: u32 = 3;
