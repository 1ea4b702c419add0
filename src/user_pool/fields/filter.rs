//! The field rules of the filter of a list of user pools.

use crate::proto::{DeletedUserPools, UserPoolFilter};

use super::{
    super::{
        check::Check,
        patterns::{DOMAIN_PREFIX, POOL_NAME},
        tags,
        violation::Rule,
    },
    lambda::arn,
    optional_domain,
};

/// A user pool must be able to meet all conditions.
pub(in super::super) fn user_pool_filter(check: &mut Check, filter: &UserPoolFilter) {
    let UserPoolFilter {
        name_prefix,
        tag_key,
        tag_value,
        lambda_arn,
        domain,
        domain_prefix,
        no_domain,
        deleted,
    } = filter;
    check.length("name_prefix", name_prefix.as_ref(), 1..=128);
    check.pattern("name_prefix", name_prefix.as_ref(), &POOL_NAME);
    tags::check_filter(check, tag_key.as_ref(), tag_value.as_ref());
    arn(check, "lambda_arn", lambda_arn.as_ref());
    optional_domain(check, domain.as_ref());
    check.length("domain_prefix", domain_prefix.as_ref(), 1..=63);
    check.pattern("domain_prefix", domain_prefix.as_ref(), &DOMAIN_PREFIX);
    if let (Some(prefix), Some(_)) = (domain_prefix, domain) {
        let allowed = "must not be set together with domain";
        check.refuse("domain_prefix", Rule::Conflict, Some(prefix), allowed, "be null");
    }
    let has_domain = domain.is_some() || domain_prefix.is_some();
    if *no_domain && has_domain {
        let allowed = "must not be set together with domain or domain_prefix";
        check.refuse("no_domain", Rule::Conflict, Some(no_domain), allowed, "be false");
    }
    if *deleted != 0 {
        check.enum_value("deleted", Some(*deleted), DeletedUserPools::as_str_name);
    }
    if has_domain && filter.deleted() == DeletedUserPools::Only {
        let shown = DeletedUserPools::Only.as_str_name();
        let allowed = "must not be DELETED_USER_POOLS_ONLY together with domain or \
                       domain_prefix, because deleted user pools have no domains";
        let constraint = "not be set together with a domain";
        check.refuse("deleted", Rule::Conflict, Some(&shown), allowed, constraint);
    }
}
