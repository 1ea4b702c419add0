//! Files that prove that a record is in a log, as in C2SP's tlog-proof. The record itself is
//! the extra data. Several proofs can follow one another in a file.

use std::fmt;

use data_encoding::BASE64;

use crate::event_log::{Defect, Hash, Record};

use super::{
    checkpoint::{CHAIN, CheckpointText, parse_number},
    file_kind::PROOF_HEADER,
    log_key::LogKey,
    merkle::{ProofError, parse_hashes, to_base64},
    note::{Note, NoteError},
};

/// What the lines of the record and of its index begin with.
const EXTRA: &str = "extra ";
const INDEX: &str = "index ";

/// A proof, of which nothing is verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlogProof {
    /// The stored bytes of the record.
    pub record: Vec<u8>,
    /// The index of the leaf: the position of the record, less one.
    pub index: u64,
    /// The hashes from the leaf to the root.
    pub hashes: Vec<Hash>,
    /// The checkpoint that has the root.
    pub checkpoint: Note,
}

/// A record that was in a log when its checkpoint was signed.
#[derive(Debug, Clone)]
pub struct ProvenRecord {
    /// The record.
    pub record: Record,
    /// What was signed.
    pub checkpoint: CheckpointText,
}

/// A file with a proof is wrong.
#[derive(Debug, thiserror::Error)]
pub enum ProofFileError {
    /// The file is not a proof.
    #[error("not a proof of an event: {0}")]
    Malformed(&'static str),
    /// The checkpoint is not signed with the key.
    #[error("the checkpoint of the proof is not valid")]
    Note(#[from] NoteError),
    /// The hashes do not fit.
    #[error("the record is not proven to be in the log")]
    Proof(#[from] ProofError),
    /// The record is not one of a log of this program.
    #[error("the record in the proof is damaged")]
    Record(#[from] Defect),
    /// The last record of the tree is not the one that the checkpoint names.
    #[error("the checkpoint has another hash for the record: its signer contradicts itself")]
    OtherChain,
}

impl TlogProof {
    /// Reads a file with one proof or several.
    ///
    /// # Errors
    /// [`ProofFileError::Malformed`] or [`ProofFileError::Note`].
    pub fn parse_all(file: &str) -> Result<Vec<Self>, ProofFileError> {
        let mut proofs: Vec<String> = Vec::new();
        for line in file.split_inclusive('\n') {
            if line.strip_suffix('\n') == Some(PROOF_HEADER) {
                proofs.push(String::new());
            } else if let Some(proof) = proofs.last_mut() {
                proof.push_str(line);
            } else {
                break;
            }
        }
        if proofs.is_empty() {
            return Err(ProofFileError::Malformed("its first line is not that of a proof"));
        }
        proofs.iter().map(|proof| Self::parse(proof)).collect()
    }

    /// Reads the lines after the first one.
    fn parse(proof: &str) -> Result<Self, ProofFileError> {
        use ProofFileError::Malformed;
        let (lines, note) = proof.split_once("\n\n").ok_or(Malformed("it has no checkpoint"))?;
        let mut lines = lines.split('\n');
        let record = lines.next().and_then(|line| line.strip_prefix(EXTRA));
        let record = record.and_then(|record| BASE64.decode(record.as_bytes()).ok());
        let record = record.ok_or(Malformed("its second line has no record"))?;
        let index = lines.next().and_then(|line| parse_number(line.strip_prefix(INDEX)?));
        let index = index.ok_or(Malformed("its third line has no index"))?;
        let hashes = parse_hashes(lines).map_err(Malformed)?;
        Ok(Self { record, index, hashes, checkpoint: Note::parse(note)? })
    }

    /// Checks the proof with the key of the log, and returns what it proves.
    ///
    /// # Errors
    /// See [`ProofFileError`].
    pub fn verify(&self, key: &LogKey) -> Result<ProvenRecord, ProofFileError> {
        let checkpoint = key.verify(&self.checkpoint)?;
        checkpoint.tree.verify_inclusion(&self.record, self.index, &self.hashes)?;
        let record = Record::parse(self.record.clone().into())?;
        if record.position.0 != self.index.saturating_add(1) {
            return Err(Defect::WrongPosition(record.position).into());
        }
        let is_last = record.position.0 == checkpoint.tree.size;
        let chain = checkpoint.extension(CHAIN);
        if is_last && chain.is_some_and(|chain| chain != record.hash.to_string()) {
            return Err(ProofFileError::OtherChain);
        }
        Ok(ProvenRecord { record, checkpoint })
    }
}

/// Writes the file.
impl fmt::Display for TlogProof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { record, index, hashes, checkpoint } = self;
        writeln!(f, "{PROOF_HEADER}\n{EXTRA}{}\n{INDEX}{index}", BASE64.encode(record))?;
        hashes.iter().try_for_each(|hash| writeln!(f, "{}", to_base64(*hash)))?;
        write!(f, "\n{checkpoint}")
    }
}
