//! The field rules of the Lambda triggers, and of ARNs.

use crate::proto::{
    CustomEmailLambdaVersionConfig, CustomSmsLambdaVersionConfig, LambdaConfig,
    PreTokenGenerationVersionConfig, custom_email_sender_lambda_version,
    custom_sms_sender_lambda_version, pre_token_generation_lambda_version,
};

use super::super::{check::Check, patterns::ARN};

/// Source: Cognito `LambdaConfigType`.
pub(super) fn lambda_config(check: &mut Check, config: &LambdaConfig) {
    arn(check, "pre_sign_up", config.pre_sign_up.as_ref());
    arn(check, "custom_message", config.custom_message.as_ref());
    arn(check, "post_confirmation", config.post_confirmation.as_ref());
    arn(check, "pre_authentication", config.pre_authentication.as_ref());
    arn(check, "post_authentication", config.post_authentication.as_ref());
    arn(check, "define_auth_challenge", config.define_auth_challenge.as_ref());
    arn(check, "create_auth_challenge", config.create_auth_challenge.as_ref());
    arn(check, "verify_auth_challenge_response", config.verify_auth_challenge_response.as_ref());
    arn(check, "pre_token_generation", config.pre_token_generation.as_ref());
    arn(check, "user_migration", config.user_migration.as_ref());
    arn(check, "kms_key_id", config.kms_key_id.as_ref());
    versioned_triggers(check, config);
}

/// The triggers whose events have versions. They are also checked after an update is merged.
pub(super) fn versioned_triggers(check: &mut Check, config: &LambdaConfig) {
    let trigger = config.pre_token_generation_config.as_ref();
    check.message("pre_token_generation_config", trigger, pre_token_generation_config);
    check.message("custom_sms_sender", config.custom_sms_sender.as_ref(), custom_sms_sender);
    check.message("custom_email_sender", config.custom_email_sender.as_ref(), custom_email_sender);
}

/// Source: Cognito `PreTokenGenerationVersionConfigType`.
fn pre_token_generation_config(check: &mut Check, config: &PreTokenGenerationVersionConfig) {
    let name = pre_token_generation_lambda_version::Value::as_str_name;
    versioned_lambda(check, config.lambda_version, name, config.lambda_arn.as_ref());
}

/// Source: Cognito `CustomSMSLambdaVersionConfigType`.
fn custom_sms_sender(check: &mut Check, config: &CustomSmsLambdaVersionConfig) {
    let name = custom_sms_sender_lambda_version::Value::as_str_name;
    versioned_lambda(check, config.lambda_version, name, config.lambda_arn.as_ref());
}

/// Source: Cognito `CustomEmailLambdaVersionConfigType`.
fn custom_email_sender(check: &mut Check, config: &CustomEmailLambdaVersionConfig) {
    let name = custom_email_sender_lambda_version::Value::as_str_name;
    versioned_lambda(check, config.lambda_version, name, config.lambda_arn.as_ref());
}

/// A trigger whose event has versions.
fn versioned_lambda<E: TryFrom<i32>>(
    check: &mut Check,
    version: Option<i32>,
    name: fn(&E) -> &'static str,
    lambda: Option<&String>,
) {
    check.required("lambda_version", version.as_ref());
    check.enum_value("lambda_version", version, name);
    check.required("lambda_arn", lambda);
    arn(check, "lambda_arn", lambda);
}

/// Source: Cognito `ArnType`.
pub(super) fn arn(check: &mut Check, field: &'static str, value: Option<&String>) {
    check.length(field, value, 20..=2048);
    check.pattern(field, value, &ARN);
}
