//! Updates: the output of reads as their documents, names of AWS in masks, and the settings
//! that an update resets.

use std::fs;

use serde_json::json;
use tempfile::TempDir;
use tokio::task;

use super::{
    create,
    restore::{answer, on_terminal},
    run, run_with,
};
use crate::{calls::Call, support::TestServer, tools::repository};

#[tokio::test(flavor = "multi_thread")]
async fn an_update_takes_what_describe_and_replay_print() {
    let server = TestServer::start().await;
    let endpoint = server.endpoint.to_string();
    let file = repository().join("tests/it/data/create-user-pool-full.json");
    let created = run(&server, &["create", file.to_str().expect("UTF-8")]).await;
    let id = created.json()["UserPool"]["Id"].as_str().expect("an ID").to_owned();
    let shown = run(&server, &["describe", &id]).await;
    let same = run_with(&endpoint, &["update", &id, "-"], &shown.stdout).await;
    assert_eq!((same.code, same.stderr.as_str()), (0, ""), "{same:?}");
    assert_eq!(same.json()["revision"], "1", "nothing changed");

    let changed = run_with(&endpoint, &["update", &id, "-", "--yes"], "{}").await;
    assert_eq!((changed.code, changed.stderr.as_str()), (0, ""), "{changed:?}");
    assert_ne!(
        changed.json()["UserPool"]["UserPoolTags"],
        shown.json()["UserPool"]["UserPoolTags"]
    );
    let replayed = run(&server, &["replay", &id, "--at", "1"]).await;
    let bare = replayed.json()["userPool"].to_string();
    for document in [replayed.stdout, bare] {
        let restored = run_with(&endpoint, &["update", &id, "-"], &document).await;
        assert_eq!((restored.code, restored.stderr.as_str()), (0, ""), "{restored:?}");
        let mut settings = restored.json()["UserPool"].clone();
        settings["LastModifiedDate"] = shown.json()["UserPool"]["LastModifiedDate"].clone();
        assert_eq!(settings, shown.json()["UserPool"]);
    }
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_update_cannot_change_is_refused_by_name() {
    let server = TestServer::start().await;
    let endpoint = server.endpoint.to_string();
    let id = create(&server, "people").await;
    let other = create(&server, "staff").await;
    let shown = run(&server, &["describe", &id]).await.json();
    let refusal = async |member: &str, value: serde_json::Value| {
        let mut document = shown.clone();
        document["UserPool"][member] = value;
        let document = document.to_string();
        let refused = run_with(&endpoint, &["update", &id, "-"], &document).await;
        assert_eq!(refused.code, 1, "{refused:?}");
        refused.stderr
    };
    let attribute = serde_json::json!([{"Name": "custom:plan", "AttributeDataType": "String"}]);
    for (member, value) in [
        ("SchemaAttributes", attribute),
        ("AliasAttributes", serde_json::json!(["email"])),
        ("UsernameAttributes", serde_json::json!(["email"])),
        ("UsernameConfiguration", serde_json::json!({"CaseSensitive": true})),
        ("Domain", "people-login".into()),
    ] {
        assert_eq!(
            refusal(member, value).await,
            format!(
                "userpool: stdin: {member} differs from the user pool as it is, and an update \
                 cannot change that; remove it from the document to update the settings alone, \
                 or set everything back with userpool restore\n"
            )
        );
    }
    assert_eq!(
        refusal("Id", other.as_str().into()).await,
        format!("userpool: stdin: is for user pool {other}, not {id}\n")
    );
    server.stop().await;
}

/// A restored state has no other MFA factors and domain settings than the document says.
#[tokio::test(flavor = "multi_thread")]
async fn other_factors_and_domain_settings_are_refused() {
    let server = TestServer::start().await;
    let endpoint = server.endpoint.to_string();
    let id = create(&server, "people").await;
    let role = "arn:aws:iam::123456789012:role/sms";
    let certificate = "arn:aws:acm:us-east-1:123456789012:certificate/1";
    for change in [
        vec!["domain", "create", "people", &id, "--login-version", "1"],
        vec!["domain", "create", "a.example.com", &id, "--certificate-arn", certificate],
        vec!["mfa", "set", &id, "optional", "--software-token", "--sms-role", role],
        vec!["mfa", "set", &id, "optional", "--software-token"],
        vec!["mfa", "set", &id, "optional", "--sms"],
        vec!["domain", "update", "people", &id, "--login-version", "2"],
        vec!["domain", "update", "a.example.com", &id, "--login-version", "2"],
    ] {
        assert_eq!(run(&server, &change).await.code, 0, "{change:?}");
    }
    let update_to = async |revision: &str, arguments: &[&str]| {
        let replayed = run(&server, &["replay", &id, "--at", revision]).await;
        assert_eq!(replayed.code, 0, "{replayed:?}");
        let arguments = [&["update", &id, "-"], arguments].concat();
        run_with(&endpoint, &arguments, &replayed.stdout).await
    };
    for (revision, differences) in [
        ("4", "domainSettings, customDomainSettings, softwareTokenMfa differ"),
        ("5", "domainSettings, customDomainSettings, smsMfa, softwareTokenMfa differ"),
        ("6", "domainSettings, customDomainSettings differ"),
        ("7", "customDomainSettings differs"),
    ] {
        let refused = update_to(revision, &[]).await;
        assert_eq!(refused.code, 1, "{refused:?}");
        let expected = format!("userpool: stdin: {differences} from the user pool as it is");
        assert!(refused.stderr.starts_with(&expected), "{refused:?}");
    }
    let same = update_to("8", &[]).await;
    assert_eq!((same.code, same.stderr.as_str()), (0, ""), "{same:?}");

    // A document without the members, such as one of AWS.
    let updated = update_to("1", &["--yes"]).await;
    assert_eq!(updated.code, 0, "{updated:?}");
    let expected = "userpool: the user pool keeps smsMfa, which the document does not have and an \
                    update cannot change; to change the factors, use userpool mfa set\n";
    assert!(updated.stderr.starts_with(expected), "{updated:?}");
    assert_eq!(updated.json()["UserPool"]["smsMfa"], true);
    let masked = update_to("1", &["--mask", "UserPoolTags"]).await;
    assert_eq!((masked.code, masked.stderr.as_str()), (0, ""), "{masked:?}");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mask_takes_the_names_of_aws() {
    let server = TestServer::start().await;
    let endpoint = server.endpoint.to_string();
    let id = create(&server, "people").await;
    let document = r#"{"Policies": {"PasswordPolicy": {"MinimumLength": 12}},
        "UserPoolTags": {"team": "a"}}"#;
    for (revision, mask) in [
        ("2", "Policies.PasswordPolicy.MinimumLength"),
        ("2", "policies.password_policy.minimum_length"),
        ("3", "Policies.PasswordPolicy, UserPoolTags"),
    ] {
        let updated = run_with(&endpoint, &["update", &id, "-", "--mask", mask], document).await;
        assert_eq!((updated.code, updated.stderr.as_str()), (0, ""), "{updated:?}");
        let policy = &updated.json()["UserPool"]["Policies"]["PasswordPolicy"];
        assert_eq!(policy["MinimumLength"], 12);
        assert_eq!(updated.json()["revision"], revision);
    }
    for mask in ["Policies.Entropy", "Name", "UserPoolTags.team", "RequestId"] {
        let refused = run_with(&endpoint, &["update", &id, "-", "--mask", mask], document).await;
        assert_eq!(refused.code, 64 + 3, "{refused:?}");
        assert!(refused.stderr.contains("update_mask[0]"), "{refused:?}");
    }
    server.stop().await;
}

/// Whoever changes the user pool meanwhile is not overruled.
#[tokio::test(flavor = "multi_thread")]
async fn only_the_settings_that_were_shown_are_reset() {
    let server = TestServer::start().await;
    let id = create(&server, "people").await;
    let mut client = server.client().await;
    Call::set_tag(&id, "team", "one").send(&mut client).await.expect("tagged");
    let directory = TempDir::new().expect("a directory");
    let document = directory.path().join("settings.json");
    fs::write(&document, "{}").expect("written");
    let update = ["update", &id, document.to_str().expect("UTF-8")];

    let (refused, seen) = on_terminal(&server, &update, async |person| {
        task::block_in_place(|| person.read_until("continue? [y/N]"));
        Call::set_tag(&id, "stage", "live").send(&mut client).await.expect("tagged");
        person.type_line("y");
    })
    .await;
    assert_eq!(refused.code, 64 + 10, "{seen}");
    assert!(seen.contains("REVISION_MISMATCH"), "{seen}");

    let (updated, seen) = on_terminal(&server, &update, async |person| answer(person, "y")).await;
    assert_eq!(updated.code, 0, "{seen}");
    let updated = updated.json();
    assert_eq!(
        (&updated["revision"], updated["UserPool"].get("UserPoolTags")),
        (&json!("4"), None)
    );
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_update_without_a_mask_says_which_settings_it_resets() {
    let server = TestServer::start().await;
    let endpoint = server.endpoint.to_string();
    let id = create(&server, "people").await;
    let all = r#"{"Policies": {"PasswordPolicy": {"MinimumLength": 12, "RequireUppercase": true,
            "RequireLowercase": true, "RequireNumbers": true, "RequireSymbols": false}},
        "UserPoolTags": {"team": "a"}, "SmsVerificationMessage": "Code {####}",
        "AdminCreateUserConfig": {"UnusedAccountValidityDays": 3}}"#;
    // The document does not name VerificationMessageTemplate.SmsMessage, which gets the text.
    let updated = run_with(&endpoint, &["update", &id, "-"], all).await;
    assert_eq!(updated.code, 0, "{updated:?}");
    let resets = |stderr: &str| {
        let lines = stderr.lines().skip(1).map(str::trim);
        lines.filter_map(|line| line.split_once(": ").map(|(path, _)| path.to_owned())).collect()
    };
    let none: Vec<String> = resets(&updated.stderr);
    assert!(none.is_empty(), "{}", updated.stderr);

    let some = r#"{"Policies": {"PasswordPolicy": {"MinimumLength": 14, "RequireUppercase": true,
        "RequireLowercase": true, "RequireNumbers": true}}}"#;
    let updated = run_with(&endpoint, &["update", &id, "-", "--validate-only"], some).await;
    assert_eq!(updated.code, 0, "{updated:?}");
    assert!(
        updated.stderr.starts_with("userpool: the document omits 4 settings, which this update"),
        "{}",
        updated.stderr
    );
    // Nobody can be asked, so nothing is reset.
    let refused = run_with(&endpoint, &["update", &id, "-"], some).await;
    assert_eq!((refused.code, refused.stdout.as_str()), (1, ""), "{refused:?}");
    let remedy = "userpool: this resets settings of the user pool, and there is no terminal to ask on; \
                  to do it without asking, add --yes\n";
    assert_eq!(refused.stderr, format!("{}{remedy}", updated.stderr));
    assert_eq!(run(&server, &["describe", &id]).await.json()["revision"], "2");
    let expected = [
        "SmsVerificationMessage",
        "VerificationMessageTemplate.SmsMessage",
        "UserPoolTags",
        "AdminCreateUserConfig.UnusedAccountValidityDays",
    ];
    let listed: Vec<String> = resets(&updated.stderr);
    assert_eq!(listed, expected);
    assert!(
        updated
            .stderr
            .ends_with("\n  AdminCreateUserConfig.UnusedAccountValidityDays: 3 becomes 7\n"),
        "{}",
        updated.stderr
    );

    let one = r#"{"Policies": {"PasswordPolicy": {"MinimumLength": 12, "RequireUppercase": true,
            "RequireLowercase": true, "RequireNumbers": true, "RequireSymbols": false}},
        "SmsVerificationMessage": "Code {####}",
        "AdminCreateUserConfig": {"UnusedAccountValidityDays": 3}}"#;
    let refused = run_with(&endpoint, &["update", &id, "-"], one).await;
    let expected = "userpool: the document omits 1 setting, which this update resets; to keep it,";
    assert!(refused.stderr.starts_with(expected), "{}", refused.stderr);
    // All tags are one setting, but each of them can be lost.
    let other_tag = one.replacen('{', r#"{"UserPoolTags": {"new": "tag"}, "#, 1);
    let shown = run_with(&endpoint, &["update", &id, "-", "--validate-only"], &other_tag).await;
    assert_eq!(shown.code, 0, "{shown:?}");
    let lost: Vec<String> = resets(&shown.stderr);
    assert_eq!(lost, ["UserPoolTags.team"]);
    assert!(shown.stderr.contains("change single tags with userpool tag"), "{shown:?}");
    let refused = run_with(&endpoint, &["update", &id, "-"], &other_tag).await;
    assert_eq!((refused.code, refused.stdout.as_str()), (1, ""), "{refused:?}");
    for silent in [vec!["--yes"], vec!["--mask", "MfaConfiguration"]] {
        let arguments = [vec!["update", &id, "-"], silent].concat();
        let updated = run_with(&endpoint, &arguments, "{}").await;
        assert_eq!((updated.code, updated.stderr.as_str()), (0, ""), "{updated:?}");
    }
    server.stop().await;
}
