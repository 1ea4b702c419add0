//! The rules for the meaning of settings together. The texts are those of Cognito.

use crate::proto::{UserPool, mfa_configuration::Value as Mfa, verified_attribute};

use super::{
    Limits, tags,
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
    violations.extend(mfa(pool, previous));
    violations.extend(tags::violations(&pool.user_pool_tags, limits));
    violations
}

/// The violation of an MFA setting. If an update turns MFA on, missing SMS is not reported as
/// well: to add it would not help.
///
/// Source: refusals observed on AWS. Despite the text of the second one, SMS alone is enough.
fn mfa(pool: &UserPool, previous: Option<&UserPool>) -> Option<Violation> {
    let value = mfa_value(pool);
    if value == Mfa::On && previous.is_some_and(|previous| mfa_value(previous) != Mfa::On) {
        return Some(Violation::new(
            "mfa_configuration",
            Rule::Conflict,
            "must not become ON: only a new user pool can require MFA",
            "Cannot turn MFA functionality ON, once the user pool has been created.",
        ));
    }
    let needs_sms = match value {
        Mfa::On | Mfa::Optional => pool.sms_configuration.is_none(),
        Mfa::Off | Mfa::Unspecified => false,
    };
    needs_sms.then(|| {
        Violation::new(
            "sms_configuration",
            Rule::Required,
            "is required when mfa_configuration is ON or OPTIONAL",
            "SMS configuration and Auto verification for phone_number are required when MFA is \
             required/optional",
        )
    })
}

fn mfa_value(pool: &UserPool) -> Mfa {
    pool.mfa_configuration.and_then(|value| Mfa::try_from(value).ok()).unwrap_or_default()
}
