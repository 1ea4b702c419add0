//! Acknowledged changes survive a restart, whatever happened to the read model.

mod clock;
mod failed_appends;
pub(crate) mod queue;
pub(crate) mod shutdown;

use std::{fs, path::Path};

use tempfile::TempDir;
use userpool::proto::{
    DeleteUserPoolRequest, DescribeUserPoolRequest, DescribeUserPoolResponse, DomainDescription,
    ListUserPoolDomainsRequest, ListUserPoolsRequest, UpdateUserPoolRequest,
};

use crate::support::{
    Client, TestServer, change_read_model, copy_directory, create, domain, named,
};

#[tokio::test(flavor = "multi_thread")]
async fn acknowledged_changes_survive_a_restart() {
    let server = TestServer::start().await;
    let mut client = server.client().await;
    let id = create(&mut client, "people").await;
    let updated = client.update_user_pool(renamed(&id)).await.expect("updated").into_inner();
    let assigned = client.create_user_pool_domain(domain("people-login", &id)).await;
    let assigned = assigned.expect("a domain").into_inner();
    let gone = create(&mut client, "gone").await;
    client.delete_user_pool(deletion(&gone)).await.expect("deleted");
    assert_eq!((updated.revision, updated.position), (2, 2));
    let before = seen(&mut client).await;

    let server = server.restart().await.restart().await;

    let mut client = server.client().await;
    assert_eq!(seen(&mut client).await, before);
    let found = describe(&mut client, &id).await;
    assert_eq!((found.revision, found.position), (assigned.revision, assigned.position));
    let again = client.delete_user_pool(deletion(&gone)).await.expect_err("deleted before");
    assert_eq!(crate::support::reason(&again), "USER_POOL_DELETED");
    let next = client.create_user_pool(named("next")).await.expect("created").into_inner();
    assert_eq!(next.position, 6, "the log continues where it was");
    server.stop().await;
}

/// The damages to a read model, by name.
type Damage<'a> = (&'a str, &'a dyn Fn(&Path));

#[tokio::test(flavor = "multi_thread")]
async fn an_unusable_read_model_is_rebuilt() {
    let shorter = TestServer::start().await;
    create(&mut shorter.client().await, "of another log").await;
    let shorter = shorter.stop().await;

    let damages: [Damage<'_>; 6] = [
        ("deleted", &|path| fs::remove_dir_all(path).expect("removed")),
        ("garbage", &|path| overwrite(path, |bytes| bytes.fill(0xa5))),
        ("cut short", &|path| overwrite(path, |bytes| bytes.truncate(bytes.len() / 2))),
        ("empty files", &|path| overwrite(path, Vec::clear)),
        ("another, shorter log", &|path| replace(path, &shorter.path().join("read_model"))),
        ("another form", &|path| {
            change_read_model(path, |_, index| {
                let checkpoint = index.get("m").expect("readable").expect("a checkpoint");
                let mut checkpoint = checkpoint.to_vec();
                assert_eq!(checkpoint[0], 8, "the first field is the form");
                checkpoint[1] += 1;
                index.insert("m", checkpoint).expect("written");
            });
        }),
    ];
    for (damage, change) in damages {
        let server = TestServer::start().await;
        let mut client = server.client().await;
        fill(&mut client).await;
        let before = seen(&mut client).await;

        let server = server.restart_after(|path| change(&path.join("read_model"))).await;

        let mut client = server.client().await;
        assert_eq!(seen(&mut client).await, before, "{damage}");
        let retried = client.create_user_pool(retriable()).await.expect("the first answer again");
        assert_eq!(retried.into_inner().position, 1, "{damage}");
        server.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_read_model_that_is_behind_catches_up() {
    let old = TempDir::new().expect("a directory");
    let server = TestServer::start().await;
    fill(&mut server.client().await).await;
    let server =
        server.restart_after(|path| copy_directory(&path.join("read_model"), old.path())).await;
    let mut client = server.client().await;
    for pool in seen(&mut client).await.0 {
        let id = pool.user_pool.and_then(|pool| pool.id).expect("an ID");
        client.update_user_pool(renamed(&id)).await.expect("updated");
    }
    create(&mut client, "late").await;
    let before = seen(&mut client).await;

    let server = server.restart_after(|path| replace(&path.join("read_model"), old.path())).await;

    assert_eq!(seen(&mut server.client().await).await, before);
    server.stop().await;
}

/// User pools with and without domains, changed and deleted ones.
async fn fill(client: &mut Client) {
    client.create_user_pool(retriable()).await.expect("created");
    for number in 0..5 {
        let id = create(client, "people").await;
        if number % 2 == 0 {
            client.update_user_pool(renamed(&id)).await.expect("updated");
            let domain = domain(&format!("login-{number}"), &id);
            client.create_user_pool_domain(domain).await.expect("a domain");
        }
    }
    let id = create(client, "gone").await;
    client.delete_user_pool(deletion(&id)).await.expect("deleted");
}

/// All data that clients can see.
async fn seen(client: &mut Client) -> (Vec<DescribeUserPoolResponse>, Vec<DomainDescription>) {
    let list = ListUserPoolsRequest { max_results: Some(60), ..Default::default() };
    let listed = client.list_user_pools(list).await.expect("listed").into_inner();
    assert_eq!(listed.next_token, None, "one page");
    let mut pools = Vec::new();
    for pool in listed.user_pools {
        let described = describe(client, &pool.id.expect("an ID")).await;
        assert_eq!(described.revision, pool.revision);
        pools.push(described);
    }
    let list = ListUserPoolDomainsRequest { max_results: Some(60), ..Default::default() };
    let domains = client.list_user_pool_domains(list).await.expect("listed").into_inner();
    (pools, domains.domains)
}

async fn describe(client: &mut Client, id: &str) -> DescribeUserPoolResponse {
    let request = DescribeUserPoolRequest {
        user_pool_id: Some(id.to_owned()),
        ..DescribeUserPoolRequest::default()
    };
    client.describe_user_pool(request).await.expect("described").into_inner()
}

fn retriable() -> userpool::proto::CreateUserPoolRequest {
    let request_id = Some("0193b5f0-7c5e-7d7a-9c55-2d1d8f1b6a01".to_owned());
    userpool::proto::CreateUserPoolRequest { request_id, ..named("first") }
}

fn renamed(id: &str) -> UpdateUserPoolRequest {
    UpdateUserPoolRequest {
        user_pool_id: Some(id.to_owned()),
        user_pool_tags: [("team".to_owned(), "payments".to_owned())].into(),
        ..Default::default()
    }
}

fn deletion(id: &str) -> DeleteUserPoolRequest {
    DeleteUserPoolRequest { user_pool_id: Some(id.to_owned()), ..Default::default() }
}

fn replace(path: &Path, by: &Path) {
    fs::remove_dir_all(path).expect("removed");
    copy_directory(by, path);
}

fn overwrite(path: &Path, change: impl Fn(&mut Vec<u8>)) {
    for entry in fs::read_dir(path).expect("a directory") {
        let path = entry.expect("an entry").path();
        if path.is_file() {
            let mut bytes = fs::read(&path).expect("readable");
            change(&mut bytes);
            fs::write(&path, bytes).expect("written");
        }
    }
}
