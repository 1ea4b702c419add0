//! The key of a log, as an auditor gives it.

use std::{ffi::OsStr, fs};

use crate::event_log::Hash;

use super::{
    checkpoint::CheckpointText,
    ed25519,
    file_kind::FileKind,
    note::{Note, NoteError, NoteKey, SignatureKind},
    public_key::PublicKey,
};

/// The key of a log, and its name if that is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogKey {
    /// The name that the log must have. `None`: any name.
    pub name: Option<String>,
    /// The key.
    pub key: PublicKey,
}

impl LogKey {
    /// Reads `NAME+HASH+KEY` or 64 hexadecimal digits, or a file with one of them or with a public
    /// key in PEM.
    ///
    /// # Errors
    /// The file cannot be read, or has no key.
    pub fn read(text: &OsStr) -> Result<Self, String> {
        if let Some(key) = text.to_str().and_then(Self::parse) {
            return key.map_err(|error| error.to_string());
        }
        let file = fs::read(text).map_err(|error| {
            format!(
                "neither NAME+HASH+KEY, nor 64 hexadecimal digits, nor a file that can be read: \
                 {error}"
            )
        })?;
        if let Some(key) = str::from_utf8(&file).ok().and_then(|text| Self::parse(text.trim())) {
            return key.map_err(|error| error.to_string());
        }
        if let Some(key) = ed25519::public_key_from_pem(&file) {
            return Ok(Self { name: None, key: PublicKey(key) });
        }
        Err(match FileKind::of(&file) {
            Some(FileKind::PrivateKey) => "the file has a private key; name the public key, which \
                                           \"userpool key\" prints"
                .to_owned(),
            None | Some(FileKind::PublicKey) => "the file has no Ed25519 public key, as PEM, 64 \
                                                 hexadecimal digits or NAME+HASH+KEY"
                .to_owned(),
            Some(kind) => format!("the file is {kind}, not a public key"),
        })
    }

    /// `None` if the text is not a key.
    fn parse(text: &str) -> Option<Result<Self, NoteError>> {
        // A key is as long as a hash.
        if let Ok(Hash(key)) = text.parse() {
            return Some(Ok(Self { name: None, key: PublicKey(key) }));
        }
        let key: NoteKey = text.parse().ok()?;
        Some(match key.kind() {
            SignatureKind::Log => {
                Ok(Self { name: Some(key.name().to_owned()), key: key.public_key() })
            }
            SignatureKind::Witness => Err(NoteError::KeyOfWitness),
        })
    }

    /// Verifies the note of a checkpoint, and returns what was signed.
    ///
    /// # Errors
    /// See [`NoteError`].
    pub fn verify(&self, note: &Note) -> Result<CheckpointText, NoteError> {
        let checkpoint = CheckpointText::parse(&note.text)
            .ok_or(NoteError::Malformed("its text is not that of a checkpoint"))?;
        let name = self.name.as_deref().unwrap_or(&checkpoint.origin);
        let key = NoteKey::new(name, self.key)?;
        if *name != checkpoint.origin {
            return Err(NoteError::NotSigned(key));
        }
        note.verify(&key)?;
        Ok(checkpoint)
    }
}
