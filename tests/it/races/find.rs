//! Lists stay right while user pools are deleted and restored.

use std::sync::atomic::{AtomicBool, Ordering};

use userpool::proto::{
    DeleteUserPoolRequest, DeletedUserPools, RestoreUserPoolRequest, UserPoolFilter,
};

use crate::{
    find::found_names,
    support::{TestServer, create},
};

const ROUNDS: i64 = 300;

/// Deletes and restores a user pool again and again.
async fn delete_and_restore(server: &TestServer, id: &str) {
    let mut client = server.client().await;
    for round in 0..ROUNDS {
        let user_pool_id = Some(id.to_owned());
        let request = DeleteUserPoolRequest { user_pool_id, ..DeleteUserPoolRequest::default() };
        client.delete_user_pool(request).await.expect("deleted");
        let restored = RestoreUserPoolRequest {
            user_pool_id: Some(id.to_owned()),
            revision: Some(1 + 2 * round),
            ..RestoreUserPoolRequest::default()
        };
        client.restore_user_pool(restored).await.expect("restored");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_pool_that_is_deleted_and_restored_is_listed_once() {
    let server = TestServer::start().await;
    let mut client = server.client().await;
    let id = create(&mut client, "people").await;
    let other = create(&mut client, "people-other").await;
    let by_name =
        UserPoolFilter { name_prefix: Some("people".to_owned()), ..UserPoolFilter::default() };
    let no_domain = UserPoolFilter { no_domain: true, ..UserPoolFilter::default() };
    let has_ended = AtomicBool::new(false);
    let change = async {
        tokio::join!(delete_and_restore(&server, &id), delete_and_restore(&server, &other));
        has_ended.store(true, Ordering::Relaxed);
    };
    let list = async {
        let mut lists = 0_usize;
        while !has_ended.load(Ordering::Relaxed) {
            for filter in [&by_name, &no_domain, &UserPoolFilter::default()] {
                let deleted = DeletedUserPools::Included.into();
                let filter = UserPoolFilter { deleted, ..filter.clone() };
                let names = found_names(&mut client, &filter, 60).await;
                assert_eq!(names, ["people", "people-other"], "{filter:?}");
                // At most those that are deleted now; the server does not take it for damage.
                let deleted = DeletedUserPools::Only.into();
                let filter = UserPoolFilter { deleted, ..filter };
                assert!(found_names(&mut client, &filter, 60).await.len() <= 2);
                lists += 1;
            }
        }
        assert!(lists > 0, "nothing was listed");
    };
    tokio::join!(change, list);
    server.stop().await;
}
