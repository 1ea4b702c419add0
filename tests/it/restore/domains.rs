//! The domains of a restored user pool: they stay as they are, unless the request asks for
//! them and they are free.

use tonic::Code;
use userpool::proto::{
    CreateUserPoolDomainRequest, CustomDomainConfig, DescribeLogRequest,
    DescribeUserPoolDomainRequest, DomainDescription, KeptFieldReason, ListUserPoolEventsRequest,
    RestoreUserPoolRequest, UserPoolEventFilter, VerifyUserPoolHistoryRequest,
    user_pool_history_service_client::UserPoolHistoryServiceClient,
};

use crate::{
    calls::Call,
    support::{Client, TestServer, create, domain, metadata, reason},
};

use super::{assert_same, describe, kept, last_event, past, restore, restored, to};

const PREFIX: &str = "people-login";
const CUSTOM: &str = "auth.example.com";

fn with_domains(id: &str, revision: i64) -> RestoreUserPoolRequest {
    RestoreUserPoolRequest { restore_domain: true, ..to(id, revision) }
}

/// A user pool with a prefix, a custom domain and settings of both: at revision 4.
async fn with_two_domains(client: &mut Client) -> String {
    let id = create(client, "people").await;
    Call::assign(&id, PREFIX).send(client).await.expect("assigned");
    let certificate_arn = Some("arn:aws:acm:us-east-1:123456789012:certificate/1".to_owned());
    let custom = CreateUserPoolDomainRequest {
        custom_domain_config: Some(CustomDomainConfig { certificate_arn, security_policy: None }),
        ..domain(CUSTOM, &id)
    };
    client.create_user_pool_domain(custom).await.expect("assigned");
    Call::set_login_version(&id, PREFIX, 2).send(client).await.expect("updated");
    id
}

/// Releases both domains and deletes the user pool, whose revision becomes 7.
async fn delete(client: &mut Client, id: &str) {
    for name in [PREFIX, CUSTOM] {
        Call::release(id, name).send(client).await.expect("released");
    }
    Call::delete(id).send(client).await.expect("deleted");
}

async fn described(client: &mut Client, name: &str) -> DomainDescription {
    let request = DescribeUserPoolDomainRequest {
        domain: Some(name.to_owned()),
        ..DescribeUserPoolDomainRequest::default()
    };
    let answer = client.describe_user_pool_domain(request).await.expect("an answer").into_inner();
    answer.domain_description.expect("a description")
}

/// The positions of the events that the history finds by a domain.
async fn found(server: &TestServer, name: &str) -> Vec<i64> {
    let mut history = UserPoolHistoryServiceClient::new(server.channel().await);
    let filter =
        UserPoolEventFilter { domain: Some(name.to_owned()), ..UserPoolEventFilter::default() };
    let request =
        ListUserPoolEventsRequest { filter: Some(filter), ..ListUserPoolEventsRequest::default() };
    let page = history.list_user_pool_events(request).await.expect("a page").into_inner();
    page.events.iter().map(|event| event.position).collect()
}

/// How many domains are in use; the history is valid.
async fn domain_count(server: &TestServer) -> i64 {
    let mut history = UserPoolHistoryServiceClient::new(server.channel().await);
    let verified = history.verify_user_pool_history(VerifyUserPoolHistoryRequest::default()).await;
    assert!(verified.expect("verified").into_inner().valid);
    let log = history.describe_log(DescribeLogRequest::default()).await.expect("described");
    log.into_inner().domain_count
}

#[tokio::test(flavor = "multi_thread")]
async fn without_being_asked_for_domains_stay_as_they_are() {
    let server = TestServer::start().await;
    let mut client = server.client().await;
    let id = with_two_domains(&mut client).await;
    let not_requested = KeptFieldReason::DomainNotRequested;
    // Of a user pool that exists.
    let answer = restore(&mut client, to(&id, 1)).await.expect("an answer");
    let paths = ["custom_domain", "custom_domain_settings", "domain", "domain_settings"];
    assert_eq!(kept(&answer), paths.map(|path| (path, not_requested)));
    assert_eq!(answer.user_pool.expect("a user pool").domain.as_deref(), Some(PREFIX));
    // Of a deleted one.
    delete(&mut client, &id).await;
    let answer = restore(&mut client, to(&id, 4)).await.expect("restored");
    assert_eq!(kept(&answer), paths.map(|path| (path, not_requested)));
    assert!(answer.kept[0].description.contains("restore_domain"));
    let pool = answer.user_pool.expect("a user pool");
    assert_eq!((pool.domain, pool.custom_domain), (None, None));
    assert_eq!(described(&mut client, PREFIX).await, DomainDescription::default());
    assert_eq!(domain_count(&server).await, 0);
    let event = last_event(&server).await;
    assert!(restored(&event).assigned_domains.is_empty());
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn domains_come_back_with_their_settings_when_asked_for() {
    let server = TestServer::start().await;
    let mut client = server.client().await;
    let id = with_two_domains(&mut client).await;
    let before = [described(&mut client, PREFIX).await, described(&mut client, CUSTOM).await];
    delete(&mut client, &id).await;
    let answer = restore(&mut client, with_domains(&id, 4)).await.expect("restored");
    // One call is one event.
    assert_eq!((answer.revision, answer.position), (8, 8));
    assert_eq!(kept(&answer), []);
    assert_same(answer.user_pool.as_ref().expect("a pool"), &past(&server, &id, 4).await);
    let event = last_event(&server).await;
    assert_eq!(restored(&event).assigned_domains, [PREFIX, CUSTOM]);
    assert!(restored(&event).removed_domains.is_empty());
    assert_eq!(found(&server, PREFIX).await, [2, 4, 5, 8]);
    assert_eq!(found(&server, CUSTOM).await, [3, 6, 8]);
    let mut server = server;
    for _ in 0..2 {
        let mut client = server.client().await;
        let now = [described(&mut client, PREFIX).await, described(&mut client, CUSTOM).await];
        assert_eq!(now, before);
        assert_eq!(domain_count(&server).await, 2);
        // They have an owner again.
        let other = create(&mut client, "others").await;
        let taken = Call::assign(&other, PREFIX).send(&mut client).await.expect_err("taken");
        assert_eq!(reason(&taken), "DOMAIN_TAKEN");
        let has = Call::delete(&id).send(&mut client).await.expect_err("it has domains");
        assert_eq!(reason(&has), "USER_POOL_HAS_DOMAIN");
        server = server.restart().await;
    }
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_domain_that_it_did_not_have_is_removed_when_asked_for() {
    let server = TestServer::start().await;
    let mut client = server.client().await;
    let id = with_two_domains(&mut client).await;
    // Only the settings of a domain differ.
    restore(&mut client, with_domains(&id, 3)).await.expect("restored");
    assert_eq!(described(&mut client, PREFIX).await.managed_login_version, None);
    let event = last_event(&server).await;
    let event = restored(&event);
    assert_eq!(event.changed_paths, ["domain_settings"]);
    assert_eq!((event.assigned_domains.len(), event.removed_domains.len()), (0, 0));

    let answer = restore(&mut client, with_domains(&id, 2)).await.expect("restored");
    assert_eq!(answer.user_pool.expect("a user pool").custom_domain, None);
    let event = last_event(&server).await;
    assert_eq!(restored(&event).removed_domains, [CUSTOM]);
    assert_eq!(domain_count(&server).await, 1);
    // The first restore changed the settings of the prefix, the second one removed the other.
    assert_eq!(found(&server, PREFIX).await, [2, 4, 5]);
    assert_eq!(found(&server, CUSTOM).await, [3, 6]);
    assert_eq!(described(&mut client, CUSTOM).await, DomainDescription::default());
    let other = create(&mut client, "others").await;
    Call::assign(&other, "others-login").send(&mut client).await.expect("assigned");
    restore(&mut client, with_domains(&id, 1)).await.expect("restored");
    Call::release(&other, "others-login").send(&mut client).await.expect("released");
    Call::assign(&other, PREFIX).send(&mut client).await.expect("the freed domain");
    server.restart().await.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_domain_of_another_user_pool_is_refused_with_the_remedy() {
    let server = TestServer::start().await;
    let mut client = server.client().await;
    let id = with_two_domains(&mut client).await;
    delete(&mut client, &id).await;
    let other = create(&mut client, "others").await;
    Call::assign(&other, PREFIX).send(&mut client).await.expect("the freed domain");
    let head = describe(&mut client, &other).await.expect("described").head_position;
    let refused = restore(&mut client, with_domains(&id, 4)).await.expect_err("refused");
    assert_eq!((refused.code(), reason(&refused).as_str()), (Code::AlreadyExists, "DOMAIN_TAKEN"));
    assert_eq!(metadata(&refused, "domain").as_deref(), Some(PREFIX));
    assert_eq!(
        refused.message(),
        format!(
            "Domain {PREFIX} of revision 4 is now associated with user pool {other}. Delete it \
             there first, or restore without the domains (restore_domain)."
        )
    );
    assert_eq!(describe(&mut client, &other).await.expect("described").head_position, head);
    // Both remedies.
    restore(&mut client, to(&id, 4)).await.expect("restored without domains");
    Call::release(&other, PREFIX).send(&mut client).await.expect("released");
    restore(&mut client, with_domains(&id, 4)).await.expect("restored");
    assert_eq!(described(&mut client, PREFIX).await.user_pool_id, Some(id));
    server.stop().await;
}
