//! An accepted request is shown member by member, with the defaults of the other
//! members.

use tokio::runtime::Runtime;
use userpool::proto::{
    CreateUserPoolRequest, DescribeUserPoolRequest, PasswordPolicy,
    PreTokenGenerationVersionConfig, SchemaAttribute, UserPool,
    attribute_data_type::Value as DataType, default_email_option, deletion_protection,
    email_sending_account, mfa_configuration, pre_token_generation_lambda_version,
};

use crate::{calls::Call, support::TestServer};

use super::{legal, trying};

/// The expected answer of Describe after `request`; `plain` is the one for only a
/// name.
fn expected(request: CreateUserPoolRequest, plain: &UserPool) -> UserPool {
    let mut template = request.verification_message_template.unwrap_or_default();
    template
        .default_email_option
        .get_or_insert(default_email_option::Value::ConfirmWithCode.into());
    // A text has two names; the template wins.
    template.sms_message = template.sms_message.or(request.sms_verification_message);
    template.email_message = template.email_message.or(request.email_verification_message);
    template.email_subject = template.email_subject.or(request.email_verification_subject);
    let mut admin = request.admin_create_user_config.unwrap_or_default();
    admin.allow_admin_create_user_only.get_or_insert(false);
    let mut policies = request.policies.unwrap_or_default();
    let days = policies.password_policy.and_then(|policy| policy.temporary_password_validity_days);
    let unused = days.or(admin.unused_account_validity_days);
    admin.unused_account_validity_days = unused.or(Some(7));
    policies.password_policy = match policies.password_policy {
        Some(policy) => Some(completed(policy)),
        None => plain.policies.as_ref().and_then(|plain| plain.password_policy),
    };
    let mut email = request.email_configuration.unwrap_or_default();
    let account = email_sending_account::Value::CognitoDefault;
    email.email_sending_account.get_or_insert(account.into());
    let mut triggers = request.lambda_config.unwrap_or_default();
    // A function has two names.
    if let Some(function) = &triggers.pre_token_generation {
        triggers.pre_token_generation_config.get_or_insert(PreTokenGenerationVersionConfig {
            lambda_version: Some(pre_token_generation_lambda_version::Value::V10.into()),
            lambda_arn: Some(function.clone()),
        });
    } else if let Some(config) = &triggers.pre_token_generation_config {
        triggers.pre_token_generation.clone_from(&config.lambda_arn);
    }
    UserPool {
        id: None,
        name: request.pool_name,
        policies: Some(policies),
        lambda_config: Some(triggers),
        status: None,
        last_modified_date: None,
        creation_date: None,
        schema_attributes: schema(&request.schema, plain.schema_attributes.clone()),
        auto_verified_attributes: request.auto_verified_attributes,
        alias_attributes: request.alias_attributes,
        username_attributes: request.username_attributes,
        sms_verification_message: template.sms_message.clone(),
        email_verification_message: template.email_message.clone(),
        email_verification_subject: template.email_subject.clone(),
        verification_message_template: Some(template),
        sms_authentication_message: request.sms_authentication_message,
        mfa_configuration: request.mfa_configuration.or(Some(mfa_configuration::Value::Off.into())),
        device_configuration: request.device_configuration,
        estimated_number_of_users: Some(0),
        email_configuration: Some(email),
        sms_configuration: request.sms_configuration,
        user_pool_tags: request.user_pool_tags,
        sms_configuration_failure: None,
        email_configuration_failure: None,
        domain: None,
        admin_create_user_config: Some(admin),
        user_pool_add_ons: request.user_pool_add_ons,
        custom_domain: None,
        sms_mfa: None,
        software_token_mfa: None,
        domain_settings: None,
        custom_domain_settings: None,
        deletion_protection: Some(deletion_protection::Value::Inactive.into()),
        user_pool_tier: request.user_pool_tier.or(plain.user_pool_tier),
        account_recovery_setting: request.account_recovery_setting,
        username_configuration: request.username_configuration,
        user_attribute_update_settings: request.user_attribute_update_settings,
        arn: None,
    }
}

fn completed(policy: PasswordPolicy) -> PasswordPolicy {
    PasswordPolicy {
        minimum_length: policy.minimum_length.or(Some(8)),
        require_uppercase: policy.require_uppercase.or(Some(false)),
        require_lowercase: policy.require_lowercase.or(Some(false)),
        require_numbers: policy.require_numbers.or(Some(false)),
        require_symbols: policy.require_symbols.or(Some(false)),
        ..policy
    }
}

/// The requested standard attributes, then the others.
fn schema(given: &[SchemaAttribute], mut shown: Vec<SchemaAttribute>) -> Vec<SchemaAttribute> {
    for given in given {
        let (is_text, is_number);
        if let Some(standard) = shown.iter_mut().find(|standard| standard.name == given.name) {
            is_text = standard.attribute_data_type == Some(DataType::String.into());
            is_number = standard.attribute_data_type == Some(DataType::Number.into());
            // A named attribute is mutable only if the request says so.
            standard.mutable = given.mutable.or(Some(false));
            standard.required = given.required.or(standard.required);
            if is_text && given.string_attribute_constraints.is_some() {
                standard
                    .string_attribute_constraints
                    .clone_from(&given.string_attribute_constraints);
            }
            if is_number && given.number_attribute_constraints.is_some() {
                standard
                    .number_attribute_constraints
                    .clone_from(&given.number_attribute_constraints);
            }
            continue;
        }
        is_text = given.attribute_data_type == Some(DataType::String.into());
        is_number = given.attribute_data_type == Some(DataType::Number.into());
        let developers = given.developer_only_attribute == Some(true);
        let prefix = if developers { "dev:custom:" } else { "custom:" };
        let (string, number) = (
            given.string_attribute_constraints.clone().unwrap_or_default(),
            given.number_attribute_constraints.clone().unwrap_or_default(),
        );
        shown.push(SchemaAttribute {
            name: given.name.as_ref().map(|name| format!("{prefix}{name}")),
            attribute_data_type: given.attribute_data_type,
            developer_only_attribute: Some(developers),
            mutable: Some(given.mutable == Some(true)),
            required: Some(false),
            number_attribute_constraints: is_number.then_some(number),
            string_attribute_constraints: is_text.then_some(string),
        });
    }
    shown
}

#[test]
fn an_accepted_request_is_shown_member_by_member() {
    let runtime = Runtime::new().expect("a runtime");
    let server = runtime.block_on(TestServer::start());
    let client = runtime.block_on(server.client());
    let shown = |request: CreateUserPoolRequest| {
        let mut client = client.clone();
        runtime.block_on(async move {
            let created = Call::Create(Box::new(request)).send(&mut client).await;
            let created = created.expect("a user pool");
            let described = DescribeUserPoolRequest {
                user_pool_id: Some(created.id()),
                ..DescribeUserPoolRequest::default()
            };
            let described = client.describe_user_pool(described).await.expect("a user pool");
            let described = described.into_inner().user_pool;
            assert_eq!(described, created.user_pool);
            let described = described.expect("a user pool");
            assert!(described.creation_date.is_some());
            assert_eq!(described.last_modified_date, described.creation_date);
            let arn =
                format!("arn:aws:cognito-idp:us-east-1:123456789012:userpool/{}", created.id());
            assert_eq!(described.arn, Some(arn));
            UserPool {
                id: None,
                arn: None,
                creation_date: None,
                last_modified_date: None,
                ..described
            }
        })
    };
    let plain = shown(crate::support::named("plain"));
    let tried = trying(96).run(&legal::create(), |request| {
        assert_eq!(shown(request.clone()), expected(request, &plain));
        Ok(())
    });
    tried.expect("no failing case");
    runtime.block_on(server.stop());
}
