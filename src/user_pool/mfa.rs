//! Multi-factor authentication: which factors users have, its rules, and the decision of the
//! command that sets it. The texts are those of Cognito.

use crate::proto::{
    GetUserPoolMfaConfigRequest, GetUserPoolMfaConfigResponse, SmsMfaConfig,
    SoftwareTokenMfaConfig, UserPool, UserPoolMfaConfigSet, mfa_configuration::Value as Mfa,
};

use super::{
    Event, InvalidRequest, UserPoolId,
    check::Check,
    fields,
    violation::{Rule, Violation},
};

pub(super) const SMS_MFA: &str = "smsMfa";
pub(super) const SOFTWARE_TOKEN_MFA: &str = "softwareTokenMfa";

/// The requested configuration of a user pool. It replaces both factors.
#[derive(Debug, Clone)]
pub struct SetMfaConfig {
    /// Absent: unchanged.
    pub(super) mfa_configuration: Option<i32>,
    pub(super) sms: Option<SmsMfaConfig>,
    pub(super) software_token: Option<SoftwareTokenMfaConfig>,
}

/// Checks a request for the configuration of a user pool.
///
/// # Errors
/// The field rules that it breaks.
pub fn parse_mfa_config_request(
    request: GetUserPoolMfaConfigRequest,
) -> Result<UserPoolId, InvalidRequest> {
    Check::run(|check| {
        fields::user_pool_id(check, request.user_pool_id.as_ref());
        fields::min_position(check, request.min_position);
    })?;
    Ok(UserPoolId::from_trusted(request.user_pool_id.unwrap_or_default()))
}

/// The configuration of a user pool. The caller adds its revision and position.
#[must_use]
pub fn mfa_config(pool: &UserPool) -> GetUserPoolMfaConfigResponse {
    let sms = SmsMfaConfig {
        sms_authentication_message: pool.sms_authentication_message.clone(),
        sms_configuration: pool.sms_configuration.clone(),
    };
    GetUserPoolMfaConfigResponse {
        sms_mfa_configuration: has_sms_factor(pool).then_some(sms),
        software_token_mfa_configuration: pool.software_token_mfa,
        mfa_configuration: pool.mfa_configuration,
        ..GetUserPoolMfaConfigResponse::default()
    }
}

/// The members of a user pool that only `SetUserPoolMfaConfig` sets, as JSON names them, if they
/// are set.
#[must_use]
pub fn factor_members(pool: &UserPool) -> Vec<&'static str> {
    [(SMS_MFA, pool.sms_mfa.is_some()), (SOFTWARE_TOKEN_MFA, pool.software_token_mfa.is_some())]
        .into_iter()
        .filter_map(|(member, is_set)| is_set.then_some(member))
        .collect()
}

/// Decides what a request to set the configuration changes.
///
/// # Errors
/// The rule that the request breaks.
pub(super) fn decide(pool: &UserPool, set: SetMfaConfig) -> Result<Vec<Event>, InvalidRequest> {
    let SetMfaConfig { mfa_configuration, sms, software_token } = set;
    let mut after = pool.clone();
    after.mfa_configuration = mfa_configuration.or(pool.mfa_configuration);
    after.software_token_mfa =
        software_token.map(|token| SoftwareTokenMfaConfig { enabled: Some(token.enabled()) });
    after.sms_mfa = (value(&after) != Mfa::Off).then_some(sms.is_some());
    if let Some(sms) = &sms {
        after.sms_authentication_message.clone_from(&sms.sms_authentication_message);
        let requested = sms.sms_configuration.clone();
        after.sms_configuration = requested.or(after.sms_configuration);
    }
    InvalidRequest::semantics(request_violation(&after, sms.is_some()).into_iter().collect())?;
    if after == *pool {
        return Ok(Vec::new());
    }
    Ok(vec![Event::UserPoolMfaConfigSet(Box::new(UserPoolMfaConfigSet {
        mfa_configuration: after.mfa_configuration.unwrap_or_default(),
        sms_configuration: after.sms_configuration,
        sms_authentication_message: after.sms_authentication_message,
        sms_mfa: after.sms_mfa,
        software_token_mfa: after.software_token_mfa,
    }))])
}

/// The violation of a request that leads to these settings.
///
/// Source: refusals observed on AWS.
fn request_violation(after: &UserPool, requests_sms: bool) -> Option<Violation> {
    let has_software_token = has_software_token_factor(after);
    if value(after) == Mfa::Off {
        let factor = if requests_sms {
            "sms_mfa_configuration"
        } else if after.software_token_mfa.is_some() {
            "software_token_mfa_configuration"
        } else {
            return None;
        };
        return Some(Violation::new(
            factor,
            Rule::Conflict,
            "must not be set when mfa_configuration is OFF",
            "Invalid MFA configuration given, can't turn off MFA and configure an MFA together.",
        ));
    }
    if requests_sms && after.sms_configuration.is_none() {
        return Some(Violation::new(
            "sms_mfa_configuration.sms_configuration",
            Rule::Required,
            "is required unless the user pool has it",
            SMS_REQUIRED,
        ));
    }
    (!requests_sms && !has_software_token).then(|| {
        Violation::new(
            "mfa_configuration",
            Rule::Conflict,
            "ON and OPTIONAL require sms_mfa_configuration, or software_token_mfa_configuration \
             with enabled",
            "Invalid MFA configuration given, can't disable all MFAs with a required or optional \
             configuration.",
        )
    })
}

const SMS_REQUIRED: &str = "SMS configuration and Auto verification for phone_number are required when MFA is \
     required/optional";

/// The violation of an MFA setting of a user pool that is created or updated. `previous` is the
/// user pool before the update. If an update turns MFA on, missing SMS is not reported as well:
/// to add it would not help.
///
/// Source: refusals observed on AWS. Despite the text of the second one, SMS alone is enough.
pub(super) fn setting_violation(pool: &UserPool, previous: Option<&UserPool>) -> Option<Violation> {
    let becomes_on =
        value(pool) == Mfa::On && previous.is_some_and(|previous| value(previous) != Mfa::On);
    // Also while MFA is off: an update that turns it off keeps the factors.
    let was_set = pool.sms_mfa == Some(true) || has_software_token_factor(pool);
    if becomes_on && !was_set {
        return Some(Violation::new(
            "mfa_configuration",
            Rule::Conflict,
            "must not become ON: only a new user pool can require MFA, and one for which \
             SetUserPoolMfaConfig enabled a factor",
            "Cannot turn MFA functionality ON, once the user pool has been created.",
        ));
    }
    let has_factor = pool.sms_configuration.is_some() || has_software_token_factor(pool);
    (value(pool) != Mfa::Off && !has_factor).then(|| {
        Violation::new(
            "sms_configuration",
            Rule::Required,
            "is required when mfa_configuration is ON or OPTIONAL, unless software tokens are a factor",
            SMS_REQUIRED,
        )
    })
}

/// Whether SMS messages are a factor. Without a call that says which factors there are, they
/// are the only one.
fn has_sms_factor(pool: &UserPool) -> bool {
    value(pool) != Mfa::Off && pool.sms_configuration.is_some() && pool.sms_mfa.unwrap_or(true)
}

fn has_software_token_factor(pool: &UserPool) -> bool {
    pool.software_token_mfa.and_then(|software_token| software_token.enabled).unwrap_or(false)
}

/// Whether users authenticate with several factors. Absent before the defaults are applied.
fn value(pool: &UserPool) -> Mfa {
    let value = pool.mfa_configuration.and_then(|value| Mfa::try_from(value).ok());
    match value.unwrap_or_default() {
        Mfa::Unspecified | Mfa::Off => Mfa::Off,
        value @ (Mfa::On | Mfa::Optional) => value,
    }
}
