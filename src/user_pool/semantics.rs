//! The rules for the meaning of settings together. The texts are those of Cognito.

use crate::proto::{UserPool, verified_attribute};

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
    violations.extend(tags::violations(&pool.user_pool_tags, limits));
    violations
}
