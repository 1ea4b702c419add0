//! If several rules are broken, all violations are reported in the order of the
//! request, as far as they fit into an answer. Very many violations cost no more.

use std::collections::BTreeMap;

use tonic::Status;
use tonic_types::StatusExt as _;
use userpool::{
    proto::{
        CreateUserPoolRequest, PasswordPolicy, SchemaAttribute, SmsConfiguration,
        UpdateUserPoolRequest, UserPoolPolicies,
    },
    user_pool::{CheckedCommand, Limits},
};

use crate::support::{TestServer, create, metadata, named};

/// The limit of clients in all languages: gRPC's soft limit for all headers together.
const HEADER_BYTES: usize = 8 * 1024;

async fn refusal(request: CreateUserPoolRequest) -> Status {
    let server = TestServer::start().await;
    let refused = server.client().await.create_user_pool(request).await.expect_err("a refusal");
    server.stop().await;
    refused
}

pub(super) fn reported(status: &Status) -> Vec<(String, String)> {
    let violations = status.get_details_bad_request().expect("a BadRequest").field_violations;
    violations.into_iter().map(|violation| (violation.field, violation.reason)).collect()
}

/// The sizes of the message and the details on the wire, and 32 bytes for each
/// header, as HTTP/2 counts, with a long `x-request-id`.
fn header_bytes(status: &Status) -> usize {
    let escaped =
        |byte: u8| byte.is_ascii_control() || !byte.is_ascii() || b" \"#%<>`?{}".contains(&byte);
    let message: usize =
        status.message().bytes().map(|byte| if escaped(byte) { 3 } else { 1 }).sum();
    let details = status.details().len().div_ceil(3) * 4;
    let names = "grpc-message grpc-status grpc-status-details-bin content-type x-request-id date";
    let values = "3 application/grpc Mon, 11 Dec 2017 00:00:00 GMT".len() + 128;
    message + details + names.len() + values + 6 * 32
}

fn assert_fits(status: &Status) {
    let bytes = header_bytes(status);
    assert!(bytes <= HEADER_BYTES, "{bytes} bytes of headers");
    assert!(status.details().len() <= 4096, "{} bytes of details", status.details().len());
}

#[tokio::test]
async fn violations_are_reported_in_the_order_of_the_request() {
    let attribute =
        |name: &str| SchemaAttribute { name: Some(name.to_owned()), ..SchemaAttribute::default() };
    let refused = refusal(CreateUserPoolRequest {
        policies: Some(UserPoolPolicies {
            password_policy: Some(PasswordPolicy {
                minimum_length: Some(100),
                ..PasswordPolicy::default()
            }),
            sign_in_policy: None,
        }),
        auto_verified_attributes: vec![2, 7, 1, 0],
        mfa_configuration: Some(4),
        sms_configuration: Some(SmsConfiguration::default()),
        schema: vec![attribute("a"), attribute("b c"), attribute("")],
        request_id: Some("no UUID".to_owned()),
        ..CreateUserPoolRequest::default()
    })
    .await;
    let reported = reported(&refused);
    let reported: Vec<_> =
        reported.iter().map(|(field, reason)| (field.as_str(), reason.as_str())).collect();
    let expected = [
        ("pool_name", "REQUIRED"),
        ("policies.password_policy.minimum_length", "RANGE"),
        ("auto_verified_attributes", "LENGTH"),
        ("auto_verified_attributes[1]", "ENUM"),
        ("auto_verified_attributes[3]", "ENUM"),
        ("mfa_configuration", "ENUM"),
        ("sms_configuration.sns_caller_arn", "REQUIRED"),
        ("schema[1].name", "PATTERN"),
        ("schema[2].name", "LENGTH"),
        ("schema[2].name", "PATTERN"),
        ("request_id", "PATTERN"),
    ];
    assert_eq!(reported, expected);
    assert_eq!(metadata(&refused, "violations").as_deref(), Some("11"));
    assert_eq!(metadata(&refused, "violations_listed").as_deref(), Some("11"));
    let start = "11 validation errors detected: Value null at 'poolName' failed to satisfy \
                 constraint: Member must not be null; Value '100' at \
                 'policies.passwordPolicy.minimumLength' failed to satisfy constraint: Member \
                 must have value less than or equal to 99; Value '[4 items]' at ";
    assert!(refused.message().starts_with(start), "{}", refused.message());
    assert_fits(&refused);
}

#[tokio::test]
async fn field_errors_come_before_semantic_errors() {
    // Given a request with an invalid field and an MFA setting that requires SMS.
    let meaning = CreateUserPoolRequest { mfa_configuration: Some(2), ..named("people") };
    let both = CreateUserPoolRequest { pool_name: Some("a/b".to_owned()), ..meaning.clone() };
    // Then only the field is reported first, and the SMS requirement once the field
    // is valid.
    assert_eq!(reported(&refusal(both).await), [("pool_name".into(), "PATTERN".into())]);
    assert_eq!(
        reported(&refusal(meaning).await),
        [("sms_configuration".into(), "REQUIRED".into())]
    );
}

#[tokio::test]
async fn all_semantic_violations_are_joined_in_one_text() {
    let attribute = SchemaAttribute { name: Some("plan".to_owned()), ..SchemaAttribute::default() };
    let refused = refusal(CreateUserPoolRequest {
        alias_attributes: vec![2],
        username_attributes: vec![2],
        auto_verified_attributes: vec![1],
        mfa_configuration: Some(3),
        schema: vec![attribute],
        user_pool_tags: BTreeMap::from([("aws:a".to_owned(), String::new())]),
        ..named("people")
    })
    .await;
    let fields: Vec<_> = reported(&refused).into_iter().map(|(field, _)| field).collect();
    let expected = [
        "username_attributes",
        "schema[0].attribute_data_type",
        "sms_configuration",
        "sms_configuration",
        "user_pool_tags[\"aws:a\"]",
    ];
    assert_eq!(fields, expected);
    assert_eq!(
        refused.message(),
        "Only one of the aliasAttributes or usernameAttributes can be set in a User pool.; \
         Invalid AttributeDataType input, consider using the provided AttributeDataType enum.; \
         SMS configuration is required when phone_number is selected for auto verification; \
         SMS configuration and Auto verification for phone_number are required when MFA is \
         required/optional; \
         Invalid tag: user_pool_tags[\"aws:a\"] key must not begin with \"aws:\"."
    );
    assert_eq!(metadata(&refused, "aws_error").as_deref(), Some("InvalidParameterException"));
}

#[tokio::test]
async fn a_refusal_lists_what_fits_and_counts_the_rest() {
    let attribute =
        |name: &str| SchemaAttribute { name: Some(name.to_owned()), ..SchemaAttribute::default() };
    let schema = vec![attribute("a name that is far too long"); 50];
    let refused = refusal(CreateUserPoolRequest { schema, ..named("people") }).await;
    assert_eq!(metadata(&refused, "violations").as_deref(), Some("100"));
    let listed = reported(&refused).len();
    assert!((10..100).contains(&listed), "{listed} are listed");
    assert_eq!(metadata(&refused, "violations_listed"), Some(listed.to_string()));
    let message = refused.message();
    assert!(message.starts_with("100 validation errors detected: Value 'a name "), "{message}");
    assert!(message.contains("; and ") && message.ends_with(" more"), "{message}");
    assert_fits(&refused);
}

#[tokio::test]
async fn a_request_with_a_million_violations_is_answered() {
    let request =
        CreateUserPoolRequest { auto_verified_attributes: vec![7; 900_000], ..named("people") };
    // Most of them are only counted.
    let parsed = CheckedCommand::create_user_pool(request.clone(), &Limits::default());
    let parsed = parsed.expect_err("a refusal");
    assert_eq!((parsed.violations().len(), parsed.violation_count()), (100, 900_001));
    let refused = refusal(request).await;
    assert_eq!(metadata(&refused, "violations").as_deref(), Some("900001"));
    let start = "900001 validation errors detected: Value '[900000 items]' ";
    assert!(refused.message().starts_with(start), "{}", refused.message());
    assert_fits(&refused);
}

#[tokio::test]
async fn a_mask_of_a_hundred_thousand_paths_is_answered() {
    let server = TestServer::start().await;
    let mut client = server.client().await;
    let id = create(&mut client, "people").await;
    let request = UpdateUserPoolRequest {
        user_pool_id: Some(id),
        update_mask: vec!["no.path".to_owned(); 100_000],
        ..UpdateUserPoolRequest::default()
    };
    let refused = client.update_user_pool(request).await.expect_err("a refusal");
    assert_eq!(metadata(&refused, "violations").as_deref(), Some("100000"));
    assert_fits(&refused);
    server.stop().await;
}

#[tokio::test]
async fn a_refusal_of_the_longest_values_fits_into_an_answer() {
    // Four bytes each, which are sent as twelve.
    let longest = "😀".repeat(5_000);
    let text = Some(longest.clone());
    let refused = refusal(CreateUserPoolRequest {
        sms_verification_message: text.clone(),
        email_verification_message: text.clone(),
        email_verification_subject: text.clone(),
        sms_authentication_message: text,
        pool_name: Some(longest.clone()),
        ..CreateUserPoolRequest::default()
    })
    .await;
    assert!(reported(&refused).len() > 5);
    assert_fits(&refused);

    for key in ["\u{10ffff}", "a", "\"", "\0"].map(|key| key.repeat(50_000)) {
        let tags = BTreeMap::from([(key, longest.clone())]);
        let refused =
            refusal(CreateUserPoolRequest { user_pool_tags: tags, ..named("people") }).await;
        assert!(!reported(&refused).is_empty(), "{}", refused.message());
        assert_fits(&refused);
    }
}

#[tokio::test]
async fn too_many_tags_are_reported_once() {
    let tags = (0..20_000).map(|tag| (format!("!{tag}"), "!".to_owned())).collect();
    let refused = refusal(CreateUserPoolRequest { user_pool_tags: tags, ..named("people") }).await;
    assert_eq!(reported(&refused), [("user_pool_tags".into(), "LENGTH".into())]);
    assert_eq!(metadata(&refused, "aws_error").as_deref(), Some("UserPoolTaggingException"));
}
