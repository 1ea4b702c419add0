//! The settings that AWS added after 2017: their rules, and what they mean for user pools that
//! were recorded before them.

use userpool::{
    proto::{
        AdminCreateUserConfig, CreateUserPoolRequest, LambdaConfig, PasswordPolicy,
        PreTokenGenerationVersionConfig, UpdateUserPoolRequest, UserAttributeUpdateSettings,
        UserPoolDeleted, UserPoolPolicies,
        deletion_protection::Value::{Active, Inactive},
        pre_token_generation_lambda_version::Value as EventVersion,
        verified_attribute::Value as Attribute,
    },
    user_pool::{
        CheckedCommand, Command, Contradiction, Event, EventChecker, Limits, Rejection,
        to_create_request, to_update_request, unchangeable_differences,
    },
};

use crate::support::named;

use super::{ID, Scenario, assign, create, given, id, update, update_only};

const FIRST: &str = "arn:aws:lambda:us-east-1:123456789012:function:first";
const SECOND: &str = "arn:aws:lambda:us-east-1:123456789012:function:second";

fn protected() -> CreateUserPoolRequest {
    CreateUserPoolRequest { deletion_protection: Some(Active.into()), ..named("people") }
}

#[test]
fn a_protected_user_pool_cannot_be_deleted() {
    let refused = || Err(Rejection::DeletionProtected { user_pool_id: id(ID) });
    given([create(protected())]).when(Command::Delete).then(&refused());
    // The protection is reported first: with the domain deleted, it would still hold.
    given([create(protected()), assign("people-login")]).when(Command::Delete).then(&refused());
    assert_eq!(
        Rejection::DeletionProtected { user_pool_id: id(ID) }.to_string(),
        "The user pool cannot be deleted because deletion protection is activated. Deletion \
         protection must be inactivated first."
    );
}

#[test]
fn a_user_pool_can_be_deleted_after_its_protection_ends() {
    let deleted = || Ok(vec![Event::UserPoolDeleted(UserPoolDeleted {})]);
    let inactive = || UpdateUserPoolRequest {
        deletion_protection: Some(Inactive.into()),
        ..UpdateUserPoolRequest::default()
    };
    for command in [
        update(inactive()),
        update_only(&["deletion_protection"], inactive()),
        // Without a value, it gets its default.
        update(UpdateUserPoolRequest::default()),
    ] {
        given([create(protected()), command]).when(Command::Delete).then(&deleted());
    }
    let tags = update_only(&["user_pool_tags"], UpdateUserPoolRequest::default());
    let kept = given([create(protected()), tags]).when(Command::Delete);
    kept.then(&Err(Rejection::DeletionProtected { user_pool_id: id(ID) }));
}

#[test]
fn no_command_can_have_deleted_a_protected_user_pool() {
    let created = || {
        let settings = given([]).when(create(protected())).settings();
        let user_pool = Some(settings);
        Event::UserPoolCreated(Box::new(userpool::proto::UserPoolCreated { user_pool }))
    };
    let deleted = Event::UserPoolDeleted(UserPoolDeleted {});
    let mut checker = EventChecker::default();
    assert_eq!(checker.check(ID, 1, &created()), Ok(()));
    let expected = Err(Contradiction::DeletedWhileProtected(id(ID)));
    assert_eq!(checker.check(ID, 2, &deleted), expected);

    let update = update(UpdateUserPoolRequest::default());
    let updated = given([create(protected())]).when(update).decided.expect("an update").remove(0);
    assert_eq!(checker.check(ID, 2, &updated), Ok(()));
    assert_eq!(checker.check(ID, 3, &deleted), Ok(()));
}

fn temporary(days: i32) -> UserPoolPolicies {
    let policy = PasswordPolicy {
        temporary_password_validity_days: Some(days),
        ..PasswordPolicy::default()
    };
    UserPoolPolicies { password_policy: Some(policy), ..UserPoolPolicies::default() }
}

fn unused(days: i32) -> AdminCreateUserConfig {
    AdminCreateUserConfig {
        unused_account_validity_days: Some(days),
        ..AdminCreateUserConfig::default()
    }
}

/// The days in both settings.
fn days(pool: &Scenario) -> (Option<i32>, Option<i32>) {
    let pool = pool.user_pool();
    let policies = pool.policies.as_ref().and_then(|policies| policies.password_policy);
    let admin = pool.admin_create_user_config.as_ref();
    (
        policies.and_then(|policy| policy.temporary_password_validity_days),
        admin.and_then(|admin| admin.unused_account_validity_days),
    )
}

#[test]
fn temporary_passwords_last_as_long_as_unused_accounts() {
    let both = given([create(CreateUserPoolRequest {
        policies: Some(temporary(30)),
        admin_create_user_config: Some(unused(5)),
        ..named("people")
    })]);
    assert_eq!(days(&both), (Some(30), Some(30)));
    let policies = UpdateUserPoolRequest { policies: Some(temporary(3)), ..Default::default() };
    let updated = both.when(update_only(&["policies"], policies)).evolved();
    assert_eq!(days(&updated), (Some(3), Some(3)));
    let without =
        UpdateUserPoolRequest { admin_create_user_config: Some(unused(9)), ..Default::default() };
    assert_eq!(days(&updated.when(update(without)).evolved()), (None, Some(9)));
}

#[test]
fn an_update_cannot_have_the_days_of_both() {
    let pool = || given([create(named("people"))]);
    let both = UpdateUserPoolRequest {
        policies: Some(temporary(30)),
        admin_create_user_config: Some(unused(30)),
        ..UpdateUserPoolRequest::default()
    };
    let field = "admin_create_user_config.unused_account_validity_days";
    let decision = pool().when(update(both.clone()));
    let Err(Rejection::Invalid(invalid)) = &decision.decided else { unreachable!("{decision:?}") };
    assert_eq!(
        invalid.to_string(),
        "Please use TemporaryPasswordValidityDays in PasswordPolicy instead of \
         UnusedAccountValidityDays"
    );
    assert_eq!(decision.refused_fields(), [field]);
    // Also if the other one was set before.
    let policies = UpdateUserPoolRequest { policies: Some(temporary(30)), ..Default::default() };
    let temporary = given([create(named("people")), update(policies)]);
    assert_eq!(temporary.when(update_only(&[field], both)).refused_fields(), [field]);
}

fn trigger(legacy: Option<&str>, versioned: Option<(EventVersion, &str)>) -> LambdaConfig {
    LambdaConfig {
        pre_token_generation: legacy.map(str::to_owned),
        pre_token_generation_config: versioned.map(|(version, function)| {
            PreTokenGenerationVersionConfig {
                lambda_version: Some(version.into()),
                lambda_arn: Some(function.to_owned()),
            }
        }),
        ..LambdaConfig::default()
    }
}

fn with_trigger(config: LambdaConfig) -> Scenario {
    let lambda_config = Some(config);
    given([create(CreateUserPoolRequest { lambda_config, ..named("people") })])
}

#[test]
fn the_token_trigger_is_shown_in_both_of_its_fields() {
    let (v1, v2) = (EventVersion::V10, EventVersion::V20);
    for (sent, shown) in [
        (trigger(Some(FIRST), None), trigger(Some(FIRST), Some((v1, FIRST)))),
        (trigger(None, Some((v2, FIRST))), trigger(Some(FIRST), Some((v2, FIRST)))),
        (trigger(Some(FIRST), Some((v2, FIRST))), trigger(Some(FIRST), Some((v2, FIRST)))),
        (trigger(None, None), trigger(None, None)),
    ] {
        assert_eq!(with_trigger(sent).user_pool().lambda_config, Some(shown));
    }
    let lambda_config = Some(trigger(Some(FIRST), Some((v2, SECOND))));
    let request = CreateUserPoolRequest { lambda_config, ..named("people") };
    let refused = CheckedCommand::create_user_pool(request, &Limits::default());
    let refused = refused.expect_err("two functions");
    assert_eq!(refused.violations()[0].field, "lambda_config.pre_token_generation");
}

#[test]
fn one_field_of_the_token_trigger_in_a_mask_changes_both() {
    let (v1, v2) = (EventVersion::V10, EventVersion::V20);
    let legacy = "lambda_config.pre_token_generation";
    let config = "lambda_config.pre_token_generation_config";
    let function = "lambda_config.pre_token_generation_config.lambda_arn";
    let none = trigger(None, None);
    for (before, path, sent, expected) in [
        (Some((v2, FIRST)), legacy, trigger(Some(SECOND), None), Some((v2, SECOND))),
        (Some((v2, FIRST)), config, trigger(None, Some((v1, SECOND))), Some((v1, SECOND))),
        (Some((v2, FIRST)), function, trigger(None, Some((v1, SECOND))), Some((v2, SECOND))),
        (Some((v2, FIRST)), legacy, none.clone(), None),
        (Some((v2, FIRST)), config, none.clone(), None),
        (None, legacy, trigger(Some(SECOND), None), Some((v1, SECOND))),
        (None, config, trigger(None, Some((v2, SECOND))), Some((v2, SECOND))),
    ] {
        let request = UpdateUserPoolRequest { lambda_config: Some(sent), ..Default::default() };
        let updated = with_trigger(trigger(None, before)).when(update_only(&[path], request));
        let expected = trigger(expected.map(|(_, function)| function), expected);
        assert_eq!(updated.settings().lambda_config, Some(expected), "{before:?} {path}");
    }
    let version = "lambda_config.pre_token_generation_config.lambda_version";
    let lambda_config = Some(trigger(None, Some((v2, FIRST))));
    let request = UpdateUserPoolRequest { lambda_config, ..Default::default() };
    let decision = with_trigger(none).when(update_only(&[version], request));
    assert_eq!(decision.refused_fields(), [function]);
}

#[test]
fn updates_are_verified_only_for_attributes_that_are_verified() {
    let request = |verified: &[Attribute], before_update: &[Attribute]| {
        let values = |attributes: &[Attribute]| -> Vec<i32> {
            attributes.iter().map(|value| (*value).into()).collect()
        };
        let settings = UserAttributeUpdateSettings {
            attributes_require_verification_before_update: values(before_update),
        };
        let request = CreateUserPoolRequest {
            auto_verified_attributes: values(verified),
            user_attribute_update_settings: Some(settings),
            ..named("people")
        };
        CheckedCommand::create_user_pool(request, &Limits::default()).map(drop)
    };
    let email = [Attribute::Email];
    assert_eq!(request(&email, &email), Ok(()));
    assert_eq!(request(&email, &[]), Ok(()));
    for verified in [&[][..], &email] {
        let refused = request(verified, &[Attribute::Email, Attribute::PhoneNumber]);
        let refused = refused.expect_err("a refusal");
        let field = "user_attribute_update_settings.attributes_require_verification_before_update";
        assert_eq!(refused.violations()[0].field, field);
        assert_eq!(refused.violation_count(), 1);
    }
}

#[test]
fn an_update_can_change_the_name() {
    let renamed = || UpdateUserPoolRequest { pool_name: Some("new".into()), ..Default::default() };
    let pool = || given([create(named("people"))]);
    for command in [update(renamed()), update_only(&["pool_name"], renamed())] {
        assert_eq!(pool().when(command.clone()).changed_paths(), ["pool_name"]);
        assert_eq!(pool().when(command).settings().name.as_deref(), Some("new"));
    }
    // Without a name, it stays; a name that the mask does not have is not used.
    for command in [
        update(UpdateUserPoolRequest::default()),
        update_only(&["pool_name"], UpdateUserPoolRequest::default()),
        update_only(&["policies"], renamed()),
    ] {
        pool().when(command).then(&Ok(Vec::new()));
    }
}

#[test]
fn a_user_pool_can_be_copied_and_restored_with_later_settings() {
    let request = CreateUserPoolRequest {
        policies: Some(temporary(30)),
        lambda_config: Some(trigger(None, Some((EventVersion::V30, FIRST)))),
        username_configuration: Some(userpool::proto::UsernameConfiguration {
            case_sensitive: Some(false),
        }),
        ..protected()
    };
    let pool = given([create(request)]);
    let settings = pool.user_pool().clone();
    let copy = given([create(to_create_request(settings.clone()))]);
    assert_eq!(copy.user_pool(), &settings);

    let other = pool.when(update(UpdateUserPoolRequest::default())).evolved();
    let restored = other.when(update(to_update_request(settings.clone()))).evolved();
    let mut expected = settings.clone();
    expected.last_modified_date = restored.user_pool().last_modified_date;
    assert_eq!(restored.user_pool(), &expected);
    let bare = given([create(named("people"))]);
    let differences = unchangeable_differences(&settings, bare.user_pool());
    assert_eq!(differences, ["UsernameConfiguration"]);
}
