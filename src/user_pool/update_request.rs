//! The request that gives a user pool the settings of another state.

use crate::proto::{UpdateUserPoolRequest, UserPool};

use super::{
    mfa::{SMS_MFA, SOFTWARE_TOKEN_MFA},
    semantics::temporary_password_days,
};

/// Returns the request that replaces all settings of a user pool by those of `pool`. What an
/// update cannot change is not in it.
#[must_use]
pub fn to_update_request(pool: UserPool) -> UpdateUserPoolRequest {
    // Names every field, so that a field added to the schema stops the build here.
    let UserPool {
        id,
        name,
        policies,
        lambda_config,
        status: _,
        last_modified_date: _,
        creation_date: _,
        schema_attributes: _,
        auto_verified_attributes,
        alias_attributes: _,
        username_attributes: _,
        sms_verification_message,
        email_verification_message,
        email_verification_subject,
        verification_message_template,
        sms_authentication_message,
        mfa_configuration,
        device_configuration,
        estimated_number_of_users: _,
        email_configuration,
        sms_configuration,
        user_pool_tags,
        sms_configuration_failure: _,
        email_configuration_failure: _,
        domain: _,
        mut admin_create_user_config,
        user_pool_add_ons,
        custom_domain: _,
        sms_mfa: _,
        software_token_mfa: _,
        domain_settings: _,
        custom_domain_settings: _,
        deletion_protection,
        user_pool_tier,
        account_recovery_setting,
        username_configuration: _,
        user_attribute_update_settings,
        arn: _,
    } = pool;
    // The two are equal, and an update cannot have both.
    if temporary_password_days(policies.as_ref()).is_some()
        && let Some(config) = &mut admin_create_user_config
    {
        config.unused_account_validity_days = None;
    }
    UpdateUserPoolRequest {
        user_pool_id: id,
        policies,
        lambda_config,
        auto_verified_attributes,
        sms_verification_message,
        email_verification_message,
        email_verification_subject,
        verification_message_template,
        sms_authentication_message,
        mfa_configuration,
        device_configuration,
        email_configuration,
        sms_configuration,
        user_pool_tags,
        admin_create_user_config,
        user_pool_add_ons,
        deletion_protection,
        user_pool_tier,
        account_recovery_setting,
        user_attribute_update_settings,
        pool_name: name,
        request_id: None,
        validate_only: false,
        expected_revision: None,
        update_mask: Vec::new(),
    }
}

/// The members that both states have, that differ, and that an update cannot change.
#[must_use]
pub fn unchangeable_differences(given: &UserPool, current: &UserPool) -> Vec<&'static str> {
    fn differs<T: PartialEq>(given: Option<&T>, current: Option<&T>) -> bool {
        given.is_some() && given != current
    }
    let lists_differ = |given: &[i32], current: &[i32]| !given.is_empty() && given != current;
    let schema_differs =
        !given.schema_attributes.is_empty() && given.schema_attributes != current.schema_attributes;
    [
        ("SchemaAttributes", schema_differs),
        ("AliasAttributes", lists_differ(&given.alias_attributes, &current.alias_attributes)),
        (
            "UsernameAttributes",
            lists_differ(&given.username_attributes, &current.username_attributes),
        ),
        (
            "UsernameConfiguration",
            differs(given.username_configuration.as_ref(), current.username_configuration.as_ref()),
        ),
        ("Domain", differs(given.domain.as_ref(), current.domain.as_ref())),
        ("CustomDomain", differs(given.custom_domain.as_ref(), current.custom_domain.as_ref())),
        (
            "domainSettings",
            differs(given.domain_settings.as_ref(), current.domain_settings.as_ref()),
        ),
        (
            "customDomainSettings",
            differs(given.custom_domain_settings.as_ref(), current.custom_domain_settings.as_ref()),
        ),
        (SMS_MFA, differs(given.sms_mfa.as_ref(), current.sms_mfa.as_ref())),
        (
            SOFTWARE_TOKEN_MFA,
            differs(given.software_token_mfa.as_ref(), current.software_token_mfa.as_ref()),
        ),
    ]
    .into_iter()
    .filter_map(|(member, differs)| differs.then_some(member))
    .collect()
}
