//! The access keys that the server knows, from a TOML file.

use std::{collections::BTreeMap, fmt, fs, io, path::PathBuf};

use serde::Deserialize;

use crate::fs::{public_mode, reload::FileLoader};

use super::AccessKeyVerifier;

/// The file with the access keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccessKeySettings {
    /// A TOML file with a table for each key, by the name of the key.
    pub file: PathBuf,
}

/// The access keys that the server knows.
pub struct AccessKeys(Vec<AccessKey>);

/// An access key. Its secrets are never shown.
pub(super) struct AccessKey {
    /// The name in the file, which is the subject of its callers.
    pub(super) name: String,
    pub(super) id: String,
    pub(super) secret: String,
    pub(super) session_token: Option<String>,
}

/// The access keys cannot be loaded.
#[derive(Debug, thiserror::Error)]
pub enum AccessKeysError {
    /// The file cannot be read.
    #[error("cannot read {}; check its name, owner and permissions", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The error of the operating system.
        source: io::Error,
    },
    /// Every user of the machine has access to the secrets.
    #[error(
        "every user of this machine has access to the access keys in {path} (mode {mode:04o}); run \
         chmod 600 {path}, or set defaultMode: 0440 on the Kubernetes secret volume",
        path = path.display()
    )]
    Exposed {
        /// The file.
        path: PathBuf,
        /// Its mode.
        mode: u32,
    },
    /// Its content is invalid. The parser's own error is not shown, because it would repeat a
    /// line of the file.
    #[error("cannot use the access keys in {}: {problem}", path.display())]
    Invalid {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        problem: String,
    },
}

/// A table of the file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    access_key_id: String,
    secret_access_key: String,
    session_token: Option<String>,
}

impl AccessKeySettings {
    /// Loads the keys, and returns the loader that reloads them, with a verifier that uses
    /// the current ones.
    pub(crate) fn loader(
        self,
        region: String,
    ) -> Result<(FileLoader<AccessKeys>, AccessKeyVerifier), AccessKeysError> {
        let files = vec![self.file.clone()];
        let keys = FileLoader::new("access keys", files, move || self.load())?;
        let verifier = AccessKeyVerifier::new(region, keys.current());
        Ok((keys, verifier))
    }

    /// Reads the keys.
    ///
    /// # Errors
    /// See [`AccessKeysError`].
    pub(crate) fn load(&self) -> Result<AccessKeys, AccessKeysError> {
        let path = || self.file.clone();
        let unreadable = |source| AccessKeysError::Unreadable { path: path(), source };
        let text = fs::read_to_string(&self.file).map_err(unreadable)?;
        if let Some(mode) = public_mode(&self.file).map_err(unreadable)? {
            return Err(AccessKeysError::Exposed { path: path(), mode });
        }
        AccessKeys::parse(&text)
            .map_err(|problem| AccessKeysError::Invalid { path: path(), problem })
    }
}

impl AccessKeys {
    /// Parses the file. The error says what is wrong, without any value.
    fn parse(text: &str) -> Result<Self, String> {
        let tables: BTreeMap<String, Table> = toml::from_str(text).map_err(|error| {
            let start = error.span().unwrap_or_default().start;
            let line = text.bytes().take(start).filter(|byte| *byte == b'\n').count() + 1;
            format!(
                "line {line} is invalid; expected a table [NAME] with access_key_id, \
                 secret_access_key and, if the key is temporary, session_token"
            )
        })?;
        let keys: Vec<_> = tables
            .into_iter()
            .map(|(name, table)| {
                let Table { access_key_id, secret_access_key, session_token } = table;
                AccessKey { name, id: access_key_id, secret: secret_access_key, session_token }
            })
            .collect();
        if keys.is_empty() {
            return Err("it has no keys".to_owned());
        }
        for (index, key) in keys.iter().enumerate() {
            let AccessKey { name, id, secret, .. } = key;
            if name.is_empty() || name.chars().any(char::is_control) {
                return Err("the name of a key is empty or has control characters".to_owned());
            }
            if id.is_empty() || !id.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
                return Err(format!("access_key_id of [{name}] must be letters and digits"));
            }
            if secret.is_empty() {
                return Err(format!("secret_access_key of [{name}] is empty"));
            }
            if keys.iter().skip(index + 1).any(|other| other.id == *id) {
                return Err(format!("another key has the access_key_id of [{name}]"));
            }
        }
        Ok(Self(keys))
    }

    /// The key with this ID.
    pub(super) fn get(&self, id: &str) -> Option<&AccessKey> {
        self.0.iter().find(|key| key.id == id)
    }
}

impl fmt::Debug for AccessKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.iter().map(|key| &key.name)).finish()
    }
}
