//! An update replaces every setting, or the named ones, and never leads to settings
//! that a request could not have.

use userpool::{
    proto::{
        AdminCreateUserConfig, CreateUserPoolRequest, DeviceConfiguration, PasswordPolicy,
        SmsConfiguration, UpdateUserPoolRequest, UserPool, UserPoolAddOns, UserPoolPolicies,
        VerificationMessageTemplate, advanced_security_mode, alias_attribute, mfa_configuration,
    },
    user_pool::{Command, to_update_request},
};

use crate::support::named;

use super::{Scenario, assign, create, given, second, update, update_only};

fn sms() -> SmsConfiguration {
    let sns_caller_arn = Some("arn:aws:iam::123456789012:role/sms".into());
    SmsConfiguration { sns_caller_arn, external_id: Some("external".into()), ..Default::default() }
}

/// A user pool with MFA, tags, an alias, a text, and a domain; at revision 2.
fn furnished() -> Scenario {
    let request = CreateUserPoolRequest {
        alias_attributes: vec![alias_attribute::Value::Email.into()],
        mfa_configuration: Some(mfa_configuration::Value::On.into()),
        sms_configuration: Some(sms()),
        sms_verification_message: Some("code {####}".into()),
        user_pool_tags: [("team".to_owned(), "people".to_owned())].into(),
        ..named("people")
    };
    given([create(request), assign("people-login")])
}

fn everything(paths: &[&str]) -> Command {
    update_only(paths, UpdateUserPoolRequest::default())
}

#[test]
fn without_a_mask_omitted_settings_return_to_defaults() {
    let bare = given([create(CreateUserPoolRequest {
        alias_attributes: vec![alias_attribute::Value::Email.into()],
        ..named("people")
    })]);
    for command in [everything(&[]), everything(&["*"]), everything(&["policies", "*"])] {
        let settings = furnished().when(command).settings();
        let expected = UserPool {
            domain: Some("people-login".into()),
            last_modified_date: None,
            ..bare.user_pool().clone()
        };
        assert_eq!(settings, expected);
    }
}

#[test]
fn an_update_changes_only_the_modification_time() {
    let updated = furnished().when(everything(&["user_pool_tags"])).evolved();
    assert_eq!(updated.user_pool().creation_date, Some(second(1)));
    assert_eq!(updated.user_pool().last_modified_date, Some(second(3)));
}

#[test]
fn an_update_that_changes_nothing_has_no_event() {
    let settings = to_update_request(furnished().user_pool().clone());
    furnished().when(update(settings.clone())).then(&Ok(Vec::new()));
    furnished().when(update_only(&["*"], settings)).then(&Ok(Vec::new()));
    // The password policy has its default already.
    furnished().when(everything(&["policies"])).then(&Ok(Vec::new()));
    furnished().when(everything(&["sms_authentication_message"])).then(&Ok(Vec::new()));
}

#[test]
fn with_a_mask_unnamed_settings_stay() {
    let policy = PasswordPolicy { minimum_length: Some(12), ..Default::default() };
    let policies = Some(UserPoolPolicies { password_policy: Some(policy), ..Default::default() });
    let request = UpdateUserPoolRequest { policies, ..Default::default() };
    let path = "policies.password_policy.minimum_length";
    let mut settings = furnished().when(update_only(&[path], request)).settings();
    let policy = settings.policies.as_mut().and_then(|policies| policies.password_policy.as_mut());
    assert_eq!(policy.expect("a policy").minimum_length.replace(8), Some(12));
    let before = furnished();
    let before = UserPool { last_modified_date: None, ..before.user_pool().clone() };
    assert_eq!(settings, before);
}

#[test]
fn a_named_setting_without_a_value_returns_to_its_default() {
    let admin =
        AdminCreateUserConfig { unused_account_validity_days: Some(30), ..Default::default() };
    let request =
        UpdateUserPoolRequest { admin_create_user_config: Some(admin), ..Default::default() };
    let path = "admin_create_user_config.unused_account_validity_days";
    let longer = furnished().when(update_only(&[path], request)).evolved();
    let settings = longer.when(everything(&[path])).settings();
    let admin = settings.admin_create_user_config.expect("a config");
    assert_eq!(admin.unused_account_validity_days, Some(7));
}

#[test]
fn a_named_member_creates_its_absent_message() {
    let device =
        DeviceConfiguration { challenge_required_on_new_device: Some(true), ..Default::default() };
    let request =
        UpdateUserPoolRequest { device_configuration: Some(device), ..Default::default() };
    let path = "device_configuration.challenge_required_on_new_device";
    let settings = furnished().when(update_only(&[path], request)).settings();
    assert_eq!(settings.device_configuration, Some(device));
    // An absent message has nothing to clear.
    furnished().when(everything(&[path])).then(&Ok(Vec::new()));
}

#[test]
fn changed_paths_are_sorted_and_as_deep_as_both_sides() {
    let paths = furnished().when(everything(&[])).changed_paths();
    let expected = [
        "mfa_configuration",
        "sms_configuration",
        "sms_verification_message",
        "user_pool_tags",
        "verification_message_template.sms_message",
    ];
    assert_eq!(paths, expected);
}

#[test]
fn a_mask_with_one_name_of_a_text_changes_both() {
    let (old, template) = ("sms_verification_message", "verification_message_template.sms_message");
    let by_the_old_name = UpdateUserPoolRequest {
        sms_verification_message: Some("new {####}".into()),
        ..Default::default()
    };
    let by_the_template = UpdateUserPoolRequest {
        verification_message_template: Some(VerificationMessageTemplate {
            sms_message: Some("new {####}".into()),
            ..Default::default()
        }),
        ..Default::default()
    };
    for (path, request) in [
        (old, by_the_old_name),
        (template, by_the_template.clone()),
        ("verification_message_template", by_the_template),
    ] {
        let settings = furnished().when(update_only(&[path], request)).settings();
        assert_eq!(settings.sms_verification_message, Some("new {####}".into()), "{path}");
        let shown = settings.verification_message_template.and_then(|shown| shown.sms_message);
        assert_eq!(shown, Some("new {####}".into()), "{path}");
    }
    for path in [old, template, "verification_message_template"] {
        let settings = furnished().when(everything(&[path])).settings();
        assert_eq!(settings.sms_verification_message, None, "{path}");
        let shown = settings.verification_message_template.and_then(|shown| shown.sms_message);
        assert_eq!(shown, None, "{path}");
    }
}

#[test]
fn an_update_is_checked_together_with_what_stays() {
    let fields = furnished().when(everything(&["sms_configuration"])).refused_fields();
    assert_eq!(fields, ["sms_configuration"]);
    furnished().when(everything(&["sms_configuration", "mfa_configuration"])).settings();
}

#[test]
fn a_mask_cannot_clear_a_required_member() {
    let fields =
        furnished().when(everything(&["sms_configuration.sns_caller_arn"])).refused_fields();
    assert_eq!(fields, ["sms_configuration.sns_caller_arn"]);

    let add_ons = Some(UserPoolAddOns {
        advanced_security_mode: Some(advanced_security_mode::Value::Audit.into()),
        advanced_security_additional_flows: None,
    });
    let audited = furnished()
        .when(update_only(
            &["user_pool_add_ons"],
            UpdateUserPoolRequest { user_pool_add_ons: add_ons, ..Default::default() },
        ))
        .evolved();
    let path = "user_pool_add_ons.advanced_security_mode";
    assert_eq!(audited.when(everything(&[path])).refused_fields(), [path]);
}

#[test]
fn a_mask_cannot_create_an_incomplete_message() {
    let bare = given([create(named("people"))]);
    let request = UpdateUserPoolRequest { sms_configuration: Some(sms()), ..Default::default() };
    let decision = bare.when(update_only(&["sms_configuration.external_id"], request));
    assert_eq!(decision.refused_fields(), ["sms_configuration.sns_caller_arn"]);
}
