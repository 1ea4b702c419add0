//! Signed notes, as in C2SP's signed-note: a text, and lines with signatures of it. Knows
//! nothing of what a note says.

use std::{fmt, str::FromStr};

use data_encoding::{BASE64, HEXLOWER};
use sha2::{Digest as _, Sha256};

use super::{ed25519, public_key::PublicKey};

/// What a signature line begins with.
pub(super) const SIGNATURE_START: &str = "— ";
/// How many bytes the time of a cosignature has.
const TIME_BYTES: usize = 8;
/// More than a log and its witnesses make.
const MAX_SIGNATURES: usize = 64;
/// How many witnesses can cosign a checkpoint with one signature of its log.
pub const MAX_COSIGNATURES: usize = MAX_SIGNATURES - 1;

/// A text, and signatures of it that need not be valid.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// The text that is signed, with the line feed at its end.
    pub text: String,
    /// The signatures, in the order of their lines.
    pub signatures: Vec<NoteSignature>,
}

/// A signature line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoteSignature {
    /// The name of the key.
    pub name: String,
    /// The ID of the key.
    pub key_id: [u8; 4],
    /// What comes after the ID; 64 bytes of an Ed25519 signature.
    pub bytes: Vec<u8>,
}

/// A key that verifies Ed25519 signatures of notes: a public key with the name of its holder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoteKey {
    name: String,
    key: PublicKey,
    kind: SignatureKind,
}

/// What a key signs. The number is part of the key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SignatureKind {
    /// The text, as a log does.
    Log,
    /// A time and the text of a checkpoint, as a witness does: C2SP's tlog-cosignature.
    Witness,
}

/// A note, or a key for notes, is invalid.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoteError {
    /// The text is not a note.
    #[error("not a signed note: {0}")]
    Malformed(&'static str),
    /// No signature is by this key.
    #[error("the note is not signed by {0}: compare the key and the name of the log")]
    NotSigned(NoteKey),
    /// The key signed another text.
    #[error("the signature of {0} is wrong: the note was changed")]
    WrongSignature(NoteKey),
    /// The text is not the key of a verifier.
    #[error("expected NAME+HASH+KEY, as the checkpoint key of a log")]
    MalformedKey,
    /// A key of a log instead of that of a witness.
    #[error("this is the key of a log, not of a witness: \"userpool witness\" prints its key")]
    KeyOfLog,
    /// A key of a witness instead of that of a log.
    #[error("this is the key of a witness, not of a log: name it with --witness")]
    KeyOfWitness,
    /// The name of a key cannot be in a note.
    #[error("expected a name without spaces and plus signs, such as example.com/log")]
    MalformedName,
}

impl Note {
    /// Reads a note. Its signatures are not verified.
    ///
    /// # Errors
    /// [`NoteError::Malformed`].
    pub fn parse(note: &str) -> Result<Self, NoteError> {
        use NoteError::Malformed;
        if note.contains(|c: char| c < ' ' && c != '\n') {
            return Err(Malformed("it has a control character"));
        }
        let (text, lines) = note.rsplit_once("\n\n").ok_or(Malformed("it has no blank line"))?;
        let lines = lines.strip_suffix('\n').ok_or(Malformed("its last line has no end"))?;
        let mut signatures: Vec<NoteSignature> = Vec::new();
        for line in lines.split('\n') {
            let signature = NoteSignature::parse(line);
            let signature = signature.ok_or(Malformed("a signature line is malformed"))?;
            if signatures.iter().any(|other| other.is_by_key_of(&signature)) {
                return Err(Malformed("two signatures have the same key"));
            }
            signatures.push(signature);
            if signatures.len() > MAX_SIGNATURES {
                return Err(Malformed("it has too many signatures"));
            }
        }
        Ok(Self { text: format!("{text}\n"), signatures })
    }

    /// Checks that this key signed the note. Signatures of other keys do not matter.
    ///
    /// # Errors
    /// [`NoteError::NotSigned`] or [`NoteError::WrongSignature`].
    pub fn verify(&self, key: &NoteKey) -> Result<(), NoteError> {
        let signature = self.signature_of(key).ok_or_else(|| NoteError::NotSigned(key.clone()))?;
        let wrong = || NoteError::WrongSignature(key.clone());
        let (time, bytes) = match key.kind {
            SignatureKind::Log => (None, signature.bytes.as_slice()),
            SignatureKind::Witness => {
                let (time, bytes) =
                    signature.bytes.split_first_chunk::<TIME_BYTES>().ok_or_else(wrong)?;
                (Some(u64::from_be_bytes(*time)), bytes)
            }
        };
        let text = time.map(|time| cosigned_text(&self.text, time));
        let bytes = bytes.try_into().map_err(|_| wrong())?;
        ed25519::verify(key.key.0, text.as_ref().unwrap_or(&self.text), bytes).map_err(|_| wrong())
    }

    /// The signature by this key, which need not be valid.
    #[must_use]
    pub fn signature_of(&self, key: &NoteKey) -> Option<&NoteSignature> {
        let id = key.id();
        self.signatures.iter().find(|line| line.name == key.name && line.key_id == id)
    }
}

/// Writes the note as it is stored and sent.
impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.text)?;
        self.signatures.iter().try_for_each(|signature| signature.fmt(f))
    }
}

impl NoteSignature {
    fn parse(line: &str) -> Option<Self> {
        let (name, base64) = line.strip_prefix(SIGNATURE_START)?.split_once(' ')?;
        if !is_name(name) {
            return None;
        }
        let signature = BASE64.decode(base64.as_bytes()).ok()?;
        let (key_id, bytes) = signature.split_first_chunk()?;
        if bytes.is_empty() {
            return None;
        }
        Some(Self { name: name.to_owned(), key_id: *key_id, bytes: bytes.to_vec() })
    }

    fn is_by_key_of(&self, other: &Self) -> bool {
        self.name == other.name && self.key_id == other.key_id
    }
}

/// Writes the line of the signature.
impl fmt::Display for NoteSignature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let signature = [self.key_id.as_slice(), &self.bytes].concat();
        writeln!(f, "{SIGNATURE_START}{} {}", self.name, BASE64.encode(&signature))
    }
}

impl NoteKey {
    /// The key of the holder with this name.
    ///
    /// # Errors
    /// [`NoteError::MalformedName`].
    pub fn new(name: &str, key: PublicKey) -> Result<Self, NoteError> {
        if is_name(name) {
            Ok(Self::from_trusted(name.to_owned(), key))
        } else {
            Err(NoteError::MalformedName)
        }
    }

    /// The key of the holder with this name, which must be one that a key may have.
    pub(super) const fn from_trusted(name: String, key: PublicKey) -> Self {
        Self { name, key, kind: SignatureKind::Log }
    }

    /// The same holder and key, for other signatures.
    #[must_use]
    pub fn of_kind(self, kind: SignatureKind) -> Self {
        Self { kind, ..self }
    }

    /// What the key signs.
    #[must_use]
    pub const fn kind(&self) -> SignatureKind {
        self.kind
    }

    /// The name of its holder.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The public key.
    #[must_use]
    pub const fn public_key(&self) -> PublicKey {
        self.key
    }

    /// The ID that signature lines have.
    #[must_use]
    pub fn id(&self) -> [u8; 4] {
        let hash =
            Sha256::new_with_prefix(&self.name).chain_update([b'\n']).chain_update(self.typed());
        let hash: [u8; 32] = hash.finalize().into();
        hash.first_chunk().copied().unwrap_or_default()
    }

    /// The type of the signature, and the key.
    fn typed(&self) -> Vec<u8> {
        [[self.kind.number()].as_slice(), &self.key.0].concat()
    }
}

impl SignatureKind {
    const ALL: [Self; 2] = [Self::Log, Self::Witness];

    const fn number(self) -> u8 {
        match self {
            Self::Log => 1,
            Self::Witness => 4,
        }
    }
}

/// What a witness signs: that it saw a checkpoint at this time, in seconds since 1970.
pub(super) fn cosigned_text(text: &str, time: u64) -> String {
    format!("cosignature/v1\ntime {time}\n{text}")
}

/// Writes `NAME+HASH+KEY`, as Go's `note.NewVerifier` reads it.
impl fmt::Display for NoteKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}+{}+{}", self.name, HEXLOWER.encode(&self.id()), BASE64.encode(&self.typed()))
    }
}

/// Reads `NAME+HASH+KEY`.
impl FromStr for NoteKey {
    type Err = NoteError;

    fn from_str(text: &str) -> Result<Self, NoteError> {
        let parse = || {
            let mut parts = text.splitn(3, '+');
            let (name, id, key) = (parts.next()?, parts.next()?, parts.next()?);
            let typed = BASE64.decode(key.as_bytes()).ok()?;
            let (number, key) = typed.split_first()?;
            let kind = SignatureKind::ALL.into_iter().find(|kind| kind.number() == *number)?;
            let key = Self::new(name, PublicKey(key.try_into().ok()?)).ok()?.of_kind(kind);
            (HEXLOWER.encode(&key.id()) == id).then_some(key)
        };
        parse().ok_or(NoteError::MalformedKey)
    }
}

/// Whether a key may have this name: not empty, and without spaces and plus signs.
fn is_name(name: &str) -> bool {
    !name.is_empty() && !name.contains(|c: char| c.is_whitespace() || c.is_control() || c == '+')
}
