//! SIGTERM and SIGINT end the process gracefully.

use std::{collections::BTreeSet, time::Duration};

use tempfile::TempDir;
use tokio::{sync::mpsc, task::JoinSet, time::timeout};
use tonic_health::pb::{
    HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient,
};

use crate::{
    binary::Process,
    support::{named, pools},
};

/// How long clients may take once the server has ended. tonic sometimes never ends a call whose
/// connection has ended.
const CLIENTS_END_WITHIN: Duration = Duration::from_secs(20);

#[tokio::test(flavor = "multi_thread")]
async fn a_signal_ends_the_process_gracefully_under_load() {
    for signal in ["TERM", "INT"] {
        let directory = TempDir::new().expect("a directory");
        let server = Process::start(directory.path()).await;
        let (answered, mut answers) = mpsc::unbounded_channel();
        let mut clients = JoinSet::new();
        for number in 0..8 {
            let mut client = server.client().await;
            let answered = answered.clone();
            clients.spawn(async move {
                for count in 0.. {
                    let name = format!("{number}-{count}");
                    match client.create_user_pool(named(&name)).await {
                        Ok(_) => answered.send(name).expect("a receiver"),
                        // Refused during shutdown, or failed with the connection.
                        Err(_) => return,
                    }
                }
            });
        }
        drop(answered);
        let mut acknowledged = BTreeSet::new();
        while acknowledged.len() < 50 {
            acknowledged.insert(answers.recv().await.expect("an answer"));
        }

        let ended = server.terminate(signal).await;

        assert_eq!(ended.status.code(), Some(0), "SIG{signal}: {}", ended.stderr);
        let clients_end = async {
            while let Some(client) = clients.join_next().await {
                client.expect("a client");
            }
        };
        timeout(CLIENTS_END_WITHIN, clients_end).await.ok();
        clients.shutdown().await;
        while let Some(name) = answers.recv().await {
            acknowledged.insert(name);
        }
        let server = Process::start(directory.path()).await;
        let stored = pools(&mut server.client().await).await;
        let names: BTreeSet<_> = stored.iter().filter_map(|pool| pool.name.clone()).collect();
        assert!(acknowledged.is_subset(&names), "SIG{signal} lost acknowledged changes");
        assert_eq!(names.len(), stored.len());
        server.kill().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn health_is_not_serving_during_shutdown() {
    let directory = TempDir::new().expect("a directory");
    let server = Process::start(directory.path()).await;
    let mut health = HealthClient::new(server.channel().await);
    let request = HealthCheckRequest { service: "userpool.v1.UserPoolService".to_owned() };
    let mut statuses = health.watch(request).await.expect("watched").into_inner();
    let first = statuses.message().await.expect("a status").expect("a status");
    assert_eq!(first.status(), ServingStatus::Serving);

    server.signal("TERM").await;

    let second = statuses.message().await.expect("a status").expect("a status");
    assert_eq!(second.status(), ServingStatus::NotServing);
    assert_eq!(server.ended().await.status.code(), Some(0));
}
