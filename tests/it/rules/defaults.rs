//! The event has the default of every omitted setting, so that a user pool replays
//! the same after defaults change.

use userpool::proto::{
    AdminCreateUserConfig, CreateUserPoolRequest, EmailConfiguration, LambdaConfig,
    MessageTemplate, PasswordPolicy, UserPool, UserPoolPolicies, VerificationMessageTemplate,
    default_email_option, deletion_protection, email_sending_account, mfa_configuration,
    user_pool_tier,
};

use crate::support::named;

use super::{create, given, second};

fn created(request: CreateUserPoolRequest) -> UserPool {
    given([]).when(create(request)).settings()
}

#[test]
fn a_user_pool_needs_only_a_name() {
    let settings = created(named("people"));
    assert_eq!(settings.schema_attributes.len(), 20);
    let expected = UserPool {
        id: Some(super::ID.into()),
        name: Some("people".into()),
        policies: Some(UserPoolPolicies {
            password_policy: Some(PasswordPolicy {
                minimum_length: Some(8),
                require_uppercase: Some(true),
                require_lowercase: Some(true),
                require_numbers: Some(true),
                require_symbols: Some(true),
                ..Default::default()
            }),
            sign_in_policy: None,
        }),
        lambda_config: Some(LambdaConfig::default()),
        email_configuration: Some(EmailConfiguration {
            email_sending_account: Some(email_sending_account::Value::CognitoDefault.into()),
            ..Default::default()
        }),
        deletion_protection: Some(deletion_protection::Value::Inactive.into()),
        user_pool_tier: Some(user_pool_tier::Value::Essentials.into()),
        verification_message_template: Some(VerificationMessageTemplate {
            default_email_option: Some(default_email_option::Value::ConfirmWithCode.into()),
            ..Default::default()
        }),
        mfa_configuration: Some(mfa_configuration::Value::Off.into()),
        estimated_number_of_users: Some(0),
        admin_create_user_config: Some(AdminCreateUserConfig {
            allow_admin_create_user_only: Some(false),
            unused_account_validity_days: Some(7),
            invite_message_template: None,
        }),
        schema_attributes: settings.schema_attributes.clone(),
        ..Default::default()
    };
    assert_eq!(settings, expected);
}

#[test]
fn the_times_of_a_user_pool_are_those_of_its_events() {
    let pool = given([create(named("people"))]);
    assert_eq!(pool.user_pool().creation_date, Some(second(1)));
    assert_eq!(pool.user_pool().last_modified_date, Some(second(1)));
    assert_eq!(created(named("people")).creation_date, None);
}

#[test]
fn a_password_policy_given_in_part_requires_nothing_more() {
    let policy = PasswordPolicy { require_numbers: Some(true), ..Default::default() };
    let policies = Some(UserPoolPolicies { password_policy: Some(policy), ..Default::default() });
    let settings = created(CreateUserPoolRequest { policies, ..named("people") });
    let expected = PasswordPolicy {
        minimum_length: Some(8),
        require_uppercase: Some(false),
        require_lowercase: Some(false),
        require_numbers: Some(true),
        require_symbols: Some(false),
        ..Default::default()
    };
    assert_eq!(settings.policies.and_then(|policies| policies.password_policy), Some(expected));
}

#[test]
fn policies_without_a_password_policy_have_the_strict_one() {
    let policies = Some(UserPoolPolicies::default());
    let settings = created(CreateUserPoolRequest { policies, ..named("people") });
    assert_eq!(settings, created(named("people")));
}

#[test]
fn an_admin_config_given_in_part_is_completed() {
    let invite = MessageTemplate { email_subject: Some("Welcome".into()), ..Default::default() };
    let given = AdminCreateUserConfig {
        invite_message_template: Some(invite.clone()),
        ..Default::default()
    };
    let admin_create_user_config = Some(given);
    let settings = created(CreateUserPoolRequest { admin_create_user_config, ..named("people") });
    let expected = AdminCreateUserConfig {
        allow_admin_create_user_only: Some(false),
        unused_account_validity_days: Some(7),
        invite_message_template: Some(invite),
    };
    assert_eq!(settings.admin_create_user_config, Some(expected));
}

#[test]
fn a_text_is_shown_under_both_of_its_names() {
    let by_the_old_names = created(CreateUserPoolRequest {
        sms_verification_message: Some("sms {####}".into()),
        email_verification_message: Some("email {####}".into()),
        email_verification_subject: Some("subject".into()),
        ..named("people")
    });
    let by_the_template = created(CreateUserPoolRequest {
        verification_message_template: Some(VerificationMessageTemplate {
            sms_message: Some("sms {####}".into()),
            email_message: Some("email {####}".into()),
            email_subject: Some("subject".into()),
            ..Default::default()
        }),
        ..named("people")
    });
    assert_eq!(by_the_old_names, by_the_template);
    assert_eq!(by_the_template.sms_verification_message, Some("sms {####}".into()));
    assert_eq!(by_the_template.email_verification_message, Some("email {####}".into()));
    assert_eq!(by_the_template.email_verification_subject, Some("subject".into()));
    let template = by_the_old_names.verification_message_template.expect("a template");
    assert_eq!(template.sms_message, Some("sms {####}".into()));
    assert_eq!(template.email_message, Some("email {####}".into()));
    assert_eq!(template.email_subject, Some("subject".into()));
}

#[test]
fn the_template_wins_over_a_text_that_is_given_twice() {
    let settings = created(CreateUserPoolRequest {
        sms_verification_message: Some("old {####}".into()),
        email_verification_subject: Some("old".into()),
        verification_message_template: Some(VerificationMessageTemplate {
            sms_message: Some("new {####}".into()),
            ..Default::default()
        }),
        ..named("people")
    });
    let template = settings.verification_message_template.expect("a template");
    assert_eq!(settings.sms_verification_message, Some("new {####}".into()));
    assert_eq!(template.sms_message, Some("new {####}".into()));
    // A text that the template omits comes from the old name.
    assert_eq!(template.email_subject, Some("old".into()));
}

#[test]
fn a_text_that_was_not_given_is_absent_under_both_names() {
    let settings = created(named("people"));
    assert_eq!(settings.sms_verification_message, None);
    assert_eq!(settings.email_verification_message, None);
    assert_eq!(settings.email_verification_subject, None);
}
