//! User pools are found by what they are: each condition finds those that meet it and no other,
//! in pages, whatever happens to the read model meanwhile.

mod examined;
mod refusals;
mod rows;

use std::fs;

use futures_util::future::BoxFuture;
use tonic::Status;
use userpool::proto::{
    CreateUserPoolDomainRequest, CreateUserPoolRequest, CustomDomainConfig,
    CustomSmsLambdaVersionConfig, DeletedUserPools, LambdaConfig, ListUserPoolsRequest,
    ListUserPoolsResponse, RestoreUserPoolRequest, UpdateUserPoolRequest, UserPoolDescription,
    UserPoolFilter, custom_sms_sender_lambda_version::Value as SmsSenderVersion,
};

use crate::{
    calls::Call,
    support::{Client, TestServer, domain, named},
};

const FUNCTION: &str = "arn:aws:lambda:us-east-1:123456789012:function:sign-up";

async fn page(
    client: &mut Client,
    filter: &UserPoolFilter,
    max_results: i32,
    next_token: Option<String>,
) -> Result<ListUserPoolsResponse, Status> {
    let filter = Some(filter.clone());
    let max_results = Some(max_results);
    let request =
        ListUserPoolsRequest { max_results, next_token, filter, ..ListUserPoolsRequest::default() };
    Ok(client.list_user_pools(request).await?.into_inner())
}

/// All user pools that meet a filter, in pages of this size.
async fn find(
    client: &mut Client,
    filter: &UserPoolFilter,
    max_results: i32,
) -> Vec<UserPoolDescription> {
    let (mut pools, mut token) = (Vec::new(), None);
    loop {
        let page = page(client, filter, max_results, token).await.expect("a page");
        assert!(page.user_pools.len() <= usize::try_from(max_results).expect("a size"));
        pools.extend(page.user_pools);
        token = page.next_token;
        if token.is_none() {
            return pools;
        }
    }
}

pub(crate) async fn found_names(
    client: &mut Client,
    filter: &UserPoolFilter,
    max_results: i32,
) -> Vec<String> {
    let pools = find(client, filter, max_results).await;
    pools.into_iter().map(|pool| pool.name.expect("a name")).collect()
}

/// Creates these user pools, in this order, of which the last two are deleted:
///
/// | name | tags | function | domains |
/// |---|---|---|---|
/// | people | team=payments | `FUNCTION` | login-people |
/// | people-test | team=payments, stage=test | an alias of it | |
/// | guests | team=search | | login-guests, login.example.com |
/// | People | | another one with a longer name | |
/// | people | stage= | | |
/// | people-old | team=payments | `FUNCTION` | |
/// | guests-old | | | |
fn seven_pools(client: &mut Client) -> BoxFuture<'_, ()> {
    // The requests are large.
    Box::pin(create_seven_pools(client))
}

async fn create_seven_pools(client: &mut Client) {
    let pool = |name: &str, tags: &[(&str, &str)], lambda_config| CreateUserPoolRequest {
        user_pool_tags: tags.iter().map(|(key, value)| ((*key).into(), (*value).into())).collect(),
        lambda_config,
        ..named(name)
    };
    let pre_sign_up = |arn: &str| {
        let pre_sign_up = Some(arn.to_owned());
        Some(LambdaConfig { pre_sign_up, ..LambdaConfig::default() })
    };
    let sms_sender = Some(LambdaConfig {
        custom_sms_sender: Some(CustomSmsLambdaVersionConfig {
            lambda_version: Some(SmsSenderVersion::V10.into()),
            lambda_arn: Some(format!("{FUNCTION}:live")),
        }),
        kms_key_id: Some("arn:aws:kms:us-east-1:123456789012:key/1".to_owned()),
        ..LambdaConfig::default()
    });
    let payments = ("team", "payments");
    let mut ids = Vec::new();
    for request in [
        pool("people", &[payments], pre_sign_up(FUNCTION)),
        pool("people-test", &[payments, ("stage", "test")], sms_sender),
        pool("guests", &[("team", "search")], None),
        pool("People", &[], pre_sign_up(&format!("{FUNCTION}-later"))),
        pool("people", &[("stage", "")], None),
        pool("people-old", &[payments], pre_sign_up(FUNCTION)),
        pool("guests-old", &[], None),
    ] {
        let created = client.create_user_pool(request).await.expect("created").into_inner();
        ids.push(created.user_pool.and_then(|pool| pool.id).expect("an ID"));
    }
    let certificate_arn = "arn:aws:acm:us-east-1:123456789012:certificate/1".to_owned();
    let custom_domain_config = CustomDomainConfig {
        certificate_arn: Some(certificate_arn),
        ..CustomDomainConfig::default()
    };
    for request in [
        domain("login-people", &ids[0]),
        domain("login-guests", &ids[2]),
        CreateUserPoolDomainRequest {
            custom_domain_config: Some(custom_domain_config),
            ..domain("login.example.com", &ids[2])
        },
    ] {
        client.create_user_pool_domain(request).await.expect("a domain");
    }
    for id in &ids[5..] {
        Call::delete(id).send(client).await.expect("deleted");
    }
}

fn by(change: impl FnOnce(&mut UserPoolFilter)) -> UserPoolFilter {
    let mut filter = UserPoolFilter::default();
    change(&mut filter);
    filter
}

#[expect(clippy::unnecessary_wraps, reason = "the fields of a filter are optional")]
fn text(text: &str) -> Option<String> {
    Some(text.to_owned())
}

/// Filters, and the names that they find, in order.
fn expected() -> Vec<(UserPoolFilter, Vec<&'static str>)> {
    let only = i32::from(DeletedUserPools::Only);
    let included = i32::from(DeletedUserPools::Included);
    let excluded = i32::from(DeletedUserPools::Excluded);
    let existing = vec!["people", "people-test", "guests", "People", "people"];
    let all =
        vec!["people", "people-test", "guests", "People", "people", "people-old", "guests-old"];
    vec![
        (UserPoolFilter::default(), existing.clone()),
        (by(|filter| filter.deleted = excluded), existing),
        (by(|filter| filter.deleted = only), vec!["people-old", "guests-old"]),
        (by(|filter| filter.deleted = included), all),
        // Equal names are in the order of their creation.
        (by(|filter| filter.name_prefix = text("p")), vec!["people", "people", "people-test"]),
        (by(|filter| filter.name_prefix = text("people-")), vec!["people-test"]),
        (by(|filter| filter.name_prefix = text("people-test")), vec!["people-test"]),
        (by(|filter| filter.name_prefix = text("people-tests")), vec![]),
        (by(|filter| filter.name_prefix = text("P")), vec!["People"]),
        (
            by(|filter| (filter.name_prefix, filter.deleted) = (text("people"), only)),
            vec!["people-old"],
        ),
        (
            by(|filter| (filter.name_prefix, filter.deleted) = (text("people"), included)),
            vec!["people", "people", "people-old", "people-test"],
        ),
        (by(|filter| filter.tag_key = text("team")), vec!["people", "people-test", "guests"]),
        (by(|filter| filter.tag_key = text("tea")), vec![]),
        (by(|filter| filter.tag_key = text("stage")), vec!["people-test", "people"]),
        (
            by(|filter| (filter.tag_key, filter.tag_value) = (text("stage"), text(""))),
            vec!["people"],
        ),
        (
            by(|filter| (filter.tag_key, filter.tag_value) = (text("team"), text("payments"))),
            vec!["people", "people-test"],
        ),
        (by(|filter| filter.lambda_arn = text(FUNCTION)), vec!["people", "people-test"]),
        (by(|filter| filter.lambda_arn = Some(format!("{FUNCTION}:live"))), vec!["people-test"]),
        (by(|filter| filter.lambda_arn = Some(format!("{FUNCTION}:li"))), vec![]),
        (by(|filter| filter.lambda_arn = text("arn:aws:kms:us-east-1:123456789012:key/1")), vec![]),
        (
            by(|filter| (filter.lambda_arn, filter.deleted) = (text(FUNCTION), only)),
            vec!["people-old"],
        ),
        (by(|filter| filter.domain = text("login-people")), vec!["people"]),
        (by(|filter| filter.domain = text("login.example.com")), vec!["guests"]),
        (by(|filter| filter.domain = text("login")), vec![]),
        // Both domains of "guests" begin so; it is listed at the first one.
        (by(|filter| filter.domain_prefix = text("login")), vec!["guests", "people"]),
        (by(|filter| filter.domain_prefix = text("login.")), vec!["guests"]),
        (
            by(|filter| (filter.domain_prefix, filter.deleted) = (text("login-"), included)),
            vec!["guests", "people"],
        ),
        (by(|filter| filter.no_domain = true), vec!["people-test", "People", "people"]),
        (
            by(|filter| (filter.no_domain, filter.deleted) = (true, only)),
            vec!["people-old", "guests-old"],
        ),
        (
            by(|filter| (filter.no_domain, filter.deleted) = (true, included)),
            vec!["people-test", "People", "people", "people-old", "guests-old"],
        ),
        (
            by(|filter| {
                filter.name_prefix = text("p");
                filter.tag_key = text("team");
                filter.lambda_arn = text(FUNCTION);
                filter.domain_prefix = text("l");
            }),
            vec!["people"],
        ),
        (
            by(|filter| (filter.name_prefix, filter.no_domain) = (text("p"), true)),
            vec!["people", "people-test"],
        ),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn each_filter_finds_what_meets_it_and_nothing_else() {
    let server = TestServer::start().await;
    seven_pools(&mut server.client().await).await;
    let check = async |server: &TestServer, what: &str| {
        let mut client = server.client().await;
        for (filter, names) in expected() {
            for size in [1, 2, 60] {
                let found = found_names(&mut client, &filter, size).await;
                assert_eq!(found, names, "{filter:?} by {size}, {what}");
            }
        }
    };
    check(&server, "as it was recorded").await;
    let server = server.restart().await;
    check(&server, "opened").await;
    let server = server
        .restart_after(|path| fs::remove_dir_all(path.join("read_model")).expect("removed"))
        .await;
    check(&server, "rebuilt").await;
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_found_user_pool_has_its_domains_and_its_deletion() {
    let server = TestServer::start().await;
    let mut client = server.client().await;
    seven_pools(&mut client).await;
    let guests = by(|filter| filter.domain = text("login-guests"));
    let guests = find(&mut client, &guests, 1).await;
    assert_eq!(guests[0].domain.as_deref(), Some("login-guests"));
    assert_eq!(guests[0].custom_domain.as_deref(), Some("login.example.com"));
    assert_eq!(guests[0].deletion_time, None);

    let deleted = by(|filter| filter.deleted = DeletedUserPools::Only.into());
    let found = find(&mut client, &deleted, 60).await;
    assert_eq!(found[0].revision, 2);
    for pool in &found {
        let deleted = pool.deletion_time.expect("a time");
        let last_change = pool.last_modified_date.expect("a time");
        assert!(deleted.seconds > last_change.seconds, "{pool:?}");
    }
    let server = server.restart().await;
    assert_eq!(find(&mut server.client().await, &deleted, 60).await, found);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_found_by_a_state_is_not_found_after_it() {
    let server = TestServer::start().await;
    let mut client = server.client().await;
    let named_people = by(|filter| filter.name_prefix = text("people"));
    let without = by(|filter| filter.no_domain = true);
    let login = by(|filter| filter.domain_prefix = text("login"));
    let deleted = by(|filter| filter.deleted = DeletedUserPools::Only.into());
    let id = Call::create("people").send(&mut client).await.expect("created").id();
    let found = async |client: &mut Client| {
        let mut counts = Vec::new();
        for filter in [&named_people, &without, &login, &deleted] {
            counts.push(find(client, filter, 60).await.len());
        }
        counts
    };
    assert_eq!(found(&mut client).await, [1, 1, 0, 0]);
    Call::assign(&id, "login").send(&mut client).await.expect("a domain");
    assert_eq!(found(&mut client).await, [1, 0, 1, 0]);
    Call::release(&id, "login").send(&mut client).await.expect("no domain");
    assert_eq!(found(&mut client).await, [1, 1, 0, 0]);
    let renamed = UpdateUserPoolRequest {
        user_pool_id: text(&id),
        pool_name: text("guests"),
        ..UpdateUserPoolRequest::default()
    };
    client.update_user_pool(renamed.clone()).await.expect("another name");
    assert_eq!(found(&mut client).await, [0, 1, 0, 0]);
    let renamed = UpdateUserPoolRequest { pool_name: text("people"), ..renamed };
    client.update_user_pool(renamed).await.expect("the first name again");
    assert_eq!(found(&mut client).await, [1, 1, 0, 0]);
    Call::delete(&id).send(&mut client).await.expect("deleted");
    assert_eq!(found(&mut client).await, [0, 0, 0, 1]);
    let restored = RestoreUserPoolRequest {
        user_pool_id: text(&id),
        revision: Some(1),
        ..RestoreUserPoolRequest::default()
    };
    client.restore_user_pool(restored).await.expect("restored");
    assert_eq!(found(&mut client).await, [1, 1, 0, 0]);
    assert_eq!(find(&mut client, &named_people, 60).await[0].deletion_time, None);
    server.stop().await;
}
