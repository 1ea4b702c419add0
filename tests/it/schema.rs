//! The schema of a user pool: the 20 standard attributes in Cognito's order, changed
//! in place where requested, then the custom ones, and Cognito's error texts.

mod bounds;

use serde_json::{Value, json};
use tonic::Status;
use tonic_types::StatusExt as _;
use userpool::{proto::CreateUserPoolRequest, user_pool::Limits};

use crate::{
    json::{data, request, settings, with},
    support::{TestServer, metadata},
};

const UNLIMITED: Limits = Limits { custom_attributes: 50, user_pools: 10, tags: 50 };

async fn sent(members: Value, limits: Limits) -> Result<Vec<Value>, Status> {
    let server = TestServer::with(|config| config.limits = limits).await;
    let request: CreateUserPoolRequest = request(with(json!({ "PoolName": "people" }), members));
    let answer = server.client().await.create_user_pool(request).await;
    server.stop().await;
    let pool = settings(answer?.into_inner().user_pool.as_ref());
    Ok(pool["SchemaAttributes"].as_array().expect("a list").clone())
}

/// The attributes of a user pool that was created with this schema.
async fn merged(schema: Value) -> Vec<Value> {
    sent(json!({ "Schema": schema }), UNLIMITED).await.expect("a user pool")
}

/// The custom attribute that this one becomes.
async fn custom(attribute: Value) -> Value {
    let mut attributes = merged(json!([attribute])).await;
    assert_eq!(attributes.len(), 21);
    assert_eq!(attributes[..20], standard());
    attributes.swap_remove(20)
}

/// The message of a refusal, and the fields and reasons in it.
async fn refused(members: Value) -> (String, Vec<(String, String)>) {
    let status = sent(members, UNLIMITED).await.expect_err("a refusal");
    let aws_error = metadata(&status, "aws_error");
    assert_eq!(aws_error.as_deref(), Some("InvalidParameterException"));
    let violations = status.get_details_bad_request().expect("a BadRequest").field_violations;
    let fields = violations.into_iter().map(|violation| (violation.field, violation.reason));
    (status.message().to_owned(), fields.collect())
}

/// Checks that this schema is refused for one reason, with this text.
async fn assert_refused(schema: Value, field: &str, reason: &str, text: &str) {
    let (message, fields) = refused(json!({ "Schema": schema.clone() })).await;
    assert_eq!(fields, [(field.to_owned(), reason.to_owned())], "{schema}");
    assert_eq!(message, text, "{schema}");
}

fn standard() -> Vec<Value> {
    data("standard-attributes.json").as_array().expect("a list").clone()
}

fn text(name: &str) -> Value {
    json!({ "Name": name, "AttributeDataType": "String" })
}

#[tokio::test]
async fn the_standard_attributes_are_in_cognitos_order() {
    assert_eq!(sent(json!({}), UNLIMITED).await.expect("a user pool"), standard());
}

#[tokio::test]
async fn a_changed_standard_attribute_keeps_its_place() {
    let email = json!({
        "Name": "email", "AttributeDataType": "String", "DeveloperOnlyAttribute": false,
        "Mutable": false, "Required": true,
        "StringAttributeConstraints": { "MinLength": "5", "MaxLength": "254" },
    });
    let updated_at = json!({
        "Name": "updated_at", "AttributeDataType": "Number", "DeveloperOnlyAttribute": false,
        "Mutable": true, "Required": true,
        "NumberAttributeConstraints": { "MinValue": "-1", "MaxValue": "9" },
    });
    let mut expected = standard();
    expected[10] = email.clone();
    expected[19] = updated_at.clone();
    assert_eq!(merged(json!([updated_at, email])).await, expected);
}

#[tokio::test]
async fn a_standard_attribute_keeps_omitted_members_except_mutable() {
    for (place, change) in [
        (1, json!({})),
        (1, json!({ "Required": true })),
        (7, json!({ "Mutable": false })),
        (7, json!({ "Mutable": true })),
        (13, json!({ "AttributeDataType": "String" })),
        (11, json!({ "AttributeDataType": "Boolean", "Required": true })),
        // Bounds are one setting: partial bounds replace the default ones.
        (14, json!({ "StringAttributeConstraints": { "MaxLength": "64" } })),
        (19, json!({ "NumberAttributeConstraints": { "MaxValue": "9" } })),
        (19, json!({ "Mutable": true })),
    ] {
        let mut expected = standard();
        let immutable = json!({ "Mutable": false });
        expected[place] = with(with(expected[place].clone(), immutable), change.clone());
        let sent = with(json!({ "Name": expected[place]["Name"] }), change);
        assert_eq!(merged(json!([sent])).await, expected);
    }
}

#[tokio::test]
async fn a_named_attribute_is_mutable_only_if_the_request_says_so() {
    let names = standard().into_iter().map(|attribute| {
        json!({ "Name": attribute["Name"], "AttributeDataType": attribute["AttributeDataType"] })
    });
    // No request can name "phone_number_verified": the name is too long.
    let names = names.filter(|attribute| attribute["Name"] != "phone_number_verified");
    let customs = ["String", "Number", "DateTime", "Boolean"]
        .map(|data_type| json!({ "Name": data_type, "AttributeDataType": data_type }));
    let all: Vec<_> = names.chain(customs).collect();
    for (given, expected) in [
        (json!({}), false),
        (json!({ "Mutable": false }), false),
        (json!({ "Mutable": true }), true),
    ] {
        let schema: Vec<_> =
            all.iter().map(|attribute| with(attribute.clone(), given.clone())).collect();
        let shown = merged(json!(schema)).await;
        assert_eq!(shown.len(), 24);
        for attribute in shown {
            let expected = expected || attribute["Name"] == "phone_number_verified";
            assert_eq!(attribute["Mutable"], expected, "{given}: {attribute}");
        }
    }
}

#[tokio::test]
async fn a_standard_attribute_keeps_type_and_is_not_developer_only() {
    let text = |name| {
        format!(
            "You can not change AttributeDataType or set developerOnlyAttribute for standard \
             schema attribute {name}"
        )
    };
    let retyped = json!([{ "Name": "email", "AttributeDataType": "Number" }]);
    let field = "schema[0].attribute_data_type";
    assert_refused(retyped, field, "CONFLICT", &text("email")).await;
    let developers = json!([{ "Name": "gender", "DeveloperOnlyAttribute": true }]);
    let field = "schema[0].developer_only_attribute";
    assert_refused(developers, field, "CONFLICT", &text("gender")).await;
}

#[tokio::test]
async fn custom_attributes_get_a_prefix_and_keep_their_order() {
    let developers = json!({ "DeveloperOnlyAttribute": true });
    // A prefix in the request is part of the name.
    let prefixed = with(text("custom:a"), json!({ "Mutable": false }));
    let schema = json!([text("z"), with(text("a"), developers), text("a"), prefixed]);
    let names: Vec<_> =
        merged(schema).await[20..].iter().map(|attribute| attribute["Name"].clone()).collect();
    assert_eq!(names, ["custom:z", "dev:custom:a", "custom:a", "custom:custom:a"]);
}

#[tokio::test]
async fn a_custom_attribute_is_immutable_and_optional_by_default() {
    let expected = json!({
        "Name": "custom:plan", "AttributeDataType": "String", "DeveloperOnlyAttribute": false,
        "Mutable": false, "Required": false, "StringAttributeConstraints": {},
    });
    assert_eq!(custom(text("plan")).await, expected);
    let mutable = json!({ "Mutable": true, "Required": false });
    assert_eq!(custom(with(text("plan"), mutable.clone())).await, with(expected, mutable));
}

#[tokio::test]
async fn a_custom_attribute_needs_a_type_and_a_name() {
    let text_of_type =
        "Invalid AttributeDataType input, consider using the provided AttributeDataType enum.";
    let untyped = json!([{ "Name": "plan" }]);
    assert_refused(untyped, "schema[0].attribute_data_type", "REQUIRED", text_of_type).await;
    let nameless = json!([text("a"), { "AttributeDataType": "String" }]);
    let expected = "Schema attributes must have a name.";
    assert_refused(nameless, "schema[1].name", "REQUIRED", expected).await;
    let required = json!([with(text("plan"), json!({ "Required": true }))]);
    let expected = "Required custom attributes are not supported currently.";
    assert_refused(required, "schema[0].required", "UNSUPPORTED", expected).await;
}

#[tokio::test]
async fn a_name_has_twenty_characters_before_its_prefix() {
    let twenty = "プ".repeat(20);
    let name = custom(text(&twenty)).await["Name"].clone();
    assert_eq!(name, format!("custom:{twenty}"));
    let (message, fields) = refused(json!({ "Schema": [text(&"a".repeat(21))] })).await;
    assert_eq!(fields, [("schema[0].name".to_owned(), "LENGTH".to_owned())]);
    let expected = "1 validation error detected: Value 'aaaaaaaaaaaaaaaaaaaaa' at \
                    'schema.1.member.name' failed to satisfy constraint: Member must have length \
                    less than or equal to 20";
    assert_eq!(message, expected);
}

#[tokio::test]
async fn an_attribute_is_given_once() {
    let twice = json!([text("dept"), text("plan"), text("dept")]);
    let expected =
        "Duplicate custom attribute names custom:dept are not allowed in a user pool schema.";
    assert_refused(twice, "schema[2].name", "DUPLICATE", expected).await;
    let developers = json!({ "DeveloperOnlyAttribute": true });
    let twice = json!([with(text("a"), developers.clone()), with(text("a"), developers)]);
    let expected =
        "Duplicate custom attribute names dev:custom:a are not allowed in a user pool schema.";
    assert_refused(twice, "schema[1].name", "DUPLICATE", expected).await;
    let twice = json!([text("email"), text("email")]);
    let expected =
        "Duplicate standard attribute names email are not allowed in a user pool schema.";
    assert_refused(twice, "schema[1].name", "DUPLICATE", expected).await;
}

#[tokio::test]
async fn the_maximum_number_of_custom_attributes_is_a_setting() {
    let limits = Limits { custom_attributes: 25, ..UNLIMITED };
    // Standard attributes do not count.
    let schema = |count: usize| {
        let custom = (0..count).map(|index| text(&format!("a{index}")));
        json!({ "Schema": custom.chain([text("email")]).collect::<Vec<_>>() })
    };
    assert_eq!(sent(schema(25), limits).await.expect("a user pool").len(), 45);
    let status = sent(schema(26), limits).await.expect_err("a refusal");
    assert_eq!(status.message(), "Number of custom attributes exceeds the limit of 25.");
    let violations = status.get_details_bad_request().expect("a BadRequest").field_violations;
    assert_eq!((violations.len(), violations[0].field.as_str()), (1, "schema"));
    assert_eq!(violations[0].reason, "LENGTH");
}

#[tokio::test]
async fn a_preferred_username_can_be_required_and_an_alias() {
    for required in [true, false] {
        for aliases in [json!(["preferred_username"]), json!(["email", "preferred_username"])] {
            let attribute = json!({ "Name": "preferred_username", "Required": required });
            let members = json!({ "AliasAttributes": aliases, "Schema": [attribute] });
            let shown = sent(members, UNLIMITED).await.expect("a user pool");
            assert_eq!(shown[6]["Name"], "preferred_username");
            assert_eq!(shown[6]["Required"], required);
        }
    }
}
