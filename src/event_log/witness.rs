//! A second place that knows how far the log was acknowledged.
//!
//! A damaged sled file can open without a word and without its tail, so the
//! engine compares what it finds with this file and refuses to go on from less.
//! Two slots, written in turn, so that a torn write leaves the one before:
//!
//! | bytes of a slot | what |
//! |---|---|
//! | 0–7 | the position of the head, big-endian |
//! | 8–39 | its hash |
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
const SLOT: usize = 72;

/// The file that notes the acknowledged head.
#[derive(Debug)]
pub(super) struct Witness {
    file: File,
    next_slot: u64,
}

impl Witness {
    /// Opens or creates the file, and reads the newest head that it notes.
    ///
    /// # Errors
    /// The file cannot be opened, created or read.
    pub(super) fn open(path: &Path) -> io::Result<(Self, Head)> {
        let mut options = OpenOptions::new();
        let file = options.read(true).write(true).create(true).truncate(false).open(path)?;
        let mut newest = Head::default();
        let mut next_slot = 0;
        for slot in 0..2 {
            let noted = read_slot(&file, slot)?.unwrap_or_default();
            if noted.position > newest.position {
                newest = noted;
                next_slot = 1 - slot;
            }
        }
        Ok((Self { file, next_slot }, newest))
    }

    /// Notes that everything up to `head` is durable in the log.
    ///
    /// Written, not synced: the log itself is what is durable. The kernel keeps
    /// the note when the process dies, and writes it back in its own time.
    ///
    /// # Errors
    /// The file cannot be written; the older note stays.
    pub(super) fn note(&mut self, head: Head) -> io::Result<()> {
        let mut slot = Vec::with_capacity(SLOT);
        slot.extend_from_slice(&head.position.0.to_be_bytes());
        slot.extend_from_slice(&head.hash.0);
        let digest = Sha256::digest(&slot);
        slot.extend_from_slice(&digest);
        self.file.write_all_at(&slot, self.next_slot * SLOT_DISTANCE)?;
        self.next_slot = 1 - self.next_slot;
        Ok(())
    }

    /// Makes the newest note durable.
    ///
    /// # Errors
    /// The file cannot be synced.
    pub(super) fn sync(&self) -> io::Result<()> {
        self.file.sync_all()
    }
}

/// The head noted in a slot, or nothing where the slot was never written whole.
fn read_slot(file: &File, slot: u64) -> io::Result<Option<Head>> {
    let mut bytes = [0; SLOT];
    match file.read_exact_at(&mut bytes, slot * SLOT_DISTANCE) {
        Ok(()) => (),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        Err(error) => return Err(error),
    }
    let (noted, digest) = bytes.split_at(SLOT - 32);
    let parsed = || {
        let (position, hash) = noted.split_first_chunk::<8>()?;
        let position = Position(u64::from_be_bytes(*position));
        Some(Head { position, hash: Hash(hash.try_into().ok()?) })
    };
    Ok(if Sha256::digest(noted).as_slice() == digest { parsed() } else { None })
}
