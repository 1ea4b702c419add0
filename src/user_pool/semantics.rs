//! The rules for the meaning of settings together. The texts are those of Cognito.

use crate::proto::{UserPool, UserPoolPolicies, verified_attribute};

use super::{
    Limits, mfa, tags,
    violation::{Rule, Violation},
};

/// The rules for settings that only a new user pool can have.
pub(super) fn creation(requested: &UserPool) -> Vec<Violation> {
    let mut violations = Vec::new();
    // Source: a refusal observed on AWS.
    if !requested.alias_attributes.is_empty() && !requested.username_attributes.is_empty() {
        violations.push(Violation::new(
            "username_attributes",
            Rule::Conflict,
            "must not be set together with alias_attributes",
            "Only one of the aliasAttributes or usernameAttributes can be set in a User pool.",
        ));
    }
    violations
}

/// The rules for settings that an update can also replace. `previous` is the user pool
/// before the update.
pub(super) fn settings(
    pool: &UserPool,
    previous: Option<&UserPool>,
    limits: &Limits,
) -> Vec<Violation> {
    let mut violations = Vec::new();
    let sms = pool.sms_configuration.is_some();
    let phone = i32::from(verified_attribute::Value::PhoneNumber);
    // Source: a refusal observed on AWS. A phone number as username needs no SMS.
    if pool.auto_verified_attributes.contains(&phone) && !sms {
        violations.push(Violation::new(
            "sms_configuration",
            Rule::Required,
            "is required when auto_verified_attributes has phone_number",
            "SMS configuration is required when phone_number is selected for auto verification",
        ));
    }
    violations.extend(mfa::setting_violation(pool, previous));
    violations.extend(token_trigger(pool));
    violations.extend(verified_updates(pool));
    violations.extend(tags::violations(&pool.user_pool_tags, limits));
    violations
}

/// The rules for an update with the settings `requested`, after which the user pool has those in
/// `merged`.
pub(super) fn update(requested: &UserPool, merged: &UserPool) -> Option<Violation> {
    // Source: a refusal that Terraform's provider handles.
    let config = requested.admin_create_user_config.as_ref();
    let is_superseded = config.is_some_and(|config| config.unused_account_validity_days.is_some())
        && temporary_password_days(merged.policies.as_ref()).is_some();
    is_superseded.then(|| {
        Violation::new(
            "admin_create_user_config.unused_account_validity_days",
            Rule::Conflict,
            "must not be set if policies.password_policy.temporary_password_validity_days is set, \
             which takes its place",
            "Please use TemporaryPasswordValidityDays in PasswordPolicy instead of \
             UnusedAccountValidityDays",
        )
    })
}

/// After how many days a temporary password expires, if that is set.
pub(super) fn temporary_password_days(policies: Option<&UserPoolPolicies>) -> Option<i32> {
    policies?.password_policy.as_ref()?.temporary_password_validity_days
}

/// The trigger before a token is generated has two fields.
///
/// Source: the documentation of `LambdaConfigType`. The text is not Cognito's.
fn token_trigger(pool: &UserPool) -> Option<Violation> {
    let config = pool.lambda_config.as_ref()?;
    let (legacy, versioned) =
        (config.pre_token_generation.as_ref()?, config.pre_token_generation_config.as_ref()?);
    (versioned.lambda_arn.as_ref() != Some(legacy)).then(|| {
        Violation::new(
            "lambda_config.pre_token_generation",
            Rule::Conflict,
            "must be equal to pre_token_generation_config.lambda_arn if both are set",
            "PreTokenGeneration and the LambdaArn of PreTokenGenerationConfig must be identical.",
        )
    })
}

/// An attribute that is verified before its update must be verified automatically. The rule and
/// its text are assumptions.
fn verified_updates(pool: &UserPool) -> Option<Violation> {
    let settings = pool.user_attribute_update_settings.as_ref()?;
    let mut required = settings.attributes_require_verification_before_update.iter();
    required.any(|attribute| !pool.auto_verified_attributes.contains(attribute)).then(|| {
        Violation::new(
            "user_attribute_update_settings.attributes_require_verification_before_update",
            Rule::Conflict,
            "may contain only attributes that are also in auto_verified_attributes",
            "AttributesRequireVerificationBeforeUpdate can only contain attributes that are \
             verified automatically.",
        )
    })
}
