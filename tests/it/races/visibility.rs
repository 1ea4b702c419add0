//! An answered change is visible to everybody at once.

use futures_util::future::join_all;
use userpool::proto::DomainDescription;

use crate::{calls::Call, support::reason};

use super::{CONNECTIONS, Callers, describe, describe_domain, domain_of};

#[tokio::test(flavor = "multi_thread")]
async fn an_answered_change_is_visible_on_any_connection() {
    let crowd = Callers::gather().await;
    let callers = (0..CONNECTIONS).map(|index| {
        let (mut writer, mut reader) = (crowd.client(index), crowd.client(index + 1));
        let prefix = format!("login-{index}");
        tokio::spawn(async move {
            for _ in 0..4 {
                let created = Call::create("people").send(&mut writer).await.expect("a user pool");
                let id = created.id();
                let seen = describe(&mut reader, &id).await.expect("a user pool");
                assert_eq!(seen.user_pool, created.user_pool);
                assert_eq!((seen.revision, seen.position), (1, created.position));

                let tagged = Call::tag(&id, "one").send(&mut writer).await.expect("tagged");
                let seen = describe(&mut reader, &id).await.expect("a user pool");
                assert_eq!(seen.user_pool, tagged.user_pool);
                assert_eq!((seen.revision, seen.position), (2, tagged.position));

                let assigned =
                    Call::assign(&id, &prefix).send(&mut writer).await.expect("a domain");
                let seen = describe(&mut reader, &id).await.expect("a user pool");
                assert_eq!((seen.revision, seen.position), (3, assigned.position));
                assert_eq!(domain_of(seen.user_pool).as_ref(), Some(&prefix));
                let owner = describe_domain(&mut reader, &prefix).await.user_pool_id;
                assert_eq!(owner.as_ref(), Some(&id));

                Call::release(&id, &prefix).send(&mut writer).await.expect("released");
                assert_eq!(
                    describe_domain(&mut reader, &prefix).await,
                    DomainDescription::default()
                );
                let seen = describe(&mut reader, &id).await.expect("a user pool");
                assert_eq!(domain_of(seen.user_pool), None);

                Call::delete(&id).send(&mut writer).await.expect("deleted");
                let gone = describe(&mut reader, &id).await.expect_err("it is gone");
                assert_eq!(reason(&gone), "USER_POOL_DELETED");
            }
        })
    });
    for ended in join_all(callers).await {
        ended.expect("no panic");
    }
    crowd.server.stop().await;
}
