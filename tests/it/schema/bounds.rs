//! The bounds of attributes: which are shown, and which are refused.

use serde_json::{Value, json};

use super::{assert_refused, custom, merged, text};
use crate::json::with;

fn text_of(name: &str, bounds: &Value) -> Value {
    with(text(name), json!({ "StringAttributeConstraints": bounds }))
}

fn number_of(name: &str, bounds: &Value) -> Value {
    let number = json!({ "AttributeDataType": "Number", "NumberAttributeConstraints": bounds });
    with(text(name), number)
}

#[tokio::test]
async fn bounds_of_another_type_are_dropped() {
    let both = json!({
        "StringAttributeConstraints": { "MinLength": "x" },
        "NumberAttributeConstraints": { "MinValue": "x" },
    });
    for name in ["email_verified", "flagged", "since"] {
        let data_type = if name == "since" { "DateTime" } else { "Boolean" };
        let sent = with(json!({ "Name": name, "AttributeDataType": data_type }), both.clone());
        for attribute in merged(json!([sent])).await {
            if attribute["Name"].as_str().is_some_and(|shown| shown.ends_with(name)) {
                assert_eq!(attribute.get("StringAttributeConstraints"), None);
                assert_eq!(attribute.get("NumberAttributeConstraints"), None);
            }
        }
    }
    let other = json!({ "NumberAttributeConstraints": { "MinValue": "x" } });
    let attribute = custom(with(text_of("a", &json!({ "MinLength": "1" })), other)).await;
    assert_eq!(attribute["StringAttributeConstraints"], json!({ "MinLength": "1" }));
    assert_eq!(attribute.get("NumberAttributeConstraints"), None);
    let other = json!({ "StringAttributeConstraints": { "MinLength": "x" } });
    let attribute = custom(with(number_of("a", &json!({ "MinValue": "1" })), other)).await;
    assert_eq!(attribute["NumberAttributeConstraints"], json!({ "MinValue": "1" }));
    assert_eq!(attribute.get("StringAttributeConstraints"), None);
}

#[tokio::test]
async fn a_custom_attribute_shows_only_the_given_bounds() {
    for bounds in [
        json!({}),
        json!({ "MinLength": "0" }),
        json!({ "MaxLength": "2048" }),
        json!({ "MinLength": "2048", "MaxLength": "2048" }),
    ] {
        let attribute = custom(text_of("a", &bounds)).await;
        assert_eq!(attribute["StringAttributeConstraints"], bounds);
    }
    for bounds in [
        json!({}),
        json!({ "MinValue": "-9223372036854775808" }),
        json!({ "MaxValue": "9223372036854775807" }),
        json!({ "MinValue": "-5", "MaxValue": "-5" }),
    ] {
        let attribute = custom(number_of("a", &bounds)).await;
        assert_eq!(attribute["NumberAttributeConstraints"], bounds);
    }
    for data_type in ["DateTime", "Boolean"] {
        let attribute = custom(json!({ "Name": "a", "AttributeDataType": data_type })).await;
        let expected = json!({
            "Name": "custom:a", "AttributeDataType": data_type, "DeveloperOnlyAttribute": false,
            "Mutable": false, "Required": false,
        });
        assert_eq!(attribute, expected);
    }
    let number = custom(json!({ "Name": "a", "AttributeDataType": "Number" })).await;
    assert_eq!(number["NumberAttributeConstraints"], json!({}));
}

#[tokio::test]
async fn bounds_are_integers() {
    for bad in ["", "x", "1.5", "1e3", " 1", "0x1", "9223372036854775808"] {
        for (member, path) in [("MinLength", "min_length"), ("MaxLength", "max_length")] {
            let schema = json!([text_of("a", &json!({ member: bad }))]);
            let field = format!("schema[0].string_attribute_constraints.{path}");
            let message = "Invalid StringAttributeConstraints for schema attribute custom:a";
            assert_refused(schema, &field, "PATTERN", message).await;
        }
        for (member, path) in [("MinValue", "min_value"), ("MaxValue", "max_value")] {
            let schema = json!([text("b"), number_of("a", &json!({ member: bad }))]);
            let field = format!("schema[1].number_attribute_constraints.{path}");
            let message = "Invalid NumberAttributeConstraints for schema attribute custom:a";
            assert_refused(schema, &field, "PATTERN", message).await;
        }
    }
    // The same for standard attributes, under their own name and type.
    let schema = json!([{ "Name": "email", "StringAttributeConstraints": { "MinLength": "x" } }]);
    let field = "schema[0].string_attribute_constraints.min_length";
    let message = "Invalid StringAttributeConstraints for schema attribute email";
    assert_refused(schema, field, "PATTERN", message).await;
}

#[tokio::test]
async fn lengths_are_from_0_to_2048() {
    let field = |member: &str| format!("schema[0].string_attribute_constraints.{member}");
    for (member, path) in [("MinLength", "min_length"), ("MaxLength", "max_length")] {
        let below = json!([text_of("a", &json!({ member: "-1" }))]);
        let message = "Invalid StringAttributeConstraints for schema attribute custom:a";
        assert_refused(below, &field(path), "PATTERN", message).await;
        let above = json!([text_of("a", &json!({ member: "2049" }))]);
        let message = "user.a: String attributes cannot have a length of more than 2048";
        assert_refused(above, &field(path), "RANGE", message).await;
    }
}

#[tokio::test]
async fn the_upper_bound_is_not_below_the_lower_one() {
    let schema = json!([text_of("level", &json!({ "MinLength": "2", "MaxLength": "1" }))]);
    let field = "schema[0].string_attribute_constraints.max_length";
    let message = "Attribute custom:level cannot have a max length shorter than it's min length";
    assert_refused(schema, field, "RANGE", message).await;
    let schema = json!([number_of("n2", &json!({ "MinValue": "2", "MaxValue": "-3" }))]);
    let field = "schema[0].number_attribute_constraints.max_value";
    let message = "Attribute custom:n2 cannot have a max value smaller than it's min value";
    assert_refused(schema, field, "RANGE", message).await;
}
