//! Requests that break no rule.

use proptest::{
    bool,
    collection::{btree_map, btree_set, vec},
    option::of,
    prelude::*,
    sample::{select, subsequence},
};
use userpool::proto::{
    AccountRecoverySetting, AdminCreateUserConfig, AdvancedSecurityAdditionalFlows,
    CreateUserPoolRequest, CustomEmailLambdaVersionConfig, CustomSmsLambdaVersionConfig,
    DESCRIPTORS, DeviceConfiguration, EmailConfiguration, LambdaConfig, MessageTemplate,
    NumberAttributeConstraints, PasswordPolicy, PreTokenGenerationVersionConfig, RecoveryOption,
    SchemaAttribute, SignInPolicy, SmsConfiguration, StringAttributeConstraints,
    UpdateUserPoolRequest, UserAttributeUpdateSettings, UserPoolAddOns, UserPoolPolicies,
    UsernameConfiguration, VerificationMessageTemplate, attribute_data_type::Value as DataType,
    mfa_configuration, verified_attribute,
};

/// The standard attributes and their types.
const STANDARD: [(&str, DataType); 6] = [
    ("sub", DataType::String),
    ("preferred_username", DataType::String),
    ("birthdate", DataType::String),
    ("email_verified", DataType::Boolean),
    ("email", DataType::String),
    ("updated_at", DataType::Number),
];

fn policies() -> impl Strategy<Value = UserPoolPolicies> {
    let flag = || of(bool::ANY);
    let policy = (of(6..=99), flag(), flag(), flag(), flag(), of(0..=24), of(0..=365));
    let policy = policy.prop_map(|(minimum_length, upper, lower, numbers, symbols, size, days)| {
        PasswordPolicy {
            minimum_length,
            require_uppercase: upper,
            require_lowercase: lower,
            require_numbers: numbers,
            require_symbols: symbols,
            password_history_size: size,
            temporary_password_validity_days: days,
        }
    });
    let factors =
        vec(1..=5, 0..=5).prop_map(|factors| SignInPolicy { allowed_first_auth_factors: factors });
    (of(policy), of(factors)).prop_map(|(password_policy, sign_in_policy)| UserPoolPolicies {
        password_policy,
        sign_in_policy,
    })
}

fn arn() -> impl Strategy<Value = String> {
    r"arn:aws:[a-z]{2,9}:([a-z]{2}-[a-z]{4}-[0-9])?:[0-9]{12}:[A-Za-z0-9/_.+=,@-]{1,20}"
}

fn lambda_config() -> impl Strategy<Value = LambdaConfig> {
    (vec(of(arn()), 14), 1..=3).prop_map(|(mut arns, version)| {
        let mut next = || arns.pop().flatten();
        let config = next().map(|function| PreTokenGenerationVersionConfig {
            lambda_version: Some(version),
            lambda_arn: Some(function),
        });
        LambdaConfig {
            pre_sign_up: next(),
            custom_message: next(),
            post_confirmation: next(),
            pre_authentication: next(),
            post_authentication: next(),
            define_auth_challenge: next(),
            create_auth_challenge: next(),
            verify_auth_challenge_response: next(),
            // Both fields of the trigger have the same function.
            pre_token_generation: match &config {
                Some(config) => next().and(config.lambda_arn.clone()),
                None => next(),
            },
            pre_token_generation_config: config,
            user_migration: next(),
            custom_sms_sender: next().map(|function| CustomSmsLambdaVersionConfig {
                lambda_version: Some(1),
                lambda_arn: Some(function),
            }),
            custom_email_sender: next().map(|function| CustomEmailLambdaVersionConfig {
                lambda_version: Some(1),
                lambda_arn: Some(function),
            }),
            kms_key_id: next(),
        }
    })
}

fn sms_message() -> impl Strategy<Value = String> {
    r"\PC{0,60}\{####\}\PC{0,60}"
}

fn email_message() -> impl Strategy<Value = String> {
    r"[\p{L}\p{M}\p{S}\p{N}\p{P} \n\t]{0,60}\{####\}[\p{L}\p{M}\p{S}\p{N}\p{P} \n\t]{0,60}"
}

fn email_subject() -> impl Strategy<Value = String> {
    r"[\p{L}\p{M}\p{S}\p{N}\p{P} ]{1,60}"
}

fn template() -> impl Strategy<Value = VerificationMessageTemplate> {
    let by_link = r"[\p{L} ]{0,9}\{##[\p{L} \n]{1,9}##\}[\p{L} ]{0,9}";
    let texts = (of(sms_message()), of(email_message()), of(email_subject()));
    (texts, of(by_link), of(email_subject()), of(1..=2)).prop_map(
        |((sms_message, email_message, email_subject), by_link, subject_by_link, option)| {
            VerificationMessageTemplate {
                sms_message,
                email_message,
                email_subject,
                email_message_by_link: by_link,
                email_subject_by_link: subject_by_link,
                default_email_option: option,
            }
        },
    )
}

fn admin() -> impl Strategy<Value = AdminCreateUserConfig> {
    let named = |message: String| format!("{{username}}{message}");
    let invite = (
        of(sms_message().prop_map(named)),
        of(email_message().prop_map(named)),
        of(email_subject()),
    );
    let invite = invite.prop_map(|(sms_message, email_message, email_subject)| MessageTemplate {
        sms_message,
        email_message,
        email_subject,
    });
    (of(bool::ANY), of(0..=365), of(invite)).prop_map(|(alone, days, invite_message_template)| {
        AdminCreateUserConfig {
            allow_admin_create_user_only: alone,
            unused_account_validity_days: days,
            invite_message_template,
        }
    })
}

/// Lower and upper bounds: both, one, or none of them.
fn bounds(allowed: std::ops::RangeInclusive<i64>) -> impl Strategy<Value = [Option<String>; 2]> {
    (allowed.clone(), allowed, of(Just(())), of(Just(()))).prop_map(|(one, other, least, most)| {
        let (low, high) = (one.min(other), one.max(other));
        [least.map(|()| low.to_string()), most.map(|()| high.to_string())]
    })
}

/// An attribute without its name and type: constraints of both kinds, since one of
/// them is dropped.
fn attribute() -> impl Strategy<Value = SchemaAttribute> {
    let (string, number) = (of(bounds(0..=2048)), of(bounds(-9..=i64::MAX)));
    (of(bool::ANY), string, number).prop_map(|(mutable, string, number)| SchemaAttribute {
        mutable,
        string_attribute_constraints: string
            .map(|[min_length, max_length]| StringAttributeConstraints { min_length, max_length }),
        number_attribute_constraints: number
            .map(|[min_value, max_value]| NumberAttributeConstraints { min_value, max_value }),
        ..Default::default()
    })
}

fn standard(name: &'static str, data_type: DataType) -> impl Strategy<Value = SchemaAttribute> {
    (attribute(), of(Just(data_type.into())), of(bool::ANY)).prop_map(
        move |(attribute, attribute_data_type, required)| SchemaAttribute {
            name: Some(name.to_owned()),
            attribute_data_type,
            required,
            ..attribute
        },
    )
}

fn custom(name: String) -> impl Strategy<Value = SchemaAttribute> {
    let required = of(Just(false));
    (attribute(), 1..=4, of(bool::ANY), required).prop_map(
        move |(attribute, data_type, developer_only_attribute, required)| SchemaAttribute {
            name: Some(name.clone()),
            attribute_data_type: Some(data_type),
            developer_only_attribute,
            required,
            ..attribute
        },
    )
}

fn schema() -> impl Strategy<Value = Vec<SchemaAttribute>> {
    let standards = subsequence(STANDARD.as_slice(), 0..=3).prop_flat_map(|attributes| {
        attributes.into_iter().map(|(name, kind)| standard(name, kind)).collect::<Vec<_>>()
    });
    // No standard attribute has a capital letter.
    let customs = btree_set(r"[A-Z][\p{L}\p{N}_:-]{0,15}", 0..4)
        .prop_flat_map(|names| names.into_iter().map(custom).collect::<Vec<_>>());
    (standards, customs)
        .prop_flat_map(|(standards, customs)| Just([standards, customs].concat()).prop_shuffle())
}

fn email() -> impl Strategy<Value = EmailConfiguration> {
    (
        of(arn()),
        of(r"[a-z.\p{L}]{1,9}@[a-z.]{1,9}"),
        of(1..=2),
        of(r"\PC{0,20}"),
        of("[a-zA-Z0-9_-]{1,64}"),
    )
        .prop_map(|(source_arn, reply_to_email_address, account, from, configuration_set)| {
            EmailConfiguration {
                source_arn,
                reply_to_email_address,
                email_sending_account: account,
                from,
                configuration_set,
            }
        })
}

fn add_ons() -> impl Strategy<Value = UserPoolAddOns> {
    let flows =
        of(1..=2).prop_map(|mode| AdvancedSecurityAdditionalFlows { custom_auth_mode: mode });
    (1..=3, of(flows)).prop_map(|(mode, flows)| UserPoolAddOns {
        advanced_security_mode: Some(mode),
        advanced_security_additional_flows: flows,
    })
}

/// A legal request to create a user pool.
pub(super) fn create() -> BoxedStrategy<CreateUserPoolRequest> {
    let sms = (arn(), of(r"\PC{0,20}"), of("[a-z0-9-]{5,32}")).prop_map(
        |(arn, external_id, sns_region)| SmsConfiguration {
            sns_caller_arn: Some(arn),
            external_id,
            sns_region,
        },
    );
    let device =
        (of(bool::ANY), of(bool::ANY)).prop_map(|(challenge, prompt)| DeviceConfiguration {
            challenge_required_on_new_device: challenge,
            device_only_remembered_on_user_prompt: prompt,
        });
    let tag = r"[\p{L}\p{N} _.:/=+@-]{0,40}";
    let tags = btree_map(r"k[\p{L}\p{N} _.:/=+@-]{0,40}", tag, 0..4);
    let names = (vec(1..=2, 0..3), vec(1..=3, 0..4), vec(1..=2, 0..3), bool::ANY).boxed();
    let messages = (
        of(policies().boxed()),
        of(lambda_config().boxed()),
        of(template().boxed()),
        of(admin().boxed()),
        schema().boxed(),
    )
        .boxed();
    let texts =
        (of(sms_message()), of(email_message()), of(email_subject()), of(sms_message())).boxed();
    let configs = (of(1..=3), of(device), of(email()), sms, bool::ANY, of(add_ons()), tags).boxed();
    (r"[A-Za-z0-9_+=,.@ \t-]{1,128}", names, messages, texts, configs, later())
        .prop_map(|(pool_name, names, messages, texts, configs, later)| {
            let Later { tier, recovery, case_sensitive, verified_updates } = later;
            let (auto_verified_attributes, aliases, usernames, by_alias) = names;
            let (policies, lambda_config, template, admin, schema) = messages;
            let (mfa, device_configuration, email_configuration, sms, has_sms, add_ons, tags) =
                configs;
            let verified_updates = verified_updates.map(|mut verified| {
                verified.retain(|attribute| auto_verified_attributes.contains(attribute));
                verified
            });
            let off = i32::from(mfa_configuration::Value::Off);
            let needs_sms = mfa.is_some_and(|mfa| mfa != off)
                || auto_verified_attributes
                    .contains(&verified_attribute::Value::PhoneNumber.into());
            let (alias_attributes, username_attributes) =
                if by_alias { (aliases, Vec::new()) } else { (Vec::new(), usernames) };
            CreateUserPoolRequest {
                pool_name: Some(pool_name),
                policies,
                lambda_config,
                auto_verified_attributes,
                alias_attributes,
                username_attributes,
                sms_verification_message: texts.0,
                email_verification_message: texts.1,
                email_verification_subject: texts.2,
                verification_message_template: template,
                sms_authentication_message: texts.3,
                mfa_configuration: mfa,
                device_configuration,
                email_configuration,
                sms_configuration: (needs_sms || has_sms).then_some(sms),
                user_pool_tags: tags,
                admin_create_user_config: admin,
                schema,
                user_pool_add_ons: add_ons,
                // Deletion protection would end most sequences of calls; other tests have it.
                deletion_protection: None,
                user_pool_tier: tier,
                account_recovery_setting: recovery,
                username_configuration: case_sensitive.map(|case_sensitive| {
                    UsernameConfiguration { case_sensitive: Some(case_sensitive) }
                }),
                user_attribute_update_settings: verified_updates.map(|verified| {
                    UserAttributeUpdateSettings {
                        attributes_require_verification_before_update: verified,
                    }
                }),
                request_id: None,
                validate_only: false,
            }
        })
        .boxed()
}

/// Settings of their own that AWS added after 2017.
#[derive(Debug)]
struct Later {
    tier: Option<i32>,
    recovery: Option<AccountRecoverySetting>,
    case_sensitive: Option<bool>,
    verified_updates: Option<Vec<i32>>,
}

fn later() -> BoxedStrategy<Later> {
    let option = (1..=2, 1..=3)
        .prop_map(|(priority, name)| RecoveryOption { priority: Some(priority), name: Some(name) });
    let recovery = vec(option, 0..=2)
        .prop_map(|recovery_mechanisms| AccountRecoverySetting { recovery_mechanisms });
    (of(1..=3), of(recovery), of(bool::ANY), of(vec(1..=2, 0..=2)))
        .prop_map(|(tier, recovery, case_sensitive, verified_updates)| Later {
            tier,
            recovery,
            case_sensitive,
            verified_updates,
        })
        .boxed()
}

/// A request to update a user pool that breaks no field rule. With its mask it may
/// lead to settings that break other rules.
pub(super) fn update() -> BoxedStrategy<UpdateUserPoolRequest> {
    let masks = prop_oneof![Just(Vec::new()), vec(select(mask_paths()), 1..4),];
    (create(), masks)
        .prop_map(|(settings, update_mask)| UpdateUserPoolRequest {
            user_pool_id: None,
            policies: settings.policies,
            lambda_config: settings.lambda_config,
            auto_verified_attributes: settings.auto_verified_attributes,
            sms_verification_message: settings.sms_verification_message,
            email_verification_message: settings.email_verification_message,
            email_verification_subject: settings.email_verification_subject,
            verification_message_template: settings.verification_message_template,
            sms_authentication_message: settings.sms_authentication_message,
            mfa_configuration: settings.mfa_configuration,
            device_configuration: settings.device_configuration,
            email_configuration: settings.email_configuration,
            sms_configuration: settings.sms_configuration,
            user_pool_tags: settings.user_pool_tags,
            admin_create_user_config: settings.admin_create_user_config,
            user_pool_add_ons: settings.user_pool_add_ons,
            deletion_protection: settings.deletion_protection,
            user_pool_tier: settings.user_pool_tier,
            account_recovery_setting: settings.account_recovery_setting,
            user_attribute_update_settings: settings.user_attribute_update_settings,
            pool_name: settings.pool_name,
            request_id: None,
            validate_only: false,
            expected_revision: None,
            update_mask,
        })
        .boxed()
}

/// Every path that a mask may have.
fn mask_paths() -> Vec<String> {
    let message = DESCRIPTORS.get_message_by_name("userpool.v1.UpdateUserPoolRequest");
    let mut paths = vec!["*".to_owned()];
    // Cognito's members except the ID; our own members have greater numbers.
    for field in
        message.expect("a request").fields().filter(|field| (2..100).contains(&field.number()))
    {
        let mut open = vec![(field.name().to_owned(), field)];
        while let Some((path, field)) = open.pop() {
            if let Some(nested) =
                field.kind().as_message().filter(|_| !field.is_map() && !field.is_list())
            {
                open.extend(
                    nested.fields().map(|field| (format!("{path}.{}", field.name()), field)),
                );
            }
            paths.push(path);
        }
    }
    paths
}
