//! The key of a witness, and the keys of those that an auditor trusts.

use std::{collections::BTreeSet, path::Path, str::FromStr};

use chrono::{DateTime, Utc};

use super::{
    checkpoint::{KeyError, create_key, read_key},
    ed25519::KeyPair,
    note::{Note, NoteError, NoteKey, NoteSignature, SignatureKind, cosigned_text},
    public_key::PublicKey,
};

/// Cosigns checkpoints, as in C2SP's tlog-cosignature.
#[derive(Debug)]
pub struct Cosigner {
    pair: KeyPair,
    key: NoteKey,
}

/// The name of a witness.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WitnessName(String);

/// The key that verifies the cosignatures of a witness.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WitnessKey(NoteKey);

/// The witnesses that an auditor trusts, and how many of them must have cosigned a checkpoint.
#[derive(Debug, Clone)]
pub struct Quorum {
    witnesses: Vec<WitnessKey>,
    required: usize,
}

/// There is no such quorum.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum QuorumError {
    /// It can never be reached, or needs no witness.
    #[error("a quorum of {required} needs at least one and at most all of the {count} witnesses")]
    Size {
        /// How many witnesses must cosign.
        required: usize,
        /// How many there are.
        count: usize,
    },
    /// One holder of the key could cosign under both names.
    #[error("{first} and {second} have the same key, so they are one witness: name one of them")]
    SharedKey {
        /// The name of a witness.
        first: String,
        /// The name of another.
        second: String,
    },
}

/// Too few of the witnesses cosigned a checkpoint.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "the checkpoint has valid cosignatures of {found} of {count} witnesses, {required} {} required; \
     missing: {missing}",
    if *required == 1 { "is" } else { "are" }
)]
pub struct TooFewWitnesses {
    found: usize,
    count: usize,
    required: usize,
    missing: String,
}

impl Cosigner {
    /// Reads the key at `path`, or creates one that only the owner can read.
    ///
    /// # Errors
    /// See [`KeyError`].
    pub fn open(path: &Path, WitnessName(name): WitnessName) -> Result<Self, KeyError> {
        let pair = match read_key(path)? {
            Some(pair) => pair,
            None => create_key(path)?,
        };
        let key = NoteKey::from_trusted(name, PublicKey(pair.public_key));
        Ok(Self { key: key.of_kind(SignatureKind::Witness), pair })
    }

    /// The key that verifies the cosignatures.
    #[must_use]
    pub fn key(&self) -> WitnessKey {
        WitnessKey(self.key.clone())
    }

    /// Cosigns the text of a checkpoint.
    #[must_use]
    pub fn cosign(&self, text: &str, at: DateTime<Utc>) -> NoteSignature {
        let time = u64::try_from(at.timestamp()).unwrap_or_default();
        let signature = self.pair.sign(&cosigned_text(text, time));
        let bytes = [time.to_be_bytes().as_slice(), &signature].concat();
        NoteSignature { name: self.key.name().to_owned(), key_id: self.key.id(), bytes }
    }
}

impl WitnessKey {
    /// The name of the witness.
    #[must_use]
    pub fn name(&self) -> &str {
        self.0.name()
    }

    /// Whether the holders of both keys are one witness: a cosignature does not have the name, so
    /// the holder of a key can cosign with any.
    #[must_use]
    pub fn is_same_witness(&self, other: &Self) -> bool {
        self.name() == other.name() || self.0.public_key() == other.0.public_key()
    }

    /// Checks that this witness cosigned the note.
    ///
    /// # Errors
    /// It did not.
    pub fn verify(&self, note: &Note) -> Result<(), NoteError> {
        note.verify(&self.0)
    }

    /// The name under which the holder of this key cosigned the note, which need not be the one of
    /// this witness.
    pub(super) fn name_in<'a>(&self, note: &'a Note) -> Option<&'a str> {
        let mut names = note.signatures.iter().map(|line| line.name.as_str());
        names.find(|name| {
            let key = NoteKey::from_trusted((*name).to_owned(), self.0.public_key());
            note.verify(&key.of_kind(SignatureKind::Witness)).is_ok()
        })
    }

    /// The cosignature of this witness, which need not be valid.
    #[must_use]
    pub fn cosignature_in<'a>(&self, note: &'a Note) -> Option<&'a NoteSignature> {
        note.signature_of(&self.0)
    }
}

impl Quorum {
    /// Requires cosignatures of so many of these witnesses; of all of them by default.
    ///
    /// # Errors
    /// See [`QuorumError`].
    pub fn new(witnesses: Vec<WitnessKey>, required: Option<usize>) -> Result<Self, QuorumError> {
        for (index, key) in witnesses.iter().enumerate() {
            let shared =
                |other: &&WitnessKey| other.name() != key.name() && other.is_same_witness(key);
            if let Some(other) = witnesses.iter().take(index).find(shared) {
                let (first, second) = (other.name().to_owned(), key.name().to_owned());
                return Err(QuorumError::SharedKey { first, second });
            }
        }
        // Several keys of one holder do not make several witnesses.
        let holders: BTreeSet<_> = witnesses.iter().map(WitnessKey::name).collect();
        let count = holders.len();
        let required = required.unwrap_or(count);
        if (1..=count).contains(&required) {
            Ok(Self { witnesses, required })
        } else {
            Err(QuorumError::Size { required, count })
        }
    }

    /// Whether more than half of the witnesses are required, so that two quorums share a witness.
    #[must_use]
    pub fn is_majority(&self) -> bool {
        let holders: BTreeSet<_> = self.witnesses.iter().map(WitnessKey::name).collect();
        self.required > holders.len() / 2
    }

    /// Checks that enough of the witnesses cosigned one of these notes, and returns the names of those
    /// that did. `None` without a note.
    ///
    /// # Errors
    /// [`TooFewWitnesses`], of the note that most of them cosigned.
    pub fn verify_any<'a>(
        &self,
        notes: impl Iterator<Item = &'a Note>,
    ) -> Option<Result<BTreeSet<&str>, TooFewWitnesses>> {
        let mut nearest: Option<TooFewWitnesses> = None;
        for note in notes {
            match self.verify(note) {
                Ok(names) => return Some(Ok(names)),
                Err(error) => {
                    let is_nearer = nearest.as_ref().is_none_or(|kept| error.found > kept.found);
                    nearest = if is_nearer { Some(error) } else { nearest };
                }
            }
        }
        nearest.map(Err)
    }

    /// Checks that enough of the witnesses cosigned the note, and returns the names of those that
    /// did.
    ///
    /// # Errors
    /// [`TooFewWitnesses`].
    pub fn verify(&self, note: &Note) -> Result<BTreeSet<&str>, TooFewWitnesses> {
        let cosigned = |key: &&WitnessKey| key.verify(note).is_ok();
        let found: BTreeSet<_> =
            self.witnesses.iter().filter(cosigned).map(WitnessKey::name).collect();
        if found.len() >= self.required {
            return Ok(found);
        }
        let all: BTreeSet<_> = self.witnesses.iter().map(WitnessKey::name).collect();
        let missing: Vec<_> = all.difference(&found).copied().collect();
        let (found, count, required) = (found.len(), all.len(), self.required);
        Err(TooFewWitnesses { found, count, required, missing: missing.join(", ") })
    }
}

impl FromStr for WitnessName {
    type Err = NoteError;

    fn from_str(text: &str) -> Result<Self, NoteError> {
        NoteKey::new(text, PublicKey([0; 32])).map(|key| Self(key.name().to_owned()))
    }
}

/// Reads `NAME+HASH+KEY`.
impl FromStr for WitnessKey {
    type Err = NoteError;

    fn from_str(text: &str) -> Result<Self, NoteError> {
        let key: NoteKey = text.parse()?;
        match key.kind() {
            SignatureKind::Witness => Ok(Self(key)),
            SignatureKind::Log => Err(NoteError::KeyOfLog),
        }
    }
}

/// Writes `NAME+HASH+KEY`.
impl std::fmt::Display for WitnessKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}
