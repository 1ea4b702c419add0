//! Proof that the log was not changed: the chain verifier, signed checkpoints, export and
//! import. The codec of events is also here, because the verifier must decode the records.
//! Knows nothing of gRPC.

mod anchor;
pub mod checkpoint;
pub(crate) mod codec;
mod export;
mod import;
mod mismatch;
mod reader;
mod trusted;
mod verifier;
mod verify;

pub use self::{
    anchor::{AnchorError, RangeAnchor},
    codec::{DecodeCause, DecodeError, decode_with_record},
    export::{ExportEnd, ExportError, ExportFormat, Exporter, JsonLines},
    import::{ExportReader, ImportError},
    mismatch::{Mismatch, MismatchCause},
    reader::LogReader,
    trusted::{KeyConflict, LogCheckpoint, PublicKey, Trust, TrustedCheckpoints},
    verifier::{Verifier, extract_record},
    verify::{Verification, verify},
};
