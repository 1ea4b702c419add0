//! Any request is accepted or refused briefly.

use proptest::{
    collection::{btree_map, vec},
    option,
    prelude::*,
    sample::select,
};
use prost_reflect::{
    DynamicMessage, EnumDescriptor, FieldDescriptor, Kind, MapKey, MessageDescriptor, Value,
};
use userpool::{
    proto::{
        CreateUserPoolRequest, DESCRIPTORS, DescribeUserPoolDomainRequest, DescribeUserPoolRequest,
        ListUserPoolsRequest, UpdateUserPoolRequest,
    },
    user_pool::{CheckedCommand, DomainName, InvalidRequest, Limits, PoolPageRequest, UserPoolId},
};

use crate::support::{TestServer, metadata, named, reason};

use super::trying;

/// Texts that are almost valid in some field.
const ALMOST: [&str; 24] = [
    "",
    " ",
    "\0",
    "people",
    "{####}",
    "{##\u{301}##}",
    "{username}",
    "arn:aws:lambda:us-east-1:123456789012:function:f",
    "arn:::::",
    "us-east-1_AbCdEfGhI",
    "_",
    "people-login",
    "-",
    "aws",
    "aws:tag",
    "\u{e4}ws:",
    "0193b5f0-7c5e-7d7a-9c55-2d1d8f1b6a01",
    "{0193b5f0-7c5e-7d7a-9c55-2d1d8f1b6a01}",
    "9223372036854775808",
    "-1",
    "email",
    "*",
    "policies.password_policy.minimum_length",
    "schema_attributes..name",
];

fn any_text() -> impl Strategy<Value = String> {
    prop_oneof![
        8 => select(ALMOST.as_slice()).prop_map(str::to_owned),
        4 => any::<String>(),
        1 => (".", 1..30_000_usize).prop_map(|(letter, times)| letter.repeat(times)),
    ]
}

fn any_number(kind: &EnumDescriptor) -> impl Strategy<Value = i32> + use<> {
    let known: Vec<_> = kind.values().map(|value| value.number()).collect();
    prop_oneof![4 => select(known), 1 => any::<i32>()]
}

/// A message that the schema can carry, valid or not.
pub(crate) fn any_message(descriptor: &MessageDescriptor) -> BoxedStrategy<DynamicMessage> {
    let fields: Vec<_> = descriptor.fields().collect();
    let values: Vec<_> =
        fields.iter().map(|field| option::weighted(0.4, any_field(field))).collect();
    let empty = DynamicMessage::new(descriptor.clone());
    values
        .prop_map(move |values| {
            let mut message = empty.clone();
            for (field, value) in fields.iter().zip(values) {
                if let Some(value) = value {
                    message.set_field(field, value);
                }
            }
            message
        })
        .boxed()
}

fn any_field(field: &FieldDescriptor) -> BoxedStrategy<Value> {
    if field.is_map() {
        let tags = btree_map(any_text(), any_text(), 0..4);
        let entry = |(key, value)| (MapKey::String(key), Value::String(value));
        return tags
            .prop_map(move |tags| Value::Map(tags.into_iter().map(entry).collect()))
            .boxed();
    }
    let one = any_value(&field.kind());
    if field.is_list() {
        return prop_oneof![9 => vec(one.clone(), 0..4), 1 => vec(one, 48..60)]
            .prop_map(Value::List)
            .boxed();
    }
    one
}

fn any_value(kind: &Kind) -> BoxedStrategy<Value> {
    match kind {
        Kind::Bool => any::<bool>().prop_map(Value::Bool).boxed(),
        Kind::Int32 => any::<i32>().prop_map(Value::I32).boxed(),
        Kind::Int64 => any::<i64>().prop_map(Value::I64).boxed(),
        Kind::String => any_text().prop_map(Value::String).boxed(),
        Kind::Enum(values) => any_number(values).prop_map(Value::EnumNumber).boxed(),
        Kind::Message(message) => any_message(message).prop_map(Value::Message).boxed(),
        Kind::Double
        | Kind::Float
        | Kind::Uint32
        | Kind::Uint64
        | Kind::Sint32
        | Kind::Sint64
        | Kind::Fixed32
        | Kind::Fixed64
        | Kind::Sfixed32
        | Kind::Sfixed64
        | Kind::Bytes => unreachable!("no request has {kind:?}"),
    }
}

fn any_request(name: &str) -> BoxedStrategy<DynamicMessage> {
    let name = format!("userpool.v1.{name}");
    any_message(&DESCRIPTORS.get_message_by_name(&name).expect("a request"))
}

/// The size of a refusal, for clients and in the server, is bounded.
fn assert_in_few_words<T>(parsed: Result<T, InvalidRequest>) {
    let Err(invalid) = parsed else { return };
    assert!(!invalid.violations().is_empty());
    let text = invalid.to_string();
    assert!(text.len() < 4096, "{} bytes: {text}", text.len());
    for violation in invalid.violations() {
        let size = violation.field.len() + violation.description.len() + violation.text.len();
        assert!(size < 8192, "{size} bytes for {}", violation.field);
    }
}

#[test]
fn any_create_request_is_accepted_or_refused_briefly() {
    let limits = Limits::default();
    let requests = any_request("CreateUserPoolRequest");
    let tried = trying(256).run(&requests, |request| {
        let request: CreateUserPoolRequest = request.transcode_to().expect("a request");
        assert_in_few_words(CheckedCommand::create_user_pool(request, &limits));
        Ok(())
    });
    tried.expect("no failing case");
}

#[test]
fn any_update_request_is_accepted_or_refused_briefly() {
    let requests = any_request("UpdateUserPoolRequest");
    let tried = trying(256).run(&requests, |request| {
        let request: UpdateUserPoolRequest = request.transcode_to().expect("a request");
        assert_in_few_words(CheckedCommand::update_user_pool(request));
        Ok(())
    });
    tried.expect("no failing case");
}

#[test]
fn any_other_request_is_accepted_or_refused_briefly() {
    let requests = (
        any_request("DeleteUserPoolRequest"),
        any_request("CreateUserPoolDomainRequest"),
        any_request("DeleteUserPoolDomainRequest"),
        any_request("ListUserPoolsRequest"),
        any_text(),
    );
    let tried = trying(256).run(&requests, |(delete, create_domain, delete_domain, list, text)| {
        let as_request = "a request";
        assert_in_few_words(CheckedCommand::delete_user_pool(
            delete.transcode_to().expect(as_request),
        ));
        let create_domain = create_domain.transcode_to().expect(as_request);
        assert_in_few_words(CheckedCommand::create_user_pool_domain(create_domain));
        let delete_domain = delete_domain.transcode_to().expect(as_request);
        assert_in_few_words(CheckedCommand::delete_user_pool_domain(delete_domain));
        let list: ListUserPoolsRequest = list.transcode_to().expect(as_request);
        assert_in_few_words(PoolPageRequest::parse(list));
        let request = DescribeUserPoolRequest {
            user_pool_id: Some(text.clone()),
            ..DescribeUserPoolRequest::default()
        };
        assert_in_few_words(UserPoolId::parse(request));
        assert_in_few_words(DomainName::parse(DescribeUserPoolDomainRequest {
            domain: Some(text),
            ..DescribeUserPoolDomainRequest::default()
        }));
        Ok(())
    });
    tried.expect("no failing case");
}

#[test]
fn a_request_full_of_errors_is_refused_briefly() {
    const MANY: usize = 20_000;
    let unknown = CreateUserPoolRequest { auto_verified_attributes: vec![9; MANY], ..named("a") };
    let refused =
        CheckedCommand::create_user_pool(unknown, &Limits::default()).expect_err("a refusal");
    // All are counted, but not all of them are stored.
    assert_eq!(refused.violation_count(), MANY + 1, "each value, and their number");
    assert!(refused.to_string().starts_with("20001 validation errors detected: "));
    assert!(refused.violations().len() <= 1000, "{}", refused.violations().len());
    assert_in_few_words(Err::<(), _>(refused));

    let user_pool_tags = [("k".repeat(500_000), String::new())].into();
    let long = CreateUserPoolRequest { user_pool_tags, ..named("a") };
    assert_in_few_words(CheckedCommand::create_user_pool(long, &Limits::default()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_can_read_the_refusal_of_the_largest_request() {
    let server = TestServer::start().await;
    let mut client = server.client().await;
    // As many violations as bytes.
    let auto_verified_attributes = vec![9; 1_000_000];
    let unknown = CreateUserPoolRequest { auto_verified_attributes, ..named("a") };
    let status = client.create_user_pool(unknown).await.expect_err("a refusal");
    assert_eq!(reason(&status), "INVALID_REQUEST");
    assert_eq!(metadata(&status, "violations").as_deref(), Some("1000001"));

    let user_pool_tags = [("k".repeat(1_000_000), String::new())].into();
    let long = CreateUserPoolRequest { user_pool_tags, ..named("a") };
    let status = client.create_user_pool(long).await.expect_err("a refusal");
    assert_eq!(reason(&status), "INVALID_REQUEST");
    assert_eq!(metadata(&status, "violations_listed").as_deref(), Some("1"));
    server.stop().await;
}
