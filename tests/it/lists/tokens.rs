//! A token marks a position in one list and nothing else.

use std::fs;

use tonic::Code;

use crate::support::{TestServer, reason};

use super::{Client, LISTS, List, create_pools_with_domains, expected_items};

async fn assert_bad(client: &mut Client, list: List, token: &str) {
    let status = list.page(client, 2, Some(token.to_owned())).await.expect_err("a refusal");
    assert_eq!(status.code(), Code::InvalidArgument, "{token:?}");
    assert_eq!(reason(&status), "BAD_PAGE_TOKEN", "{token:?}");
}

async fn first_token(client: &mut Client, list: List) -> String {
    let page = list.page(client, 2, None).await.expect("a page");
    page.next_token.expect("there is more")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_is_valid_after_a_restart_with_a_new_read_model() {
    let server = TestServer::start().await;
    let ids = create_pools_with_domains(&mut server.client().await, 5).await;
    let mut tokens = Vec::new();
    for list in LISTS {
        tokens.push((list, first_token(&mut server.client().await, list).await));
    }
    let server = server.restart().await;
    let mut client = server.client().await;
    for (list, token) in &tokens {
        let rest = list.rest(&mut client, 2, Some(token.clone())).await.concat();
        assert_eq!(rest, expected_items(*list, &ids)[2..]);
    }
    let server = server
        .restart_after(|data_dir| {
            fs::remove_dir_all(data_dir.join("read_model")).expect("a read model");
        })
        .await;
    let mut client = server.client().await;
    for (list, token) in tokens {
        // The next page may have another size, and may be requested more than once.
        for size in [1, 3, 60] {
            let rest = list.rest(&mut client, size, Some(token.clone())).await.concat();
            assert_eq!(rest, expected_items(list, &ids)[2..]);
        }
    }
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_of_another_list_is_refused() {
    let server = TestServer::start().await;
    let mut client = server.client().await;
    create_pools_with_domains(&mut client, 3).await;
    let pools = first_token(&mut client, List::UserPools).await;
    let domains = first_token(&mut client, List::Domains).await;
    assert_bad(&mut client, List::Domains, &pools).await;
    assert_bad(&mut client, List::UserPools, &domains).await;
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_with_any_wrong_character_is_refused() {
    let server = TestServer::start().await;
    let mut client = server.client().await;
    create_pools_with_domains(&mut client, 3).await;
    for list in LISTS {
        let token = first_token(&mut client, list).await;
        for index in 0..token.len() {
            let (before, after) = (&token[..index], &token[index + 1..]);
            for typed in ["A", "z", "-"].into_iter().filter(|typed| token[index..=index] != **typed)
            {
                assert_bad(&mut client, list, &format!("{before}{typed}{after}")).await;
            }
            assert_bad(&mut client, list, &format!("{before}{after}")).await;
            if index > 0 {
                assert_bad(&mut client, list, before).await;
            }
        }
        for added in ["A", "=", "AA", "AAAA"] {
            assert_bad(&mut client, list, &format!("{token}{added}")).await;
        }
    }
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_invalid_token_is_refused() {
    let server = TestServer::start().await;
    let mut client = server.client().await;
    create_pools_with_domains(&mut client, 3).await;
    for list in LISTS {
        for token in
            ["0", "2", "d11", "us-east-1_000000000", "プール", "AAAAAAAA", "AAAAAAAAAAAAAAAA"]
        {
            assert_bad(&mut client, list, token).await;
        }
        // Cognito requires at least one character and no spaces.
        for token in ["", " ", "a b"] {
            let page = list.page(&mut client, 2, Some(token.to_owned())).await;
            assert_eq!(reason(&page.expect_err("a refusal")), "INVALID_REQUEST", "{token:?}");
        }
    }
    server.stop().await;
}
