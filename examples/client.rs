//! Creates a user pool, assigns a domain to it, shows it, and watches its events:
//! `cargo run --example client -- 127.0.0.1:50051 people-login`
//!
//! The client sets deadlines, retries calls that are safe to retry, and generates the
//! `request_id` that keeps a retried change from being made twice.

#![expect(clippy::print_stdout, reason = "an example prints its results")]

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
        // The call fails if the user pool has changed since.
        expected_revision: Some(created.revision),
        ..CreateUserPoolDomainRequest::default()
    };
    client.create_user_pool_domain(assign).await?;

    let describe = DescribeUserPoolRequest {
        user_pool_id: Some(id.clone()),
        ..DescribeUserPoolRequest::default()
    };
    let described = client.describe_user_pool(describe).await?;
    let pool = described.user_pool.unwrap_or_default();
    println!("{} has the domain {} at revision {}", pool.name(), pool.domain(), described.revision);

    // Old events from the beginning, then new ones. A program stores the position of
    // the last event that it processed, and starts after it.
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
            // The watch resumes by itself after a lost connection.
            WatchItem::Checkpoint(_) | WatchItem::Disconnected { .. } => (),
        }
    }
    Ok(())
}
