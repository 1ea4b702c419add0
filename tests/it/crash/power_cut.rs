//! The power is cut: any unsynced data may be gone.

use tempfile::TempDir;

use super::{
    FROM_THE_BEGINNING, Run, RunEnd,
    disk::{Disk, Survivors},
    ledger::Ledger,
    server::StartingServer,
};
use crate::random::{Random, rounds};

/// How many of a hundred rounds begin with an empty disk.
const EMPTY: usize = 6;

#[tokio::test(flavor = "multi_thread")]
async fn acknowledged_changes_survive_if_only_synced_data_does() {
    survives(|_| Survivors { percent: 0, head_file: false }).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn acknowledged_changes_survive_with_any_unsynced_sectors() {
    let percent = |random: &mut Random| *random.pick(&[3, 20, 50, 80, 97]).expect("one");
    survives(|random| Survivors { percent: percent(random), head_file: false }).await;
}

/// The file with the acknowledged head is not synced with each batch and may be written back at any time. It
/// is written last, so the log that it describes is complete.
#[tokio::test(flavor = "multi_thread")]
async fn the_head_file_is_never_ahead_of_the_log() {
    survives(|random| Survivors { percent: random.below(2) * 30, head_file: true }).await;
}

async fn survives(survival: impl Fn(&mut Random) -> Survivors) {
    let Some(mut disk) = Disk::new() else { return };
    let elsewhere = TempDir::new().expect("a directory");
    let stderr = elsewhere.path().join("stderr");
    let mut random = Random::seeded();
    let mut ledger = Ledger::default();
    let (mut cuts, mut kills) = (0, 0);
    let (mut acknowledged, mut unknown, mut events) = (0, 0, 0);
    while cuts < rounds(5) {
        let (data_dir, environment) = (disk.data_dir(), disk.environment());
        let name = format!("p{}", cuts + kills);
        let run = Run { name, data_dir: &data_dir, stderr: &stderr };
        let from_the_beginning = cuts % FROM_THE_BEGINNING == FROM_THE_BEGINNING - 1;
        let lived = run.live(&mut ledger, &environment, from_the_beginning, &mut random).await;
        if lived != RunEnd::Looking && random.chance(45) {
            // Only the process dies; its writes stay in the page cache.
            kills += 1;
            continue;
        }
        disk.cut(survival(&mut random), &mut random);
        cuts += 1;
        if cuts == rounds(5) || random.chance(EMPTY) {
            let server = StartingServer::spawn(&disk.data_dir(), &stderr, &disk.environment());
            let server = server.ready().await;
            ledger.check_all(&server.channel().await, &mut random).await;
            server.kill().await;
            acknowledged += ledger.acknowledged;
            unknown += ledger.unknown;
            events += ledger.log.head.position.0;
            (ledger, kills) = (Ledger::default(), kills + 1);
            disk.erase();
        }
    }
    eprintln!(
        "{cuts} power cuts and {kills} kills: {events} events, {acknowledged} acknowledged and {unknown} unanswered commands"
    );
}
