//! The rules for the meaning of settings together. The texts are those of Cognito.

use crate::proto::{UserPool, mfa_configuration, verified_attribute};

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

/// The rules for settings that an update can also replace.
pub(super) fn settings(pool: &UserPool, limits: &Limits) -> Vec<Violation> {
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
    // Source: refusals observed on AWS. Despite the text, SMS alone is enough.
    let mfa = pool.mfa_configuration.unwrap_or_default();
    let mode = match mfa_configuration::Value::try_from(mfa) {
        Ok(mfa_configuration::Value::On) => Some("required"),
        Ok(mfa_configuration::Value::Optional) => Some("optional"),
        Ok(mfa_configuration::Value::Off | mfa_configuration::Value::Unspecified) | Err(_) => None,
    };
    if let Some(mode) = mode.filter(|_| !sms) {
        violations.push(Violation::new(
            "sms_configuration",
            Rule::Required,
            "is required when mfa_configuration is ON or OPTIONAL",
            format!(
                "SMS configuration and Auto verification for phone_number are required when MFA \
                 is {mode}"
            ),
        ));
    }
    violations.extend(tags::violations(&pool.user_pool_tags, limits));
    violations
}
