//! The history shows which events there were, what a user pool was in the past, and
//! whether all of it is as it was recorded.

mod checkpoints;
mod counts;
mod filters;
mod log_id;
mod pages;
mod replay;
mod signatures;
mod summaries;

use tonic::transport::Channel;
use userpool::proto::{
    DeleteUserPoolRequest, UpdateUserPoolRequest,
    user_pool_history_service_client::UserPoolHistoryServiceClient,
};

use crate::support::{TestServer, create, domain};

type History = UserPoolHistoryServiceClient<Channel>;

/// A client of the history.
async fn history(server: &TestServer) -> History {
    UserPoolHistoryServiceClient::new(server.channel().await)
}

/// Three user pools, of which one was deleted, in six events.
///
/// 1 people created · 2 staff created · 3 people has a domain · 4 guests created · 5
/// guests deleted · 6 people has tags
async fn six_events(server: &TestServer) -> [String; 3] {
    let mut client = server.client().await;
    let people = create(&mut client, "people").await;
    let staff = create(&mut client, "staff").await;
    client.create_user_pool_domain(domain("people-login", &people)).await.expect("a domain");
    let guests = create(&mut client, "guests").await;
    let delete = DeleteUserPoolRequest { user_pool_id: Some(guests.clone()), ..Default::default() };
    client.delete_user_pool(delete).await.expect("deleted");
    client.update_user_pool(tagged(&people)).await.expect("updated");
    [people, staff, guests]
}

fn tagged(user_pool_id: &str) -> UpdateUserPoolRequest {
    UpdateUserPoolRequest {
        user_pool_id: Some(user_pool_id.to_owned()),
        user_pool_tags: [("team".to_owned(), "people".to_owned())].into(),
        update_mask: vec!["user_pool_tags".to_owned()],
        ..Default::default()
    }
}
