//! The checkpoints that servers of one log share in its database.

use std::{fs, future::pending, path::Path, process::Output, sync::Arc, time::Duration};

use chrono::{DateTime, Utc};
use tempfile::TempDir;
use tokio::task::yield_now;
use userpool::{
    app::Source,
    audit::checkpoint::{self, LogState, Signer},
    event_log::{Durability, Hash, Head, Position, create_log},
    proto::{
        GetSignedCheckpointRequest, SignedCheckpoint, to_date_time,
        user_pool_history_service_client::UserPoolHistoryServiceClient,
        user_pool_service_client::UserPoolServiceClient,
    },
    server::{CheckpointInterval, Server},
    transport::Endpoint,
};
use uuid::Uuid;

use super::{
    cluster::{Node, NodeOptions, OWNER, ROLE, settings, url},
    servers::Service,
};
use crate::{
    binary::{run, userpool},
    metrics::reading,
    proofs::witness_servers::TestWitness,
    support::{TestServer, config, create, in_time},
};

/// As short as it can be, because the tests wait for it.
const INTERVAL: CheckpointInterval = CheckpointInterval(Some(Duration::from_millis(5)));

/// A source whose time stands still.
#[derive(Debug)]
struct StoppedSource {
    at: DateTime<Utc>,
    /// Its identifiers are all this one.
    number: u64,
}

impl Source for StoppedSource {
    fn now(&self) -> DateTime<Utc> {
        self.at
    }

    fn uuid(&self) -> Uuid {
        Uuid::from_u128(self.number.into())
    }

    fn user_pool_suffix(&self) -> String {
        format!("{:09}", self.number)
    }
}

/// A server of the log that signs at each stop, and asks for no cosignatures.
async fn server(service: &Service, number: u64) -> TestServer {
    TestServer::with_identifiers(number, |config| {
        service.configure(config);
        config.checkpoint_interval = CheckpointInterval(None);
    })
    .await
}

/// Records one user pool more, and signs a checkpoint of it.
async fn sign_one_more(service: &Service, number: u64) {
    let server = server(service, number).await;
    create(&mut server.client().await, "people").await;
    server.try_stop().await.expect("stopped");
}

/// The checkpoints in the database, oldest first.
async fn shared(service: &Service) -> Vec<SignedCheckpoint> {
    let lines = format!(
        "select string_agg(checkpoint, e'\\n' order by position, cosignatures) \
         from userpool_checkpoint where log = '{}'",
        service.test.name
    );
    parsed(&service.test.node.value(&lines).await)
}

fn parsed(lines: &str) -> Vec<SignedCheckpoint> {
    lines.lines().map(|line| checkpoint::from_line(line).expect("a checkpoint")).collect()
}

/// The positions of the checkpoints in the file of a server.
fn kept(data_dir: &Path) -> Vec<i64> {
    let lines = fs::read_to_string(data_dir.join("checkpoints.jsonl")).unwrap_or_default();
    parsed(&lines).iter().map(|kept| kept.position).collect()
}

/// Waits until this is true of the positions in the file of a server.
async fn until(data_dir: &Path, is_awaited: impl Fn(&[i64]) -> bool) {
    in_time(async {
        while !is_awaited(&kept(data_dir)) {
            yield_now().await;
        }
    })
    .await;
}

/// Waits until the file of a server has checkpoints of these positions.
async fn until_kept(data_dir: &Path, positions: &[i64]) {
    until(data_dir, |kept| kept == positions).await;
}

/// Runs `userpool log` with a log in the database of a node.
async fn log_command(node: &Node, name: &str, arguments: &[&str]) -> Output {
    let mut command = userpool();
    command.arg("log").args(arguments).args(["--log-name", name]);
    command.args(["--log-url", &url(ROLE, &[node]), "--database-durability", "managed"]);
    run(&mut command).await
}

#[tokio::test(flavor = "multi_thread")]
async fn servers_sign_one_checkpoint_in_an_interval() {
    let service = Service::new().await;
    sign_one_more(&service, 0).await;
    let signed = shared(&service).await;
    let at = to_date_time(signed[0].time.expect("a time")).expect("a valid time");
    let start = async |directory: &TempDir, interval, clock| {
        let mut config = config(directory.path());
        service.configure(&mut config);
        config.checkpoint_interval = interval;
        let server = Server::start(config, Arc::new(clock)).await.expect("a server");
        (format!("http://{}", server.endpoint()), tokio::spawn(server.serve(pending())))
    };
    let directories = [(); 2].map(|()| TempDir::new().expect("a directory"));
    let [first, second] = &directories;
    let (address, killed) =
        start(first, CheckpointInterval(None), StoppedSource { at, number: 5_000_000 }).await;
    create(&mut UserPoolServiceClient::connect(address).await.expect("connected"), "people").await;
    // Aborted, because a graceful stop would sign a checkpoint.
    killed.abort();

    let (_, running) = start(second, INTERVAL, StoppedSource { at, number: 6_000_000 }).await;
    until_kept(second.path(), &[1]).await;
    assert_eq!(shared(&service).await, signed, "it signs none in the same interval");

    sign_one_more(&service, 2_000_000).await;
    until_kept(second.path(), &[1, 3]).await;
    assert_eq!(shared(&service).await.len(), 2);
    running.abort();
}

/// A loss that the operator has accepted.
#[tokio::test(flavor = "multi_thread")]
async fn a_checkpoint_of_lost_records_does_not_stop_others() {
    let service = Service::new().await;
    sign_one_more(&service, 0).await;
    let signed = &shared(&service).await[0];
    let state = LogState {
        head: Head { position: Position(50), hash: Hash([1; 32]) },
        root: Hash([2; 32]),
        log_id: signed.log_id.parse().ok(),
    };
    let key = Signer::open_key(&service.key()).expect("a key");
    let lost = key.sign(&state, DateTime::UNIX_EPOCH);
    let insert = format!(
        "insert into userpool_checkpoint values ('{}', 50, 0, '', '{}')",
        service.test.name,
        checkpoint::to_line(&lost).expect("a line")
    );
    service.test.node.execute("userpool", &insert).await;

    let server = TestServer::with_identifiers(1_000_000, |config| {
        service.configure(config);
        config.checkpoint_interval = INTERVAL;
    })
    .await;
    create(&mut server.client().await, "people").await;
    until(server.data_dir(), |kept| kept.contains(&2)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cosigned_checkpoint_is_shown_by_each_server() {
    let service = Service::new().await;
    sign_one_more(&service, 0).await;
    let log_id = shared(&service).await[0].log_id.parse().expect("an ID");
    let log = Signer::open_key(&service.key()).expect("a key").note_key(Some(log_id));
    let witness = TestWitness::start("witness.example", &log).await;
    let witnessed = async |server: &TestServer| {
        let mut client = UserPoolHistoryServiceClient::new(server.channel().await);
        let signed = client.get_signed_checkpoint(GetSignedCheckpointRequest::default()).await;
        signed.expect("signed").into_inner().witnessed
    };
    let until_witnessed = async |server: &TestServer, position| {
        in_time(async {
            loop {
                let found = witnessed(server).await;
                if let Some(found) = found.filter(|found| found.position == position) {
                    return found;
                }
            }
        })
        .await
    };
    let running = TestServer::with_identifiers(1_000_000, |config| {
        service.configure(config);
        config.checkpoint_interval = INTERVAL;
    })
    .await;
    let asking = TestServer::with_identifiers(2_000_000, |config| {
        service.configure(config);
        config.checkpoint_interval = INTERVAL;
        config.witnesses = vec![witness.address()];
    })
    .await;
    let cosigned = until_witnessed(&asking, 1).await;
    assert_eq!(cosigned.note.matches('\u{2014}').count(), 2, "{}", cosigned.note);

    // One that does not ask learns of it with its next interval, or when it starts.
    assert_eq!(until_witnessed(&running, 1).await, cosigned);
    let started_later = server(&service, 3_000_000).await;
    assert_eq!(witnessed(&started_later).await, Some(cosigned));
    create(&mut running.client().await, "people").await;
    until_witnessed(&running, 2).await;
}

/// That of an empty log has the name of every empty log.
#[tokio::test(flavor = "multi_thread")]
async fn no_witness_is_asked_for_the_checkpoint_of_an_empty_log() {
    let service = Service::new().await;
    server(&service, 0).await.try_stop().await.expect("stopped");
    assert_eq!(shared(&service).await[0].position, 0);
    let log = Signer::open_key(&service.key()).expect("a key").note_key(None);
    let witness = TestWitness::start("witness.example", &log).await;
    let asking = TestServer::with_identifiers(1_000_000, |config| {
        service.configure(config);
        config.checkpoint_interval = INTERVAL;
        config.witnesses = vec![witness.address()];
        config.metrics_listen = Some(Endpoint::Tcp("127.0.0.1:0".to_owned()));
    })
    .await;
    create(&mut asking.client().await, "people").await;
    // The witness does not know the log with its ID, so this is refused, and nothing before it was.
    let refused =
        "userpool_cosignature_requests_total{witness=\"witness.example\",outcome=\"refused\"}";
    in_time(async { while reading(&asking).await.value(refused) < 1.0 {} }).await;
    let kept = kept(asking.data_dir());
    assert!(!kept.is_empty() && kept.iter().all(|position| *position > 0), "{kept:?}");
    let cosigned =
        "userpool_cosignature_requests_total{witness=\"witness.example\",outcome=\"cosigned\"}";
    assert!(reading(&asking).await.value(cosigned) < 1.0, "the witness knows every empty log");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_checkpoints_of_all_servers_are_printed_and_verified() {
    let service = Service::new().await;
    for number in 0..3 {
        sign_one_more(&service, number * 1_000_000).await;
    }
    let directory = TempDir::new().expect("a directory");
    let file = directory.path().join("checkpoints.jsonl");
    let node = &service.test.node;
    let command = async |arguments: &[&str]| log_command(node, &service.test.name, arguments).await;
    let printed = command(&["checkpoints"]).await;
    assert!(printed.status.success(), "{printed:?}");
    let lines = String::from_utf8(printed.stdout).expect("text");
    let positions: Vec<_> = parsed(&lines).iter().map(|signed| signed.position).collect();
    assert_eq!(positions, [1, 2, 3]);
    // More checkpoints than a page has, of a log without servers.
    let name = format!("{}-many", service.test.name);
    let log = format!(
        "insert into userpool_log (log, region, format, min_reader, checkpoint_key) \
         values ('{name}', 'us-east-1', 1, 1, '');
         insert into userpool_checkpoint select '{name}', position, position % 3, \
         sha256(position::text::bytea), position from generate_series(1, 250) position"
    );
    node.execute("userpool", &log).await;
    let printed = log_command(node, &name, &["checkpoints"]).await;
    let printed = String::from_utf8(printed.stdout).expect("text");
    let numbers: Vec<_> = (1..=250).map(|number| number.to_string()).collect();
    assert_eq!(printed.lines().collect::<Vec<_>>(), numbers);
    fs::write(&file, &lines).expect("written");
    let verify = ["verify", "--checkpoint", file.to_str().expect("a path")];
    let verified = command(&verify).await;
    assert!(verified.status.success(), "{verified:?}");

    let name = &service.test.name;
    let removed = format!("delete from userpool_record where log = '{name}' and position = 3");
    node.execute("userpool", &removed).await;
    let verified = command(&verify).await;
    assert_eq!(verified.status.code(), Some(1), "{verified:?}");
}

/// A database that was created before the table existed.
#[tokio::test(flavor = "multi_thread")]
async fn a_database_without_a_table_of_checkpoints_gets_one() {
    let node = Arc::new(Node::create("", NodeOptions::default()).await);
    let service = Service::on(node).await;
    let node = &service.test.node;
    node.execute("userpool", "drop table userpool_checkpoint").await;
    let server = TestServer::with(|config| {
        service.configure(config);
        config.checkpoint_interval = INTERVAL;
        config.metrics_listen = Some(Endpoint::Tcp("127.0.0.1:0".to_owned()));
    })
    .await;
    create(&mut server.client().await, "people").await;
    let failed = "userpool_checkpoint_writes_total{outcome=\"failed\"}";
    // After each interval, the server tries again, and signs no new one.
    in_time(async { while reading(&server).await.value(failed) < 3.0 {} }).await;
    until_kept(server.data_dir(), &[1]).await;
    let name = &service.test.name;
    let refused = log_command(node, name, &["checkpoints"]).await;
    let refused = String::from_utf8(refused.stderr).expect("text");
    assert!(refused.contains("run userpool log init"), "{refused}");

    let key = Signer::open_key(&service.key()).expect("a key").public_key();
    let owner = settings(OWNER, &[node], name, Durability::Managed);
    let (grants, is_new) = create_log(&owner, "us-east-1", &key, ROLE).await.expect("a table");
    assert!(!is_new);
    node.execute("userpool", &grants).await;
    let added = format!("select count(*) from userpool_checkpoint where log = '{name}'");
    node.wait_for(&added).await;
    assert_eq!(shared(&service).await[0].position, 1);
    server.try_stop().await.expect("stopped");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_without_its_database_keeps_its_checkpoint() {
    let node = Arc::new(Node::create("", NodeOptions::default()).await);
    let service = Service::on(node).await;
    let server = server(&service, 0).await;
    create(&mut server.client().await, "people").await;
    service.test.node.signal_all("STOP");
    let directory = in_time(server.stop()).await;
    until_kept(directory.path(), &[1]).await;

    service.test.node.signal_all("CONT");
    let server = TestServer::with_in(directory, |config| {
        service.configure(config);
        config.checkpoint_interval = INTERVAL;
    })
    .await;
    let name = &service.test.name;
    let added = format!("select count(*) from userpool_checkpoint where log = '{name}'");
    service.test.node.wait_for(&added).await;
    assert_eq!(shared(&service).await.len(), 1);
    drop(server);
}
