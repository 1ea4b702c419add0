//! The defaults of Cognito. They are applied when a command is decided, and become part of
//! the event, so that a user pool replays the same after defaults change.

use crate::proto::{
    AdminCreateUserConfig, LambdaConfig, PasswordPolicy, UserPool, UserPoolPolicies,
    default_email_option, deletion_protection, email_sending_account, mfa_configuration,
    pre_token_generation_lambda_version::Value as TokenEventVersion, user_pool_tier,
};

use super::{paths::UpdateMask, schema, semantics::temporary_password_days};

/// Returns the settings of a new user pool, with defaults.
pub(super) fn new_user_pool(requested: UserPool) -> UserPool {
    let mut pool = UserPool {
        schema_attributes: schema::merge(&requested.schema_attributes),
        estimated_number_of_users: Some(0),
        ..requested
    };
    apply(&mut pool);
    pool
}

/// Returns `current` with the settings in `mask` replaced by those in `requested`, and with
/// defaults.
pub(super) fn merged(current: &UserPool, requested: &UserPool, mask: &UpdateMask) -> UserPool {
    let mut pool = current.clone();
    mask.apply(&mut pool, requested);
    apply(&mut pool);
    pool
}

/// Sets defaults where a setting is absent. Idempotent.
///
/// Source: DescribeUserPool of a user pool that was created with a name alone, observed in
/// January 2019.
fn apply(pool: &mut UserPool) {
    let temporary_password_days = temporary_password_days(pool.policies.as_ref());
    let policies = pool.policies.get_or_insert_with(UserPoolPolicies::default);
    match &mut policies.password_policy {
        None => policies.password_policy = Some(default_password_policy()),
        Some(policy) => complete_password_policy(policy),
    }
    pool.lambda_config.get_or_insert_default();
    pool.email_configuration.get_or_insert_default();
    pool.mfa_configuration.get_or_insert(mfa_configuration::Value::Off.into());
    let admin = pool.admin_create_user_config.get_or_insert_with(AdminCreateUserConfig::default);
    admin.allow_admin_create_user_only.get_or_insert(false);
    let unused = temporary_password_days.or(admin.unused_account_validity_days);
    admin.unused_account_validity_days = Some(unused.unwrap_or(7));
    mirror_templates(pool);
    complete(pool);
}

/// Sets the defaults of settings that AWS added after 2017 and shows in every answer. Also used for recorded events, most of which
/// are older than these settings, so none of these values may change: a new default for new user
/// pools must be set in `apply`.
///
/// Source: the documentation of `CreateUserPool` and of `UserPoolType`. Which tier a user pool has
/// that was created before there were tiers is an assumption.
pub(super) fn complete(pool: &mut UserPool) {
    pool.deletion_protection.get_or_insert(deletion_protection::Value::Inactive.into());
    pool.user_pool_tier.get_or_insert(user_pool_tier::Value::Essentials.into());
    if let Some(email) = &mut pool.email_configuration {
        let account = email_sending_account::Value::CognitoDefault;
        email.email_sending_account.get_or_insert(account.into());
    }
    if let Some(triggers) = &mut pool.lambda_config {
        mirror_token_trigger(triggers);
    }
}

/// The trigger before a token is generated has two fields, whose function is always the same.
fn mirror_token_trigger(triggers: &mut LambdaConfig) {
    if let Some(function) = triggers.pre_token_generation.clone() {
        let config = triggers.pre_token_generation_config.get_or_insert_default();
        config.lambda_version.get_or_insert(TokenEventVersion::V10.into());
        config.lambda_arn.get_or_insert(function);
    } else if let Some(config) = &triggers.pre_token_generation_config {
        triggers.pre_token_generation.clone_from(&config.lambda_arn);
    }
}

fn default_password_policy() -> PasswordPolicy {
    PasswordPolicy {
        minimum_length: Some(8),
        require_uppercase: Some(true),
        require_lowercase: Some(true),
        require_numbers: Some(true),
        require_symbols: Some(true),
        ..PasswordPolicy::default()
    }
}

/// A requirement that a given policy omits is false.
fn complete_password_policy(policy: &mut PasswordPolicy) {
    policy.minimum_length.get_or_insert(8);
    policy.require_uppercase.get_or_insert(false);
    policy.require_lowercase.get_or_insert(false);
    policy.require_numbers.get_or_insert(false);
    policy.require_symbols.get_or_insert(false);
}

/// Three texts have two fields each, which always have the same value. If a request sets
/// both, the one in the template wins.
///
/// Source: the acceptance tests of Terraform, which run on AWS.
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
