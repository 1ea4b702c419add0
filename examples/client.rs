//! Creates a user pool, gives it a domain, shows it, and follows what happens:
//! `cargo run --example client -- 127.0.0.1:50051 people-login`
//!
//! The client sets the deadlines, repeats what may be repeated, and makes the
//! `request_id`s that keep a repeated change from being made twice.

#![expect(clippy::print_stdout, reason = "it is what an example is for")]

use std::error::Error;

use userpool::{
    client::{Options, WatchItem},
    proto::{
        CreateUserPoolDomainRequest, CreateUserPoolRequest, DescribeUserPoolRequest,
        UserPoolEventFilter, WatchUserPoolEventsRequest, watch_user_pool_events_request::Start,
    },
};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let endpoint = arguments.next().ok_or("give the endpoint: HOST:PORT or unix:PATH")?;
    let domain = arguments.next().ok_or("give the domain prefix")?;
    // With TLS: `Options { tls: Some(Tls { ca: .., ..Tls::default() }), ..Options::to(..) }`.
    let client = Options::to(endpoint.parse()?).connect().await?;

    let create = CreateUserPoolRequest {
        pool_name: Some("example".to_owned()),
        ..CreateUserPoolRequest::default()
    };
    let created = client.create_user_pool(create).await?;
    let id = created.user_pool.and_then(|pool| pool.id).ok_or("a user pool has an ID")?;
    println!("created {id}");

    let assign = CreateUserPoolDomainRequest {
        domain: Some(domain),
        user_pool_id: Some(id.clone()),
        // Only if nobody else has changed it since.
        expected_revision: Some(created.revision),
        ..CreateUserPoolDomainRequest::default()
    };
    client.create_user_pool_domain(assign).await?;

    let describe = DescribeUserPoolRequest { user_pool_id: Some(id.clone()) };
    let described = client.describe_user_pool(describe).await?;
    let pool = described.user_pool.unwrap_or_default();
    println!("{} has the domain {} at revision {}", pool.name(), pool.domain(), described.revision);

    // What happened to it, from the beginning, and then what happens. A program keeps
    // the position of the last event that it dealt with, and starts after it.
    let filter = UserPoolEventFilter { user_pool_id: Some(id), ..UserPoolEventFilter::default() };
    let request = WatchUserPoolEventsRequest {
        filter: Some(filter),
        start: Some(Start::AfterPosition(0)),
        ..WatchUserPoolEventsRequest::default()
    };
    let mut watch = client.watch(request).await?;
    let mut seen = 0;
    while seen < described.revision {
        match watch.next().await? {
            WatchItem::Event(event) => {
                seen = event.revision;
                println!("event {seen}: {}", event.r#type().as_str_name());
            }
            // The place is kept, also over a connection that is lost.
            WatchItem::Checkpoint(_) | WatchItem::Disconnected { .. } => (),
        }
    }
    Ok(())
}
