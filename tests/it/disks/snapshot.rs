//! All data that a server showed before its disk was damaged, and the comparison
//! afterwards.

use std::collections::BTreeMap;

use tonic::{Code, Status, transport::Channel};
use userpool::proto::{
    DescribeUserPoolRequest, DescribeUserPoolResponse, DomainDescription,
    ListUserPoolDomainsRequest, ListUserPoolEventsRequest, ListUserPoolsRequest, UserPoolEvent,
    UserPoolEventFilter, user_pool_history_service_client::UserPoolHistoryServiceClient,
    user_pool_service_client::UserPoolServiceClient,
};

use crate::support::{Client, metadata, reason};

/// All data that clients can see, by the call that shows it.
#[derive(Debug, PartialEq)]
pub(super) struct Snapshot {
    pub(super) pools: BTreeMap<String, DescribeUserPoolResponse>,
    domains: Vec<DomainDescription>,
    pub(super) events: Vec<UserPoolEvent>,
}

impl Snapshot {
    pub(super) async fn of(channel: Channel) -> Self {
        let mut client = UserPoolServiceClient::new(channel.clone());
        let pools = pools(&mut client).await.expect("readable");
        let domains = domains(&mut client).await.expect("readable");
        let events = events(channel, None).await;
        Self { pools, domains, events: events.expect("readable") }
    }

    /// Checks all current data, which must be right, and the history, which may be
    /// damaged and then names its position. Returns that.
    ///
    /// # Errors
    /// The server refuses to show current data.
    pub(super) async fn check(&self, channel: Channel) -> Result<Option<u64>, Status> {
        let mut client = UserPoolServiceClient::new(channel.clone());
        let pools = pools(&mut client).await?;
        assert!(pools == self.pools, "other user pools are served");
        let domains = domains(&mut client).await?;
        assert!(domains == self.domains, "other domains are served");
        let damaged = match events(channel.clone(), None).await {
            Ok(events) => {
                assert!(events == self.events, "another history is served");
                return Ok(None);
            }
            Err(status) => place(status)?,
        };
        // The other calls still work.
        let mut served = 0;
        for id in self.pools.keys() {
            match events(channel.clone(), Some(id)).await {
                Ok(events) => {
                    let expected = self.events.iter().filter(|event| event.user_pool_id == *id);
                    assert!(expected.eq(&events), "another history of {id} is served");
                    served += 1;
                }
                Err(status) => assert!(place(status)? >= damaged),
            }
        }
        assert!(served > 0 || damaged > 0, "{served} of {}", self.pools.len());
        Ok(Some(damaged))
    }
}

/// The position at which the history is damaged, as a client learns it.
fn place(status: Status) -> Result<u64, Status> {
    if status.code() != Code::DataLoss {
        return Err(status);
    }
    assert_eq!(reason(&status), "HISTORY_DAMAGED");
    Ok(metadata(&status, "position").expect("a position").parse().expect("a number"))
}

async fn pools(client: &mut Client) -> Result<BTreeMap<String, DescribeUserPoolResponse>, Status> {
    let mut pools = BTreeMap::new();
    let mut list = ListUserPoolsRequest {
        max_results: Some(60),
        next_token: None,
        ..ListUserPoolsRequest::default()
    };
    loop {
        let page = client.list_user_pools(list.clone()).await?.into_inner();
        for pool in page.user_pools {
            let request = DescribeUserPoolRequest {
                user_pool_id: pool.id.clone(),
                ..DescribeUserPoolRequest::default()
            };
            let described = client.describe_user_pool(request).await?.into_inner();
            pools.insert(pool.id.expect("an ID"), described);
        }
        list.next_token = page.next_token;
        if list.next_token.is_none() {
            return Ok(pools);
        }
    }
}

async fn domains(client: &mut Client) -> Result<Vec<DomainDescription>, Status> {
    let mut domains = Vec::new();
    let mut list = ListUserPoolDomainsRequest {
        max_results: Some(60),
        next_token: None,
        ..ListUserPoolDomainsRequest::default()
    };
    loop {
        let page = client.list_user_pool_domains(list.clone()).await?.into_inner();
        domains.extend(page.domains);
        list.next_token = page.next_token;
        if list.next_token.is_none() {
            return Ok(domains);
        }
    }
}

/// All events, or those of one user pool, with their stored records.
async fn events(channel: Channel, id: Option<&str>) -> Result<Vec<UserPoolEvent>, Status> {
    let mut client = UserPoolHistoryServiceClient::new(channel);
    let filter = UserPoolEventFilter { user_pool_id: id.map(str::to_owned), ..Default::default() };
    let mut list = ListUserPoolEventsRequest {
        filter: Some(filter),
        page_size: 1000,
        include_records: true,
        ..Default::default()
    };
    let mut events = Vec::new();
    loop {
        let page = client.list_user_pool_events(list.clone()).await?.into_inner();
        events.extend(page.events);
        list.page_token = page.next_page_token;
        if list.page_token.is_empty() {
            return Ok(events);
        }
    }
}
