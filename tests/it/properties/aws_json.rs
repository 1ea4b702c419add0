//! Any message that is written in AWS's JSON is read again as the same message.

use std::fmt::Debug;

use proptest::prelude::*;
use prost::{Message, Name};
use prost_reflect::{DynamicMessage, Kind, ReflectMessage as _, Value};
use userpool::{
    aws::{from_aws_json, to_aws_json},
    proto::{
        CreateUserPoolDomainRequest, CreateUserPoolRequest, CreateUserPoolResponse, DESCRIPTORS,
        DeleteUserPoolDomainRequest, DeleteUserPoolRequest, DescribeUserPoolDomainRequest,
        DescribeUserPoolDomainResponse, DescribeUserPoolRequest, ListUserPoolsRequest,
        ListUserPoolsResponse, UpdateUserPoolRequest, UserPool,
    },
};

use super::any_request::any_message;

fn stays_the_same<M: Message + Name + Default + PartialEq + Debug>() {
    let descriptor = DESCRIPTORS.get_message_by_name(&M::full_name()).expect("a message");
    proptest!(ProptestConfig::with_cases(64), |(any in any_message(&descriptor))| {
        let message: M = legal(&any).transcode_to().expect("the same message");
        let json = to_aws_json(&message).expect("a form in AWS's JSON");
        let again = from_aws_json::<M>(json.as_bytes()).expect("what was written");
        prop_assert_eq!(again.as_ref(), Some(&message), "{}", json);
        // Other readers of JSON read it, too.
        let parsed: serde_json::Value = serde_json::from_str(&json).expect("JSON");
        prop_assert_eq!(parsed.to_string().is_empty(), false);
    });
}

/// The message with what AWS's JSON can show: members of AWS, values of enums that exist, and
/// times to the millisecond in the years that a time can have.
fn legal(message: &DynamicMessage) -> DynamicMessage {
    let mut legal = DynamicMessage::new(message.descriptor());
    if message.descriptor().full_name() == "google.protobuf.Timestamp" {
        let number = |name: &str| match message.get_field_by_name(name).as_deref() {
            Some(Value::I64(number)) => *number,
            Some(Value::I32(number)) => i64::from(*number),
            _ => 0,
        };
        let millis = i32::try_from(number("nanos").rem_euclid(1000)).expect("a small number");
        legal.set_field_by_name("seconds", Value::I64(number("seconds") % 62_000_000_000));
        legal.set_field_by_name("nanos", Value::I32(millis * 1_000_000));
        return legal;
    }
    for (field, value) in message.fields().filter(|(field, _)| field.number() < 101) {
        let one = |value: &Value| match (value, field.kind()) {
            (Value::Message(nested), _) => Value::Message(self::legal(nested)),
            (Value::EnumNumber(number), Kind::Enum(values)) => {
                let known = values.get_value(*number).filter(|value| value.number() != 0);
                Value::EnumNumber(known.map_or(1, |value| value.number()))
            }
            (value, _) => value.clone(),
        };
        let value = if let Value::List(items) = value {
            Value::List(items.iter().map(one).collect())
        } else {
            one(value)
        };
        legal.set_field(&field, value);
    }
    legal
}

#[test]
fn every_request_and_response_survives_aws_json() {
    stays_the_same::<CreateUserPoolRequest>();
    stays_the_same::<UpdateUserPoolRequest>();
    stays_the_same::<DeleteUserPoolRequest>();
    stays_the_same::<DescribeUserPoolRequest>();
    stays_the_same::<ListUserPoolsRequest>();
    stays_the_same::<CreateUserPoolDomainRequest>();
    stays_the_same::<DescribeUserPoolDomainRequest>();
    stays_the_same::<DeleteUserPoolDomainRequest>();
    stays_the_same::<CreateUserPoolResponse>();
    stays_the_same::<ListUserPoolsResponse>();
    stays_the_same::<DescribeUserPoolDomainResponse>();
    stays_the_same::<UserPool>();
}

#[test]
fn a_time_is_written_to_the_millisecond() {
    for (seconds, nanos, expected) in [
        (1_594_889_658, 976_000_000, "1594889658.976"),
        (1_594_889_658, 900_000_000, "1594889658.9"),
        (1_512_950_400, 0, "1512950400.0"),
        (1_512_950_400, 1_999_999, "1512950400.001"),
        (-2, 500_000_000, "-1.5"),
        (0, 0, "0.0"),
    ] {
        let creation_date = Some(prost_types::Timestamp { seconds, nanos });
        let pool = UserPool { creation_date, ..Default::default() };
        let json = to_aws_json(&pool).expect("a form");
        assert_eq!(json, format!(r#"{{"CreationDate":{expected}}}"#));
    }
}
