//! The verifier: it takes the records of a log one after another and reports the first that
//! breaks the chain or the rules. Knows nothing of the source of the records.

use std::{borrow::Borrow, mem};

use crate::{
    event_log::{Defect, Hash, Head, LogId, Position, Record},
    proto::{self, Difference, UserPoolEvent},
    user_pool::{Assumptions, EventChecker},
};

use super::{
    anchor::RangeAnchor,
    codec,
    merkle::{Edge, leaf_hash},
    mismatch::{Mismatch, MismatchCause},
    trusted::{LogCheckpoint, Trust},
};

/// Checks the hash chain and the batches of a log, and that commands could have recorded its
/// events; compares its hashes with those of trusted checkpoints.
#[derive(Debug, Clone, Default)]
pub struct Verifier {
    /// The last record that is valid.
    head: Head,
    /// Whether that record is not the last of its batch.
    is_inside_batch: bool,
    rules: EventChecker,
    /// The Merkle tree of the records up to the head.
    tree: Edge,
    /// The trusted checkpoints that are not compared yet, by position.
    trusted: Vec<LogCheckpoint>,
    /// The trusted heads before the range, which cannot be compared.
    before_range: Vec<Head>,
    /// The record before the range, if the first records of the log are missing.
    anchor: Option<RangeAnchor>,
    /// The ID of the log, once it is known.
    log_id: Option<LogId>,
}

impl Verifier {
    /// A verifier for a log that must continue all these trusted checkpoints.
    ///
    /// # Errors
    /// One of them is at position 0 and does not have the hash of an empty log.
    pub fn new(trusted: impl IntoIterator<Item = LogCheckpoint>) -> Result<Self, Mismatch> {
        let mut trusted: Vec<_> = trusted.into_iter().collect();
        trusted.sort_by_key(|checkpoint| checkpoint.head.position);
        let mut verifier = Self { trusted, ..Self::default() };
        verifier
            .compare_trusted(Head::default(), None)
            .map_err(|cause| verifier.mismatch_at_head(cause))?;
        Ok(verifier)
    }

    /// The last record that is valid.
    #[must_use]
    pub const fn head(&self) -> Head {
        self.head
    }

    /// The ID of the log: that of its first record, or the one that the range states; `None`
    /// for an empty log.
    #[must_use]
    pub const fn log_id(&self) -> Option<LogId> {
        self.log_id
    }

    /// The record before the range that is verified; `None` for a log from its first record.
    #[must_use]
    pub const fn anchor(&self) -> Option<RangeAnchor> {
        self.anchor
    }

    /// What the rules need to know of the records before the range, and is taken as given.
    #[must_use]
    pub fn assumptions(&self) -> Option<&Assumptions> {
        self.rules.assumptions()
    }

    /// The trusted heads before the range, which cannot be compared.
    #[must_use]
    pub fn before_range(&self) -> &[Head] {
        &self.before_range
    }

    /// Goes on after the anchor of a range: the next record follows it. If no record was
    /// taken, those up to the anchor are not verified.
    ///
    /// # Errors
    /// Records were taken, but the range does not follow them; or a trusted head is at the
    /// anchor, and has another hash.
    pub fn begin_range(&mut self, anchor: RangeAnchor) -> Result<(), Mismatch> {
        let is_first = self.log_id.is_none();
        if anchor.head == Head::default() && self.head == anchor.head && is_first {
            // A range without an event, from the beginning of the log.
            self.compare_log_id(anchor.log_id).map_err(|cause| self.mismatch_at_next(cause))?;
            self.log_id = Some(anchor.log_id);
            return Ok(());
        }
        if self.head.position == Position::START && self.anchor.is_none() && is_first {
            let position = anchor.head.position.next();
            self.compare_log_id(anchor.log_id).map_err(|cause| Mismatch { position, cause })?;
            let before = |trusted: &LogCheckpoint| trusted.head.position < anchor.head.position;
            let before = self.trusted.extract_if(.., |trusted| before(trusted));
            self.before_range.extend(before.map(|trusted| trusted.head));
            self.anchor = Some(anchor);
            self.head = anchor.head;
            self.log_id = Some(anchor.log_id);
            self.rules = EventChecker::for_range();
            let compared = self.compare_trusted(anchor.head, None);
            return compared.map_err(|cause| self.mismatch_at_head(cause));
        }
        if anchor.head != self.head {
            let cause = MismatchCause::NotConsecutive { end: self.head, anchor: anchor.head };
            return Err(self.mismatch_at_next(cause));
        }
        match self.log_id {
            Some(expected) if expected != anchor.log_id => {
                let found = anchor.log_id;
                Err(self.mismatch_at_next(MismatchCause::OtherLog { found, expected }))
            }
            Some(_) | None => Ok(()),
        }
    }

    /// The root of the Merkle tree of all valid records; `None` if the first ones are missing.
    #[must_use]
    pub fn root(&self) -> Option<Hash> {
        self.has_tree().then(|| self.tree.root())
    }

    const fn has_tree(&self) -> bool {
        self.tree.size() == self.head.position.0
    }

    /// Takes the next record, and returns its event.
    ///
    /// # Errors
    /// The first [`Mismatch`]; the head stays where it is.
    pub fn push(&mut self, record: &Record) -> Result<UserPoolEvent, Mismatch> {
        let decode = |record: &Record| Ok(codec::decode(record).map_err(|error| error.source)?);
        self.accept(record, decode).map_err(|cause| self.mismatch_at_next(cause))
    }

    /// Takes the next event with its record, and returns the record.
    ///
    /// # Errors
    /// As for [`Self::push`].
    pub fn push_event(&mut self, event: &UserPoolEvent) -> Result<Record, Mismatch> {
        let record = parse_record(event).map_err(|cause| self.mismatch_at_next(cause))?;
        self.accept(&record, |record| check_event(event, record).map(|()| event))
            .map_err(|cause| self.mismatch_at_next(cause))?;
        Ok(record)
    }

    /// Takes the next line of an export, and returns its record; `None` for the anchor of a
    /// range.
    ///
    /// # Errors
    /// As for [`Self::push`] and [`Self::begin_range`].
    pub fn push_line(&mut self, line: &str) -> Result<Option<Record>, Mismatch> {
        if let Some(anchor) = RangeAnchor::from_line(line) {
            let anchor = anchor.map_err(|error| self.mismatch_at_next(error))?;
            return self.begin_range(anchor).map(|()| None);
        }
        let event =
            proto::from_json(line).map_err(|error| self.mismatch_at_next(error.in_one_line()))?;
        self.push_event(&event).map(Some)
    }

    /// Checks that the log may end here: after a whole batch, and not before a trusted
    /// head.
    ///
    /// # Errors
    /// It ends too early.
    pub fn finish(&self) -> Result<(), Mismatch> {
        if self.is_inside_batch {
            Err(self.mismatch_at_next(Defect::PartialBatch))
        } else if self.trusted.is_empty() {
            Ok(())
        } else {
            Err(self.mismatch_at_next(MismatchCause::Truncated(self.head.position)))
        }
    }

    /// Checks that the log may end here, and that its server signed this end.
    ///
    /// # Errors
    /// As for [`Self::finish`]; or the server signed another head, or none, or did so with
    /// another key than the trusted one.
    pub fn finish_signed(&self, checkpoint: LogCheckpoint, trust: &Trust) -> Result<(), Mismatch> {
        let Head { position: end, hash: found } = self.head;
        let LogCheckpoint { head: Head { position, hash: signed }, root, log_id, .. } = checkpoint;
        if position > end {
            return Err(self.mismatch_at_next(MismatchCause::Withheld(position)));
        }
        if position < end {
            return Err(Mismatch { position, cause: MismatchCause::EarlyCheckpoint(end) });
        }
        self.finish()?;
        if found != signed {
            return Err(self.mismatch_at_head(MismatchCause::OtherCheckpoint { found, signed }));
        }
        self.compare_root(root, None).map_err(|cause| self.mismatch_at_head(cause))?;
        if let (Some(found), Some(signed)) = (self.log_id, log_id)
            && found != signed
        {
            return Err(self.mismatch_at_head(MismatchCause::OtherLogSigned { found, signed }));
        }
        trust.check_key(checkpoint).map_err(|cause| self.mismatch_at_head(cause))
    }

    /// A mismatch at the record after the last valid one.
    pub fn mismatch_at_next(&self, cause: impl Into<MismatchCause>) -> Mismatch {
        Mismatch { position: self.head.position.next(), cause: cause.into() }
    }

    /// A mismatch at the last valid record.
    pub fn mismatch_at_head(&self, cause: impl Into<MismatchCause>) -> Mismatch {
        Mismatch { position: self.head.position, cause: cause.into() }
    }

    /// Makes a record the head, if it follows the head and its event obeys the rules.
    fn accept<E: Borrow<UserPoolEvent>>(
        &mut self,
        record: &Record,
        event_of: impl FnOnce(&Record) -> Result<E, MismatchCause>,
    ) -> Result<E, MismatchCause> {
        // The chain first, because a misplaced record has the content of another position.
        record.check_follows(self.head)?;
        let event = event_of(record)?;
        let leaf = leaf_hash(&record.stored);
        let log_id = match self.log_id {
            Some(log_id) if self.head.position > Position::START => log_id,
            stated => {
                let found = LogId::of(record.hash);
                if let Some(expected) = stated.filter(|stated| *stated != found) {
                    return Err(MismatchCause::OtherLog { found, expected });
                }
                self.compare_log_id(found)?;
                found
            }
        };
        self.compare_trusted(record.head(), Some(leaf))?;
        let UserPoolEvent { user_pool_id, revision, payload, .. } = event.borrow();
        if let Some(payload) = payload {
            self.rules.check(user_pool_id, *revision, payload)?;
        }
        self.tree.push(leaf);
        self.head = record.head();
        self.log_id = Some(log_id);
        self.is_inside_batch = !record.is_last_in_batch();
        Ok(event)
    }

    /// Compares the ID of the log with those of the trusted checkpoints.
    fn compare_log_id(&self, found: LogId) -> Result<(), MismatchCause> {
        let of_other = |checkpoint: &LogCheckpoint| {
            let trusted = checkpoint.log_id.filter(|log_id| *log_id != found)?;
            let position = checkpoint.head.position;
            Some(MismatchCause::OtherLogTrusted { found, trusted, position })
        };
        self.trusted.iter().find_map(of_other).map_or(Ok(()), Err)
    }

    /// Compares the next head, and the hash of its record, with the trusted checkpoints at its
    /// position, and removes them.
    fn compare_trusted(
        &mut self,
        Head { position, hash }: Head,
        leaf: Option<Hash>,
    ) -> Result<(), MismatchCause> {
        let later = |trusted: &LogCheckpoint| trusted.head.position <= position;
        let rest = self.trusted.split_off(self.trusted.partition_point(later));
        for LogCheckpoint { head, root, .. } in mem::replace(&mut self.trusted, rest) {
            if head.hash != hash {
                return Err(MismatchCause::Rewritten { found: hash, trusted: head.hash });
            }
            self.compare_root(root, leaf)?;
        }
        Ok(())
    }

    /// Compares the root of the tree, after one more leaf, with one that was signed.
    fn compare_root(&self, signed: Option<Hash>, leaf: Option<Hash>) -> Result<(), MismatchCause> {
        let Some(signed) = signed.filter(|_| self.has_tree()) else { return Ok(()) };
        let mut tree = self.tree.clone();
        if let Some(leaf) = leaf {
            tree.push(leaf);
        }
        match tree.root() {
            found if found == signed => Ok(()),
            found => Err(MismatchCause::OtherRoot { found, signed }),
        }
    }
}

/// Returns the record that came with an event, after checking that it holds that event.
///
/// # Errors
/// The event has no record, the record is damaged, or it holds another event.
pub fn extract_record(event: &UserPoolEvent) -> Result<Record, MismatchCause> {
    let record = parse_record(event)?;
    check_event(event, &record)?;
    Ok(record)
}

fn parse_record(event: &UserPoolEvent) -> Result<Record, MismatchCause> {
    Ok(Record::parse(event.record.clone().ok_or(MismatchCause::NoRecord)?)?)
}

/// Checks that an event is the one in its record.
fn check_event(event: &UserPoolEvent, record: &Record) -> Result<(), MismatchCause> {
    let recorded = codec::decode_with_record(record).map_err(|error| error.source)?;
    if recorded == *event {
        return Ok(());
    }
    let json = |event| proto::to_json(event).unwrap_or_default();
    let differences = proto::differences(&json(&recorded), &json(event));
    // A path can have the key of a tag, which is any text.
    let path = |Difference { path, .. }: Difference| path.escape_debug().to_string();
    let paths: Vec<_> = differences.into_iter().map(path).collect();
    Err(MismatchCause::EventChanged(paths.join(", ")))
}
