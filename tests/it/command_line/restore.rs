//! `userpool restore` shows what changes, asks, and then changes exactly that.

use std::process::Stdio;

use regex::Regex;
use serde_json::json;
use tempfile::TempDir;
use tokio::task;

use super::{CommandOutput, create, run, run_with, userpool};
use crate::{
    calls::Call,
    support::TestServer,
    terminal::{Person, Terminal},
};

/// A user pool whose last update was a mistake: it removed a tag, at revision 3.
async fn with_bad_update(server: &TestServer) -> String {
    let id = create(server, "people").await;
    let mut client = server.client().await;
    Call::set_tag(&id, "team", "one").send(&mut client).await.expect("tagged");
    Call::remove_tag(&id, "team").send(&mut client).await.expect("the mistake");
    id
}

async fn revision(server: &TestServer, id: &str) -> String {
    let described = run(server, &["describe", id]).await;
    described.json()["revision"].as_str().expect("a revision").to_owned()
}

/// Runs a command on a terminal. The person there does `what`, and sees the text that is
/// returned.
pub(super) async fn on_terminal(
    server: &TestServer,
    arguments: &[&str],
    what: impl AsyncFnOnce(&mut Person),
) -> (CommandOutput, String) {
    let terminal = Terminal::new(100);
    let mut command = userpool(&server.endpoint.to_string(), arguments);
    command.stdin(terminal.stdio()).stderr(terminal.stdio()).stdout(Stdio::piped());
    let child = command.spawn().expect("it starts");
    // It has descriptors of the terminal.
    drop(command);
    let mut person = terminal.person();
    what(&mut person).await;
    #[expect(clippy::disallowed_methods, reason = "it waits for another process")]
    let ended = task::spawn_blocking(move || {
        let seen = person.read_to_end();
        (child.wait_with_output().expect("it ends"), seen)
    });
    let (output, seen) = ended.await.expect("no panic");
    let stdout = String::from_utf8(output.stdout).expect("UTF-8");
    let code = output.status.code().expect("no signal");
    (CommandOutput { stdout, stderr: String::new(), code }, seen)
}

/// Answers the question.
pub(super) fn answer(person: &mut Person, text: &str) {
    task::block_in_place(|| person.read_until("continue? [y/N]"));
    person.type_line(text);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_sees_the_change_and_confirms_it() {
    let server = TestServer::start().await;
    let id = with_bad_update(&server).await;
    let restore = ["restore", &id, "--to", "2"];
    let (refused, seen) = on_terminal(&server, &restore, async |person| answer(person, "n")).await;
    assert_eq!((refused.code, refused.stdout.as_str()), (1, ""));
    assert!(seen.ends_with("userpool: nothing was changed\n"), "{seen}");
    assert_eq!(revision(&server, &id).await, "3");

    let (restored, seen) = on_terminal(&server, &restore, async |person| answer(person, "y")).await;
    assert_eq!(restored.code, 0, "{seen}");
    for line in [
        format!("--- {id} at revision 3, position 3, 2017-12-11T"),
        format!("+++ {id} restored to revision 2"),
        "+ UserPoolTags: {\"team\":\"one\"}".to_owned(),
    ] {
        assert!(seen.contains(&line), "{line}: {seen}");
    }
    let answer = restored.json();
    assert_eq!(answer["UserPool"]["UserPoolTags"], json!({ "team": "one" }));
    assert_eq!((&answer["revision"], answer.get("kept")), (&json!("4"), None));
    server.stop().await;
}

/// Whoever changes the user pool meanwhile is not overruled.
#[tokio::test(flavor = "multi_thread")]
async fn only_what_was_shown_is_restored() {
    let server = TestServer::start().await;
    let id = with_bad_update(&server).await;
    let mut client = server.client().await;
    let (refused, seen) = on_terminal(&server, &["restore", &id, "--to", "2"], async |person| {
        task::block_in_place(|| person.read_until("continue? [y/N]"));
        let change = Call::set_tag(&id, "stage", "live");
        change.send(&mut client).await.expect("tagged");
        person.type_line("y");
    })
    .await;
    assert_eq!(refused.code, 64 + 10, "{seen}");
    assert!(seen.contains("REVISION_MISMATCH"), "{seen}");
    assert_eq!(revision(&server, &id).await, "4");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_terminal_it_must_be_told_to_go_on() {
    let server = TestServer::start().await;
    let id = with_bad_update(&server).await;
    let refused = run(&server, &["restore", &id, "--to", "2"]).await;
    assert_eq!((refused.code, refused.stdout.as_str()), (1, ""));
    let shown = "\n+ UserPoolTags: {\"team\":\"one\"}\n";
    assert!(refused.stderr.contains(shown), "{refused:?}");
    let remedy = "userpool: this changes the user pool, and there is no terminal to ask on; to \
                  do it without asking, add --yes\n";
    assert!(refused.stderr.ends_with(remedy), "{refused:?}");
    let validated = run(&server, &["restore", &id, "--to", "2", "--validate-only"]).await;
    // Its position is 0.
    assert_eq!((validated.code, validated.json().get("position")), (0, None));
    assert_eq!(validated.json()["changed"], true);
    assert!(validated.stderr.contains(shown), "{validated:?}");
    assert_eq!(revision(&server, &id).await, "3");

    let arguments = ["restore", &id, "--to", "2", "--yes"];
    let mismatch = run(&server, &[&arguments[..], &["--expected-revision", "2"]].concat()).await;
    assert_eq!(mismatch.code, 64 + 10, "{mismatch:?}");
    let request_id = "0193b5f0-7c5e-7d7a-9c55-2d1d8f1b6a01";
    let arguments = [&arguments[..], &["--request-id", request_id]].concat();
    let restored = run(&server, &arguments).await;
    assert_eq!((restored.code, restored.stderr.as_str()), (0, ""), "{restored:?}");
    let again = run(&server, &arguments).await;
    assert_eq!(again.json(), restored.json());
    assert_eq!(revision(&server, &id).await, "4");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_kept_and_what_does_not_change_is_said() {
    let server = TestServer::start().await;
    let id = create(&server, "people").await;
    let mut client = server.client().await;
    Call::add_attribute(&id, "plan").send(&mut client).await.expect("added");
    Call::assign(&id, "people-login").send(&mut client).await.expect("assigned");
    let same = run(&server, &["restore", &id, "--to", "1", "--validate-only"]).await;
    assert_eq!(
        same.stderr,
        format!(
            "{id} does not change\n\
             kept: domain: domains are restored only with --domain\n\
             kept: schema_attributes: custom attributes that were added later stay, because they \
             can never be removed\n"
        )
    );
    assert_eq!(same.json()["kept"][1]["reason"], "KEPT_FIELD_REASON_IMMUTABLE");
    // There is nothing to ask, so a terminal is not needed.
    let (same, _) = on_terminal(&server, &["restore", &id, "--to", "1"], async |_| ()).await;
    assert_eq!((same.code, &same.json()["revision"]), (0, &json!("3")));
    let nothing = "userpool: nothing was changed, and nothing was recorded\n";
    let same = run(&server, &["restore", &id, "--to", "1"]).await;
    assert_eq!((same.code, &same.json()["revision"]), (0, &json!("3")));
    assert!(same.stderr.starts_with(&format!("{id} does not change\n")), "{same:?}");
    assert!(same.stderr.ends_with(nothing), "{same:?}");
    let same = run(&server, &["restore", &id, "--to", "1", "--yes"]).await;
    assert_eq!(same.code, 0, "{same:?}");
    assert!(same.stderr.starts_with("kept: domain: domains are restored only with"), "{same:?}");
    assert!(same.stderr.ends_with(nothing), "{same:?}");
    assert_eq!(same.json().get("changed"), None);
    assert_eq!(revision(&server, &id).await, "3");

    let table = run(&server, &["restore", &id, "--to", "1", "--yes", "-o", "table"]).await;
    let lines: Vec<_> = table.stdout.lines().filter(|line| line.starts_with("kept")).collect();
    let spaces = Regex::new("  +").expect("a pattern");
    assert_eq!(
        lines.iter().map(|line| spaces.replace(line, "  ")).collect::<Vec<_>>(),
        [
            "kept.domain  domains are restored only with --domain",
            "kept.schema_attributes  custom attributes that were added later stay, because they \
             can never be removed",
        ]
    );
    server.stop().await;
}

/// A retry prints the answer of the restore, which did change something.
#[tokio::test(flavor = "multi_thread")]
async fn a_retry_does_not_say_that_nothing_was_changed() {
    let server = TestServer::start().await;
    let id = with_bad_update(&server).await;
    let request_id = "0193b5f0-7c5e-7d7a-9c55-2d1d8f1b6a01";
    let restore = ["restore", &id, "--to", "2", "--yes", "--request-id", request_id];
    for _ in 0..2 {
        let restored = run(&server, &restore).await;
        assert_eq!((restored.code, restored.stderr.as_str()), (0, ""));
        assert_eq!(restored.json()["changed"], true);
    }
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_user_pool_comes_back_with_its_domain() {
    let server = TestServer::start().await;
    let id = with_bad_update(&server).await;
    let mut client = server.client().await;
    for call in
        [Call::assign(&id, "people-login"), Call::release(&id, "people-login"), Call::delete(&id)]
    {
        call.send(&mut client).await.expect("changed");
    }
    let gone = run(&server, &["describe", &id]).await;
    assert_eq!(gone.code, 64 + 5);
    let remedy = format!("bring it back with \"userpool restore {id} --to 5\"");
    assert!(gone.stderr.contains(&remedy), "{gone:?}");

    let deletion = run(&server, &["restore", &id, "--to", "6", "--yes"]).await;
    assert_eq!(deletion.code, 64 + 3);
    assert!(deletion.stderr.contains("Restore revision 5, the last one"), "{deletion:?}");
    // A position stands for the revision of the user pool there.
    let arguments = ["restore", &id, "--to", "@4", "--domain", "--validate-only"];
    let shown = run(&server, &arguments).await.stderr;
    for line in ["- deleted: true", "+ Domain: \"people-login\"", "restored to revision 4"] {
        assert!(shown.contains(line), "{line}: {shown}");
    }
    let restored = run(&server, &["restore", &id, "--to", "4", "--domain", "--yes"]).await;
    assert_eq!(restored.json()["UserPool"]["Domain"], "people-login");
    let owner = run(&server, &["domain", "describe", "people-login"]).await;
    assert_eq!(owner.json()["DomainDescription"]["UserPoolId"], id.as_str());

    let history = run(&server, &["history", &id, "--types", "deleted,restored"]).await.stdout;
    let rows: Vec<Vec<_>> =
        history.lines().skip(1).map(|line| line.split_whitespace().collect()).collect();
    assert_eq!((rows[0][0], rows[0][2]), ("6", "deleted"));
    assert_eq!((rows[1][0], rows[1][2]), ("7", "restored"));
    assert_eq!(rows[1][4..].join(" "), "to revision 4, was deleted, domain: people-login");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_with_a_restored_user_pool_is_verified_and_imported() {
    let server = TestServer::start().await;
    let id = with_bad_update(&server).await;
    let mut client = server.client().await;
    for call in [
        Call::assign(&id, "people-login"),
        Call::release(&id, "people-login"),
        Call::delete(&id),
        Call::restore_with_domains(&id, 4),
        Call::restore(&id, 2),
    ] {
        call.send(&mut client).await.expect("changed");
    }
    let verified = run(&server, &["verify"]).await;
    assert_eq!(verified.code, 0, "{verified:?}");
    let shown = run(&server, &["describe", &id]).await.json();
    let data_dir = server.stop().await;
    let offline = async |arguments: &[&str]| {
        let ran = run_with("", arguments, "").await;
        assert_eq!(ran.code, 0, "{ran:?}");
    };
    let path = data_dir.path().to_str().expect("UTF-8").to_owned();
    offline(&["log", "verify", "--data-dir", &path]).await;
    let file = data_dir.path().join("export.jsonl");
    let file = file.to_str().expect("UTF-8");
    offline(&["log", "export", "--data-dir", &path, file]).await;
    let imported = TempDir::new().expect("a directory");
    let path = imported.path().to_str().expect("UTF-8").to_owned();
    offline(&["log", "import", file, "--data-dir", &path]).await;
    let server = TestServer::start_in(imported).await;
    assert_eq!(run(&server, &["describe", &id]).await.json(), shown);
    server.stop().await;
}
