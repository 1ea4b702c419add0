//! The filter of a list of user pools: its field rules, and which user pools meet it.

use crate::proto::{
    DeletedUserPools, LambdaConfig, ListUserPoolsRequest, UserPool, UserPoolFilter,
};

use super::{InvalidRequest, domain::domain_names, fields, page::PageRequest};

/// The colons in the ARN of a Lambda function. A version or an alias follows one more.
const COLONS_IN_FUNCTION_ARN: usize = 6;

/// A checked filter of user pools. A user pool must meet all conditions.
#[derive(Debug, Clone, Default)]
pub struct PoolFilter(UserPoolFilter);

/// A request for one page of the user pools that meet a filter.
#[derive(Debug, Clone)]
pub struct PoolPageRequest {
    /// The page.
    pub page: PageRequest,
    /// Which user pools.
    pub filter: PoolFilter,
}

impl PoolPageRequest {
    /// Checks a request for a page of user pools.
    ///
    /// # Errors
    /// The field rules that it breaks.
    pub fn parse(request: ListUserPoolsRequest) -> Result<Self, InvalidRequest> {
        let ListUserPoolsRequest { max_results, next_token, min_position, filter } = request;
        let page = PageRequest::parse(max_results, next_token, min_position, |check| {
            check.message("filter", filter.as_ref(), fields::user_pool_filter);
        })?;
        Ok(Self { page, filter: PoolFilter(filter.unwrap_or_default()) })
    }
}

impl PoolFilter {
    /// The conditions.
    #[must_use]
    pub const fn conditions(&self) -> &UserPoolFilter {
        &self.0
    }

    /// Whether a user pool that exists, or the last state of a deleted one, meets the filter.
    #[must_use]
    pub fn matches(&self, pool: &UserPool, is_deleted: bool) -> bool {
        let UserPoolFilter {
            name_prefix,
            tag_key,
            tag_value,
            lambda_arn,
            domain,
            domain_prefix,
            no_domain,
            deleted: _,
        } = &self.0;
        let has_deletion = match self.0.deleted() {
            DeletedUserPools::Unspecified | DeletedUserPools::Excluded => !is_deleted,
            DeletedUserPools::Only => is_deleted,
            DeletedUserPools::Included => true,
        };
        let has_tag = |key: &String| {
            let value = pool.user_pool_tags.get(key);
            value.is_some_and(|value| tag_value.as_ref().is_none_or(|wanted| wanted == value))
        };
        let has_trigger = |wanted: &String| {
            let triggers = pool.lambda_config.as_ref().map(triggers);
            triggers.is_some_and(|arns| {
                arns.iter().flatten().any(|arn| is_function_or_version(arn, wanted))
            })
        };
        let owns = |wanted: &String| domain_names(pool).any(|domain| domain == wanted);
        has_deletion
            && name_prefix.as_ref().is_none_or(|prefix| pool.name().starts_with(prefix.as_str()))
            && tag_key.as_ref().is_none_or(has_tag)
            && lambda_arn.as_ref().is_none_or(has_trigger)
            && domain.as_ref().is_none_or(owns)
            && (domain_prefix.is_none() || self.first_domain(pool).is_some())
            && (!no_domain || domain_names(pool).next().is_none())
    }

    /// The first domain of a user pool that begins with the prefix of the filter.
    #[must_use]
    pub fn first_domain<'a>(&self, pool: &'a UserPool) -> Option<&'a str> {
        let prefix = self.0.domain_prefix.as_deref()?;
        domain_names(pool).filter(|domain| domain.starts_with(prefix)).min()
    }
}

/// The ARNs of the functions that triggers call.
fn triggers(config: &LambdaConfig) -> [Option<&str>; 13] {
    // Named in full, so that a new trigger stops the build here.
    let LambdaConfig {
        pre_sign_up,
        custom_message,
        post_confirmation,
        pre_authentication,
        post_authentication,
        define_auth_challenge,
        create_auth_challenge,
        verify_auth_challenge_response,
        pre_token_generation,
        user_migration,
        pre_token_generation_config,
        custom_sms_sender,
        custom_email_sender,
        kms_key_id: _,
    } = config;
    [
        pre_sign_up.as_deref(),
        custom_message.as_deref(),
        post_confirmation.as_deref(),
        pre_authentication.as_deref(),
        post_authentication.as_deref(),
        define_auth_challenge.as_deref(),
        create_auth_challenge.as_deref(),
        verify_auth_challenge_response.as_deref(),
        pre_token_generation.as_deref(),
        user_migration.as_deref(),
        pre_token_generation_config.as_ref().and_then(|trigger| trigger.lambda_arn.as_deref()),
        custom_sms_sender.as_ref().and_then(|trigger| trigger.lambda_arn.as_deref()),
        custom_email_sender.as_ref().and_then(|trigger| trigger.lambda_arn.as_deref()),
    ]
}

/// Whether an ARN is the wanted one, or that of a version or an alias of the wanted function.
fn is_function_or_version(arn: &str, wanted: &str) -> bool {
    let Some(rest) = arn.strip_prefix(wanted) else { return false };
    let is_function = wanted.matches(':').count() == COLONS_IN_FUNCTION_ARN;
    rest.is_empty() || (is_function && rest.starts_with(':'))
}
