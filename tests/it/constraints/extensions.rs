//! Our own members have rules of the same kind as Cognito's.

use userpool::{
    proto::{
        CreateUserPoolDomainRequest, CreateUserPoolRequest, DeleteUserPoolDomainRequest,
        DeleteUserPoolRequest, ListUserPoolDomainsRequest, UpdateUserPoolRequest,
    },
    user_pool::{CheckedCommand, InvalidRequest, Limits, PageRequest},
};

use crate::support::{domain, named};

const ID: &str = "us-east-1_AbCdEfGhI";

/// The single violation: its field, its reason, and its text in Cognito's form.
fn only<T>(parsed: Result<T, InvalidRequest>) -> Option<(String, &'static str, String)> {
    let refused = parsed.err()?;
    assert_eq!((refused.violations().len(), refused.violation_count()), (1, 1), "{refused}");
    let violation = &refused.violations()[0];
    Some((violation.field.clone(), violation.rule.name(), violation.text.clone()))
}

#[test]
fn a_request_id_is_a_uuid() {
    let each = |request_id: &str| {
        let request_id = Some(request_id.to_owned());
        let (domain, user_pool_id) = (Some("people".to_owned()), Some(ID.to_owned()));
        [
            CheckedCommand::create_user_pool(
                CreateUserPoolRequest { request_id: request_id.clone(), ..named("people") },
                &Limits::default(),
            ),
            CheckedCommand::update_user_pool(UpdateUserPoolRequest {
                user_pool_id: user_pool_id.clone(),
                request_id: request_id.clone(),
                ..UpdateUserPoolRequest::default()
            }),
            CheckedCommand::delete_user_pool(DeleteUserPoolRequest {
                user_pool_id: user_pool_id.clone(),
                request_id: request_id.clone(),
                ..DeleteUserPoolRequest::default()
            }),
            CheckedCommand::create_user_pool_domain(CreateUserPoolDomainRequest {
                domain: domain.clone(),
                user_pool_id: user_pool_id.clone(),
                request_id: request_id.clone(),
                ..CreateUserPoolDomainRequest::default()
            }),
            CheckedCommand::delete_user_pool_domain(DeleteUserPoolDomainRequest {
                domain,
                user_pool_id,
                request_id,
                ..DeleteUserPoolDomainRequest::default()
            }),
        ]
    };
    for parsed in each("0193b5f0-7c5e-7d7a-9c55-2d1d8f1b6a01") {
        assert_eq!(only(parsed), None);
    }
    for bad in
        ["", "1", "0193b5f0-7c5e-7d7a-9c55-2d1d8f1b6a0", "0193b5f0-7c5e-7d7a-9c55-2d1d8f1b6a01 "]
    {
        for parsed in each(bad) {
            let (field, reason, text) = only(parsed).expect("a refusal");
            assert_eq!((field.as_str(), reason), ("request_id", "PATTERN"));
            let constraint = "failed to satisfy constraint: Member must be a UUID";
            assert_eq!(text, format!("Value '{bad}' at 'requestId' {constraint}"));
        }
    }
    for nil in ["00000000-0000-0000-0000-000000000000", "00000000000000000000000000000000"] {
        for parsed in each(nil) {
            let (field, reason, text) = only(parsed).expect("a refusal");
            assert_eq!((field.as_str(), reason), ("request_id", "RESERVED"), "{text}");
        }
    }
}

#[test]
fn an_expected_revision_begins_at_one() {
    let each = |expected_revision: i64| {
        let expected_revision = Some(expected_revision);
        let (prefix, user_pool_id) = (Some("people".to_owned()), Some(ID.to_owned()));
        [
            CheckedCommand::update_user_pool(UpdateUserPoolRequest {
                user_pool_id: user_pool_id.clone(),
                expected_revision,
                ..UpdateUserPoolRequest::default()
            }),
            CheckedCommand::delete_user_pool(DeleteUserPoolRequest {
                user_pool_id: user_pool_id.clone(),
                expected_revision,
                ..DeleteUserPoolRequest::default()
            }),
            CheckedCommand::create_user_pool_domain(CreateUserPoolDomainRequest {
                expected_revision,
                ..domain("people", ID)
            }),
            CheckedCommand::delete_user_pool_domain(DeleteUserPoolDomainRequest {
                domain: prefix,
                user_pool_id,
                expected_revision,
                ..DeleteUserPoolDomainRequest::default()
            }),
        ]
    };
    for parsed in each(1).into_iter().chain(each(i64::MAX)) {
        assert_eq!(only(parsed), None);
    }
    for parsed in each(0).into_iter().chain(each(i64::MIN)) {
        let (field, reason, _) = only(parsed).expect("a refusal");
        assert_eq!((field.as_str(), reason), ("expected_revision", "RANGE"));
    }
}

#[test]
fn an_update_mask_names_settings() {
    let parse = |path: &str| {
        let request = UpdateUserPoolRequest {
            user_pool_id: Some(ID.to_owned()),
            update_mask: vec!["policies".to_owned(), path.to_owned()],
            ..UpdateUserPoolRequest::default()
        };
        only(CheckedCommand::update_user_pool(request))
    };
    for good in [
        "*",
        "policies.password_policy.minimum_length",
        "lambda_config.pre_sign_up",
        "user_pool_tags",
        "auto_verified_attributes",
        "admin_create_user_config.invite_message_template.sms_message",
    ] {
        assert_eq!(parse(good), None, "{good}");
    }
    for bad in [
        "",
        ".",
        "policies.",
        "Policies",
        "id",
        "name",
        "domain",
        "schema_attributes",
        "alias_attributes",
        "user_pool_id",
        "request_id",
        "policies.password_policy.nothing",
        "policies.password_policy.minimum_length.more",
        "user_pool_tags.team",
        "auto_verified_attributes.0",
        "policies.*",
    ] {
        let (field, reason, _) = parse(bad).expect(bad);
        assert_eq!((field.as_str(), reason), ("update_mask[1]", "PATTERN"), "{bad}");
    }
}

#[test]
fn a_page_of_domains_follows_the_rules_of_user_pools() {
    let parse = |max_results, next_token: Option<&str>| {
        let next_token = next_token.map(str::to_owned);
        let parsed = PageRequest::of_domains(ListUserPoolDomainsRequest {
            max_results,
            next_token,
            ..ListUserPoolDomainsRequest::default()
        });
        only(parsed).map(|(field, reason, _)| (field, reason))
    };
    let refused = |field: &str, reason| Some((field.to_owned(), reason));
    assert_eq!(parse(Some(1), None), None);
    assert_eq!(parse(Some(60), Some("next")), None);
    assert_eq!(parse(None, None), refused("max_results", "REQUIRED"));
    assert_eq!(parse(Some(0), None), refused("max_results", "RANGE"));
    assert_eq!(parse(Some(61), None), refused("max_results", "RANGE"));
    assert_eq!(parse(Some(1), Some("a b")), refused("next_token", "PATTERN"));
}

#[test]
fn a_rule_without_a_maximum_names_none() {
    let request = ListUserPoolDomainsRequest {
        max_results: Some(1),
        next_token: Some(String::new()),
        ..ListUserPoolDomainsRequest::default()
    };
    let refused = PageRequest::of_domains(request).expect_err("a refusal");
    assert_eq!(refused.violations()[0].description, "must have at least 1 characters, has 0");
}
