//! The end of a server whose accept tasks panic, or whose connections still write. Here, because
//! nothing that a client sends causes such a panic, and because time must stand still.

mod witnesses;

use std::{path::Path, sync::Arc, time::Duration};

use tokio::time::{sleep, timeout};

use super::{
    Config, Server, ServerError,
    accept_task::{AcceptTask, ShutdownSignals},
};
use crate::{
    app::SystemSource,
    event_log::MemoryLog,
    transport::{Endpoint, abort::AbortSignal},
};

const LIMIT: Duration = Duration::from_secs(10);

fn any() -> Endpoint {
    Endpoint::Tcp("127.0.0.1:0".to_owned())
}

async fn server(directory: &Path) -> Server {
    let all = |config: &mut Config| {
        config.aws_listen = Some(any());
        config.console_listen = Some(any());
    };
    server_with(directory, all).await
}

async fn server_with(directory: &Path, change: impl FnOnce(&mut Config)) -> Server {
    let mut config = Config::new(any(), directory.to_owned());
    change(&mut config);
    let (log, source) = (Arc::new(MemoryLog::default()), Arc::new(SystemSource));
    let server = Server::on(log, &directory.join("read_model"), config, source).await;
    server.expect("a server")
}

/// A listener of the server.
#[derive(Clone, Copy)]
enum Door {
    Grpc,
    Aws,
    Console,
}

const DOORS: [Door; 3] = [Door::Grpc, Door::Aws, Door::Console];

/// Replaces the accept task of a listener.
fn replace(server: &mut Server, door: Door, task: AcceptTask) {
    let listeners = &mut server.listeners;
    let accept = match door {
        Door::Grpc => &mut listeners.grpc.accept,
        Door::Aws => &mut listeners.aws.as_mut().expect("a listener").accept,
        Door::Console => &mut listeners.console.as_mut().expect("a listener").accept,
    };
    *accept = task;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_panic_of_any_accept_task_ends_the_server() {
    for door in DOORS {
        let directory = tempfile::tempdir().expect("a directory");
        let mut server = server(directory.path()).await;
        replace(&mut server, door, AcceptTask::spawn(async |_| panic!("injected")));
        let result = timeout(LIMIT, server.serve(std::future::pending())).await;
        assert!(matches!(result, Ok(Err(ServerError::Transport(_)))), "{result:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_waits_for_any_accept_task() {
    for door in DOORS {
        let directory = tempfile::tempdir().expect("a directory");
        let mut server = server(directory.path()).await;
        let task = AcceptTask::spawn(async |ShutdownSignals { mut drain, abort: _ }| {
            drain.wait_for(|drain| *drain).await.map(|_| ()).expect("a drain");
            panic!("injected");
        });
        replace(&mut server, door, task);
        let result = timeout(LIMIT, server.serve(std::future::ready(()))).await;
        assert!(matches!(result, Ok(Err(ServerError::Transport(_)))), "{result:?}");
    }
}

/// Calls that have ended can have much left to send.
#[tokio::test(start_paused = true)]
async fn a_stop_aborts_no_connections_while_they_are_written_to() {
    let directory = tempfile::tempdir().expect("a directory");
    let mut server = server(directory.path()).await;
    let task = AcceptTask::spawn(async |ShutdownSignals { mut drain, abort }| {
        let AbortSignal { mut signal, progress } = abort;
        drain.wait_for(|drain| *drain).await.map(|_| ()).expect("a drain");
        for _ in 0..10 {
            progress.add();
            sleep(Duration::from_millis(500)).await;
        }
        assert!(!*signal.borrow(), "it was aborted");
        signal.wait_for(|abort| *abort).await.map(|_| ()).expect("an end");
    });
    replace(&mut server, Door::Grpc, task);
    server.serve(std::future::ready(())).await.expect("stopped");
}
