//! Lists come in pages: in a fixed order, with tokens that stay valid, without
//! repeated items, and without losing an item that exists all the time.

mod elements;
mod pages;
mod tokens;

use tonic::{Status, transport::Channel};
use userpool::proto::{
    ListUserPoolDomainsRequest, ListUserPoolsRequest,
    user_pool_service_client::UserPoolServiceClient,
};

use crate::calls::Call;

type Client = UserPoolServiceClient<Channel>;

/// The two lists, for tests that apply to both.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum List {
    UserPools,
    Domains,
}

const LISTS: [List; 2] = [List::UserPools, List::Domains];

/// The items of a page, user pool IDs or prefixes, and the token for the next page.
#[derive(Debug, PartialEq)]
struct Page {
    names: Vec<String>,
    next_token: Option<String>,
}

impl List {
    async fn page(
        self,
        client: &mut Client,
        max_results: impl Into<Option<i32>>,
        next_token: Option<String>,
    ) -> Result<Page, Status> {
        let max_results = max_results.into();
        match self {
            Self::UserPools => {
                let request = ListUserPoolsRequest {
                    max_results,
                    next_token,
                    ..ListUserPoolsRequest::default()
                };
                let response = client.list_user_pools(request).await?.into_inner();
                let names = response.user_pools.into_iter().map(|pool| pool.id.expect("an ID"));
                Ok(Page { names: names.collect(), next_token: response.next_token })
            }
            Self::Domains => {
                let request = ListUserPoolDomainsRequest {
                    max_results,
                    next_token,
                    ..ListUserPoolDomainsRequest::default()
                };
                let response = client.list_user_pool_domains(request).await?.into_inner();
                let names = response.domains.into_iter().map(|domain| domain.domain.expect("one"));
                Ok(Page { names: names.collect(), next_token: response.next_token })
            }
        }
    }

    /// Every page from the one of `token` to the last.
    async fn rest(
        self,
        client: &mut Client,
        max_results: i32,
        mut token: Option<String>,
    ) -> Vec<Vec<String>> {
        let mut pages = Vec::new();
        loop {
            let page = self.page(client, max_results, token).await.expect("a page");
            pages.push(page.names);
            token = page.next_token;
            if token.is_none() {
                return pages;
            }
        }
    }

    /// Everything in the list.
    async fn all(self, client: &mut Client, max_results: i32) -> Vec<String> {
        self.rest(client, max_results, None).await.concat()
    }
}

/// Creates user pools that each have a domain; returns their IDs. The prefixes, from
/// `d10`, sort in the opposite order.
async fn create_pools_with_domains(client: &mut Client, count: usize) -> Vec<String> {
    let mut ids = Vec::new();
    for index in 0..count {
        let created = Call::create("people").send(client).await.expect("a user pool");
        let prefix = format!("d{}", 10 + count - index);
        Call::assign(&created.id(), &prefix).send(client).await.expect("a domain");
        ids.push(created.id());
    }
    ids
}

/// The items of `list` after [`create_pools_with_domains`].
fn expected_items(list: List, ids: &[String]) -> Vec<String> {
    match list {
        List::UserPools => ids.to_vec(),
        List::Domains => (0..ids.len()).map(|index| format!("d{}", 11 + index)).collect(),
    }
}
