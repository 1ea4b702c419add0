//! A short program that uses a client: README.md says how to run it, and shows what it prints.

#![expect(clippy::print_stdout, reason = "an example prints its results")]

use std::{collections::BTreeMap, error::Error};

use tonic::{Code, Status};
use tonic_types::StatusExt as _;
use userpool::{
    client::{Client, Options, Tls, WatchItem},
    proto::{
        CreateUserPoolRequest, DescribeUserPoolRequest, PasswordPolicy, TagResourceRequest,
        UpdateUserPoolRequest, UserPool, UserPoolEventFilter, UserPoolPolicies,
        WatchUserPoolEventsRequest, watch_user_pool_events_request::Start,
    },
};
use uuid::Uuid;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let endpoint = std::env::args().nth(1).ok_or("give the endpoint: HOST:PORT or unix:PATH")?;
    let file = |name| std::env::var_os(name).map(Into::into);
    let options = Options {
        // With a client certificate: `identity`. The files are read again when they change.
        tls: file("USERPOOL_CA").map(|ca| Tls { ca: Some(ca), ..Tls::default() }),
        token_file: file("USERPOOL_TOKEN_FILE"),
        ..Options::to(endpoint.parse()?)
    };
    let client = options.connect().await?;

    let pool = create(&client).await?;
    refuse(&client).await;
    update(&client, &pool).await?;

    // What was recorded until now, and then what was recorded since.
    let request = WatchUserPoolEventsRequest {
        filter: Some(UserPoolEventFilter { user_pool_id: pool.id.clone(), ..Default::default() }),
        start: Some(Start::AfterPosition(0)),
        ..Default::default()
    };
    let resume = show(&client, request).await?;
    tag(&client, &pool, "identity").await?;
    show(&client, resume).await?;
    Ok(())
}

/// A retry sends the same request again, as this does, and gets the same event. The client also
/// retries by itself, after UNAVAILABLE, until its deadline.
#[expect(clippy::disallowed_methods, reason = "each change has a new request ID")]
async fn create(client: &Client) -> Result<UserPool, Box<dyn Error>> {
    let create = CreateUserPoolRequest {
        pool_name: Some("example".to_owned()),
        request_id: Some(Uuid::new_v4().to_string()),
        ..Default::default()
    };
    let mut pool = UserPool::default();
    for attempt in ["created", "sent again"] {
        let created = client.create_user_pool(create.clone()).await?;
        pool = created.user_pool.ok_or("a user pool")?;
        let (revision, position) = (created.revision, created.position);
        println!("{attempt}: {}, revision {revision}, position {position}", pool.id());
    }
    Ok(pool)
}

/// All violations are reported at once, with the paths of their fields.
async fn refuse(client: &Client) {
    let policy = PasswordPolicy { minimum_length: Some(5), ..Default::default() };
    let invalid = CreateUserPoolRequest {
        pool_name: Some("a/b".to_owned()),
        policies: Some(UserPoolPolicies { password_policy: Some(policy), ..Default::default() }),
        ..Default::default()
    };
    let Err(status) = client.create_user_pool(invalid).await else { return };
    // Decide by the code and the reason, not by the message.
    let details = status.get_error_details();
    if let Some(info) = details.error_info() {
        println!("refused: {}", info.reason);
        for (key, value) in info.metadata.iter().collect::<BTreeMap<_, _>>() {
            println!("  {key}: {value}");
        }
    }
    for violation in details.bad_request().into_iter().flat_map(|all| &all.field_violations) {
        println!("  {} {}", violation.field, violation.description);
    }
}

/// Changes the tags that it read, although another client changes them meanwhile.
async fn update(client: &Client, pool: &UserPool) -> Result<(), Status> {
    let describe = DescribeUserPoolRequest { user_pool_id: pool.id.clone(), ..Default::default() };
    let mut read = client.describe_user_pool(describe.clone()).await?;
    tag(client, pool, "payments").await?;
    loop {
        let mut tags = read.user_pool.unwrap_or_default().user_pool_tags;
        tags.insert("stage".to_owned(), "test".to_owned());
        let update = UpdateUserPoolRequest {
            user_pool_id: pool.id.clone(),
            user_pool_tags: tags.clone(),
            update_mask: vec!["user_pool_tags".to_owned()],
            // Without it, this would remove the tag of the other client.
            expected_revision: Some(read.revision),
            ..Default::default()
        };
        match client.update_user_pool(update).await {
            Ok(updated) => {
                let keys: Vec<_> = tags.into_keys().collect();
                println!("updated: revision {}, tags {}", updated.revision, keys.join(", "));
                return Ok(());
            }
            Err(status) if status.code() == Code::Aborted => {
                let info = status.get_details_error_info().ok_or(status)?;
                println!("{}: reading again", info.reason);
                read = client.describe_user_pool(describe.clone()).await?;
            }
            Err(status) => return Err(status),
        }
    }
}

async fn tag(client: &Client, pool: &UserPool, team: &str) -> Result<(), Status> {
    let request = TagResourceRequest {
        resource_arn: pool.arn.clone(),
        tags: [("team".to_owned(), team.to_owned())].into(),
        ..Default::default()
    };
    client.tag_resource(request).await.map(|_| ())
}

/// Prints the events that the request asks for, until it has seen them all, and returns the request
/// for those after them. A program stores it together with the results of the events.
async fn show(
    client: &Client,
    request: WatchUserPoolEventsRequest,
) -> Result<WatchUserPoolEventsRequest, Status> {
    // Dropping it ends the watch.
    let mut watch = client.watch(request).await?;
    loop {
        match watch.next().await? {
            WatchItem::Event(event) => {
                println!("event {}: {}", event.revision, event.r#type().as_str_name());
            }
            WatchItem::Checkpoint(checkpoint) if checkpoint.caught_up => {
                println!("caught up at position {}", checkpoint.position);
                return Ok(watch.resume_request().clone());
            }
            // The watch resumes by itself: it misses and repeats no event.
            WatchItem::Checkpoint(_) | WatchItem::Disconnected { .. } => (),
        }
    }
}
