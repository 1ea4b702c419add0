//! The file of the access keys: how it is read, and when it is refused.

use std::{fs, io, path::PathBuf};

use crate::fs::{public_mode, reload::FileLoader};

use super::{keys::AccessKeys, verifier::AccessKeyVerifier};

/// The file with the access keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccessKeySettings {
    /// A TOML file with a table for each key, by the name of the key.
    pub file: PathBuf,
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
