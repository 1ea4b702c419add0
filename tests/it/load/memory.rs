//! The size of the cache is a setting; other data is read from the disk.

use futures_util::future::join_all;
use userpool::proto::CreateUserPoolRequest;

use crate::support::{TestServer, describe, named};

/// The number and the size of the user pools: more than the cache holds.
const USER_POOLS: usize = 1200;
const TEXT: usize = 2000;

#[tokio::test(flavor = "multi_thread")]
async fn user_pools_beyond_the_cache_are_read_from_the_disk() {
    let server = TestServer::with(|config| config.cache = 0).await;
    let client = server.client().await;
    let creating = (0..USER_POOLS).map(|number| {
        let mut client = client.clone();
        let email_verification_message = Some("{####}".repeat(TEXT / 6));
        let request = CreateUserPoolRequest {
            email_verification_message,
            ..named(&format!("pool-{number}"))
        };
        async move { client.create_user_pool(request).await.expect("created").into_inner() }
    });
    let created = join_all(creating).await;

    for created in created {
        let created = created.user_pool.expect("a user pool");
        let id = created.id.clone().expect("an ID");
        let described = describe(&mut client.clone(), &id).await.expect("it is there");
        assert_eq!(described, created);
    }
}
