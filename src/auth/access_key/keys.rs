//! The access keys that the server knows, and the format of their file.

use std::{collections::BTreeMap, fmt};

use serde::Deserialize;

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

/// A table of the file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    access_key_id: String,
    secret_access_key: String,
    session_token: Option<String>,
}

impl AccessKeys {
    /// Parses the file. The error says what is wrong, without any value.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
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
