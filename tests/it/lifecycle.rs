//! The lifecycle of a user pool of each kind: its state after each step, and its
//! deletion.

use serde_json::{Value, json};
use tonic::{Code, Request, transport::Channel};
use userpool::proto::{
    CreateUserPoolRequest, DescribeUserPoolRequest, user_pool_service_client::UserPoolServiceClient,
};

use crate::{
    json::{data, request, shown, with, without},
    support::{TestServer, domain, reason},
};

/// A client, and the expected state of the user pool.
struct Lifecycle {
    client: UserPoolServiceClient<Channel>,
    pool: Value,
    revision: i64,
}

impl Lifecycle {
    fn id(&self) -> String {
        self.pool["Id"].as_str().expect("an ID").to_owned()
    }

    async fn describe(&mut self) -> Value {
        let request = DescribeUserPoolRequest {
            user_pool_id: Some(self.id()),
            ..DescribeUserPoolRequest::default()
        };
        let answer = self.client.describe_user_pool(request).await.expect("a user pool");
        shown(&answer.into_inner())
    }

    /// Every way to read shows the expected state.
    async fn assert_is_as_known(&mut self) {
        let described = self.describe().await;
        assert_eq!(described["UserPool"], self.pool);
        assert_eq!(described["revision"], json!(self.revision.to_string()));
        let page = Request::new(request(json!({ "MaxResults": 60 })));
        let list = shown(&self.client.list_user_pools(page).await.expect("a page").into_inner());
        let mut summary = json!({ "revision": self.revision.to_string() });
        for member in ["Id", "Name", "LambdaConfig", "CreationDate", "LastModifiedDate"] {
            summary[member] = self.pool[member].clone();
        }
        if let Some(domain) = self.pool.get("Domain") {
            summary["domain"] = domain.clone();
        }
        assert_eq!(list["UserPools"], json!([summary]));
    }

    async fn take(&mut self, prefix: &str) {
        let request = domain(prefix, &self.id());
        let answer = self.client.create_user_pool_domain(request).await.expect("a domain");
        self.revision += 1;
        assert_eq!(answer.into_inner().revision, self.revision);
        self.pool["Domain"] = json!(prefix);
    }

    async fn free(&mut self, prefix: &str) {
        let sent = Request::new(request(json!({ "Domain": prefix, "UserPoolId": self.id() })));
        let answer = self.client.delete_user_pool_domain(sent).await.expect("no domain");
        self.revision += 1;
        assert_eq!(answer.into_inner().revision, self.revision);
        self.pool = without(self.pool.clone(), "Domain");
    }

    async fn update(&mut self, members: Value) {
        let sent = Request::new(request(with(json!({ "UserPoolId": self.id() }), members)));
        let answer = self.client.update_user_pool(sent).await.expect("updated").into_inner();
        self.revision += 1;
        assert_eq!(answer.revision, self.revision);
        let updated = shown(&answer)["UserPool"].clone();
        let date = |pool: &Value| pool["LastModifiedDate"].to_string();
        assert!(date(&updated) > date(&self.pool));
        self.pool["LastModifiedDate"] = updated["LastModifiedDate"].clone();
    }
}

async fn live(members: Value) {
    let server = TestServer::start().await;
    let mut client = server.client().await;
    let sent: CreateUserPoolRequest = request(members);
    let created = client.create_user_pool(sent).await.expect("a user pool").into_inner();
    let pool = shown(&created)["UserPool"].clone();
    let mut life = Lifecycle { client, pool, revision: 1 };
    life.assert_is_as_known().await;

    life.take("first").await;
    life.assert_is_as_known().await;
    life.free("first").await;
    life.assert_is_as_known().await;
    life.take("second").await;

    // One setting is changed; the domain and all other settings stay.
    let message = json!({ "SmsAuthenticationMessage": "{####} it is" });
    let mask = json!({ "update_mask": ["sms_authentication_message"] });
    life.update(with(message.clone(), mask)).await;
    life.pool = with(life.pool, message);
    life.assert_is_as_known().await;

    // All settings are replaced except those that Cognito never changes.
    life.update(json!({ "UserPoolTags": { "stage": "test" } })).await;
    let described = life.describe().await["UserPool"].clone();
    let fixed = [
        "Id",
        "Arn",
        "Name",
        "SchemaAttributes",
        "CreationDate",
        "LastModifiedDate",
        "Domain",
        "EstimatedNumberOfUsers",
        "AliasAttributes",
        "UsernameAttributes",
    ];
    let mut expected =
        with(crate::json::defaults(), json!({ "UserPoolTags": { "stage": "test" } }));
    for member in fixed {
        if let Some(value) = life.pool.get(member) {
            expected[member] = value.clone();
        }
    }
    assert_eq!(described, expected);
    life.pool = expected;
    life.assert_is_as_known().await;

    // It cannot be deleted while it has a domain; then it can, and never returns.
    let delete = || Request::new(request(json!({ "UserPoolId": life.pool["Id"] })));
    let refused = life.client.delete_user_pool(delete()).await.expect_err("a domain");
    assert_eq!(reason(&refused), "USER_POOL_HAS_DOMAIN");
    life.assert_is_as_known().await;
    life.free("second").await;
    life.assert_is_as_known().await;
    let delete = Request::new(request(json!({ "UserPoolId": life.id() })));
    let deleted = life.client.delete_user_pool(delete).await.expect("deleted").into_inner();
    assert_eq!(deleted.revision, life.revision + 1);
    let user_pool_id = Some(life.id());
    let gone = life
        .client
        .describe_user_pool(DescribeUserPoolRequest {
            user_pool_id,
            ..DescribeUserPoolRequest::default()
        })
        .await;
    let gone = gone.expect_err("deleted");
    assert_eq!((gone.code(), reason(&gone).as_str()), (Code::NotFound, "USER_POOL_DELETED"));
    let page = Request::new(request(json!({ "MaxResults": 60 })));
    let list = life.client.list_user_pools(page).await.expect("a page").into_inner();
    assert_eq!(list.user_pools, []);
    // Its prefixes are free for other user pools.
    let other = Request::new(request(json!({ "PoolName": "other" })));
    let other = life.client.create_user_pool(other).await.expect("a user pool").into_inner();
    let id = other.user_pool.and_then(|pool| pool.id).expect("an ID");
    life.client.create_user_pool_domain(domain("second", &id)).await.expect("a domain");
    server.stop().await;
}

#[tokio::test]
async fn the_lifecycle_of_a_user_pool_with_only_a_name() {
    live(json!({ "PoolName": "people" })).await;
}

#[tokio::test]
async fn the_lifecycle_of_a_user_pool_with_every_setting() {
    live(data("create-user-pool-full.json")).await;
}

#[tokio::test]
async fn the_lifecycle_of_a_user_pool_with_emails_as_usernames() {
    live(data("create-user-pool-usernames.json")).await;
}
