//! The rows that find a user pool by its name and by having no domain. They follow from its
//! state alone, so a change replaces the rows of the old state with those of the new one,
//! whatever the event was. They have no values.

use bytes::Bytes;
use prost::{DecodeError, Message as _};

use crate::{
    app::stored::{IndexedPool, IndexedSettings},
    proto::to_unsigned,
};

use super::key;

/// The rows of a user pool.
#[derive(Debug)]
pub(super) struct PoolRows {
    /// Whether the user pool is deleted.
    pub(super) is_deleted: bool,
    /// The keys.
    pub(super) keys: Vec<Vec<u8>>,
}

impl PoolRows {
    /// The rows of a user pool in this stored state.
    pub(super) fn of(stored: Bytes) -> Result<Self, DecodeError> {
        let IndexedPool { user_pool, deleted: is_deleted, created_position } =
            IndexedPool::decode(stored)?;
        let created = to_unsigned(created_position);
        let IndexedSettings { name, domain, custom_domain } = user_pool.unwrap_or_default();
        let mut keys = vec![key::name(is_deleted, &name.unwrap_or_default(), created)];
        if !is_deleted && domain.is_none() && custom_domain.is_none() {
            keys.push(key::without_domain(created));
        }
        Ok(Self { is_deleted, keys })
    }
}

#[cfg(test)]
mod tests {
    use crate::{app::stored::StoredPool, proto::UserPool};

    use super::*;

    fn keys(pool: UserPool, deleted: bool) -> Vec<Vec<u8>> {
        let user_pool = Some(Box::new(pool));
        let stored =
            StoredPool { user_pool, deleted, created_position: 7, ..StoredPool::default() };
        PoolRows::of(stored.encode_to_vec().into()).expect("a state").keys
    }

    /// The numbers of the fields are those of the schema.
    #[test]
    fn the_rows_follow_from_name_domains_and_deletion() {
        let named = UserPool { name: Some("people".to_owned()), ..UserPool::default() };
        let with_prefix = UserPool { domain: Some("login".to_owned()), ..named.clone() };
        let custom = Some("login.example.com".to_owned());
        let with_custom = UserPool { custom_domain: custom, ..named.clone() };
        let name = b"npeople\0\0\0\0\0\0\0\0\x07".to_vec();
        let without_domain = b"u\0\0\0\0\0\0\0\x07".to_vec();
        assert_eq!(keys(named.clone(), false), [name.clone(), without_domain]);
        assert_eq!(keys(with_prefix, false), std::slice::from_ref(&name));
        assert_eq!(keys(with_custom, false), [name]);
        assert_eq!(keys(named, true), [b"speople\0\0\0\0\0\0\0\0\x07".to_vec()]);
    }
}
