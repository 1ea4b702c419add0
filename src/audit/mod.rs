//! Proof that the log was not changed: the chain verifier, the Merkle tree and its proofs,
//! signed checkpoints, export and import. The codec of events is also here, because the verifier must decode the records.
//! Knows nothing of gRPC.

mod anchor;
pub mod checkpoint;
pub(crate) mod codec;
mod cosigner;
mod ed25519;
mod export;
mod import;
pub mod merkle;
mod mismatch;
mod note;
mod public_key;
mod reader;
mod tlog_proof;
mod tlog_tiles;
mod trusted;
mod verifier;
mod verify;
mod witness;

pub use self::{
    anchor::{AnchorError, RangeAnchor},
    codec::{DecodeCause, DecodeError, decode_with_record},
    cosigner::{Cosigner, Quorum, QuorumError, TooFewWitnesses, WitnessKey, WitnessName},
    export::{ExportEnd, ExportError, ExportFormat, Exporter, JsonLines},
    import::{ExportReader, ImportError},
    mismatch::{Mismatch, MismatchCause},
    note::{Note, NoteError, NoteKey, NoteSignature, SignatureKind},
    public_key::PublicKey,
    reader::LogReader,
    tlog_proof::{PROOF_HEADER, ProofFileError, ProvenRecord, TlogProof},
    tlog_tiles::{TileFile, TileFiles},
    trusted::{KeyConflict, LogCheckpoint, LogKey, Trust, TrustedCheckpoints},
    verifier::{Verifier, extract_record},
    verify::{Verification, verify},
    witness::{AddCheckpoint, CheckpointWitness, WitnessError, WitnessRefusal},
};
