//! The server is killed, and its power is cut, again and again, at random moments and
//! under load: no acknowledged change is lost, and no other change appears.
//!
//! A run is short; `USERPOOL_ROUNDS=500 tests/run crash` is a long one. A failed test
//! prints its seed.

mod disk;
mod ledger;
mod load;
mod log;
mod power_cut;
mod server;

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use tempfile::TempDir;
use tokio::time;

use self::{ledger::Ledger, load::Load, server::StartingServer};
use crate::random::{Random, rounds};

/// After how many rounds everything is checked from the beginning.
const FROM_THE_BEGINNING: usize = 25;

#[tokio::test(flavor = "multi_thread")]
async fn repeated_kill_9_loses_and_invents_nothing() {
    let directory = TempDir::new().expect("a directory");
    let data_dir = directory.path().join("data");
    let stderr = directory.path().join("stderr");
    let mut random = Random::seeded();
    let mut ledger = Ledger::default();
    let last = rounds(6);
    for round in 1..=last {
        let run = Run { name: format!("k{round}"), data_dir: &data_dir, stderr: &stderr };
        run.live(&mut ledger, &[], round % FROM_THE_BEGINNING == 0, &mut random).await;
    }
    let server = StartingServer::spawn(&data_dir, &stderr, &[]).ready().await;
    ledger.check_all(&server.channel().await, &mut random).await;
    server.kill().await;
    eprintln!("{last} kills: {}", ledger.summary());
}

/// One run of a server: check it, put load on it, and kill it.
struct Run<'a> {
    name: String,
    data_dir: &'a Path,
    stderr: &'a Path,
}

impl Run<'_> {
    async fn live(
        self,
        ledger: &mut Ledger,
        environment: &[(&str, PathBuf)],
        from_the_beginning: bool,
        random: &mut Random,
    ) -> RunEnd {
        let server = StartingServer::spawn(self.data_dir, self.stderr, environment);
        if random.chance(25) {
            moment(60, random).await;
            server.kill().await;
            return RunEnd::NotYet;
        }
        let server = server.ready().await;
        let channel = server.channel().await;
        if random.chance(25) {
            ledger.look(&channel, random).await;
            server.kill().await;
            return RunEnd::Looking;
        }
        if from_the_beginning {
            ledger.check_all(&channel, random).await;
        } else {
            ledger.check(&channel, random).await;
        }
        let load = Load::start(&server, &self.name, &ledger.log, random).await;
        moment(400, random).await;
        server.kill().await;
        ledger.fresh.extend(load.end().await);
        // A value that sled keeps in a file of its own is not written in time.
        let files = self.data_dir.join("log/records/blobs").read_dir().expect("a directory");
        assert_eq!(files.count(), 0, "sled keeps a page in a file of its own");
        RunEnd::Working
    }
}

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum RunEnd {
    /// The server was killed before it served.
    NotYet,
    /// Nothing was recorded, but existing data was shown.
    Looking,
    /// The server was killed under load.
    Working,
}

/// The moment of the kill is random; the test waits for nothing.
async fn moment(most_milliseconds: usize, random: &mut Random) {
    time::sleep(Duration::from_micros(
        u64::try_from(random.below(most_milliseconds * 1000)).expect("a short time"),
    ))
    .await;
}
