//! The field rules of whole settings that AWS added after 2017.

use crate::proto::{
    AccountRecoverySetting, RecoveryOption, UserAttributeUpdateSettings, UserPool,
    UsernameConfiguration, deletion_protection, recovery_option_name, user_pool_tier,
    verified_attribute,
};

use super::super::check::Check;

/// Source: Cognito `CreateUserPoolRequest` and `UpdateUserPoolRequest`.
pub(super) fn later_settings(check: &mut Check, pool: &UserPool) {
    check.enum_value(
        "deletion_protection",
        pool.deletion_protection,
        deletion_protection::Value::as_str_name,
    );
    check.enum_value("user_pool_tier", pool.user_pool_tier, user_pool_tier::Value::as_str_name);
    check.message(
        "account_recovery_setting",
        pool.account_recovery_setting.as_ref(),
        account_recovery_setting,
    );
    check.message(
        "username_configuration",
        pool.username_configuration.as_ref(),
        username_configuration,
    );
    check.message(
        "user_attribute_update_settings",
        pool.user_attribute_update_settings.as_ref(),
        user_attribute_update_settings,
    );
}

/// Source: Cognito `AccountRecoverySettingType`.
fn account_recovery_setting(check: &mut Check, setting: &AccountRecoverySetting) {
    check.items("recovery_mechanisms", setting.recovery_mechanisms.len(), 2);
    check.each("recovery_mechanisms", &setting.recovery_mechanisms, recovery_option);
}

/// Source: Cognito `RecoveryOptionType`.
fn recovery_option(check: &mut Check, option: &RecoveryOption) {
    check.required("priority", option.priority.as_ref());
    check.range("priority", option.priority, 1..=2);
    check.required("name", option.name.as_ref());
    check.enum_value("name", option.name, recovery_option_name::Value::as_str_name);
}

/// Source: Cognito `UsernameConfigurationType`.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "the rules of all messages take references")]
fn username_configuration(check: &mut Check, config: &UsernameConfiguration) {
    check.required("case_sensitive", config.case_sensitive.as_ref());
}

/// Source: Cognito `UserAttributeUpdateSettingsType`.
fn user_attribute_update_settings(check: &mut Check, settings: &UserAttributeUpdateSettings) {
    check.enum_values(
        "attributes_require_verification_before_update",
        &settings.attributes_require_verification_before_update,
        verified_attribute::Value::as_str_name,
    );
}
