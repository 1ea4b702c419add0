//! Custom attributes that are added to a user pool that exists.

use tonic::{Code, Status, transport::Channel};
use tonic_types::StatusExt as _;
use userpool::proto::{
    AddCustomAttributesRequest, CreateUserPoolRequest, SchemaAttribute,
    attribute_data_type::Value as DataType, user_pool_service_client::UserPoolServiceClient,
};

use crate::support::{TestServer, create, describe, metadata, named};

type Client = UserPoolServiceClient<Channel>;

fn attribute(name: &str) -> SchemaAttribute {
    SchemaAttribute {
        name: Some(name.to_owned()),
        attribute_data_type: Some(DataType::String.into()),
        ..Default::default()
    }
}

async fn add(
    client: &mut Client,
    id: &str,
    custom_attributes: Vec<SchemaAttribute>,
) -> Result<i64, Status> {
    let user_pool_id = Some(id.to_owned());
    let request =
        AddCustomAttributesRequest { user_pool_id, custom_attributes, ..Default::default() };
    Ok(client.add_custom_attributes(request).await?.into_inner().revision)
}

async fn schema(client: &mut Client, id: &str) -> Vec<SchemaAttribute> {
    describe(client, id).await.expect("a user pool").schema_attributes
}

#[tokio::test]
async fn added_attributes_are_those_of_a_new_user_pool_with_them() {
    let server = TestServer::start().await;
    let mut client = server.client().await;
    let requested = vec![
        attribute("plan"),
        SchemaAttribute {
            attribute_data_type: Some(DataType::Number.into()),
            mutable: Some(true),
            ..attribute("credit")
        },
        SchemaAttribute { developer_only_attribute: Some(true), ..attribute("flagged") },
    ];
    let at_the_start = CreateUserPoolRequest { schema: requested.clone(), ..named("people") };
    let at_the_start = client.create_user_pool(at_the_start).await.expect("created").into_inner();
    let expected = at_the_start.user_pool.expect("a user pool").schema_attributes;

    let id = create(&mut client, "people").await;
    assert_eq!(add(&mut client, &id, requested[..1].to_vec()).await.expect("added"), 2);
    assert_eq!(add(&mut client, &id, requested[1..].to_vec()).await.expect("added"), 3);
    assert_eq!(schema(&mut client, &id).await, expected);
    // The name of a standard attribute is taken as that of a custom one.
    add(&mut client, &id, vec![attribute("email")]).await.expect("added");
    let last = schema(&mut client, &id).await.pop().expect("attributes");
    assert_eq!(last.name.as_deref(), Some("custom:email"));
    server.stop().await;
}

#[tokio::test]
async fn an_attribute_is_added_once() {
    let server = TestServer::start().await;
    let mut client = server.client().await;
    let id = create(&mut client, "people").await;
    let hidden = SchemaAttribute { developer_only_attribute: Some(true), ..attribute("plan") };
    add(&mut client, &id, vec![attribute("plan"), hidden.clone()]).await.expect("added");
    for (again, text) in [
        (attribute("plan"), "custom:plan: Existing attribute already has name custom:plan."),
        (hidden, "custom:plan: Existing attribute already has name dev:custom:plan."),
    ] {
        let refused = add(&mut client, &id, vec![attribute("other"), again]).await;
        let refused = refused.expect_err("a known name");
        assert_eq!((refused.code(), refused.message()), (Code::InvalidArgument, text));
        let aws_error = metadata(&refused, "aws_error");
        assert_eq!(aws_error.as_deref(), Some("InvalidParameterException"));
        let violations = refused.get_details_bad_request().expect("details").field_violations;
        assert_eq!(violations[0].field, "custom_attributes[1].name");
    }
    // Of a refused request, no attribute is added.
    assert_eq!(schema(&mut client, &id).await.len(), 22);
    server.stop().await;
}

#[tokio::test]
async fn the_rules_for_custom_attributes_are_those_of_a_new_user_pool() {
    let server = TestServer::start().await;
    let mut client = server.client().await;
    let id = create(&mut client, "people").await;
    let untyped = SchemaAttribute { attribute_data_type: None, ..attribute("a") };
    let required = SchemaAttribute { required: Some(true), ..attribute("a") };
    let nameless = SchemaAttribute { name: None, ..attribute("a") };
    for (attributes, text) in [
        (
            vec![untyped],
            "Invalid AttributeDataType input, consider using the provided AttributeDataType enum.",
        ),
        (vec![required], "Required custom attributes are not supported currently."),
        (vec![nameless], "Schema attributes must have a name."),
        (
            vec![attribute("a"), attribute("a")],
            "Duplicate custom attribute names custom:a are not allowed in a user pool schema.",
        ),
    ] {
        let refused = add(&mut client, &id, attributes).await.expect_err(text);
        assert_eq!((refused.code(), refused.message()), (Code::InvalidArgument, text));
        let violations = refused.get_details_bad_request().expect("details").field_violations;
        assert!(violations[0].field.starts_with("custom_attributes["), "{violations:?}");
    }
    server.stop().await;
}

#[tokio::test]
async fn a_user_pool_has_at_most_50_custom_attributes() {
    let server = TestServer::start().await;
    let mut client = server.client().await;
    let id = create(&mut client, "people").await;
    let attributes = |numbers: std::ops::Range<usize>| {
        numbers.map(|number| attribute(&format!("a{number}"))).collect::<Vec<_>>()
    };
    add(&mut client, &id, attributes(0..25)).await.expect("25 attributes");
    add(&mut client, &id, attributes(25..49)).await.expect("49 attributes");
    let refused = add(&mut client, &id, attributes(49..51)).await.expect_err("51 attributes");
    assert_eq!(refused.message(), "Number of custom attributes exceeds the limit of 50.");
    add(&mut client, &id, attributes(49..50)).await.expect("50 attributes");
    server.stop().await;
}
