//! Bearer tokens, as they are told apart from what nobody believes: by settings, and
//! by keys in a file.

use std::{fs, io, path::PathBuf};

use super::{TokenAlgorithm, TokenKeys, TokenKeysError, Tokens};

use crate::fs::reload::FileLoader;

/// Whose tokens are taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenSettings {
    /// The issuer, as tokens name it in `iss`.
    pub issuer: String,
    /// This service, as tokens name it in `aud`.
    pub audience: String,
    /// How they may be signed.
    pub algorithms: Vec<TokenAlgorithm>,
    /// The issuer's public keys: a JWK set, or PEM.
    pub keys: PathBuf,
}

/// Why no token could be verified.
#[derive(Debug, thiserror::Error)]
pub enum TokensError {
    /// The file cannot be read.
    #[error("{} cannot be read; see to its name, its owner and its permissions", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// What is in it cannot be used.
    #[error("the keys of tokens in {} cannot be used", path.display())]
    Keys {
        /// The file.
        path: PathBuf,
        /// Why.
        source: TokenKeysError,
    },
}

impl TokenSettings {
    /// Loads the keys, to be loaded again, and says how tokens are verified with them.
    pub(crate) fn loader(self) -> Result<(FileLoader<TokenKeys>, Tokens), TokensError> {
        let (issuer, audience) = (self.issuer.clone(), self.audience.clone());
        let files = vec![self.keys.clone()];
        let keys = FileLoader::new("keys of tokens", files, move || self.load())?;
        let tokens = Tokens::new(issuer, audience, keys.current());
        Ok((keys, tokens))
    }

    /// Reads the keys.
    ///
    /// # Errors
    /// See [`TokensError`].
    pub(crate) fn load(&self) -> Result<TokenKeys, TokensError> {
        let path = || self.keys.clone();
        let text = fs::read(&self.keys)
            .map_err(|source| TokensError::Unreadable { path: path(), source })?;
        TokenKeys::parse(&text, &self.algorithms)
            .map_err(|source| TokensError::Keys { path: path(), source })
    }
}
