//! What an auditor noted: checkpoints, and the key that they were signed with.

use std::{fs, str::FromStr};

use ed25519_dalek::{VerifyingKey, pkcs8::DecodePublicKey as _};
use serde_json::Value;

use crate::{
    audit::checkpoint,
    event_log::{Hash, Head, Position},
    proto::{self, SignedCheckpoint},
};

/// Checkpoints that were noted, and whose word they are.
#[derive(Debug, Clone)]
pub(super) struct Noted(pub(super) Vec<Checkpoint>);

/// A point of the chain.
#[derive(Debug, Clone, Copy)]
pub(super) struct Checkpoint {
    pub(super) head: Head,
    /// The key that it is signed with; nothing where it is only a position and a hash.
    pub(super) key: Option<Key>,
}

/// A key that signatures are checked with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Key(pub(super) [u8; 32]);

impl FromStr for Noted {
    type Err = String;

    /// A position and a hash, or a file with signed checkpoints.
    fn from_str(text: &str) -> Result<Self, String> {
        if let Some(head) = anchor(text) {
            return Ok(Self(vec![Checkpoint { head, key: None }]));
        }
        let json = fs::read_to_string(text).map_err(|error| error.to_string())?;
        let documents = serde_json::Deserializer::from_str(&json).into_iter::<Value>();
        let checkpoints: Result<Vec<_>, _> = documents
            .map(|document| signed(&document.map_err(|error| error.to_string())?))
            .collect();
        match checkpoints? {
            none if none.is_empty() => Err("the file has no checkpoint".to_owned()),
            checkpoints => Ok(Self(checkpoints)),
        }
    }
}

impl FromStr for Key {
    type Err = String;

    /// 64 hexadecimal digits, or a file with a public key in PEM.
    fn from_str(text: &str) -> Result<Self, String> {
        // A key is as long as a hash, and is written as one.
        if let Ok(Hash(key)) = text.parse() {
            return Ok(Self(key));
        }
        let pem = fs::read_to_string(text).map_err(|error| {
            format!("neither 64 hexadecimal digits nor a file that can be read: {error}")
        })?;
        let key = VerifyingKey::from_public_key_pem(&pem);
        key.map(|key| Self(key.to_bytes()))
            .map_err(|_| "the file has no Ed25519 public key in PEM".to_owned())
    }
}

/// `POSITION:HASH`.
fn anchor(text: &str) -> Option<Head> {
    let (position, hash) = text.split_once(':')?;
    Some(Head { position: Position(position.parse().ok()?), hash: hash.parse().ok()? })
}

/// A signed checkpoint, alone or as grpcurl prints the response that has it.
fn signed(document: &Value) -> Result<Checkpoint, String> {
    let document = document.get("checkpoint").unwrap_or(document);
    let signed: SignedCheckpoint =
        proto::from_json(&document.to_string()).map_err(|error| error.to_string())?;
    let head = checkpoint::verify(&signed).map_err(|error| error.to_string())?;
    let key = signed.public_key.as_slice().try_into().ok().map(Key);
    Ok(Checkpoint { head, key })
}
