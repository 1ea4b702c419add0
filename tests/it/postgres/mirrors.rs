//! A mirror of a log gives back to a database what that has lost.

use std::{path::Path, process::Output, time::Duration};

use tempfile::TempDir;
use tokio::time::timeout;

use super::{
    cluster::{ROLE, url},
    servers::Service,
};
use crate::{
    binary::{Process, run, serve, userpool},
    linearizability::log,
    support::create,
};

/// Longer than anything here takes, unless it hangs.
const PATIENCE: Duration = Duration::from_mins(2);

/// A server of the service, as a process.
async fn start(service: &Service, data_dir: &Path) -> Process {
    Process::from(
        serve(data_dir)
            .args(["--listen", "127.0.0.1:0", "--database-durability", "managed"])
            .args(["--log-url", &url(ROLE, &[&service.test.node])])
            .args(["--log-name", &service.test.name, "--signing-key"])
            .arg(service.key()),
    )
    .await
}

/// Copies what is new.
async fn mirror(server: &Process, directory: &Path) -> Output {
    let mut command = userpool();
    command.args(["mirror", "--once", "--from", server.address(), "--data-dir"]).arg(directory);
    run(&mut command).await
}

async fn heal(service: &Service, directory: &Path) -> (bool, String) {
    let mut command = userpool();
    command.args(["log", "heal", "--log-name", &service.test.name]);
    command.args(["--log-url", &url(ROLE, &[&service.test.node])]);
    command.args(["--database-durability", "managed", "--mirror"]).arg(directory);
    printed(&run(&mut command).await)
}

fn printed(output: &Output) -> (bool, String) {
    let text = [output.stdout.as_slice(), &output.stderr].concat();
    (output.status.success(), String::from_utf8_lossy(&text).into_owned())
}

/// Loses every record after a position.
async fn lose(service: &Service, position: i64) {
    let lose = format!(
        "delete from userpool_record where log = '{}' and position > {position}",
        service.test.name
    );
    service.test.node.execute("userpool", &lose).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mirror_gives_back_what_the_database_has_lost() {
    let service = Service::new().await;
    let directory = TempDir::new().expect("a directory");
    let (data_dir, copy) = (directory.path().join("data"), directory.path().join("mirror"));
    let server = start(&service, &data_dir).await;
    for count in [3, 5] {
        // The second time, it goes on where it ended.
        while log(&server.channel().await).await.len() < count {
            create(&mut server.client().await, "people").await;
        }
        let (is_done, text) = printed(&mirror(&server, &copy).await);
        assert!(is_done && text.contains(&format!("the copy has {count} events")), "{text}");
    }
    let verify = run(userpool().args(["log", "verify", "--data-dir"]).arg(&copy)).await;
    assert!(verify.status.success(), "{verify:?}");
    let shown = log(&server.channel().await).await;

    lose(&service, 2).await;
    let ended = timeout(PATIENCE, server.ended()).await.expect("in time");
    assert_eq!(ended.status.code(), Some(3), "{}", ended.stderr);
    let (is_done, text) = heal(&service, &copy).await;
    assert!(is_done && text.contains("appended 3 records"), "{text}");

    // With the data that it had.
    let server = start(&service, &data_dir).await;
    assert_eq!(log(&server.channel().await).await, shown);
    create(&mut server.client().await, "people").await;
    let (is_done, text) = heal(&service, &copy).await;
    assert!(is_done && text.contains("goes on to position 6"), "{text}");
    server.kill().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_went_on_differently_is_not_changed() {
    let service = Service::new().await;
    let directory = TempDir::new().expect("a directory");
    let copy = directory.path().join("mirror");
    let server = start(&service, &directory.path().join("first")).await;
    for _ in 0..3 {
        create(&mut server.client().await, "people").await;
    }
    assert!(mirror(&server, &copy).await.status.success());
    server.kill().await;
    lose(&service, 2).await;
    let server = start(&service, &directory.path().join("second")).await;
    let refused = mirror(&server, &copy).await;
    assert_eq!(refused.status.code(), Some(3), "{refused:?}");
    let (_, text) = printed(&refused);
    assert!(text.contains("ends before the copy"), "{text}");
    create(&mut server.client().await, "others").await;
    let shown = log(&server.channel().await).await;

    // Neither way.
    let refused = mirror(&server, &copy).await;
    assert_eq!(refused.status.code(), Some(3), "{refused:?}");
    let (is_done, text) = heal(&service, &copy).await;
    assert!(!is_done && text.contains("different records at position 3"), "{text}");
    create(&mut server.client().await, "others").await;
    let (is_done, text) = heal(&service, &copy).await;
    assert!(!is_done && text.contains("different records at position 3"), "{text}");
    assert_eq!(log(&server.channel().await).await.len(), shown.len() + 1);
    server.kill().await;
}
