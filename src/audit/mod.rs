//! Proof that the log was not changed: the chain verifier, the Merkle tree and its proofs,
//! signed checkpoints, export and import. The codec of events is also here, because the verifier must decode the records.
//! Knows nothing of gRPC.

mod anchor;
pub mod checkpoint;
pub(crate) mod codec;
mod cosigner;
mod ed25519;
mod export;
mod file_kind;
mod import;
mod log_key;
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
    file_kind::FileKind,
    import::{ExportReader, ImportError},
    log_key::LogKey,
    mismatch::{Mismatch, MismatchCause},
    note::{MAX_COSIGNATURES, Note, NoteError, NoteKey, NoteSignature, SignatureKind},
    public_key::PublicKey,
    reader::LogReader,
    tlog_proof::{ProofFileError, ProvenRecord, TlogProof},
    tlog_tiles::{TileFile, TileFiles},
    trusted::{LogCheckpoint, Trust, TrustError, TrustedCheckpoint, TrustedCheckpoints},
    verifier::{Verifier, extract_record},
    verify::{Verification, verify},
    witness::{AddCheckpoint, CheckpointWitness, LatestCheckpoints, WitnessError, WitnessRefusal},
};
