//! Serving on a Unix socket.

use std::{fs, os::unix::net::UnixListener, path::Path};

use tempfile::TempDir;
use tokio::process::Command;

use crate::{
    binary::{Process, run, serve},
    support::{create, pools},
};

#[tokio::test(flavor = "multi_thread")]
async fn a_unix_socket_is_served_and_removed_at_the_end() {
    let directory = TempDir::new().expect("a directory");
    let socket = directory.path().join("socket");
    let server = Process::from(&mut on_socket(directory.path(), &socket)).await;
    assert_eq!(server.address(), format!("unix:{}", socket.display()));
    let mut client = server.client().await;
    create(&mut client, "people").await;
    assert_eq!(pools(&mut client).await.len(), 1);
    drop(client);

    let ended = server.terminate("TERM").await;

    assert_eq!(ended.status.code(), Some(0), "{}", ended.stderr);
    assert!(!socket.exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_socket_of_a_killed_server_is_replaced() {
    let directory = TempDir::new().expect("a directory");
    let socket = directory.path().join("socket");
    let server = Process::from(&mut on_socket(directory.path(), &socket)).await;
    create(&mut server.client().await, "people").await;
    server.kill().await;
    assert!(socket.exists());

    let server = Process::from(&mut on_socket(directory.path(), &socket)).await;

    assert_eq!(pools(&mut server.client().await).await.len(), 1);
    assert_eq!(server.terminate("TERM").await.status.code(), Some(0));
    assert!(!socket.exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_socket_in_use_and_any_other_file_are_not_replaced() {
    let directory = TempDir::new().expect("a directory");
    let used = directory.path().join("used");
    let _listener = UnixListener::bind(&used).expect("bound");
    let file = directory.path().join("file");
    fs::write(&file, "precious").expect("written");

    for path in [&used, &file] {
        let refused = run(&mut on_socket(directory.path(), path)).await;
        assert_eq!(refused.status.code(), Some(1));
        assert!(path.exists());
    }
    assert_eq!(fs::read_to_string(&file).expect("readable"), "precious");
}

fn on_socket(directory: &Path, socket: &Path) -> Command {
    let mut command = serve(&directory.join("data"));
    command.arg("--listen").arg(format!("unix:{}", socket.display()));
    command
}
