//! The settings that tokens are verified with, and the file of the issuer's keys.

use std::{fs, io, path::PathBuf};

use super::{TokenAlgorithm, TokenKeys, TokenKeysError, TokenVerifier};

use crate::fs::reload::FileLoader;

/// Which tokens are accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenSettings {
    /// The issuer, as in the claim `iss`.
    pub issuer: String,
    /// This service, as in the claim `aud`.
    pub audience: String,
    /// The allowed signature algorithms.
    pub algorithms: Vec<TokenAlgorithm>,
    /// The file with the issuer's public keys: a JWK set, or PEM.
    pub keys: PathBuf,
}

/// The keys that verify tokens cannot be loaded.
#[derive(Debug, thiserror::Error)]
pub enum TokenSettingsError {
    /// The file cannot be read.
    #[error("cannot read {}; check its name, owner and permissions", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The error of the operating system.
        source: io::Error,
    },
    /// Its content is invalid.
    #[error("cannot use the token keys in {}", path.display())]
    Keys {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        source: TokenKeysError,
    },
}

impl TokenSettings {
    /// Loads the keys, and returns the loader that reloads them, with a verifier that uses
    /// the current ones.
    pub(crate) fn loader(
        self,
    ) -> Result<(FileLoader<TokenKeys>, TokenVerifier), TokenSettingsError> {
        let (issuer, audience) = (self.issuer.clone(), self.audience.clone());
        let files = vec![self.keys.clone()];
        let keys = FileLoader::new("token keys", files, move || self.load())?;
        let verifier = TokenVerifier::new(issuer, audience, keys.current());
        Ok((keys, verifier))
    }

    /// Reads the keys.
    ///
    /// # Errors
    /// See [`TokenSettingsError`].
    pub(crate) fn load(&self) -> Result<TokenKeys, TokenSettingsError> {
        let path = || self.keys.clone();
        let text = fs::read(&self.keys)
            .map_err(|source| TokenSettingsError::Unreadable { path: path(), source })?;
        TokenKeys::parse(&text, &self.algorithms)
            .map_err(|source| TokenSettingsError::Keys { path: path(), source })
    }
}
