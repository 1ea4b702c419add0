//! Domains: their owners are in rows of their own, and their settings in their user pools.

use bytes::Bytes;
use prost::Message as _;

use crate::{
    app::stored::StoredDomain,
    proto::DomainSettings,
    user_pool::{UserPoolId, domain_settings},
};

use super::{ReadModel, ReadModelError, key};

/// A domain in use.
#[derive(Debug, Clone, PartialEq)]
pub struct Domain {
    /// The prefix, or the name of a custom domain.
    pub name: String,
    /// Its owner.
    pub user_pool_id: UserPoolId,
    /// Its settings.
    pub settings: DomainSettings,
}

impl ReadModel {
    /// The owner of a domain.
    pub(in crate::app) fn domain_owner(
        &self,
        name: &str,
    ) -> Result<Option<UserPoolId>, ReadModelError> {
        let stored: Option<StoredDomain> = self.checked(|| self.message(&key::domain(name)))?;
        Ok(stored.map(|stored| UserPoolId::from_trusted(stored.user_pool_id)))
    }

    /// A domain, or `None` if the name is free.
    pub(in crate::app) fn domain(&self, name: &str) -> Result<Option<Domain>, ReadModelError> {
        let mut owner = self.domain_owner(name)?;
        while let Some(user_pool_id) = owner {
            if let Some(domain) = self.owned_domain(name, &user_pool_id)? {
                return Ok(Some(domain));
            }
            // A batch was applied since the owner was read.
            owner = self.domain_owner(name)?.filter(|owner| *owner != user_pool_id);
        }
        Ok(None)
    }

    /// A domain with its settings; `None` if the user pool does not own it.
    fn owned_domain(
        &self,
        name: &str,
        user_pool_id: &UserPoolId,
    ) -> Result<Option<Domain>, ReadModelError> {
        let pool = self.pool(user_pool_id)?.and_then(|stored| stored.user_pool);
        let settings = pool.and_then(|pool| domain_settings(&pool, name));
        let (name, user_pool_id) = (name.to_owned(), user_pool_id.clone());
        Ok(settings.map(|settings| Domain { name, user_pool_id, settings }))
    }

    /// Domains by name, after the given one.
    pub(in crate::app) fn domains(
        &self,
        after: &str,
        limit: usize,
    ) -> Result<Vec<Domain>, ReadModelError> {
        let (mut domains, mut after) = (Vec::new(), after.to_owned());
        // More than once if domains are deleted meanwhile.
        while domains.len() < limit {
            let owners = self.domain_owners(&after, limit.saturating_sub(domains.len()))?;
            let Some((last, _)) = owners.last() else { break };
            after.clone_from(last);
            for (name, user_pool_id) in owners {
                let owned = self.owned_domain(&name, &user_pool_id)?;
                domains.extend(match owned {
                    Some(domain) => Some(domain),
                    None => self.domain(&name)?,
                });
            }
        }
        Ok(domains)
    }

    /// The names and the owners of domains, after the given name.
    fn domain_owners(
        &self,
        after: &str,
        limit: usize,
    ) -> Result<Vec<(String, UserPoolId)>, ReadModelError> {
        // No name sorts between `after` and `after` with a zero byte appended.
        let start = key::domain(&format!("{after}\0"));
        let owner = |(key, stored): (Bytes, Bytes)| {
            let name = String::from_utf8_lossy(key.get(1..).unwrap_or_default()).into_owned();
            let StoredDomain { user_pool_id } = StoredDomain::decode(stored)?;
            Ok((name, UserPoolId::from_trusted(user_pool_id)))
        };
        self.checked(|| {
            let rows = self.range(start.clone()..=key::AFTER_DOMAINS.to_vec(), limit)?;
            rows.into_iter().map(owner).collect()
        })
    }
}
