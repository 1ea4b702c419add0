//! The field rules: what each field of a request may be, by itself.
//! One function per Cognito shape, one line per rule.

mod filter;
mod lambda;
mod later;

use std::ops::RangeInclusive;

use uuid::Uuid;

use crate::proto::{
    AdminCreateUserConfig, AdvancedSecurityAdditionalFlows, CustomDomainConfig, EmailConfiguration,
    MessageTemplate, PasswordPolicy, SchemaAttribute, SignInPolicy, SmsConfiguration, SmsMfaConfig,
    UserPool, UserPoolAddOns, UserPoolPolicies, VerificationMessageTemplate,
    advanced_security_enabled_mode, advanced_security_mode, alias_attribute, attribute_data_type,
    auth_factor, default_email_option, email_sending_account, mfa_configuration, security_policy,
    username_attribute, verified_attribute,
};

use super::{
    check::Check,
    patterns::{
        ATTRIBUTE_NAME, CONFIGURATION_SET, CUSTOM_DOMAIN, DOMAIN, DOMAIN_NAME, EMAIL_ADDRESS,
        EMAIL_MESSAGE, EMAIL_MESSAGE_BY_LINK, EMAIL_SUBJECT, FieldPattern, PAGINATION_KEY,
        POOL_NAME, SMS_MESSAGE, USER_POOL_ID,
    },
    violation::Rule,
};

pub(super) use self::filter::user_pool_filter;
use self::{
    lambda::{arn, lambda_config, versioned_triggers},
    later::later_settings,
};

const SMS_MESSAGE_LENGTH: RangeInclusive<usize> = 6..=140;
const EMAIL_MESSAGE_LENGTH: RangeInclusive<usize> = 6..=20_000;
pub(super) const MAX_USER_POOL_ID_LENGTH: usize = 55;

/// Source: Cognito `UserPoolNameType`.
pub(super) fn pool_name(check: &mut Check, name: Option<&String>) {
    check.length("pool_name", name, 1..=128);
    check.pattern("pool_name", name, &POOL_NAME);
}

/// The settings in a request to create or to update a user pool.
///
/// Source: Cognito `CreateUserPoolRequest` and `UpdateUserPoolRequest`.
pub(super) fn settings(check: &mut Check, pool: &UserPool) {
    check.message("policies", pool.policies.as_ref(), policies);
    check.message("lambda_config", pool.lambda_config.as_ref(), lambda_config);
    check.enum_values(
        "auto_verified_attributes",
        &pool.auto_verified_attributes,
        verified_attribute::Value::as_str_name,
    );
    check.enum_values(
        "alias_attributes",
        &pool.alias_attributes,
        alias_attribute::Value::as_str_name,
    );
    check.enum_values(
        "username_attributes",
        &pool.username_attributes,
        username_attribute::Value::as_str_name,
    );
    sms_message(check, "sms_verification_message", pool.sms_verification_message.as_ref());
    email_message(check, "email_verification_message", pool.email_verification_message.as_ref());
    email_subject(check, "email_verification_subject", pool.email_verification_subject.as_ref());
    check.message(
        "verification_message_template",
        pool.verification_message_template.as_ref(),
        verification_message_template,
    );
    sms_message(check, "sms_authentication_message", pool.sms_authentication_message.as_ref());
    mfa_configuration(check, pool.mfa_configuration);
    check.message("email_configuration", pool.email_configuration.as_ref(), email_configuration);
    check.message("sms_configuration", pool.sms_configuration.as_ref(), sms_configuration);
    check.message(
        "admin_create_user_config",
        pool.admin_create_user_config.as_ref(),
        admin_create_user_config,
    );
    check.items("schema", pool.schema_attributes.len(), 50);
    check.each("schema", &pool.schema_attributes, schema_attribute);
    check.message("user_pool_add_ons", pool.user_pool_add_ons.as_ref(), user_pool_add_ons);
    later_settings(check, pool);
}

/// The rules that are checked behind the API, which a request reaches only if it breaks no
/// rule before.
///
/// Source: refusals observed on AWS, where an empty invite message breaks no pattern.
pub(super) fn behind_api(check: &mut Check, pool: &UserPool) {
    let field = "admin_create_user_config";
    check.message(field, pool.admin_create_user_config.as_ref(), |check, config| {
        let template = config.invite_message_template.as_ref();
        check.message("invite_message_template", template, |check, template| {
            check.pattern("sms_message", template.sms_message.as_ref(), &SMS_MESSAGE);
            check.pattern("email_message", template.email_message.as_ref(), &EMAIL_MESSAGE);
        });
    });
}

/// Checks required fields again after an update is merged: a mask can set other fields of a
/// message that had been absent.
pub(super) fn merged_settings(check: &mut Check, pool: &UserPool) {
    check.message("lambda_config", pool.lambda_config.as_ref(), versioned_triggers);
    check.message("sms_configuration", pool.sms_configuration.as_ref(), sms_configuration);
    check.message("user_pool_add_ons", pool.user_pool_add_ons.as_ref(), user_pool_add_ons);
}

/// Required in every request of Cognito with this field.
pub(crate) fn user_pool_id(check: &mut Check, id: Option<&String>) {
    check.required("user_pool_id", id);
    optional_user_pool_id(check, id);
}

/// The position that a response must show.
pub(crate) fn min_position(check: &mut Check, position: Option<i64>) {
    check.range("min_position", position, 0..=i64::MAX);
}

/// Source: Cognito `UserPoolIdType`.
pub(crate) fn optional_user_pool_id(check: &mut Check, id: Option<&String>) {
    check.length("user_pool_id", id, 1..=MAX_USER_POOL_ID_LENGTH);
    check.pattern("user_pool_id", id, &USER_POOL_ID);
}

/// Source: Cognito `ArnType`. Required in every request with this field.
pub(super) fn resource_arn(check: &mut Check, resource_arn: Option<&String>) {
    check.required("resource_arn", resource_arn);
    arn(check, "resource_arn", resource_arn);
}

/// Source: Cognito `DomainType`. The name of a domain that exists or not. Required in every
/// request of Cognito with this field.
pub(super) fn domain(check: &mut Check, domain: Option<&String>) {
    check.required("domain", domain);
    optional_domain(check, domain);
}

/// The same, where it is not required.
pub(crate) fn optional_domain(check: &mut Check, domain: Option<&String>) {
    domain_of(check, domain, &DOMAIN_NAME);
}

/// The same, for a new domain: a prefix, or a custom domain if it has a certificate.
pub(super) fn new_domain(check: &mut Check, domain: Option<&String>, is_custom: bool) {
    check.required("domain", domain);
    domain_of(check, domain, if is_custom { &CUSTOM_DOMAIN } else { &DOMAIN });
}

fn domain_of(check: &mut Check, domain: Option<&String>, pattern: &FieldPattern) {
    check.length("domain", domain, 1..=63);
    check.pattern("domain", domain, pattern);
}

/// Source: Cognito `CreateUserPoolDomainRequest`, and the reference of the operation for the
/// versions.
pub(super) fn domain_settings(
    check: &mut Check,
    managed_login_version: Option<i32>,
    config: Option<&CustomDomainConfig>,
) {
    check.range("managed_login_version", managed_login_version, 1..=2);
    check.message("custom_domain_config", config, custom_domain_config);
}

/// Source: Cognito `CustomDomainConfigType`.
fn custom_domain_config(check: &mut Check, config: &CustomDomainConfig) {
    check.required("certificate_arn", config.certificate_arn.as_ref());
    arn(check, "certificate_arn", config.certificate_arn.as_ref());
    check.enum_value(
        "security_policy",
        config.security_policy,
        security_policy::Value::as_str_name,
    );
}

/// Source: Cognito `UserPoolMfaType`.
pub(super) fn mfa_configuration(check: &mut Check, value: Option<i32>) {
    check.enum_value("mfa_configuration", value, mfa_configuration::Value::as_str_name);
}

/// Source: Cognito `SmsMfaConfigType`.
pub(super) fn sms_mfa(check: &mut Check, config: &SmsMfaConfig) {
    let message = config.sms_authentication_message.as_ref();
    sms_message(check, "sms_authentication_message", message);
    check.message("sms_configuration", config.sms_configuration.as_ref(), sms_configuration);
}

/// Source: Cognito `CustomAttributesListType`.
pub(super) fn custom_attributes(check: &mut Check, attributes: &[SchemaAttribute]) {
    check.required("custom_attributes", attributes.first());
    check.items("custom_attributes", attributes.len(), 25);
    check.each("custom_attributes", attributes, schema_attribute);
}

/// Source: Cognito `TagKeysType`.
pub(super) fn tag_keys(check: &mut Check, keys: &[String]) {
    check.required("tag_keys", keys.first());
    check.item_lengths("tag_keys", keys, &(1..=128));
}

/// Source: Cognito `ListUserPoolsRequest`.
pub(super) fn page(check: &mut Check, max_results: Option<i32>, next_token: Option<&String>) {
    check.required("max_results", max_results.as_ref());
    check.range("max_results", max_results, 1..=60);
    check.length("next_token", next_token, 1..=usize::MAX);
    check.pattern("next_token", next_token, &PAGINATION_KEY);
}

/// The fields that this service adds to each request for a change.
pub(super) fn options(
    check: &mut Check,
    request_id: Option<&String>,
    expected_revision: Option<i64>,
) {
    self::request_id(check, request_id);
    check.range("expected_revision", expected_revision, 1..=i64::MAX);
}

/// The idempotency key of a request.
pub(crate) fn request_id(check: &mut Check, request_id: Option<&String>) {
    let Some(id) = request_id else { return };
    match Uuid::try_parse(id) {
        Err(_) => {
            check.refuse("request_id", Rule::Pattern, Some(id), "must be a UUID", "be a UUID");
        }
        // Every client that forgets to generate an ID sends this one.
        Ok(uuid) if uuid.is_nil() => {
            let (allowed, constraint) = ("must not be the nil UUID", "not be the nil UUID");
            check.refuse("request_id", Rule::Reserved, Some(id), allowed, constraint);
        }
        Ok(_) => (),
    }
}

/// Source: Cognito `UserPoolPolicyType`.
fn policies(check: &mut Check, policies: &UserPoolPolicies) {
    check.message("password_policy", policies.password_policy.as_ref(), password_policy);
    check.message("sign_in_policy", policies.sign_in_policy.as_ref(), sign_in_policy);
}

/// Source: Cognito `PasswordPolicyType`.
fn password_policy(check: &mut Check, policy: &PasswordPolicy) {
    check.range("minimum_length", policy.minimum_length, 6..=99);
    check.range("password_history_size", policy.password_history_size, 0..=24);
    check.range(
        "temporary_password_validity_days",
        policy.temporary_password_validity_days,
        0..=365,
    );
}

/// Source: Cognito `SignInPolicyType`.
fn sign_in_policy(check: &mut Check, policy: &SignInPolicy) {
    check.enum_values(
        "allowed_first_auth_factors",
        &policy.allowed_first_auth_factors,
        auth_factor::Value::as_str_name,
    );
}

/// Source: Cognito `VerificationMessageTemplateType`.
fn verification_message_template(check: &mut Check, template: &VerificationMessageTemplate) {
    sms_message(check, "sms_message", template.sms_message.as_ref());
    email_message(check, "email_message", template.email_message.as_ref());
    email_subject(check, "email_subject", template.email_subject.as_ref());
    check.length(
        "email_message_by_link",
        template.email_message_by_link.as_ref(),
        EMAIL_MESSAGE_LENGTH,
    );
    check.pattern(
        "email_message_by_link",
        template.email_message_by_link.as_ref(),
        &EMAIL_MESSAGE_BY_LINK,
    );
    email_subject(check, "email_subject_by_link", template.email_subject_by_link.as_ref());
    check.enum_value(
        "default_email_option",
        template.default_email_option,
        default_email_option::Value::as_str_name,
    );
}

/// Source: Cognito `EmailConfigurationType`.
fn email_configuration(check: &mut Check, config: &EmailConfiguration) {
    arn(check, "source_arn", config.source_arn.as_ref());
    check.pattern("reply_to_email_address", config.reply_to_email_address.as_ref(), &EMAIL_ADDRESS);
    check.enum_value(
        "email_sending_account",
        config.email_sending_account,
        email_sending_account::Value::as_str_name,
    );
    check.length("from", config.from.as_ref(), 0..=131_072);
    check.length("configuration_set", config.configuration_set.as_ref(), 1..=64);
    check.pattern("configuration_set", config.configuration_set.as_ref(), &CONFIGURATION_SET);
}

/// Source: Cognito `SmsConfigurationType`.
fn sms_configuration(check: &mut Check, config: &SmsConfiguration) {
    check.required("sns_caller_arn", config.sns_caller_arn.as_ref());
    arn(check, "sns_caller_arn", config.sns_caller_arn.as_ref());
    check.length("sns_region", config.sns_region.as_ref(), 5..=32);
}

/// Source: Cognito `AdminCreateUserConfigType`.
fn admin_create_user_config(check: &mut Check, config: &AdminCreateUserConfig) {
    check.range("unused_account_validity_days", config.unused_account_validity_days, 0..=365);
    check.message(
        "invite_message_template",
        config.invite_message_template.as_ref(),
        message_template,
    );
}

/// Source: Cognito `MessageTemplateType`. [`behind_api`] has the patterns of the messages.
fn message_template(check: &mut Check, template: &MessageTemplate) {
    check.length("sms_message", template.sms_message.as_ref(), SMS_MESSAGE_LENGTH);
    check.length("email_message", template.email_message.as_ref(), EMAIL_MESSAGE_LENGTH);
    email_subject(check, "email_subject", template.email_subject.as_ref());
}

/// Source: Cognito `SchemaAttributeType`.
fn schema_attribute(check: &mut Check, attribute: &SchemaAttribute) {
    check.length("name", attribute.name.as_ref(), 1..=20);
    check.pattern("name", attribute.name.as_ref(), &ATTRIBUTE_NAME);
    check.enum_value(
        "attribute_data_type",
        attribute.attribute_data_type,
        attribute_data_type::Value::as_str_name,
    );
}

/// Source: Cognito `UserPoolAddOnsType`.
fn user_pool_add_ons(check: &mut Check, add_ons: &UserPoolAddOns) {
    check.required("advanced_security_mode", add_ons.advanced_security_mode.as_ref());
    check.enum_value(
        "advanced_security_mode",
        add_ons.advanced_security_mode,
        advanced_security_mode::Value::as_str_name,
    );
    check.message(
        "advanced_security_additional_flows",
        add_ons.advanced_security_additional_flows.as_ref(),
        advanced_security_additional_flows,
    );
}

/// Source: Cognito `AdvancedSecurityAdditionalFlowsType`.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "the rules of all messages take references")]
fn advanced_security_additional_flows(check: &mut Check, flows: &AdvancedSecurityAdditionalFlows) {
    check.enum_value(
        "custom_auth_mode",
        flows.custom_auth_mode,
        advanced_security_enabled_mode::Value::as_str_name,
    );
}

/// Source: Cognito `SmsVerificationMessageType`.
fn sms_message(check: &mut Check, field: &'static str, value: Option<&String>) {
    check.length(field, value, SMS_MESSAGE_LENGTH);
    check.pattern(field, value, &SMS_MESSAGE);
}

/// Source: Cognito `EmailVerificationMessageType`.
fn email_message(check: &mut Check, field: &'static str, value: Option<&String>) {
    check.length(field, value, EMAIL_MESSAGE_LENGTH);
    check.pattern(field, value, &EMAIL_MESSAGE);
}

/// Source: Cognito `EmailVerificationSubjectType`, `EmailVerificationSubjectByLinkType`.
fn email_subject(check: &mut Check, field: &'static str, value: Option<&String>) {
    check.length(field, value, 1..=140);
    check.pattern(field, value, &EMAIL_SUBJECT);
}
