//! `userpool delete` shows what it deletes, and asks, by the rule of restore and update.

use super::{
    create,
    restore::{answer, on_terminal},
    run,
};
use crate::{calls::Call, support::TestServer};

#[tokio::test(flavor = "multi_thread")]
async fn a_person_confirms_a_deletion() {
    let server = TestServer::start().await;
    let id = create(&server, "people").await;
    let delete = ["delete", &id];
    let (refused, seen) = on_terminal(&server, &delete, async |person| answer(person, "")).await;
    assert_eq!((refused.code, refused.stdout.as_str()), (1, ""));
    let shown = format!("userpool: {id}, named people, is at revision 1; after the deletion, ");
    assert!(seen.contains(&shown), "{seen}");
    assert!(seen.ends_with("userpool: nothing was changed\n"), "{seen}");

    let (deleted, seen) = on_terminal(&server, &delete, async |person| answer(person, "y")).await;
    assert_eq!((deleted.code, &deleted.json()["revision"]), (0, &"2".into()), "{seen}");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn only_what_was_shown_is_deleted() {
    let server = TestServer::start().await;
    let id = create(&server, "people").await;
    let mut client = server.client().await;
    let (refused, seen) = on_terminal(&server, &["delete", &id], async |person| {
        tokio::task::block_in_place(|| person.read_until("continue? [y/N]"));
        Call::set_tag(&id, "stage", "live").send(&mut client).await.expect("tagged");
        person.type_line("y");
    })
    .await;
    assert_eq!(refused.code, 64 + 10, "{seen}");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_terminal_a_deletion_must_be_told() {
    let server = TestServer::start().await;
    let id = create(&server, "people").await;
    let refused = run(&server, &["delete", &id]).await;
    assert_eq!((refused.code, refused.stdout.as_str()), (1, ""));
    let remedy = "userpool: this deletes the user pool, and there is no terminal to ask on; to do it \
                  without asking, add --yes\n";
    assert!(refused.stderr.ends_with(remedy), "{refused:?}");
    let checked = run(&server, &["delete", &id, "--validate-only"]).await;
    assert_eq!((checked.code, checked.stderr.as_str()), (0, ""), "{checked:?}");
    // What would be refused is refused first.
    let other = create(&server, "staff").await;
    assert_eq!(run(&server, &["domain", "create", "staff-login", &other]).await.code, 0);
    let owner = run(&server, &["delete", &other]).await;
    assert_eq!(owner.code, 64 + 9, "{owner:?}");
    assert!(!owner.stderr.contains("--yes"), "{owner:?}");
    let absent = run(&server, &["delete", "us-east-1_AbCdEfGhI"]).await;
    assert_eq!(absent.code, 64 + 5, "{absent:?}");

    let request_id = "0193b5f0-7c5e-7d7a-9c55-2d1d8f1b6a01";
    let delete = ["delete", &id, "--yes", "--request-id", request_id];
    let deleted = run(&server, &delete).await;
    assert_eq!((deleted.code, deleted.stderr.as_str()), (0, ""), "{deleted:?}");
    // A retry is answered, also without the flag: there is nothing to ask.
    for retry in [&delete[..], &["delete", &id, "--request-id", request_id]] {
        assert_eq!(run(&server, retry).await.stdout, deleted.stdout, "{retry:?}");
    }
    // Also that of a person who was asked.
    let asked = create(&server, "asked").await;
    let delete = ["delete", &asked, "--request-id", "0193b5f0-7c5e-7d7a-9c55-2d1d8f1b6a03"];
    let (deleted, seen) = on_terminal(&server, &delete, async |person| answer(person, "y")).await;
    assert_eq!(deleted.code, 0, "{seen}");
    assert_eq!(run(&server, &delete).await.stdout, deleted.stdout);
    // Nor is it refused because the user pool is back.
    let again = create(&server, "again").await;
    let request_id = "0193b5f0-7c5e-7d7a-9c55-2d1d8f1b6a02";
    let delete =
        ["delete", &again, "--yes", "--request-id", request_id, "--expected-revision", "1"];
    let deleted = run(&server, &delete).await;
    assert_eq!(run(&server, &["restore", &again, "--to", "1", "--yes"]).await.code, 0);
    assert_eq!(run(&server, &delete).await.stdout, deleted.stdout);
    let asked = run(&server, &[&delete[..2], &delete[3..]].concat()).await;
    assert_eq!((asked.code, asked.stderr.ends_with(remedy)), (1, true), "{asked:?}");
    server.stop().await;
}
