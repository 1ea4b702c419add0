//! Which settings of the door are refused, and which are warned of.

use std::fs;

use tempfile::TempDir;
use userpool::{auth::AccessKeySettings, server::Config, transport::Endpoint};

use crate::{
    authority::{Authority, replace},
    binary::{run, userpool},
};

fn config(directory: &TempDir) -> Config {
    let listen = Endpoint::Tcp("127.0.0.1:0".to_owned());
    let aws_listen = Some(Endpoint::Tcp("0.0.0.0:0".to_owned()));
    Config { aws_listen, ..Config::new(listen, directory.path().join("data")) }
}

async fn problems(config: &Config) -> Vec<String> {
    config.check().await.iter().map(ToString::to_string).collect()
}

#[tokio::test]
async fn beyond_this_machine_callers_must_be_known() {
    let directory = TempDir::new().expect("a directory");
    let authority = Authority::new("root");
    let keys = || {
        let text = "[ci]\naccess_key_id = \"AKIACI\"\nsecret_access_key = \"s\"\n";
        Some(AccessKeySettings { file: replace(directory.path(), "keys.toml", text) })
    };
    let with_tls = |required| Some(authority.write_server_tls(directory.path(), required));
    let plain = config(&directory);
    for (config, is_refused) in [
        (plain.clone(), true),
        (Config { aws_credentials: keys(), ..plain.clone() }, true),
        (Config { tls: with_tls(None), ..plain.clone() }, true),
        (Config { tls: with_tls(None), aws_credentials: keys(), ..plain.clone() }, false),
        (Config { tls: with_tls(Some(true)), ..plain.clone() }, false),
        (Config { insecure: true, ..plain.clone() }, false),
    ] {
        let found = problems(&config).await;
        let refused = found.iter().any(|problem| problem.contains("for AWS clients"));
        assert_eq!(refused, is_refused, "{found:?}");
    }
}

#[tokio::test]
async fn a_file_of_keys_that_is_exposed_or_invalid_is_refused() {
    let directory = TempDir::new().expect("a directory");
    for (text, expected) in [
        ("", "it has no keys"),
        ("[ci]\nsecret_access_key = \"hidden\"\n", "line 1 is invalid"),
        ("[ci]\naccess_key_id = 1\nsecret_access_key = \"hidden\"\n", "line 2 is invalid"),
        ("hidden = hidden\n", "line 1 is invalid"),
        ("[ci]\naccess_key_id = \"A B\"\nsecret_access_key = \"hidden\"\n", "letters and digits"),
        ("[ci]\naccess_key_id = \"A\"\nsecret_access_key = \"\"\n", "of [ci] is empty"),
        (
            "[a]\naccess_key_id = \"A\"\nsecret_access_key = \"hidden\"\n\
             [b]\naccess_key_id = \"A\"\nsecret_access_key = \"hidden\"\n",
            "another key has the access_key_id of [a]",
        ),
    ] {
        let file = replace(directory.path(), "keys.toml", text);
        let config =
            Config { aws_credentials: Some(AccessKeySettings { file }), ..config(&directory) };
        let found = problems(&Config { insecure: true, ..config }).await;
        assert!(found.iter().any(|problem| problem.contains(expected)), "{found:?}");
        assert!(!found.iter().any(|problem| problem.contains("hidden")), "{found:?}");
    }
    let file = replace(directory.path(), "keys.toml", "[a]\n");
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o644);
    fs::set_permissions(&file, mode).expect("changed");
    let config = Config { aws_credentials: Some(AccessKeySettings { file }), ..config(&directory) };
    let found = problems(&config).await;
    assert!(found.iter().any(|problem| problem.contains("has access to the access keys")));
}

#[tokio::test]
async fn settings_that_cannot_have_an_effect_are_reported() {
    let directory = TempDir::new().expect("a directory");
    let data = format!("--data-dir={}", directory.path().join("data").display());
    for (arguments, expected) in [
        (vec!["--aws-allow-origin=http://a.example"], "--aws-allow-origin has no effect"),
        (vec!["--aws-api=2017-12-11"], "--aws-api has no effect"),
        (vec!["--aws-listen=127.0.0.1:50051"], "127.0.0.1:50051 is both --listen and --aws-listen"),
        (vec!["--readers=access-key:ci"], "access keys are not verified"),
        (vec!["--aws-allow-origin=*"], "expected http://HOST:PORT or https://HOST"),
    ] {
        let mut command = userpool();
        let output = run(command.args(["serve", "--check-config", &data]).args(arguments)).await;
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success());
        assert!(stderr.contains(expected), "{stderr}");
    }
}
