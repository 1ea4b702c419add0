//! Damages real files and starts the real server on them.

use std::{collections::BTreeMap, path::Path};

use tempfile::TempDir;
use tokio::task::JoinSet;
use tonic::{Status, transport::Channel};
use userpool::proto::{
    DeleteUserPoolRequest, UpdateUserPoolRequest, user_pool_service_client::UserPoolServiceClient,
};

use super::{
    Random, contents,
    damage::Damage,
    rounds, seed,
    server::{Server, ServerExit, Start, offline, serve, start},
    snapshot::Snapshot,
};
use crate::support::{Client, copy_directory, create, domain, named};

/// How many user pools there are, and how often each is changed: more events than
/// opening a log checks.
const POOLS: usize = 40;
const UPDATES: usize = 35;
/// What a server says before it ends, after it has found damage in its read model.
const READ_MODEL_FAILED: &str = "userpool: the read model failed";

/// How the server of an original ended.
enum End {
    Killed,
    Stopped,
    /// And was started once more: then sled no longer reads the whole file to open
    /// it.
    Restarted,
}

/// A data directory as a server left it, and everything that was acknowledged.
struct Original {
    directory: TempDir,
    snapshot: Snapshot,
}

impl Original {
    /// Made by a server that ended this way.
    async fn new(end: End) -> Self {
        let directory = TempDir::new().expect("a directory");
        let server = start(&mut serve(directory.path())).await.serving("an empty directory");
        let channel = server.channel();
        fill(&UserPoolServiceClient::new(channel.clone())).await;
        let snapshot = Snapshot::of(channel).await;
        match end {
            End::Killed => server.kill().await,
            End::Stopped => assert_eq!(server.terminate().await.code, Some(0)),
            End::Restarted => {
                assert_eq!(server.terminate().await.code, Some(0));
                let again = start(&mut serve(directory.path())).await.serving("a sound disk");
                assert_eq!(again.terminate().await.code, Some(0));
            }
        }
        Self { directory, snapshot }
    }

    fn copy(&self) -> TempDir {
        let copy = TempDir::new().expect("a directory");
        copy_directory(self.directory.path(), copy.path());
        copy
    }
}

async fn fill(client: &Client) {
    let mut filled = JoinSet::new();
    for number in 0..POOLS {
        let mut client = client.clone();
        filled.spawn(async move {
            let id = create(&mut client, &format!("pool-{number}")).await;
            for update in 0..UPDATES {
                client.update_user_pool(changed(&id, update)).await.expect("updated");
            }
            if number % 3 == 0 {
                let domain = domain(&format!("login-{number}"), &id);
                client.create_user_pool_domain(domain).await.expect("a domain");
            } else if number % 5 == 0 {
                let user_pool_id = Some(id);
                let delete = DeleteUserPoolRequest { user_pool_id, ..Default::default() };
                client.delete_user_pool(delete).await.expect("deleted");
            }
        });
    }
    filled.join_all().await;
}

fn changed(id: &str, update: usize) -> UpdateUserPoolRequest {
    UpdateUserPoolRequest {
        user_pool_id: Some(id.to_owned()),
        user_pool_tags: [("update".to_owned(), update.to_string())].into(),
        ..Default::default()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn damaged_files_are_served_correctly_or_refused() {
    let originals = [
        Original::new(End::Killed).await,
        Original::new(End::Stopped).await,
        Original::new(End::Restarted).await,
    ];
    let mut outcomes: BTreeMap<String, u64> = BTreeMap::new();
    for round in 0..rounds(20) {
        let seed = seed() + round;
        let mut random = Random(seed);
        // Twice as often: opening does not detect this damage.
        let original = &originals[*random.one_of(&[0, 1, 2, 2])];
        let damage = Damage::draw(&mut random, original.directory.path());
        // Printed if the round fails.
        eprintln!("USERPOOL_SEED={seed}: {damage}");
        let outcome = survive(original, &damage).await;
        eprintln!("    {outcome}");
        let part = damage.file.split('/').next().unwrap_or_default();
        *outcomes.entry(format!("{part}: {outcome}")).or_default() += 1;
    }
    eprintln!("{outcomes:#?}");
}

/// Damages a copy and starts the server on it; returns the result in a word.
async fn survive(original: &Original, damage: &Damage) -> &'static str {
    let copy = original.copy();
    let data_dir = copy.path();
    damage.do_to(data_dir);
    let damaged = contents(&data_dir.join("log"));
    match start(&mut serve(data_dir)).await {
        Start::ServerExit(ended) => {
            assert_names_file_and_remedy(&ended, damage, data_dir);
            // A refusal repairs nothing, so the second start is refused too.
            let again = start(&mut serve(data_dir)).await;
            let Start::ServerExit(again) = again else { unreachable!("repaired: {damage}") };
            assert_names_file_and_remedy(&again, damage, data_dir);
            let after = contents(&data_dir.join("log"));
            // The log was opened successfully before the key was read.
            assert!(after == damaged || damage.file == "signing_key.pem", "touched: {damage}");
            "refused"
        }
        Start::Serving(server) => {
            let Ok(damaged) = use_server(original, server.channel()).await else {
                return rebuilt(original, data_dir, server).await;
            };
            let ended = server.terminate().await;
            if ended.stderr.contains(READ_MODEL_FAILED) {
                return "served, then damage found";
            }
            assert_eq!(ended.code, Some(0), "{}", ended.stderr);
            verified(data_dir, damaged).await;
            if damaged.is_some() { "served, damage reported" } else { "served" }
        }
    }
}

/// Checks what a server shows, and makes a change. Returns the position of a damage that
/// it reports.
async fn use_server(original: &Original, channel: Channel) -> Result<Option<u64>, Status> {
    let damaged = original.snapshot.check(channel.clone()).await?;
    // The damage does not prevent new changes.
    let mut client = UserPoolServiceClient::new(channel);
    let next = client.create_user_pool(named("next")).await?.into_inner();
    let expected = i64::try_from(original.snapshot.events.len() + 1).expect("small");
    assert_eq!(next.position, expected);
    Ok(damaged)
}

/// A server that refuses to show current data has found damage in its read model: it ends,
/// and the next one shows the truth.
async fn rebuilt(original: &Original, data_dir: &Path, server: Server) -> &'static str {
    let ended = server.ended().await;
    assert!(ended.stderr.contains(READ_MODEL_FAILED), "{}", ended.stderr);
    let Start::Serving(server) = start(&mut serve(data_dir)).await else {
        unreachable!("refused after damage to the read model")
    };
    let damaged = original.snapshot.check(server.channel()).await;
    assert_eq!(damaged.expect("served"), None);
    assert_eq!(server.terminate().await.code, Some(0));
    "damage found, rebuilt"
}

/// Verification passes, or reports the damage where clients saw it.
async fn verified(data_dir: &Path, damaged: Option<u64>) {
    let output = offline(&["log", "verify"], data_dir).await;
    let printed = String::from_utf8_lossy(&output.stdout);
    let stderr = String::from_utf8_lossy(&output.stderr);
    match damaged {
        None => assert!(printed.starts_with("valid: "), "{printed}{stderr}"),
        Some(position) => {
            let expected = format!("INVALID at position {position}: ");
            assert!(printed.starts_with(&expected), "{printed}{stderr}");
        }
    }
}

/// The sentence names the file and the remedy.
fn assert_names_file_and_remedy(ended: &ServerExit, damage: &Damage, data_dir: &Path) {
    let sentence = ended.sentence();
    eprintln!("    {}", sentence.replace(&data_dir.display().to_string(), "DATA"));
    let part = damage.file.split('/').next().expect("a part");
    let path = data_dir.join(part).display().to_string();
    assert!(sentence.contains(&path), "{path} is not named: {sentence}");
    let remedies = [
        "from a backup",
        "see to the disk",
        "check the disk",
        "start with --region",
        "use the version that wrote",
    ];
    assert!(remedies.iter().any(|remedy| sentence.contains(remedy)), "no remedy: {sentence}");
}
