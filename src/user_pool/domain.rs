//! Domains: prefixes and custom domains, and the commands that change them.

use std::{collections::BTreeMap, fmt, slice};

use crate::proto::{
    DescribeUserPoolDomainRequest, DomainSettings, UserPool, UserPoolDomainCreated,
    UserPoolDomainUpdated, UserPoolEventType, UserPoolRestored,
};

use super::{
    Event, InvalidRequest, UserPoolId,
    check::Check,
    fields,
    violation::{Rule, Violation},
};

/// The domain of a user pool, in the form that Cognito allows: a prefix of a hosted domain, or
/// the name of a custom domain.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DomainName(String);

impl DomainName {
    /// Checks a request to describe a domain.
    ///
    /// # Errors
    /// The field rules that it breaks.
    pub fn parse(request: DescribeUserPoolDomainRequest) -> Result<Self, InvalidRequest> {
        Check::run(|check| {
            fields::domain(check, request.domain.as_ref());
            fields::min_position(check, request.min_position);
        })?;
        Ok(Self::new(request.domain.unwrap_or_default()))
    }

    /// Trusts a name that was checked.
    pub(super) const fn new(name: String) -> Self {
        Self(name)
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The violation for a reserved word in the prefix, if there is one.
    ///
    /// Source: refusals observed on AWS, which refuses `newcognito` and accepts `awsome`.
    /// So "aws" is reserved as a whole word between hyphens, the other words anywhere.
    pub(super) fn reserved_word(&self) -> Option<Violation> {
        let substring = ["cognito", "amazon"].into_iter().find(|word| self.0.contains(word));
        let word = substring.or_else(|| self.0.split('-').find(|word| *word == "aws"))?;
        Some(Violation::new(
            "domain",
            Rule::Reserved,
            format!("must not contain \"{word}\""),
            format!("Domain cannot contain reserved word: {word}"),
        ))
    }
}

impl fmt::Display for DomainName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The owners of those of some domains that are in use, by name.
pub type DomainOwners = BTreeMap<String, UserPoolId>;

/// A domain to associate with a user pool.
#[derive(Debug, Clone)]
pub struct CreateDomain {
    pub(super) name: DomainName,
    /// Absent if all of them are.
    pub(super) settings: Option<DomainSettings>,
}

/// New settings of a domain. An absent one stays as it is.
#[derive(Debug, Clone)]
pub struct UpdateDomain {
    pub(super) name: DomainName,
    pub(super) settings: DomainSettings,
}

impl CreateDomain {
    /// The name of the domain.
    #[must_use]
    pub const fn name(&self) -> &DomainName {
        &self.name
    }

    /// The domain of the same kind that the user pool has.
    pub(super) fn configured<'a>(&self, pool: &'a UserPool) -> Option<&'a String> {
        let is_custom = is_custom(self.settings.as_ref());
        if is_custom { pool.custom_domain.as_ref() } else { pool.domain.as_ref() }
    }

    pub(super) fn event(self) -> Event {
        let Self { name: DomainName(domain), settings } = self;
        Event::UserPoolDomainCreated(UserPoolDomainCreated { domain, settings })
    }
}

impl UpdateDomain {
    /// Changes the settings of a domain, which are these.
    ///
    /// # Errors
    /// A prefix has no certificate.
    pub(super) fn decide(self, current: &DomainSettings) -> Result<Vec<Event>, InvalidRequest> {
        let Self { name: DomainName(domain), settings: requested } = self;
        if requested.custom_domain_config.is_some() && !is_custom(Some(current)) {
            return Err(Violation::new(
                "custom_domain_config",
                Rule::Conflict,
                "must not be set for a domain prefix",
                "Custom domain configuration cannot be set for a prefix domain.",
            )
            .into());
        }
        let settings = DomainSettings {
            custom_domain_config: requested
                .custom_domain_config
                .or_else(|| current.custom_domain_config.clone()),
            managed_login_version: requested
                .managed_login_version
                .or(current.managed_login_version),
        };
        if settings == *current {
            return Ok(Vec::new());
        }
        let settings = Some(settings);
        Ok(vec![Event::UserPoolDomainUpdated(UserPoolDomainUpdated { domain, settings })])
    }
}

/// The name that the DNS entry of a custom domain must be an alias of. It never resolves,
/// because this server has no login pages.
///
/// Cognito returns the name of a distribution of Amazon `CloudFront`.
#[must_use]
pub fn cloud_front_domain(domain: &str, settings: &DomainSettings) -> Option<String> {
    is_custom(Some(settings)).then(|| format!("{}.cloudfront.invalid", domain.replace('.', "-")))
}

/// The types of the events that [`touches_domain`] is true for.
pub const DOMAIN_EVENT_TYPES: [UserPoolEventType; 4] = [
    UserPoolEventType::UserPoolDomainCreated,
    UserPoolEventType::UserPoolDomainUpdated,
    UserPoolEventType::UserPoolDomainDeleted,
    UserPoolEventType::UserPoolRestored,
];

/// Whether an event gave this domain to its user pool, changed it, or took it away.
#[must_use]
pub fn touches_domain(event: &Event, domain: &str) -> bool {
    match event {
        Event::UserPoolDomainCreated(created) => created.domain == domain,
        Event::UserPoolDomainUpdated(updated) => updated.domain == domain,
        Event::UserPoolDomainDeleted(deleted) => deleted.domain == domain,
        Event::UserPoolRestored(restored) => restored_domain(restored, domain),
        Event::UserPoolCreated(_)
        | Event::UserPoolUpdated(_)
        | Event::UserPoolDeleted(_)
        | Event::UserPoolTagged(_)
        | Event::UserPoolUntagged(_)
        | Event::CustomAttributesAdded(_)
        | Event::UserPoolMfaConfigSet(_) => false,
    }
}

/// Whether a user pool that was restored got this domain again, lost it, or got other settings
/// of it.
fn restored_domain(restored: &UserPoolRestored, domain: &str) -> bool {
    let is_listed = |names: &[String]| names.iter().any(|name| name == domain);
    let pool = restored.user_pool.as_ref();
    let kinds = [
        (pool.and_then(|pool| pool.domain.as_deref()), "domain_settings"),
        (pool.and_then(|pool| pool.custom_domain.as_deref()), "custom_domain_settings"),
    ];
    is_listed(&restored.assigned_domains)
        || is_listed(&restored.removed_domains)
        || kinds.iter().any(|(name, settings)| {
            *name == Some(domain)
                && restored.changed_paths.iter().any(|path| path.starts_with(settings))
        })
}

/// The names of the domains of a user pool.
pub(super) fn domain_names(pool: &UserPool) -> impl Iterator<Item = &str> {
    [&pool.domain, &pool.custom_domain].into_iter().flatten().map(String::as_str)
}

/// Whether settings say anything of a domain.
pub(super) const fn states_domain(pool: &UserPool) -> bool {
    let UserPool { domain, custom_domain, domain_settings, custom_domain_settings, .. } = pool;
    domain.is_some()
        || custom_domain.is_some()
        || domain_settings.is_some()
        || custom_domain_settings.is_some()
}

/// The names of the domains that an event assigns to its user pool.
#[must_use]
pub fn assigned_domains(event: &Event) -> &[String] {
    match event {
        Event::UserPoolDomainCreated(created) => slice::from_ref(&created.domain),
        Event::UserPoolRestored(restored) => &restored.assigned_domains,
        Event::UserPoolCreated(_)
        | Event::UserPoolUpdated(_)
        | Event::UserPoolDeleted(_)
        | Event::UserPoolDomainUpdated(_)
        | Event::UserPoolDomainDeleted(_)
        | Event::UserPoolTagged(_)
        | Event::UserPoolUntagged(_)
        | Event::CustomAttributesAdded(_)
        | Event::UserPoolMfaConfigSet(_) => &[],
    }
}

/// The names of the domains that an event removes from its user pool.
#[must_use]
pub fn removed_domains(event: &Event) -> &[String] {
    match event {
        Event::UserPoolDomainDeleted(deleted) => slice::from_ref(&deleted.domain),
        Event::UserPoolRestored(restored) => &restored.removed_domains,
        Event::UserPoolCreated(_)
        | Event::UserPoolUpdated(_)
        | Event::UserPoolDeleted(_)
        | Event::UserPoolDomainCreated(_)
        | Event::UserPoolDomainUpdated(_)
        | Event::UserPoolTagged(_)
        | Event::UserPoolUntagged(_)
        | Event::CustomAttributesAdded(_)
        | Event::UserPoolMfaConfigSet(_) => &[],
    }
}

/// Whether a domain with these settings is a custom domain.
pub(super) fn is_custom(settings: Option<&DomainSettings>) -> bool {
    settings.is_some_and(|settings| settings.custom_domain_config.is_some())
}

/// Whether a domain with this name is a custom domain: only their names have dots.
pub(super) fn is_custom_name(domain: &str) -> bool {
    domain.contains('.')
}

/// The settings of a domain of this user pool; `None` if it does not have the domain.
#[must_use]
pub fn domain_settings(pool: &UserPool, domain: &str) -> Option<DomainSettings> {
    let is_named = |owned: &Option<String>| owned.as_deref() == Some(domain);
    let settings = match (is_named(&pool.domain), is_named(&pool.custom_domain)) {
        (true, _) => &pool.domain_settings,
        (false, true) => &pool.custom_domain_settings,
        (false, false) => return None,
    };
    Some(settings.clone().unwrap_or_default())
}
