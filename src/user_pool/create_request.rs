//! The request that creates a copy of a user pool.

use crate::proto::{CreateUserPoolRequest, SchemaAttribute, UserPool};

use super::schema;

/// Returns the request that creates a user pool with the settings and the schema of `pool`,
/// but without the fields that the service assigns and those that other calls set: ID, dates,
/// status, domains and the factors of `SetUserPoolMfaConfig`.
#[must_use]
pub fn to_create_request(pool: UserPool) -> CreateUserPoolRequest {
    // Names every field, so that a field added to the schema stops the build here.
    let UserPool {
        id: _,
        name,
        policies,
        lambda_config,
        status: _,
        last_modified_date: _,
        creation_date: _,
        schema_attributes,
        auto_verified_attributes,
        alias_attributes,
        username_attributes,
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
        admin_create_user_config,
        user_pool_add_ons,
        custom_domain: _,
        sms_mfa: _,
        software_token_mfa: _,
        domain_settings: _,
        custom_domain_settings: _,
        deletion_protection,
        user_pool_tier,
        account_recovery_setting,
        username_configuration,
        user_attribute_update_settings,
        arn: _,
    } = pool;
    CreateUserPoolRequest {
        pool_name: name,
        policies,
        lambda_config,
        auto_verified_attributes,
        alias_attributes,
        username_attributes,
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
        schema: schema_attributes.into_iter().filter_map(to_requested).collect(),
        user_pool_add_ons,
        deletion_protection,
        user_pool_tier,
        account_recovery_setting,
        username_configuration,
        user_attribute_update_settings,
        request_id: None,
        validate_only: false,
    }
}

/// Returns the attribute as a request has it, or nothing for an unchanged standard attribute.
fn to_requested(attribute: SchemaAttribute) -> Option<SchemaAttribute> {
    if schema::is_unchanged_standard(&attribute) {
        return None;
    }
    let name = attribute.name.map(|name| {
        let custom = name.strip_prefix("dev:").unwrap_or(&name).strip_prefix("custom:");
        custom.map(str::to_owned).unwrap_or(name)
    });
    Some(SchemaAttribute { name, ..attribute })
}
