//! Calls at the same time. Of hundreds that conflict, one wins and the others are refused; every
//! answered caller sees the result; lists stay right.

mod domains;
mod find;
mod revisions;
mod visibility;

use futures_util::future::join_all;
use tonic::{Status, transport::Channel};
use userpool::proto::{
    DescribeUserPoolDomainRequest, DescribeUserPoolRequest, DescribeUserPoolResponse,
    DomainDescription, ListUserPoolDomainsRequest, UserPool,
    user_pool_service_client::UserPoolServiceClient,
};

use crate::{
    calls::{Answer, Call},
    support::TestServer,
};

const CONNECTIONS: usize = 16;
const CALLERS: usize = 320;

/// Many callers of one server.
struct Callers {
    server: TestServer,
    clients: Vec<UserPoolServiceClient<Channel>>,
}

impl Callers {
    async fn gather() -> Self {
        let server = TestServer::start().await;
        let clients = join_all((0..CONNECTIONS).map(|_| server.client())).await;
        Self { server, clients }
    }

    /// A client on one of the connections.
    fn client(&self, index: usize) -> UserPoolServiceClient<Channel> {
        self.clients[index % CONNECTIONS].clone()
    }

    /// Makes all calls at once, spread over the connections; returns the answers in
    /// order.
    async fn race(&self, calls: impl IntoIterator<Item = Call>) -> Vec<Result<Answer, Status>> {
        let run = |(index, call): (usize, Call)| {
            let mut client = self.client(index);
            tokio::spawn(async move { call.send(&mut client).await })
        };
        let running: Vec<_> = calls.into_iter().enumerate().map(run).collect();
        join_all(running).await.into_iter().map(|ended| ended.expect("no panic")).collect()
    }

    /// The IDs of `count` new user pools, created in a race.
    async fn pools(&self, count: usize) -> Vec<String> {
        let created = self.race((0..count).map(|index| Call::create(&format!("p{index}")))).await;
        created.into_iter().map(|created| created.expect("a user pool").id()).collect()
    }

    async fn describe(&self, id: &str) -> Result<DescribeUserPoolResponse, Status> {
        describe(&mut self.client(1), id).await
    }

    async fn describe_domain(&self, prefix: &str) -> DomainDescription {
        describe_domain(&mut self.client(2), prefix).await
    }

    async fn domains(&self) -> Vec<DomainDescription> {
        let request = ListUserPoolDomainsRequest {
            max_results: Some(60),
            next_token: None,
            ..ListUserPoolDomainsRequest::default()
        };
        let listed = self.client(3).list_user_pool_domains(request).await;
        listed.expect("domains").into_inner().domains
    }
}

async fn describe(
    client: &mut UserPoolServiceClient<Channel>,
    id: &str,
) -> Result<DescribeUserPoolResponse, Status> {
    let request = DescribeUserPoolRequest {
        user_pool_id: Some(id.to_owned()),
        ..DescribeUserPoolRequest::default()
    };
    Ok(client.describe_user_pool(request).await?.into_inner())
}

async fn describe_domain(
    client: &mut UserPoolServiceClient<Channel>,
    prefix: &str,
) -> DomainDescription {
    let request = DescribeUserPoolDomainRequest {
        domain: Some(prefix.to_owned()),
        ..DescribeUserPoolDomainRequest::default()
    };
    let described = client.describe_user_pool_domain(request).await.expect("an answer");
    described.into_inner().domain_description.expect("a description")
}

/// The index of the single winner, its answer, and the refusals of the others.
fn one_winner(answers: Vec<Result<Answer, Status>>) -> (usize, Answer, Vec<Status>) {
    let (mut winners, mut losers) = (Vec::new(), Vec::new());
    for (index, answer) in answers.into_iter().enumerate() {
        match answer {
            Ok(answer) => winners.push((index, answer)),
            Err(status) => losers.push(status),
        }
    }
    assert_eq!(winners.len(), 1, "{winners:?}");
    let (index, answer) = winners.remove(0);
    (index, answer, losers)
}

fn domain_of(pool: Option<UserPool>) -> Option<String> {
    pool.expect("a user pool").domain
}
