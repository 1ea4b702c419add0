//! `kill -9` under load loses no acknowledged change and duplicates none.

use std::collections::BTreeMap;

use tempfile::TempDir;
use tokio::{sync::mpsc, task::JoinSet};
use userpool::proto::CreateUserPoolRequest;
use uuid::Uuid;

use crate::{
    binary::Process,
    support::{Client, named, pools},
};

const ROUNDS: usize = 3;
const CLIENTS: usize = 12;
/// The number of acknowledged changes in a round before the server is killed.
const ACKNOWLEDGED: usize = 150;

#[tokio::test(flavor = "multi_thread")]
async fn kill_9_loses_no_acknowledged_change_and_repeats_none() {
    let directory = TempDir::new().expect("a directory");
    let mut acknowledged = BTreeMap::new();
    let mut unanswered = Vec::new();
    for round in 0..ROUNDS {
        let server = Process::start(directory.path()).await;
        let (answered, mut answers) = mpsc::unbounded_channel();
        let mut clients = JoinSet::new();
        for number in 0..CLIENTS {
            let client = server.client().await;
            let answered = answered.clone();
            clients
                .spawn(async move { create_until_killed(client, round, number, answered).await });
        }
        for _ in 0..ACKNOWLEDGED {
            let (name, id, position) = answers.recv().await.expect("an answer");
            acknowledged.insert(name, (id, position));
        }
        server.kill().await;
        // Changes that were answered before the end are acknowledged too.
        unanswered.extend(clients.join_all().await);
        drop(answered);
        while let Some((name, id, position)) = answers.recv().await {
            acknowledged.insert(name, (id, position));
        }
    }

    let server = Process::start(directory.path()).await;
    let mut client = server.client().await;
    let stored = by_name(&mut client).await;
    for (name, (id, _)) in &acknowledged {
        assert_eq!(stored.get(name), Some(&vec![id.clone()]), "{name}");
    }
    for name in stored.keys() {
        assert!(acknowledged.contains_key(name) || unanswered.contains(name), "{name}");
    }
    assert!(stored.values().all(|ids| ids.len() == 1), "{stored:?}");

    // A client without an answer retries with the same `request_id`.
    for name in &unanswered {
        client.create_user_pool(retriable(name)).await.expect("created now or before");
    }
    let now = by_name(&mut client).await;
    assert_eq!(now.len(), acknowledged.len() + unanswered.len());
    assert!(now.values().all(|ids| ids.len() == 1), "{now:?}");
    let position = |(name, (id, position)): (&String, &(String, i64))| {
        assert_eq!(now.get(name), Some(&vec![id.clone()]));
        *position
    };
    let mut positions: Vec<_> = acknowledged.iter().map(position).collect();
    positions.sort_unstable();
    positions.dedup();
    assert_eq!(positions.len(), acknowledged.len(), "no position was given twice");
    assert!(server.terminate("TERM").await.status.success());
}

/// Creates one user pool after the other; returns the name that got no answer.
async fn create_until_killed(
    mut client: Client,
    round: usize,
    number: usize,
    answered: mpsc::UnboundedSender<(String, String, i64)>,
) -> String {
    for count in 0.. {
        let name = format!("{round}-{number}-{count}");
        let Ok(created) = client.create_user_pool(retriable(&name)).await else { return name };
        let created = created.into_inner();
        let id = created.user_pool.and_then(|pool| pool.id).expect("an ID");
        answered.send((name, id, created.position)).expect("a receiver");
    }
    unreachable!("there are many numbers");
}

/// A request whose request ID follows from the name.
fn retriable(name: &str) -> CreateUserPoolRequest {
    let mut bytes = [0; 16];
    bytes[..name.len()].copy_from_slice(name.as_bytes());
    let request_id = Uuid::from_bytes(bytes).to_string();
    CreateUserPoolRequest { request_id: Some(request_id), ..named(name) }
}

async fn by_name(client: &mut Client) -> BTreeMap<String, Vec<String>> {
    let mut names: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for pool in pools(client).await {
        let (name, id) = (pool.name.expect("a name"), pool.id.expect("an ID"));
        names.entry(name).or_default().push(id);
    }
    names
}
