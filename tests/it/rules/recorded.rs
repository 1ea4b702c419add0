//! Recorded events stay true when the rules change: they are replayed as they are, and the
//! settings in them are not checked again.

use userpool::{
    proto::{
        AdminCreateUserConfig, EmailConfiguration, LambdaConfig, MessageTemplate, SchemaAttribute,
        SmsConfiguration, UpdateUserPoolRequest, UserPool, UserPoolCreated, UserPoolUpdated,
        VerificationMessageTemplate, attribute_data_type, deletion_protection,
        email_sending_account, mfa_configuration, user_pool_tier,
    },
    user_pool::{
        CheckedCommand, DomainOwners, Event, EventFacts, Facts, Limits, UserPoolState, check_event,
        evolve, to_create_request,
    },
};

use super::{ID, Scenario, id, second, update, update_only};

/// The state after these events, each of which is a possible event.
fn replayed(events: impl IntoIterator<Item = Event>) -> Scenario {
    let (id, mut state, mut revision) = (id(ID), UserPoolState::Absent, 0);
    for event in events {
        let facts = EventFacts {
            user_pool_id: &id,
            domain: state.user_pool().and_then(|pool| pool.domain.as_deref()),
            custom_domain: None,
            is_protected: false,
            deleted: false,
            deletions: &[],
            revision,
            event_revision: revision + 1,
            domain_owners: DomainOwners::new(),
        };
        assert_eq!(check_event(&facts, &event), Ok(()));
        revision += 1;
        state = evolve(state, event, second(revision));
    }
    let facts = Facts {
        user_pool_id: id,
        revision,
        domain_owners: DomainOwners::new(),
        user_pool_count: 1,
        limits: Limits::default(),
    };
    Scenario { state, facts }
}

fn recorded(settings: UserPool) -> Event {
    let user_pool = Some(UserPool { id: Some(ID.to_owned()), ..settings });
    Event::UserPoolCreated(Box::new(UserPoolCreated { user_pool }))
}

fn recorded_update(settings: UserPool) -> Event {
    let user_pool = Some(UserPool { id: Some(ID.to_owned()), ..settings });
    let changed_paths = vec!["mfa_configuration".to_owned()];
    Event::UserPoolUpdated(Box::new(UserPoolUpdated { changed_paths, user_pool }))
}

fn with_mfa(value: mfa_configuration::Value) -> UserPool {
    let sns_caller_arn = Some("arn:aws:iam::123456789012:role/sms".to_owned());
    UserPool {
        mfa_configuration: Some(value.into()),
        sms_configuration: Some(SmsConfiguration { sns_caller_arn, ..Default::default() }),
        ..UserPool::default()
    }
}

#[test]
fn mfa_that_a_recorded_update_turned_on_stays_on() {
    let (off, on) =
        (with_mfa(mfa_configuration::Value::Off), with_mfa(mfa_configuration::Value::On));
    let pool = || replayed([recorded(off.clone()), recorded_update(on.clone())]);
    assert_eq!(pool().user_pool().mfa_configuration, on.mfa_configuration);
    let settings = UpdateUserPoolRequest {
        mfa_configuration: on.mfa_configuration,
        sms_configuration: on.sms_configuration.clone(),
        ..UpdateUserPoolRequest::default()
    };
    let settings = pool().when(update(settings)).settings();
    assert_eq!(settings.mfa_configuration, on.mfa_configuration);
}

#[test]
fn messages_that_were_recorded_are_not_checked_again() {
    let invite = MessageTemplate {
        sms_message: Some("{####}".to_owned()),
        email_message: Some("{####}".to_owned()),
        email_subject: None,
    };
    let admin = AdminCreateUserConfig {
        invite_message_template: Some(invite),
        ..AdminCreateUserConfig::default()
    };
    let template = VerificationMessageTemplate {
        email_message_by_link: Some("{####}".to_owned()),
        ..VerificationMessageTemplate::default()
    };
    let settings = UserPool {
        admin_create_user_config: Some(admin.clone()),
        verification_message_template: Some(template.clone()),
        ..UserPool::default()
    };
    let pool = || replayed([recorded(settings.clone())]);
    let request = UpdateUserPoolRequest {
        user_pool_tags: [("team".to_owned(), "people".to_owned())].into(),
        ..UpdateUserPoolRequest::default()
    };
    let tagged = pool().when(update_only(&["user_pool_tags"], request.clone())).settings();
    let shown = tagged.admin_create_user_config.expect("a config").invite_message_template;
    assert_eq!(shown, admin.invite_message_template);
    let shown = tagged.verification_message_template.expect("a template");
    assert_eq!(shown.email_message_by_link, template.email_message_by_link);

    // A request that sends them again is checked.
    let request = UpdateUserPoolRequest {
        user_pool_id: Some(ID.to_owned()),
        admin_create_user_config: Some(admin),
        verification_message_template: Some(template),
        ..request
    };
    let refused = CheckedCommand::update_user_pool(request).expect_err("a refusal");
    assert_eq!(refused.violation_count(), 3);
}

#[test]
fn an_attribute_that_was_recorded_as_mutable_stays_mutable() {
    let attributes = ["email", "custom:plan"].map(|name| SchemaAttribute {
        name: Some(name.to_owned()),
        attribute_data_type: Some(attribute_data_type::Value::String.into()),
        mutable: Some(true),
        ..SchemaAttribute::default()
    });
    let settings = UserPool { schema_attributes: attributes.to_vec(), ..UserPool::default() };
    let pool = replayed([recorded(settings)]);
    assert_eq!(pool.user_pool().schema_attributes, attributes);

    // Also in a copy of the user pool.
    let copy = to_create_request(pool.user_pool().clone());
    let mutable: Vec<_> = copy.schema.iter().map(|attribute| attribute.mutable).collect();
    assert_eq!(mutable, [Some(true), Some(true)]);

    let settings = pool.when(update(UpdateUserPoolRequest::default())).settings();
    assert_eq!(settings.schema_attributes, attributes);
}

#[test]
fn a_user_pool_that_was_recorded_without_mfa_cannot_turn_it_on() {
    let on = with_mfa(mfa_configuration::Value::On);
    let settings = UserPool { mfa_configuration: None, ..on.clone() };
    let request = UpdateUserPoolRequest {
        mfa_configuration: on.mfa_configuration,
        sms_configuration: on.sms_configuration,
        ..UpdateUserPoolRequest::default()
    };
    for command in [update(request.clone()), update_only(&["mfa_configuration"], request)] {
        let refused = replayed([recorded(settings.clone())]).when(command);
        assert_eq!(refused.refused_fields(), ["mfa_configuration"]);
    }
}

#[test]
fn a_user_pool_recorded_without_later_settings_has_defaults() {
    let function = Some("arn:aws:lambda:us-east-1:123456789012:function:token".to_owned());
    let lambda_config =
        LambdaConfig { pre_token_generation: function.clone(), ..LambdaConfig::default() };
    let settings = UserPool {
        email_configuration: Some(EmailConfiguration::default()),
        lambda_config: Some(lambda_config),
        ..UserPool::default()
    };
    for events in [
        vec![recorded(settings.clone())],
        vec![recorded(UserPool::default()), recorded_update(settings.clone())],
    ] {
        let pool = replayed(events);
        let shown = pool.user_pool();
        assert_eq!(shown.deletion_protection(), deletion_protection::Value::Inactive);
        assert_eq!(shown.user_pool_tier(), user_pool_tier::Value::Essentials);
        let email = shown.email_configuration.clone().expect("a config");
        let account = email_sending_account::Value::CognitoDefault;
        assert_eq!(email.email_sending_account(), account);
        let config =
            shown.lambda_config.clone().and_then(|config| config.pre_token_generation_config);
        assert_eq!(config.and_then(|config| config.lambda_arn), function);

        // An update of another setting changes none of them.
        let tags = UpdateUserPoolRequest {
            user_pool_tags: [("team".to_owned(), "people".to_owned())].into(),
            ..UpdateUserPoolRequest::default()
        };
        let update = pool.when(update_only(&["user_pool_tags"], tags));
        let paths = update.changed_paths();
        assert!(paths.contains(&"user_pool_tags".to_owned()), "{paths:?}");
        for later in
            ["deletion_protection", "user_pool_tier", "email_configuration", "lambda_config"]
        {
            assert!(!paths.iter().any(|path| path.starts_with(later)), "{paths:?}");
        }
    }
}
