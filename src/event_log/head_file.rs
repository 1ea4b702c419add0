//! A file that records the acknowledged head.
//!
//! sled can open a damaged database without an error and without its last records.
//! So the engine compares the end of the database with this file, and refuses a
//! database that ends earlier. The file has two slots, which are written in turn, so
//! that a torn write leaves the older slot intact:
//!
//! | bytes of a slot | content |
//! |---|---|
//! | 0–7 | the position of the head, big-endian |
//! | 8–39 | the hash of the head |
//! | 40–71 | SHA-256 of the 40 bytes before |

use std::{
    fs::{File, OpenOptions},
    io,
    os::unix::fs::FileExt as _,
    path::Path,
};

use sha2::{Digest as _, Sha256};

use super::{Hash, Head, Position};

/// Far enough apart that no sector holds both slots.
const SLOT_DISTANCE: u64 = 4096;
const SLOT_BYTES: usize = 72;

/// The file that records the acknowledged head.
#[derive(Debug)]
pub(crate) struct HeadFile {
    file: File,
    next_slot: u64,
}

impl HeadFile {
    /// Opens or creates the file, and reads the newest head in it.
    ///
    /// # Errors
    /// The file cannot be opened, created or read.
    pub(crate) fn open(path: &Path) -> io::Result<(Self, Head)> {
        let mut options = OpenOptions::new();
        let file = options.read(true).write(true).create(true).truncate(false).open(path)?;
        let mut newest = Head::default();
        let mut next_slot = 0;
        for slot in 0..2 {
            let head = read_slot(&file, slot)?.unwrap_or_default();
            if head.position > newest.position {
                newest = head;
                next_slot = 1 - slot;
            }
        }
        Ok((Self { file, next_slot }, newest))
    }

    /// Records that the log is durable up to `head`.
    ///
    /// Writes, but does not sync: the database itself is durable. The write outlives
    /// the process, because the kernel has it.
    ///
    /// # Errors
    /// The file cannot be written; the older slot stays.
    pub(crate) fn record(&mut self, head: Head) -> io::Result<()> {
        let mut slot = Vec::with_capacity(SLOT_BYTES);
        slot.extend_from_slice(&head.position.0.to_be_bytes());
        slot.extend_from_slice(&head.hash.0);
        let digest = Sha256::digest(&slot);
        slot.extend_from_slice(&digest);
        self.file.write_all_at(&slot, self.next_slot * SLOT_DISTANCE)?;
        self.next_slot = 1 - self.next_slot;
        Ok(())
    }

    /// Makes the newest slot durable.
    ///
    /// # Errors
    /// The file cannot be synced.
    pub(crate) fn sync(&self) -> io::Result<()> {
        self.file.sync_all()
    }
}

/// The head in a slot, or `None` if the slot was never written completely.
fn read_slot(file: &File, slot: u64) -> io::Result<Option<Head>> {
    let mut bytes = [0; SLOT_BYTES];
    match file.read_exact_at(&mut bytes, slot * SLOT_DISTANCE) {
        Ok(()) => (),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        Err(error) => return Err(error),
    }
    let (head, digest) = bytes.split_at(SLOT_BYTES - 32);
    let parse = || {
        let (position, hash) = head.split_first_chunk::<8>()?;
        let position = Position(u64::from_be_bytes(*position));
        Some(Head { position, hash: Hash(hash.try_into().ok()?) })
    };
    Ok(if Sha256::digest(head).as_slice() == digest { parse() } else { None })
}
