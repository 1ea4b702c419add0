//! Proof that the log is what was recorded: the chain verifier, signed checkpoints,
//! and the form in which a log leaves this machine. Knows nothing of the rules of
//! user pools.

pub mod archive;
pub mod checkpoint;
pub(crate) mod codec;
mod verify;

pub use self::{
    codec::{DecodeCause, DecodeError},
    verify::{Problem, Verified, verify},
};
