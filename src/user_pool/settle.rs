//! What Cognito fills in. Settled when a command is decided and written into the
//! event, so that a user pool replays the same after defaults change.

use crate::proto::{
    AdminCreateUserConfig, PasswordPolicy, UserPool, UserPoolPolicies, default_email_option,
    mfa_configuration,
};

use super::{paths::Mask, schema};

/// The settings of a new user pool, with every default.
pub(super) fn new_user_pool(requested: UserPool) -> UserPool {
    let mut pool = UserPool {
        schema_attributes: schema::merge(&requested.schema_attributes),
        estimated_number_of_users: Some(0),
        ..requested
    };
    settle(&mut pool);
    pool
}

/// `current` with the settings that `mask` names taken from `requested`, or all
/// of them where it names none, and with every default.
pub(super) fn merged(current: &UserPool, requested: &UserPool, mask: &Mask) -> UserPool {
    let mut pool = current.clone();
    mask.apply(&mut pool, requested);
    settle(&mut pool);
    pool
}

/// Fills in what is not set. Doing it again changes nothing.
///
/// Source: what DescribeUserPool shows of a pool that was created with a name
/// and nothing else, seen in January 2019.
fn settle(pool: &mut UserPool) {
    let policies = pool.policies.get_or_insert_with(UserPoolPolicies::default);
    match &mut policies.password_policy {
        None => policies.password_policy = Some(strict_password_policy()),
        Some(policy) => complete_password_policy(policy),
    }
    pool.lambda_config.get_or_insert_default();
    pool.email_configuration.get_or_insert_default();
    pool.mfa_configuration.get_or_insert(mfa_configuration::Value::Off.into());
    let admin = pool.admin_create_user_config.get_or_insert_with(AdminCreateUserConfig::default);
    admin.allow_admin_create_user_only.get_or_insert(false);
    admin.unused_account_validity_days.get_or_insert(7);
    mirror_templates(pool);
}

fn strict_password_policy() -> PasswordPolicy {
    PasswordPolicy {
        minimum_length: Some(8),
        require_uppercase: Some(true),
        require_lowercase: Some(true),
        require_numbers: Some(true),
        require_symbols: Some(true),
    }
}

/// Where a policy is given, what it leaves out is not required.
fn complete_password_policy(policy: &mut PasswordPolicy) {
    policy.minimum_length.get_or_insert(8);
    policy.require_uppercase.get_or_insert(false);
    policy.require_lowercase.get_or_insert(false);
    policy.require_numbers.get_or_insert(false);
    policy.require_symbols.get_or_insert(false);
}

/// Three texts have two names each, and show each other. Where both are given,
/// the template counts.
///
/// Source: what Terraform's acceptance tests see on AWS.
fn mirror_templates(pool: &mut UserPool) {
    let template = pool.verification_message_template.get_or_insert_default();
    template
        .default_email_option
        .get_or_insert(default_email_option::Value::ConfirmWithCode.into());
    mirror(&mut template.sms_message, &mut pool.sms_verification_message);
    mirror(&mut template.email_message, &mut pool.email_verification_message);
    mirror(&mut template.email_subject, &mut pool.email_verification_subject);
}

fn mirror(template: &mut Option<String>, legacy: &mut Option<String>) {
    match template {
        Some(text) => *legacy = Some(text.clone()),
        None => template.clone_from(legacy),
    }
}
