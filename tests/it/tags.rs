//! Tags by the ARN of their user pool: set and removed one by one, without a change of other
//! settings and without a lost update.

use futures_util::future::join_all;
use serde_json::json;
use tonic::{Code, transport::Channel};
use tonic_types::StatusExt as _;
use userpool::proto::{
    ListTagsForResourceRequest, TagResourceRequest, UntagResourceRequest, UserPool,
    user_pool_service_client::UserPoolServiceClient,
};

use crate::{
    calls::Call,
    json::{shown, without},
    support::{TestServer, arn, create, describe, metadata, reason},
};

type Client = UserPoolServiceClient<Channel>;

async fn pool(client: &mut Client, id: &str) -> UserPool {
    describe(client, id).await.expect("a user pool")
}

async fn tags(client: &mut Client, id: &str) -> serde_json::Value {
    let request = ListTagsForResourceRequest {
        resource_arn: Some(arn(id)),
        ..ListTagsForResourceRequest::default()
    };
    let listed = client.list_tags_for_resource(request).await.expect("tags").into_inner();
    without(shown(&listed), "headPosition")
}

fn tag(id: &str, tags: &[(&str, &str)]) -> TagResourceRequest {
    let tags = tags.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
    TagResourceRequest { resource_arn: Some(arn(id)), tags, ..Default::default() }
}

#[tokio::test]
async fn tags_are_set_and_removed_and_nothing_else_changes() {
    let server = TestServer::start().await;
    let mut client = server.client().await;
    let id = create(&mut client, "people").await;
    let before = pool(&mut client, &id).await;
    assert_eq!(tags(&mut client, &id).await, json!({ "revision": "1", "position": "1" }));

    let set = client.tag_resource(tag(&id, &[("team", "a"), ("stage", "test")])).await;
    let set = set.expect("tagged").into_inner();
    assert_eq!((set.revision, set.position), (2, 2));
    client.tag_resource(tag(&id, &[("team", "b"), ("paid", "")])).await.expect("tagged");
    let expected = json!({
        "Tags": { "team": "b", "stage": "test", "paid": "" }, "revision": "3", "position": "3",
    });
    assert_eq!(tags(&mut client, &id).await, expected);

    let keys = ["stage", "other", "stage"].map(str::to_owned).to_vec();
    let request =
        UntagResourceRequest { resource_arn: Some(arn(&id)), tag_keys: keys, ..Default::default() };
    client.untag_resource(request).await.expect("untagged");
    let after = pool(&mut client, &id).await;
    let left = [("paid", ""), ("team", "b")].map(|(key, value)| (key.to_owned(), value.to_owned()));
    assert_eq!(after.user_pool_tags, left.into());
    let settings =
        |pool: UserPool| UserPool { user_pool_tags: [].into(), last_modified_date: None, ..pool };
    assert_eq!(settings(after), settings(before));
    server.stop().await;
}

#[tokio::test]
async fn a_call_that_changes_no_tag_records_nothing() {
    let server = TestServer::start().await;
    let mut client = server.client().await;
    let id = create(&mut client, "people").await;
    client.tag_resource(tag(&id, &[("team", "a")])).await.expect("tagged");
    let again = client.tag_resource(tag(&id, &[("team", "a")])).await.expect("tagged").into_inner();
    assert_eq!((again.revision, again.position), (2, 2));
    let absent = Call::remove_tag(&id, "other").send(&mut client).await.expect("untagged");
    assert_eq!((absent.revision, absent.position), (2, 2));
    server.stop().await;
}

/// Two callers that each set a tag do not overwrite each other, as with updates.
#[tokio::test(flavor = "multi_thread")]
async fn tags_that_are_set_at_the_same_time_are_all_kept() {
    let server = TestServer::start().await;
    let mut client = server.client().await;
    let id = create(&mut client, "people").await;
    let calls = (0..40).map(|index| {
        let call = Call::set_tag(&id, &format!("key-{index}"), "value");
        let mut client = client.clone();
        async move { call.send(&mut client).await }
    });
    for answer in join_all(calls).await {
        answer.expect("tagged");
    }
    assert_eq!(pool(&mut client, &id).await.user_pool_tags.len(), 40);
    server.stop().await;
}

#[tokio::test]
async fn a_user_pool_has_at_most_50_tags() {
    let server = TestServer::start().await;
    let mut client = server.client().await;
    let id = create(&mut client, "people").await;
    let keys: Vec<_> = (0..50).map(|index| format!("key-{index}")).collect();
    let all: Vec<_> = keys.iter().map(|key| (key.as_str(), "a")).collect();
    client.tag_resource(tag(&id, &all)).await.expect("50 tags");
    // A tag that exists gets another value.
    client.tag_resource(tag(&id, &[("key-7", "b")])).await.expect("tagged");
    let refused = client.tag_resource(tag(&id, &[("one-more", "a")])).await.expect_err("51 tags");
    assert_eq!(refused.message(), "Invalid tag: tags must have at most 50 tags, has 51.");
    assert_eq!(reason(&refused), "INVALID_REQUEST");
    let aws_error = metadata(&refused, "aws_error");
    assert_eq!(aws_error.as_deref(), Some("InvalidParameterException"));
    server.stop().await;
}

#[tokio::test]
async fn the_rules_for_tags_are_those_of_the_settings() {
    let server = TestServer::start().await;
    let mut client = server.client().await;
    let id = create(&mut client, "people").await;
    let (long_key, long_value) = ("k".repeat(129), "v".repeat(257));
    for (key, value, expected) in [
        ("", "a", "LENGTH"),
        (&long_key, "a", "LENGTH"),
        ("a", &long_value, "LENGTH"),
        ("aws:a", "a", "RESERVED"),
        ("a*", "a", "PATTERN"),
    ] {
        let refused = client.tag_resource(tag(&id, &[(key, value)])).await.expect_err(key);
        assert_eq!(refused.code(), Code::InvalidArgument, "{key}");
        let violations = refused.get_details_bad_request().expect("details").field_violations;
        assert_eq!((violations.len(), violations[0].reason.as_str()), (1, expected), "{key}");
        assert!(violations[0].field.starts_with("tags["), "{violations:?}");
    }
    server.stop().await;
}

#[tokio::test]
async fn each_key_to_remove_has_1_to_128_characters() {
    let server = TestServer::start().await;
    let mut client = server.client().await;
    let id = create(&mut client, "people").await;
    let (longest, too_long) = ("プ".repeat(128), "k".repeat(129));
    Call::remove_tag(&id, &longest).send(&mut client).await.expect("128 characters");
    let tag_keys = vec!["team".to_owned(), String::new(), too_long];
    let request =
        UntagResourceRequest { resource_arn: Some(arn(&id)), tag_keys, ..Default::default() };
    let refused = client.untag_resource(request).await.expect_err("two wrong keys");
    let violations = refused.get_details_bad_request().expect("details").field_violations;
    let found: Vec<_> =
        violations.iter().map(|it| (it.field.as_str(), it.reason.as_str())).collect();
    assert_eq!(found, [("tag_keys[1]", "LENGTH"), ("tag_keys[2]", "LENGTH")]);
    let text = "Value '[team, , kkkkk";
    assert!(refused.message().contains(text), "{}", refused.message());
    server.stop().await;
}

#[tokio::test]
async fn an_arn_that_is_not_one_of_this_server_is_refused() {
    let server = TestServer::start().await;
    let mut client = server.client().await;
    let id = create(&mut client, "people").await;
    for other in [
        arn(&id).replace("us-east-1:", "eu-west-1:"),
        arn(&id).replace("123456789012", "000000000000"),
        arn(&id).replace("arn:aws:", "arn:aws-cn:"),
        arn(&id).replace("userpool/", "identitypool/"),
        arn("people"),
        arn(&format!("us-east-1_{}", "a".repeat(46))),
    ] {
        let request = ListTagsForResourceRequest {
            resource_arn: Some(other.clone()),
            ..ListTagsForResourceRequest::default()
        };
        let refused = client.list_tags_for_resource(request).await.expect_err(&other);
        assert_eq!(refused.code(), Code::InvalidArgument, "{other}");
        let ours = "arn:aws:cognito-idp:us-east-1:123456789012:userpool/";
        assert!(refused.message().contains(ours), "{refused:?}");
        let violations = refused.get_details_bad_request().expect("details").field_violations;
        assert_eq!(violations[0].field, "resource_arn");
        let untag = UntagResourceRequest {
            resource_arn: Some(other.clone()),
            tag_keys: vec!["a".to_owned()],
            ..Default::default()
        };
        let refused = client.untag_resource(untag).await.expect_err(&other);
        assert_eq!(reason(&refused), "INVALID_REQUEST");
    }
    let unknown = ListTagsForResourceRequest {
        resource_arn: Some(arn("us-east-1_nope")),
        ..ListTagsForResourceRequest::default()
    };
    let refused = client.list_tags_for_resource(unknown).await.expect_err("no user pool");
    assert_eq!(refused.message(), "User pool us-east-1_nope does not exist.");
    assert_eq!(reason(&refused), "USER_POOL_NOT_FOUND");
    Call::delete(&id).send(&mut client).await.expect("deleted");
    let deleted = ListTagsForResourceRequest {
        resource_arn: Some(arn(&id)),
        ..ListTagsForResourceRequest::default()
    };
    let refused = client.list_tags_for_resource(deleted).await.expect_err("a deleted user pool");
    assert_eq!(reason(&refused), "USER_POOL_DELETED");
    server.stop().await;
}
