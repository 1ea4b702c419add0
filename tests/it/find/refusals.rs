//! A filter that nothing can meet is refused, and a token is valid for its filter alone.

use tonic::Code;
use userpool::proto::{DeletedUserPools, UserPoolFilter};

use super::{by, page, seven_pools, text};
use crate::support::{TestServer, fields, reason};

#[tokio::test(flavor = "multi_thread")]
async fn a_filter_that_nothing_can_meet_is_refused() {
    let server = TestServer::start().await;
    let mut client = server.client().await;
    let only = i32::from(DeletedUserPools::Only);
    let domain = |change: fn(&mut UserPoolFilter)| {
        by(|filter| {
            filter.domain = text("login");
            change(filter);
        })
    };
    let refused = [
        ("filter.name_prefix", by(|filter| filter.name_prefix = text(""))),
        ("filter.name_prefix", by(|filter| filter.name_prefix = text(&"a".repeat(129)))),
        ("filter.name_prefix", by(|filter| filter.name_prefix = text("people*"))),
        ("filter.tag_key", by(|filter| filter.tag_value = text("payments"))),
        ("filter.tag_key", by(|filter| filter.tag_key = text(""))),
        ("filter.tag_key", by(|filter| filter.tag_key = text("AWS:team"))),
        ("filter.tag_key", by(|filter| filter.tag_key = text("team!"))),
        (
            "filter.tag_value",
            by(|filter| (filter.tag_key, filter.tag_value) = (text("a"), text(&"a".repeat(257)))),
        ),
        ("filter.lambda_arn", by(|filter| filter.lambda_arn = text("sign-up-function-of-ours"))),
        ("filter.domain", by(|filter| filter.domain = text("Login"))),
        ("filter.domain_prefix", by(|filter| filter.domain_prefix = text("-login"))),
        ("filter.domain_prefix", domain(|filter| filter.domain_prefix = text("log"))),
        ("filter.no_domain", domain(|filter| filter.no_domain = true)),
        ("filter.deleted", domain(|filter| filter.deleted = DeletedUserPools::Only.into())),
        (
            "filter.deleted",
            by(|filter| (filter.domain_prefix, filter.deleted) = (text("login"), only)),
        ),
        ("filter.deleted", by(|filter| filter.deleted = 7)),
    ];
    for (field, filter) in refused {
        let status = page(&mut client, &filter, 60, None).await.expect_err(field);
        assert_eq!(status.code(), Code::InvalidArgument, "{filter:?}");
        let mut fields = fields(&status);
        fields.dedup();
        assert_eq!(fields, [field], "{filter:?}");
    }
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_violation_of_a_filter_is_reported() {
    let server = TestServer::start().await;
    let filter = UserPoolFilter {
        name_prefix: text("people*"),
        tag_value: text("payments"),
        no_domain: true,
        domain: text("Login"),
        deleted: DeletedUserPools::Only.into(),
        ..UserPoolFilter::default()
    };
    let status = page(&mut server.client().await, &filter, 0, None).await.expect_err("refused");
    let expected = [
        "max_results",
        "filter.name_prefix",
        "filter.tag_key",
        "filter.domain",
        "filter.no_domain",
        "filter.deleted",
    ];
    assert_eq!(fields(&status), expected);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_is_valid_for_its_filter_alone() {
    let server = TestServer::start().await;
    let mut client = server.client().await;
    seven_pools(&mut client).await;
    let filters = [
        UserPoolFilter::default(),
        by(|filter| filter.name_prefix = text("p")),
        by(|filter| filter.name_prefix = text("pe")),
        by(|filter| filter.tag_key = text("team")),
        by(|filter| filter.domain_prefix = text("l")),
        by(|filter| filter.deleted = DeletedUserPools::Only.into()),
        by(|filter| filter.deleted = DeletedUserPools::Included.into()),
    ];
    let mut tokens = Vec::new();
    for filter in &filters {
        let first = page(&mut client, filter, 1, None).await.expect("a page");
        tokens.push(first.next_token.expect("a token"));
    }
    for (of, filter) in filters.iter().enumerate() {
        for (with, token) in tokens.iter().enumerate() {
            let next = page(&mut client, filter, 1, Some(token.clone())).await;
            if of == with {
                assert_eq!(next.expect("the next page").user_pools.len(), 1);
            } else {
                assert_eq!(reason(&next.expect_err("refused")), "BAD_PAGE_TOKEN");
            }
        }
    }
    server.stop().await;
}
