//! Full, broken and read-only disks, at any moment: every caller gets an answer, the
//! server ends by itself, and once the disk works again all acknowledged changes are
//! there, and every other change exists once or not at all.

use std::{collections::BTreeMap, path::Path, time::Duration};

use tempfile::TempDir;
use tokio::{task::JoinSet, time::timeout};
use tonic::{Code, transport::Channel};
use userpool::proto::{
    CreateUserPoolRequest, ListUserPoolsRequest, user_pool_service_client::UserPoolServiceClient,
};

use super::{
    Random,
    faults::{EACCES, EIO, ENOSPC, EROFS, Faults, Rule},
    rounds, seed,
    server::{LIMIT, Lines, Start, offline, serve, start},
};
use crate::support::{create, named};

/// The number of clients, and of the commands of each.
const CLIENTS: u64 = 4;
const COMMANDS: u64 = 12;

/// When the disk begins to fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    FirstStart,
    LaterStart,
    Serving,
    Stopping,
}

impl Rule {
    fn draw(random: &mut Random, phase: Phase) -> Self {
        let all = ["o", "w", "w", "w", "s", "s", "r", "t", "n", "m", "wst", "wstnmr", "owstnmr"];
        let (calls, path) = match phase {
            Phase::FirstStart => (*random.one_of(&all), "*"),
            Phase::LaterStart => (*random.one_of(&["o", "w", "s", "t", "d", "wst", "owst"]), "*"),
            Phase::Serving => {
                let paths = ["*", "log/", "log/records/db", "log/head", "read_model"];
                (*random.one_of(&["w", "s", "r", "wsr", "wst"]), *random.one_of(&paths))
            }
            Phase::Stopping => (*random.one_of(&["o", "w", "s", "ws"]), "*"),
        };
        let within = if phase == Phase::Serving { 20 } else { 60 };
        Self {
            calls,
            path: path.to_owned(),
            nth: 1 + random.below(within),
            errno: *random.one_of(&[ENOSPC, ENOSPC, EIO, EIO, EROFS]),
            times: *random.one_of(&[0, 0, 1]),
            effect: random.below(3),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failing_disk_loses_no_acknowledged_change() {
    let mut outcomes: BTreeMap<String, u64> = BTreeMap::new();
    for round in 0..rounds(16) {
        let seed = seed() + round;
        let mut random = Random(seed);
        let phase = *random.one_of(&[
            Phase::FirstStart,
            Phase::LaterStart,
            Phase::Serving,
            Phase::Serving,
            Phase::Stopping,
        ]);
        let rule = Rule::draw(&mut random, phase);
        // Printed if the round fails.
        eprintln!("USERPOOL_SEED={seed}: {phase:?}: {rule:?}");
        let directory = TempDir::new().expect("a directory");
        let promise = "that a failing disk loses no acknowledged change";
        let Some(faults) = Faults::under(directory.path(), promise) else { return };
        let outcome = survive(phase, &rule, &faults, directory.path()).await;
        eprintln!("    {outcome}");
        *outcomes.entry(format!("{phase:?}: {outcome}")).or_default() += 1;
    }
    eprintln!("{outcomes:#?}");
}

/// The result of every command, by its number.
type Answers = BTreeMap<u64, Result<i64, Code>>;

async fn survive(phase: Phase, rule: &Rule, faults: &Faults, directory: &Path) -> &'static str {
    let data_dir = directory.join("data");
    let mut before = Answers::new();
    if phase != Phase::FirstStart {
        let server = start(&mut serve(&data_dir)).await.serving("a sound disk");
        before = commands(server.channel(), 0).await;
        assert_eq!(server.terminate().await.code, Some(0));
    }
    if matches!(phase, Phase::FirstStart | Phase::LaterStart) {
        faults.set(rule);
    }
    let mut command = serve(&data_dir);
    faults.below(&mut command);
    let mut outcome = "nothing failed";
    match start(&mut command).await {
        Start::ServerExit(ended) => {
            assert!(faults.hit(), "{}", ended.stderr);
            assert_names_file_and_error(ended.sentence(), &data_dir);
            outcome = "refused";
        }
        Start::Serving(mut server) => {
            if phase == Phase::Serving {
                faults.set(rule);
            }
            let answers = commands(server.channel(), CLIENTS * COMMANDS).await;
            let failed = answers.values().any(Result::is_err);
            before.extend(answers);
            if phase == Phase::Stopping {
                faults.set(rule);
            }
            let ended = if failed {
                assert!(faults.hit());
                server.ended().await
            } else {
                let by_itself = server.has_ended();
                let ended = server.terminate().await;
                assert!(!by_itself || ended.code == Some(1), "{}", ended.stderr);
                ended
            };
            if failed || ended.code != Some(0) {
                eprintln!("    {}", ended.sentence());
                outcome = if failed { "not acknowledged, ended" } else { "ended with a sentence" };
            } else if faults.hit() {
                outcome = "went on";
            }
        }
    }
    check_and_retry(&data_dir, &before).await;
    outcome
}

/// On a working disk again: acknowledged changes are unchanged, and retries complete
/// the rest, once.
async fn check_and_retry(data_dir: &Path, answers: &Answers) {
    let server = start(&mut serve(data_dir)).await.serving("a sound disk again");
    let channel = server.channel();
    let mut client = UserPoolServiceClient::new(channel.clone());
    for (&number, answer) in answers {
        let again = client.create_user_pool(command(number)).await.expect("an answer");
        let again = again.into_inner().position;
        if let Ok(position) = answer {
            assert_eq!(again, *position, "command {number} was acknowledged");
        }
    }
    let mut expected: Vec<_> = answers.keys().map(|number| format!("pool-{number}")).collect();
    let mut found = names(channel).await;
    expected.sort();
    found.sort();
    assert_eq!(found, expected);
    assert_eq!(server.terminate().await.code, Some(0));
    let output = offline(&["log", "verify"], data_dir).await;
    let printed = String::from_utf8_lossy(&output.stdout);
    assert!(printed.starts_with("valid: "), "{printed}");
    let checkpoints = data_dir.join("checkpoints.jsonl").display().to_string();
    let output = offline(&["log", "verify", "--checkpoint", &checkpoints], data_dir).await;
    assert_eq!(output.status.code(), Some(0), "{output:?}");
}

/// Clients that send their commands one after the other until one fails.
async fn commands(channel: Channel, first: u64) -> Answers {
    let mut clients = JoinSet::new();
    for number in 0..CLIENTS {
        let mut client = UserPoolServiceClient::new(channel.clone());
        clients.spawn(async move {
            let mut answers = Answers::new();
            let first = first + number * COMMANDS;
            for number in first..first + COMMANDS {
                let answer = timeout(LIMIT, client.create_user_pool(command(number))).await;
                let answer = answer.expect("every caller gets an answer");
                let answer = answer.map(|answer| answer.into_inner().position);
                let failed = answer.is_err();
                answers.insert(number, answer.map_err(|status| status.code()));
                if failed {
                    break;
                }
            }
            answers
        });
    }
    clients.join_all().await.into_iter().flatten().collect()
}

fn command(number: u64) -> CreateUserPoolRequest {
    let request_id = Some(format!("0193b5f0-7c5e-7d7a-9c55-{number:012x}"));
    CreateUserPoolRequest { request_id, ..named(&format!("pool-{number}")) }
}

async fn names(channel: Channel) -> Vec<String> {
    let mut client = UserPoolServiceClient::new(channel);
    let mut names = Vec::new();
    let mut list = ListUserPoolsRequest {
        max_results: Some(60),
        next_token: None,
        ..ListUserPoolsRequest::default()
    };
    loop {
        let page = client.list_user_pools(list.clone()).await.expect("listed").into_inner();
        names.extend(page.user_pools.into_iter().filter_map(|pool| pool.name));
        list.next_token = page.next_token;
        if list.next_token.is_none() {
            return names;
        }
    }
}

/// The sentence names a file and the error of the system.
fn assert_names_file_and_error(sentence: &str, data_dir: &Path) {
    eprintln!("    {}", sentence.replace(&data_dir.display().to_string(), "DATA"));
    assert!(sentence.contains(&data_dir.display().to_string()), "no file: {sentence}");
}

/// Root may read everything, so the disk refuses access.
#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_cannot_be_opened_is_named_and_unchanged() {
    let directory = TempDir::new().expect("a directory");
    let promise = "that a file that cannot be opened is named and unchanged";
    let Some(faults) = Faults::under(directory.path(), promise) else { return };
    let data_dir = directory.path().join("data");
    let server = start(&mut serve(&data_dir)).await.serving("an empty directory");
    create(&mut UserPoolServiceClient::new(server.channel()), "people").await;
    assert_eq!(server.terminate().await.code, Some(0));
    for file in [
        "lock",
        "manifest.json",
        "signing_key.pem",
        "log/head",
        "log/records/db",
        "log/records/conf",
    ] {
        let path = data_dir.join(file).display().to_string();
        let rule =
            Rule { calls: "o", path: path.clone(), nth: 1, errno: EACCES, times: 0, effect: 0 };
        faults.set(&rule);
        let mut before = super::contents(&data_dir);
        let mut command = serve(&data_dir);
        faults.below(&mut command);

        let Start::ServerExit(ended) = start(&mut command).await else { unreachable!("{file}") };

        let sentence = ended.sentence();
        eprintln!("{sentence}");
        let named = if file.starts_with("log/records") { "log/records" } else { file };
        assert!(sentence.contains(named), "{file}: {sentence}");
        assert!(sentence.contains("ermission"), "{file}: {sentence}");
        let mut after = super::contents(&data_dir);
        if file == "signing_key.pem" {
            // The file is read after the log was opened.
            after.retain(|path, _| !path.starts_with("log/"));
            before.retain(|path, _| !path.starts_with("log/"));
        }
        assert_eq!(after.keys().collect::<Vec<_>>(), before.keys().collect::<Vec<_>>(), "{file}");
        assert!(after == before, "{file}");
    }
    let server = start(&mut serve(&data_dir)).await.serving("a sound disk again");
    assert_eq!(names(server.channel()).await, ["people"]);
    server.kill().await;
}

/// Runs a script that mounts a file system, in a mount namespace of its own, so that it
/// disappears with the process. Returns its first line, unless it cannot mount.
async fn mounted(script: &str, directory: &Path, promise: &str) -> Option<(Lines, String)> {
    let mut shell = Lines::of("unshare", &["-m", "sh", "-c", script], directory);
    let first = shell.next().await;
    if first == "unmountable" || first.is_empty() {
        eprintln!("NOT TESTED: {promise}; this test needs root");
        return None;
    }
    Some((shell, first))
}

/// Without the library: the kernel reports that the disk is full.
#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_ends_the_server_and_free_space_restores_it() {
    let directory = TempDir::new().expect("a directory");
    let script = r#"
        mount -t tmpfs -o size=5m tmpfs "$0" || { echo unmountable; exit 0; }
        "$1" serve --listen=127.0.0.1:0 --log=off --data-dir="$0/data"
        echo "ended with $?"
        mount -o remount,size=100m "$0"
        exec "$1" serve --listen=127.0.0.1:0 --log=off --data-dir="$0/data"
    "#;
    let mounted = mounted(script, directory.path(), "that a full disk ends the server").await;
    let Some((mut shell, first)) = mounted else { return };
    let mut client = UserPoolServiceClient::new(shell.channel(&first).await);
    let mut acknowledged = Vec::new();
    let failed = loop {
        let number = u64::try_from(acknowledged.len()).expect("small");
        assert!(number < 20_000, "the disk is never full");
        let created = timeout(Duration::from_mins(1), client.create_user_pool(command(number)));
        match created.await.expect("every caller gets an answer") {
            Ok(created) => acknowledged.push((number, Ok(created.into_inner().position))),
            Err(status) => break (number, Err(status.code())),
        }
    };
    assert_eq!(shell.next().await, "ended with 1");
    let stderr = shell.stderr_line().await;
    // Whichever meets the full disk first.
    let failures = ["the log failed", "the read model failed"];
    assert!(failures.iter().any(|failure| stderr.contains(failure)), "{stderr}");
    let second = shell.next().await;
    let channel = shell.channel(&second).await;
    let mut client = UserPoolServiceClient::new(channel.clone());
    let expected = acknowledged.len() + 1;
    for (number, answer) in acknowledged.into_iter().chain([failed]) {
        let again = client.create_user_pool(command(number)).await.expect("an answer");
        let again = again.into_inner().position;
        assert!(answer.is_err() || answer == Ok(again), "command {number}");
    }
    assert_eq!(names(channel).await.len(), expected);
}

/// As on network file systems that keep files that are still open.
#[tokio::test(flavor = "multi_thread")]
async fn a_read_model_that_cannot_be_deleted_yet_is_moved_away() {
    let directory = TempDir::new().expect("a directory");
    // A mount point cannot be removed. A read model with a file "db" is of an earlier version.
    let script = r#"
        mkdir -p "$0/data/read_model/busy" && : >"$0/data/read_model/db"
        mount -t tmpfs tmpfs "$0/data/read_model/busy" || { echo unmountable; exit 0; }
        exec "$1" serve --listen=127.0.0.1:0 --log=off --data-dir="$0/data"
    "#;
    let mounted =
        mounted(script, directory.path(), "that files in use do not stop a rebuild").await;
    let Some((shell, first)) = mounted else { return };
    assert_eq!(names(shell.channel(&first).await).await.len(), 0);
    assert!(directory.path().join("data/read_model.removed/busy").is_dir());
}
