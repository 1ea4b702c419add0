//! Contexts: what the file may hold, which of a flag, the environment and a context wins, and
//! what is never sent to another server.

use std::{
    fs::{self, Permissions},
    os::unix::fs::PermissionsExt as _,
    path::PathBuf,
    process::Command,
};

use tempfile::TempDir;

use super::{CommandOutput, output};
use crate::{authority::Authority, support::TestServer};

/// A home directory for the binary.
struct Home(TempDir);

impl Home {
    fn new() -> Self {
        Self(TempDir::new().expect("a directory"))
    }

    fn file(&self) -> PathBuf {
        self.0.path().join("config/userpool/contexts.toml")
    }

    fn write(&self, text: &str) {
        fs::create_dir_all(self.file().parent().expect("a directory")).expect("created");
        fs::write(self.file(), text).expect("written");
    }

    /// The binary in this home, with no other environment.
    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_userpool"));
        command.args(arguments).env_clear().current_dir(self.0.path());
        command.env("XDG_CONFIG_HOME", self.0.path().join("config"));
        command
    }

    async fn run(&self, arguments: &[&str]) -> CommandOutput {
        output(self.command(arguments)).await
    }

    async fn printed(&self, arguments: &[&str]) -> String {
        let run = self.run(arguments).await;
        assert_eq!(run.code, 0, "{arguments:?}: {run:?}");
        run.stdout
    }

    async fn refused(&self, arguments: &[&str], expected: &str) {
        let run = self.run(arguments).await;
        assert_ne!(run.code, 0, "{arguments:?}");
        assert!(run.stderr.contains(expected), "{arguments:?}: {}", run.stderr);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn contexts_are_added_used_listed_shown_and_removed() {
    let home = Home::new();
    let list = home.printed(&["context", "list"]).await;
    assert_eq!(list, "CURRENT  NAME  ENDPOINT\n");
    home.refused(&["context", "show"], "there is no current context; name one").await;
    let unknown = "there is no context prod; add one with \"userpool context add\"";
    home.refused(&["context", "use", "prod"], unknown).await;

    let prod = ["context", "add", "prod", "--endpoint", "127.0.0.1:1", "--ca", "ca.pem", "--use"];
    let added = home.run(&prod).await;
    assert_eq!(added.stdout, "added context prod, the current one\n");
    assert!(added.stderr.ends_with("/ca.pem yet\n"), "{added:?}");
    let local = ["context", "add", "local", "--endpoint", "unix:socket", "--timeout", "3"];
    assert_eq!(home.printed(&local).await, "added context local\n");
    home.refused(&prod, "there is a context prod already; replace it with --replace").await;
    home.printed(&[&prod[..], &["--replace", "--tls"]].concat()).await;
    let mode = fs::metadata(home.file()).expect("a file").permissions().mode() & 0o777;
    assert_eq!(mode, 0o600);

    let directory = home.0.path().canonicalize().expect("a directory");
    let directory = directory.display();
    let list = home.printed(&["context", "list"]).await;
    let expected = format!(
        "CURRENT  NAME   ENDPOINT\n         local  unix:{directory}/socket\n*        prod   127.0.0.1:1\n"
    );
    assert_eq!(list, expected);
    let show = home.printed(&["context", "show", "-o", "jsonl"]).await;
    let expected = format!(
        "{{\"name\":\"prod\",\"current\":true,\"endpoint\":\"127.0.0.1:1\",\"tls\":true,\"ca\":\
         \"{directory}/ca.pem\"}}\n"
    );
    assert_eq!(show, expected, "paths are absolute");

    let used = home.printed(&["context", "use", "local"]).await;
    assert_eq!(used, "the current context is local\n");
    let removed = home.printed(&["context", "remove", "local"]).await;
    assert_eq!(removed, "removed context local; there is no current context\n");
    let unknown = "there is no context local; the contexts are prod";
    home.refused(&["context", "remove", "local"], unknown).await;
    home.printed(&["context", "use", "prod"]).await;
    home.printed(&["context", "use", "--none"]).await;
    assert!(!home.printed(&["context", "list"]).await.contains('*'));

    home.refused(&["context", "add", "a/b", "--endpoint", "h:1"], "a context name has").await;
    home.refused(&["context", "add", "a", "--endpoint", "h"], "expected HOST:PORT").await;
    home.refused(&["context", "add", "a"], "--endpoint <ENDPOINT>").await;
    let half = ["context", "add", "a", "--endpoint", "h:1", "--cert", "c.pem"];
    home.refused(&half, "--cert-key <FILE>").await;
    let mut homeless = home.command(&["context", "add", "a", "--endpoint", "h:1"]);
    homeless.env_remove("XDG_CONFIG_HOME");
    let homeless = output(homeless).await;
    assert!(homeless.stderr.contains("set HOME or XDG_CONFIG_HOME"), "{}", homeless.stderr);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_is_not_valid_is_refused_with_the_line() {
    let home = Home::new();
    let path = home.file();
    for (text, expected) in [
        ("current = \"a\"\nother = 1\n", "line 2: unknown field `other`"),
        ("[contexts.a]\nendpoint = \"h:1\"\ntoken = \"secret\"\n", "line 3: unknown field `token`"),
        ("[contexts.a]\nendpoint = \"h\"\n", "line 2: expected HOST:PORT"),
        ("[contexts.a]\ntls = true\n", "line 1: missing field `endpoint`"),
        ("[contexts.a]\nendpoint = \"h:1\"\ntimeout = 0\n", "line 3: invalid value"),
        ("[contexts.\"a b\"]\nendpoint = \"h:1\"\n", "a context name has letters"),
        ("[contexts.a\n", "line 1: "),
        (
            "[contexts.a]\nendpoint = \"h:1\"\ncert = \"c\"\n",
            "context a: cert and cert-key must be set together",
        ),
    ] {
        home.write(text);
        for command in [&["status"][..], &["context", "list"]] {
            let run = home.run(command).await;
            assert_eq!(run.code, 1, "{text}");
            assert!(run.stderr.contains(expected), "{text}: {}", run.stderr);
            assert!(run.stderr.contains(&path.display().to_string()), "{}", run.stderr);
            assert!(!run.stderr.contains("secret"), "{}", run.stderr);
        }
    }
    home.write("current = \"gone\"\n[contexts.a]\nendpoint = \"127.0.0.1:1\"\n");
    home.refused(&["status"], "there is no context gone; the contexts are a").await;
    home.printed(&["context", "use", "a"]).await;
    fs::set_permissions(&path, Permissions::from_mode(0o602)).expect("changed");
    home.refused(&["status"], "every user of this machine can change ").await;
    // Without a connection, a command does not read it.
    assert_eq!(home.run(&["completions", "bash"]).await.code, 0);
}

/// The values of a flag by their origin, the strongest first.
const ORIGINS: [&str; 4] = ["flag", "variable", "named", "current"];

/// Checks that the value of a flag is the one of the strongest origin, which the error of
/// `status` shows. `base` has the flags that the contexts need as well.
async fn the_strongest_wins(home: &Home, flag: &str, values: [&str; 4], base: &[&str]) {
    let (long, [given, variable, named, current]) = (format!("--{flag}"), values);
    for (name, value) in [("named", named), ("current", current)] {
        home.printed(&[&["context", "add", name, "--replace", &long, value], base].concat()).await;
    }
    home.printed(&["context", "use", "current"]).await;
    for (strongest, expected) in values.iter().enumerate() {
        let mut arguments = vec!["status"];
        if strongest == 0 {
            arguments.extend([long.as_str(), given]);
            // The other half of an identity.
            arguments.extend(base.iter().filter(|_| flag.starts_with("cert")));
        }
        // By its flag and by its variable.
        if strongest == 2 {
            arguments.extend(["--context", "named"]);
        }
        let mut command = home.command(&arguments);
        if strongest <= 1 {
            command.env(format!("USERPOOL_{}", flag.to_uppercase().replace('-', "_")), variable);
            command.env("USERPOOL_CONTEXT", "named");
            for pair in base.chunks(2).filter(|_| flag.starts_with("cert")) {
                let name = pair[0].trim_start_matches('-').to_uppercase().replace('-', "_");
                command.env(format!("USERPOOL_{name}"), pair[1]);
            }
        }
        let run = output(command).await;
        assert_ne!(run.code, 0, "{run:?}");
        let origin = ORIGINS[strongest];
        assert!(run.stderr.contains(expected), "{flag} of {origin}: {}", run.stderr);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flag_overrides_the_environment_then_the_contexts() {
    let server = TestServer::start().await;
    let endpoint = server.endpoint.to_string();
    let home = Home::new();
    let paths = ORIGINS.map(|origin| home.0.path().join(origin).display().to_string());
    let paths = paths.each_ref().map(String::as_str);
    let here = home.0.path().join("half").display().to_string();
    fs::write(&here, "").expect("written");
    let to_server = ["--endpoint", &endpoint];
    the_strongest_wins(&home, "ca", paths, &to_server).await;
    the_strongest_wins(&home, "token-file", paths, &to_server).await;
    let with_key = [&to_server[..], &["--cert-key", &here]].concat();
    the_strongest_wins(&home, "cert", paths, &with_key).await;
    let with_cert = [&to_server[..], &["--cert", &here]].concat();
    the_strongest_wins(&home, "cert-key", paths, &with_cert).await;
    let sockets = ORIGINS.map(|origin| format!("unix:{}", home.0.path().join(origin).display()));
    the_strongest_wins(&home, "endpoint", sockets.each_ref().map(String::as_str), &[]).await;
    server.stop().await;

    let files = TempDir::new().expect("a directory");
    let settings = Authority::new("root").write_server_tls(files.path(), None);
    let ca = files.path().join("ca.crt").display().to_string();
    let server = TestServer::with(|config| config.tls = Some(settings)).await;
    let endpoint = server.endpoint.to_string();
    let base = ["--endpoint", &endpoint, "--ca", &ca];
    let names = ORIGINS.map(|origin| format!("{origin}.example"));
    the_strongest_wins(&home, "server-name", names.each_ref().map(String::as_str), &base).await;
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_timeout_and_the_switch_of_tls_come_from_the_context_too() {
    let server = TestServer::start().await;
    let endpoint = server.endpoint.to_string();
    let home = Home::new();
    home.printed(&["context", "add", "tls", "--endpoint", &endpoint, "--tls", "--use"]).await;
    let failed = home.run(&["status"]).await;
    let sentence = "answers, but the TLS handshake fails";
    assert!(failed.stderr.contains(sentence), "{}", failed.stderr);
    let mut without = home.command(&["status"]);
    without.env("USERPOOL_TLS", "false");
    let without = output(without).await;
    assert_eq!(without.code, 0, "{without:?}");
    let mut with = home.command(&["status", "--tls"]);
    with.env("USERPOOL_TLS", "false");
    assert_ne!(output(with).await.code, 0);
    server.stop().await;

    // Connections wait here, and nobody answers.
    let socket = home.0.path().join("silent");
    let silent = std::os::unix::net::UnixListener::bind(&socket).expect("a socket");
    let endpoint = format!("unix:{}", socket.display());
    for (name, seconds) in [("current", "1"), ("named", "600")] {
        let add = ["context", "add", name, "--endpoint", &endpoint, "--timeout", seconds];
        home.printed(&add).await;
    }
    home.printed(&["context", "use", "current"]).await;
    let run = home.run(&["status"]).await;
    assert_ne!(run.code, 0, "{run:?}");
    let mut overridden = home.command(&["status", "--context", "named"]);
    overridden.env("USERPOOL_TIMEOUT", "1");
    assert_ne!(output(overridden).await.code, 0);
    let overridden = home.run(&["status", "--context", "named", "--timeout", "1"]).await;
    assert_ne!(overridden.code, 0);
    drop(silent);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_context_is_shown_and_used_only_for_its_own_server() {
    let (server, other) = (TestServer::start().await, TestServer::start().await);
    let [endpoint, elsewhere] = [&server, &other].map(|server| server.endpoint.to_string());
    let home = Home::new();
    let token = home.0.path().join("missing").display().to_string();
    let add = ["context", "add", "prod", "--endpoint", &endpoint, "--use"];
    home.printed(&add).await;
    let status = home.printed(&["status"]).await;
    let (member, context) =
        status.lines().next().and_then(|line| line.split_once(' ')).expect("a line");
    assert_eq!((member, context.trim()), ("context", format!("prod ({endpoint})").as_str()));
    let without = home.run(&["status", "--context", "", "--endpoint", &elsewhere]).await;
    assert_eq!((without.code, without.stderr.as_str()), (0, ""), "{without:?}");
    home.refused(
        &["status", "--context", "pord"],
        "there is no context pord; the contexts are prod",
    )
    .await;

    home.printed(&[&add[..], &["--replace", "--token-file", &token]].concat()).await;
    home.refused(&["status"], &token).await;
    // The token is not even read for another server.
    let elsewhere_flag = home.run(&["status", "--endpoint", &elsewhere]).await;
    assert_eq!(
        (elsewhere_flag.code, elsewhere_flag.stderr.as_str()),
        (0, ""),
        "{elsewhere_flag:?}"
    );
    assert!(!elsewhere_flag.stdout.contains("context"), "{elsewhere_flag:?}");
    let mut variable = home.command(&["status", "--context", "prod"]);
    variable.env("USERPOOL_ENDPOINT", &elsewhere);
    let variable = output(variable).await;
    assert_eq!(variable.code, 0, "{variable:?}");
    let note = format!(
        "userpool: context prod is not used, because it is for {endpoint}, not for {elsewhere}\n"
    );
    assert_eq!(variable.stderr, note);
    // The same server by its name.
    home.refused(&["status", "--endpoint", &endpoint], &token).await;

    server.stop().await;
    other.stop().await;
    home.printed(&[&add[..], &["--replace"]].concat()).await;
    let sentence = format!("no server answers on {endpoint}");
    let run = home.run(&["status"]).await;
    assert!(run.stderr.contains(&sentence), "{}", run.stderr);
    assert!(run.stderr.contains(" (context prod): start one with"), "{}", run.stderr);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_error_about_a_file_names_its_context_and_the_remedy() {
    let home = Home::new();
    let directory = home.0.path().canonicalize().expect("a directory").display().to_string();
    for (flag, others) in
        [("--ca", ""), ("--cert", " --cert-key 'a key'"), ("--token-file", " --tls")]
    {
        let words = others.replace('\'', "");
        let words = words.strip_prefix(' ').map(|words| words.splitn(2, ' ').collect::<Vec<_>>());
        let words = words.unwrap_or_default();
        let add = ["context", "add", "prod", "--replace", "--endpoint", "h:1", flag, "missing"];
        home.printed(&[&add[..], &words].concat()).await;
        fs::write(home.0.path().join("a key"), "").expect("written");
        let failed = home.run(&["status", "--context", "prod"]).await;
        let others = others.replace("a key", &format!("{directory}/a key"));
        // The order is that of the flags in the help.
        let flags = match flag {
            "--token-file" => format!("{others} {flag} FILE"),
            _ => format!(" {flag} FILE{others}"),
        };
        assert_eq!(
            failed.stderr,
            format!(
                "userpool: cannot read {directory}/missing: No such file or directory (os error 2) \
                 (context prod): put the file there, or name another one with \"userpool context \
                 add prod --replace --endpoint h:1{flags}\"\n"
            )
        );
        assert_eq!(failed.code, 1);
    }
    // The context is not to blame for the file of a flag, but for a token without TLS.
    let failed = home.run(&["status", "--context", "prod", "--ca", "other"]).await;
    let expected = "userpool: cannot read other: No such file or directory (os error 2)\n";
    assert_eq!(failed.stderr, expected);
    fs::write(home.0.path().join("token"), "abc").expect("written");
    let add = ["context", "add", "prod", "--replace", "--endpoint", "192.0.2.1:1"];
    home.printed(&[&add[..], &["--token-file", "token"]].concat()).await;
    home.refused(&["status", "--context", "prod"], "through a Unix socket (context prod)\n").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_relative_socket_starts_from_the_directory_of_the_file() {
    let home = Home::new();
    home.write("[contexts.local]\nendpoint = \"unix:run/socket\"\n");
    let socket = home.file().parent().expect("a directory").join("run/socket");
    let list = home.printed(&["context", "list"]).await;
    assert!(list.contains(&format!("local  unix:{}\n", socket.display())), "{list}");
    let sentence = format!("no server answers on unix:{}", socket.display());
    home.refused(&["status", "--context", "local"], &sentence).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_export_takes_a_context_that_is_named() {
    let server = TestServer::start().await;
    let endpoint = server.endpoint.to_string();
    let home = Home::new();
    home.printed(&["context", "add", "prod", "--endpoint", &endpoint, "--use"]).await;
    home.printed(&["log", "export", "--context", "prod"]).await;
    // The current context does not make an export of ./data one of a server.
    home.refused(&["log", "export"], "there is no data directory in ./data").await;
    let both = ["log", "export", "--context", "prod", "--data-dir", "elsewhere"];
    home.refused(&both, "there is no data directory in elsewhere").await;
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn contexts_and_the_names_of_their_servers_are_completed() {
    let server = TestServer::start().await;
    let endpoint = server.endpoint.to_string();
    let pool = super::create(&server, "people").await;
    let home = Home::new();
    home.printed(&["context", "add", "prod", "--endpoint", &endpoint]).await;
    home.printed(&["context", "add", "staging", "--endpoint", "127.0.0.1:1", "--use"]).await;
    let offered = async |words: &[&str]| {
        let mut command = home.command(&[&["--", "userpool"], words].concat());
        command.env("USERPOOL_COMPLETE", "fish");
        output(command).await.stdout
    };
    let prod = format!("prod\t{endpoint}\n");
    for words in [
        &["context", "use", "p"][..],
        &["context", "show", "p"],
        &["context", "remove", "p"],
        &["status", "--context", "p"],
    ] {
        assert_eq!(offered(words).await, prod, "{words:?}");
    }
    assert_eq!(offered(&["describe", "us-"]).await, "");
    let named = offered(&["describe", "--context", "prod", "us-"]).await;
    assert_eq!(named, format!("{pool}\tpeople\n"));
    server.stop().await;
}
