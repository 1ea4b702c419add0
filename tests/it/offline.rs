//! On the data directory of a stopped server: the real binary checks, exports and
//! imports a log, and a verifier that shares no code with it agrees. The binary also checks and
//! rebuilds the read model.

mod read_model;

use std::{
    fs::{self, Permissions},
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use tempfile::TempDir;
use userpool::{
    audit::{
        Exporter,
        checkpoint::{self, LogState},
    },
    event_log::{EventLog as _, Hash, Head, MemoryLog},
    proto::{self, ListUserPoolDomainsRequest, SignedCheckpoint, UserPoolEvent},
};

use crate::{
    binary::{BINARY, Process},
    engines::tamper,
    support::{TestServer, create, domain},
    tools::repository,
};

/// A user pool of a log that no server wrote.
const POOL: &str = "us-east-1_AbCdEfGhI";

/// The data directory of a server that stopped after five events.
async fn stopped() -> TempDir {
    let server = TestServer::start().await;
    let mut client = server.client().await;
    let people = create(&mut client, "people").await;
    for name in ["a", "b", "c"] {
        create(&mut client, name).await;
    }
    client.create_user_pool_domain(domain("people-login", &people)).await.expect("a domain");
    server.stop().await
}

fn userpool(arguments: &[&str], data_dir: &Path) -> Output {
    let mut command = Command::new(BINARY);
    command.args(arguments).arg("--data-dir").arg(data_dir);
    command.output().expect("the binary runs")
}

/// Changes a bit of the record at a position.
fn damage_record(data_dir: &Path, position: u64) {
    tamper(&data_dir.join("log"), |db| {
        let key = position.to_be_bytes();
        let mut record = db.get(key).expect("readable").expect("a record").to_vec();
        record[60] ^= 1;
        db.insert(key, record).expect("written");
    });
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).expect("text")
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).expect("text")
}

fn code(output: &Output) -> Option<i32> {
    output.status.code()
}

/// The key in a file of checkpoints.
fn own_key(checkpoints: &str) -> String {
    let signed = fs::read_to_string(checkpoints).expect("a checkpoint");
    let signed: SignedCheckpoint = proto::from_json(signed.trim()).expect("a checkpoint");
    data_encoding::HEXLOWER.encode(&signed.public_key)
}

#[tokio::test(flavor = "multi_thread")]
async fn log_verify_requires_the_key_of_the_data_directory() {
    let directory = stopped().await;
    let own = directory.path().join("checkpoints.jsonl");
    let own = own.to_str().expect("UTF-8");
    let trusted = userpool(&["log", "verify", "--checkpoint", own], directory.path());
    assert_eq!(code(&trusted), Some(0), "{}", stdout(&trusted));
    let key = "the checkpoints are signed with the key of this data directory\n";
    assert!(stdout(&trusted).contains(key), "{}", stdout(&trusted));

    let given = userpool(&["log", "verify", "--key", &own_key(own)], directory.path());
    let key = "the given key is the key of this data directory\n";
    assert!(stdout(&given).contains(key), "{}", stdout(&given));
    assert!(!stdout(&given).contains("the checkpoints are signed"), "{}", stdout(&given));

    // The right head, signed by somebody else.
    let signed = fs::read_to_string(own).expect("a checkpoint");
    let signed: SignedCheckpoint = proto::from_json(signed.trim()).expect("a checkpoint");
    let verified = checkpoint::verify(&signed).expect("a right signature");
    let (head, root) = (verified.head, verified.root.expect("a root"));
    let foreign = TempDir::new().expect("a directory");
    let (key, none) = (foreign.path().join("key.pem"), foreign.path().join("none"));
    let foreign_signer = checkpoint::Signer::open(&key, &none).expect("a key");
    let time = signed.time.and_then(proto::to_date_time).expect("a time");
    let forged = foreign.path().join("forged.json");
    let state = LogState { head, root, log_id: signed.log_id.parse().ok() };
    checkpoint::append(&forged, &foreign_signer.sign(&state, time)).expect("written");
    let forged = forged.to_str().expect("UTF-8");
    let refused = userpool(&["log", "verify", "--checkpoint", forged], directory.path());
    assert_eq!(code(&refused), Some(1), "{}", stdout(&refused));
    let [found, expected] = [&signed.public_key, foreign_signer.public_key().as_slice()]
        .map(|key| data_encoding::HEXLOWER.encode(key));
    let invalid = format!(
        "INVALID: the trusted checkpoints are signed with key {expected}, but the key of this data \
         directory is {found}\n"
    );
    assert!(stdout(&refused).ends_with(&invalid), "{}", stdout(&refused));
    let both = ["log", "verify", "--checkpoint", own, "--key", &expected];
    assert_eq!(code(&userpool(&both, directory.path())), Some(2));

    // A copy without the key has the checkpoints that it signed.
    fs::remove_file(directory.path().join("signing_key.pem")).expect("removed");
    let refused = userpool(&["log", "verify", "--checkpoint", forged], directory.path());
    assert_eq!(code(&refused), Some(1), "{}", stdout(&refused));
    fs::remove_file(own).expect("removed");
    let unknown = userpool(&["log", "verify", "--checkpoint", forged], directory.path());
    assert_eq!(code(&unknown), Some(0), "{}", stdout(&unknown));
    let sentence = "the data directory has no key to compare with that of the checkpoints\n";
    assert!(stdout(&unknown).contains(sentence), "{}", stdout(&unknown));
}

/// A record beside the log notices a lost end of the log, if it is there.
#[tokio::test(flavor = "multi_thread")]
async fn a_missing_record_of_the_last_position_is_reported() {
    let directory = stopped().await;
    let position = directory.path().join("log").join("head");
    fs::remove_file(&position).expect("removed");
    let server = Process::start(directory.path()).await;
    let log = server.terminate("TERM").await.stderr;
    let warning = "the record of the last acknowledged position is missing or damaged";
    assert_eq!(log.matches(warning).count(), 1, "{log}");
    let server = Process::start(directory.path()).await;
    let log = server.terminate("TERM").await.stderr;
    assert_eq!(log.matches(warning).count(), 0, "{log}");

    // A command that opens the log writes the record again, so it reports this, too.
    for command in ["verify", "stat"] {
        fs::write(&position, "damaged").expect("written");
        let reported = userpool(&["log", command], directory.path());
        assert!(stderr(&reported).contains(warning), "{reported:?}");
        let repeated = userpool(&["log", command], directory.path());
        assert_eq!(stderr(&repeated), "", "{repeated:?}");
    }
    let server = Process::start(directory.path()).await;
    let copy = TempDir::new().expect("a directory");
    let mirror = ["mirror", "--once", "--from", server.address()];
    assert_eq!(stderr(&userpool(&mirror, copy.path())), "");
    fs::write(copy.path().join("log").join("head"), "damaged").expect("written");
    let reported = userpool(&mirror, copy.path());
    assert!(stderr(&reported).contains(warning), "{reported:?}");
    server.kill().await;
}

/// The export of a data directory.
fn export(data_dir: &Path) -> String {
    let exported = userpool(&["log", "export"], data_dir);
    assert!(exported.status.success(), "{}", stderr(&exported));
    stdout(&exported)
}

fn written(directory: &TempDir, name: &str, text: &str) -> PathBuf {
    let path = directory.path().join(name);
    fs::write(&path, text).expect("written");
    path
}

/// The exit code and the output of the Python verifier for an export.
fn python(export: &Path, anchor: &str) -> (Option<i32>, String) {
    let script = repository().join("tests/it/verify_export.py");
    let mut command = Command::new("python3");
    command.arg(script).arg(export);
    if !anchor.is_empty() {
        command.arg(anchor);
    }
    let output = command.output().expect("python3 runs");
    (code(&output), stdout(&output).trim().to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_imported_export_exports_the_same() {
    let directory = stopped().await;
    let first = export(directory.path());
    assert_eq!(first.lines().count(), 5);
    let elsewhere = TempDir::new().expect("a directory");
    let file = written(&elsewhere, "log.jsonl", &first);
    let imported = elsewhere.path().join("data");
    let output = userpool(&["log", "import", file.to_str().expect("text")], &imported);
    assert!(output.status.success(), "{}", stderr(&output));
    assert!(stdout(&output).starts_with("imported 5 events, head hash "));
    assert_eq!(export(&imported), first);
    for data_dir in [directory.path(), &imported] {
        let verified = userpool(&["log", "verify"], data_dir);
        assert!(stdout(&verified).starts_with("valid: 5 events"), "{}", stdout(&verified));
        assert_eq!(code(&verified), Some(0));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_running_server_exports_the_same() {
    let server = TestServer::start().await;
    let mut client = server.client().await;
    for name in ["a", "b", "c"] {
        create(&mut client, name).await;
    }
    let from = server.endpoint.to_string();
    let exported = userpool(&["log", "export", "--from", &from], Path::new("/nonexistent"));
    assert!(exported.status.success(), "{}", stderr(&exported));
    let directory = server.stop().await;
    assert_eq!(stdout(&exported), export(directory.path()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_goes_on_with_an_imported_log() {
    let directory = stopped().await;
    let file = written(&directory, "log.jsonl", &export(directory.path()));
    let server = TestServer::start().await;
    let emptied = |data_dir: &Path| {
        for entry in fs::read_dir(data_dir).expect("a directory") {
            let path = entry.expect("an entry").path();
            if path.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) }
                .expect("removed");
        }
        let import = ["log", "import", file.to_str().expect("text")];
        assert_eq!(code(&userpool(&import, data_dir)), Some(0));
    };
    let server = server.restart_after(emptied).await;
    let mut client = server.client().await;
    let listed = ListUserPoolDomainsRequest {
        max_results: Some(10),
        next_token: None,
        ..ListUserPoolDomainsRequest::default()
    };
    let domains = client.list_user_pool_domains(listed).await.expect("listed").into_inner().domains;
    assert_eq!(domains[0].domain.as_deref(), Some("people-login"));
    let next = client.create_user_pool(crate::support::named("next")).await.expect("created");
    assert_eq!(next.into_inner().position, 6);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_export_is_refused_by_position_and_leaves_nothing() {
    let directory = stopped().await;
    let whole = export(directory.path());
    let lines: Vec<&str> = whole.lines().collect();
    let renamed = whole.replace("people-login", "others-login");
    let cut = format!("{}\n{}", lines[0], &lines[1][..lines[1].len() - 9]);
    let without = [lines[0], lines[2], lines[3]].join("\n");
    let swapped = [lines[0], lines[2], lines[1]].join("\n");
    let no_record = {
        let mut event: UserPoolEvent = proto::from_json(lines[0]).expect("an event");
        event.record = None;
        proto::to_json(&event).expect("JSON").to_string()
    };
    for (broken, expected) in [
        (
            renamed,
            "position 5: the event differs from its record in userPoolDomainCreated.domain: ",
        ),
        (cut, "position 2: the line is not an event in JSON"),
        (without, "position 2: the record has position 3"),
        (swapped, "position 2: the record has position 3"),
        (no_record, "position 1: the event has no record"),
        (String::new(), "the export is empty"),
        ("{}\n".to_owned(), "position 1: the event has no record"),
    ] {
        let elsewhere = TempDir::new().expect("a directory");
        let file = written(&elsewhere, "log.jsonl", &broken);
        let data_dir = elsewhere.path().join("data");
        let refused = userpool(&["log", "import", file.to_str().expect("text")], &data_dir);
        assert_eq!(code(&refused), Some(1));
        assert!(stderr(&refused).contains(expected), "{}", stderr(&refused));
        let left = fs::read_dir(elsewhere.path()).expect("a directory").count();
        assert_eq!(left, 1, "only the export is there");
    }
    let refused = userpool(&["log", "import", "log.jsonl"], directory.path());
    assert!(stderr(&refused).contains("is not empty"), "{}", stderr(&refused));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_verifier_written_from_the_documentation_agrees() {
    let directory = stopped().await;
    let whole = export(directory.path());
    let lines: Vec<&str> = whole.lines().collect();
    let last: UserPoolEvent = proto::from_json(lines[4]).expect("an event");
    let third: UserPoolEvent = proto::from_json(lines[2]).expect("an event");
    let note = |event: &UserPoolEvent| {
        let hash = Hash(event.hash.as_slice().try_into().expect("32 bytes"));
        format!("{}:{hash}", event.position)
    };
    let file = |text: &str| written(&directory, "export.jsonl", text);
    assert_eq!(python(&file(&whole), ""), (Some(0), note(&last)));
    assert_eq!(python(&file(&whole), &note(&third)), (Some(0), note(&last)));
    let forged_note = format!("3:{}", "0".repeat(64));
    let verdict = python(&file(&whole), &forged_note);
    assert_eq!(verdict, (Some(1), "position 3: not the given hash".to_owned()));
    let ours = userpool(&["log", "verify", "--checkpoint", &forged_note], directory.path());
    assert_eq!(code(&ours), Some(1));
    assert!(stdout(&ours).starts_with("INVALID at position 3: "), "{}", stdout(&ours));
    let ours = userpool(&["log", "verify", "--checkpoint", &note(&third)], directory.path());
    assert!(stdout(&ours).contains("contains the trusted checkpoint at position 3"));

    let cut = lines[..4].join("\n");
    let verdict = python(&file(&cut), &note(&last));
    assert_eq!(verdict, (Some(1), "position 5: ends before the given position".to_owned()));
    let without = [lines[0], lines[2]].join("\n");
    let verdict = python(&file(&without), "");
    assert_eq!(verdict, (Some(1), "position 2: does not continue the chain".to_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_is_printed_and_never_created() {
    let empty = TempDir::new().expect("a directory");
    let missing = userpool(&["key"], empty.path());
    assert_eq!(code(&missing), Some(1));
    assert!(stderr(&missing).contains("there is no signing key in "), "{}", stderr(&missing));
    assert!(stderr(&missing).contains("set --data-dir, or start the server once"));
    assert_eq!(fs::read_dir(empty.path()).expect("a directory").count(), 0);

    let directory = stopped().await;
    let key = stdout(&userpool(&["key"], directory.path()));
    assert!(key.starts_with("-----BEGIN PUBLIC KEY-----"), "{key}");
    // Without the file, the checkpoints still name it.
    fs::remove_file(directory.path().join("signing_key.pem")).expect("removed");
    let missing = userpool(&["key"], directory.path());
    assert_eq!(code(&missing), Some(1));
    assert!(
        stderr(&missing).contains("signing_key.pem is missing, which signed the checkpoints in ")
    );
    assert!(!directory.path().join("signing_key.pem").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn openssl_agrees_on_a_checkpoint() {
    let directory = stopped().await;
    let key = userpool(&["key"], directory.path());
    assert_eq!(code(&key), Some(0), "{}", stderr(&key));
    let key = written(&directory, "key.pem", &stdout(&key));
    let checkpoint =
        fs::read_to_string(directory.path().join("checkpoints.jsonl")).expect("a file");
    let checkpoint: SignedCheckpoint = proto::from_json(checkpoint.trim()).expect("a checkpoint");
    let verified = checkpoint::verify(&checkpoint).expect("a right signature");
    let (head, log_id) = (verified.head, &checkpoint.log_id);
    let root = data_encoding::BASE64.encode(&checkpoint.root_hash);
    let time = proto::format_time(checkpoint.time.expect("a time"));
    let text = format!(
        "userpool/{log_id}\n{}\n{root}\nlog {log_id}\nchain {}\ntime {time}\n",
        head.position, head.hash
    );
    assert!(checkpoint.note.starts_with(&format!("{text}\n— userpool/{log_id} ")));
    let text = written(&directory, "text", &text);
    let signature = directory.path().join("signature");
    fs::write(&signature, &checkpoint.signature).expect("written");
    let output = Command::new("openssl")
        .args(["pkeyutl", "-verify", "-pubin", "-rawin", "-inkey"])
        .arg(&key)
        .arg("-in")
        .arg(&text)
        .arg("-sigfile")
        .arg(&signature)
        .output()
        .expect("openssl runs");
    assert!(output.status.success(), "{}", stderr(&output));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_record_is_named_by_its_position() {
    let directory = stopped().await;
    damage_record(directory.path(), 3);
    let verified = userpool(&["log", "verify"], directory.path());
    assert_eq!(code(&verified), Some(1));
    let printed = stdout(&verified);
    assert!(printed.starts_with("INVALID: "), "{printed}");
    assert!(
        printed.contains("position 3: the hash of the record does not match its content"),
        "{printed}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn log_stat_and_read_model_rebuild_work() {
    let directory = stopped().await;
    let output = stdout(&userpool(&["log", "stat"], directory.path()));
    for line in [
        "events        5",
        "  USER_POOL_CREATED        4",
        "  USER_POOL_DOMAIN_CREATED 1",
        "first event   2017-12-11T00:00:",
        "log on disk   ",
    ] {
        assert!(output.contains(line), "{output}");
    }
    fs::remove_dir_all(directory.path().join("read_model")).expect("removed");
    let rebuilt = userpool(&["read-model", "rebuild"], directory.path());
    assert!(stdout(&rebuilt).contains("up to position 5, hash "), "{}", stderr(&rebuilt));
    assert!(directory.path().join("read_model").is_dir());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_directory_in_use_or_not_there_is_refused_with_a_remedy() {
    let server = TestServer::start().await;
    for command in
        [["log", "verify"], ["log", "export"], ["log", "stat"], ["read-model", "rebuild"]]
    {
        let refused = userpool(&command, server.data_dir());
        assert_eq!(code(&refused), Some(1));
        assert!(stderr(&refused).contains("in use by another userpool process; stop that one"));
        let refused = userpool(&command, Path::new("/nonexistent"));
        assert_eq!(code(&refused), Some(1));
        assert!(stderr(&refused).contains("there is no data directory in /nonexistent"));
    }
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_export_keeps_the_previous_one() {
    let directory = stopped().await;
    let elsewhere = TempDir::new().expect("a directory");
    let file = elsewhere.path().join("log.jsonl");
    let export = ["log", "export", file.to_str().expect("text")];
    assert_eq!(code(&userpool(&export, directory.path())), Some(0));
    let before = fs::read_to_string(&file).expect("an export");

    assert_eq!(code(&userpool(&export, Path::new("/nonexistent"))), Some(1));

    assert_eq!(fs::read_to_string(&file).expect("an export"), before);
    assert_eq!(fs::read_dir(elsewhere.path()).expect("a directory").count(), 1);
    let to_stdout = userpool(&["log", "export", "-"], directory.path());
    assert_eq!(stdout(&to_stdout), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_export_is_private_or_keeps_the_permissions_of_its_file() {
    let directory = stopped().await;
    let elsewhere = TempDir::new().expect("a directory");
    let file = elsewhere.path().join("log.jsonl");
    let export = ["log", "export", file.to_str().expect("text")];
    let mode = || fs::metadata(&file).expect("an export").permissions().mode() & 0o777;
    // The remains of an export that was killed, readable by everybody.
    let left = elsewhere.path().join("log.jsonl.unfinished");
    fs::write(&left, "").expect("written");
    fs::set_permissions(&left, Permissions::from_mode(0o666)).expect("changed");

    assert_eq!(code(&userpool(&export, directory.path())), Some(0));
    assert_eq!(mode(), 0o600);

    // No usual umask removes this permission.
    fs::set_permissions(&file, Permissions::from_mode(0o400)).expect("changed");
    assert_eq!(code(&userpool(&export, directory.path())), Some(0));
    assert_eq!(mode(), 0o400);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_import_changes_no_existing_file() {
    let directory = stopped().await;
    let elsewhere = TempDir::new().expect("a directory");
    let file = written(&elsewhere, "log.jsonl", &export(directory.path()));
    let data_dir = elsewhere.path().join("data");
    let foreign = elsewhere.path().join("data.importing");
    fs::create_dir(&foreign).expect("a directory");
    fs::write(foreign.join("precious"), "").expect("written");

    let refused = userpool(&["log", "import", file.to_str().expect("text")], &data_dir);

    assert_eq!(code(&refused), Some(1));
    assert!(stderr(&refused).contains("data.importing: File exists"), "{}", stderr(&refused));
    assert!(foreign.join("precious").exists());
    assert!(!data_dir.exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_export_cut_inside_any_batch_is_refused() {
    // As many records as an import writes at a time, and one more in their batch.
    let log = MemoryLog::default();
    let bodies = (1..=4097).map(|revision| crate::support::event_body(POOL, revision));
    let records = log.append(Head::default(), bodies.collect()).await.expect("appended");
    let mut export = Vec::new();
    let mut exporter = Exporter::new(&mut export);
    for record in &records {
        exporter.push(record).expect("the next record");
    }
    let export = String::from_utf8(export).expect("text");
    let lines: Vec<_> = export.lines().collect();
    let elsewhere = TempDir::new().expect("a directory");
    for (count, expected) in [(4096, Some(1)), (4097, Some(0))] {
        let file = written(&elsewhere, "log.jsonl", &lines[..count].join("\n"));
        let data_dir = elsewhere.path().join("data");
        let output = userpool(&["log", "import", file.to_str().expect("text")], &data_dir);
        assert_eq!(code(&output), expected, "{}", stderr(&output));
    }
}
