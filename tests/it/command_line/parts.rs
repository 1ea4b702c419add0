//! The commands that change a part of a user pool: its domains, its tags, its attributes and
//! multi-factor authentication.

use serde_json::json;

use crate::{json::without, support::TestServer};

use super::{create, run, run_with};

const ROLE: &str = "arn:aws:iam::123456789012:role/sms";
const CERTIFICATE: &str = "arn:aws:acm:us-east-1:123456789012:certificate/1";

#[tokio::test(flavor = "multi_thread")]
async fn each_part_can_be_changed_and_its_history_says_how() {
    let server = TestServer::start().await;
    let id = create(&server, "people").await;
    let done = async |arguments: &[&str]| {
        let done = run(&server, arguments).await;
        assert_eq!(done.code, 0, "{done:?}");
        done.json()
    };

    done(&["tag", "set", &id, "team=a=b", "stage=test"]).await;
    done(&["tag", "remove", &id, "stage", "other"]).await;
    assert_eq!(done(&["tag", "list", &id]).await["Tags"], json!({ "team": "a=b" }));

    let document = r#"{"CustomAttributes": [{"Name": "plan", "AttributeDataType": "String"}]}"#;
    let endpoint = server.endpoint.to_string();
    let added = run_with(&endpoint, &["attribute", "add", &id, "-"], document).await;
    assert_eq!((added.code, added.json()["revision"].as_str()), (0, Some("4")), "{added:?}");
    let other = r#"{"UserPoolId": "us-east-1_other", "CustomAttributes": []}"#;
    let refused = run_with(&endpoint, &["attribute", "add", &id, "-"], other).await;
    let expected = format!("stdin: is for user pool us-east-1_other, not {id}");
    assert!(refused.stderr.contains(&expected), "{refused:?}");

    let both = ["mfa", "set", &id, "on", "--software-token", "--sms-role", ROLE];
    let set = done(&both).await;
    assert_eq!(set["MfaConfiguration"], "ON");
    assert_eq!(set["SmsMfaConfiguration"]["SmsConfiguration"]["SnsCallerArn"], ROLE);
    let set = done(&["mfa", "set", &id, "optional", "--sms", "--sms-message", "{####}"]).await;
    assert_eq!(set["SmsMfaConfiguration"]["SmsAuthenticationMessage"], "{####}");
    assert_eq!(without(done(&["mfa", "show", &id]).await, "headPosition"), set);

    let custom = ["domain", "create", "auth.example.com", &id, "--certificate-arn", CERTIFICATE];
    done(&custom).await;
    let update = ["domain", "update", "auth.example.com", &id, "--login-version", "2"];
    assert_eq!(done(&update).await["ManagedLoginVersion"], 2);
    let policy = ["--certificate-arn", CERTIFICATE, "--security-policy", "TLS_V1_2_2021"];
    done(&[&update[..4], &policy].concat()).await;
    let described = done(&["domain", "describe", "auth.example.com"]).await;
    let config = json!({ "CertificateArn": CERTIFICATE, "SecurityPolicy": "TLS_V1_2_2021" });
    assert_eq!(described["DomainDescription"]["CustomDomainConfig"], config);
    let unknown = [&update[..4], &policy[..3], &["SSL"]].concat();
    let refused = run(&server, &unknown).await;
    assert_eq!(refused.code, 2);
    assert!(refused.stderr.contains("must be TLS_V1, TLS_V1_2_2021"), "{}", refused.stderr);

    let history = done(&["history", &id, "-o", "json"]).await;
    assert_eq!(history["events"].as_array().map(Vec::len), Some(9));
    let history = run(&server, &["history", &id]).await.stdout;
    let lines: Vec<Vec<_>> =
        history.lines().skip(1).map(|line| line.split_whitespace().collect()).collect();
    let changes: Vec<_> = lines.iter().map(|line| (line[2], line[4..].join(" "))).collect();
    let expected = [
        ("created", "people"),
        ("tagged", "stage: test, team: a=b"),
        ("untagged", "stage: test → none"),
        ("attributes-added", "custom:plan"),
        (
            "mfa-set",
            "mfa_configuration: OFF → ON, sms_configuration: \
             {\"SnsCallerArn\":\"arn:aws:iam::123456789012:role/sms\"}, sms_mfa: true, \
             software_token_mfa: {\"Enabled\":true}",
        ),
        (
            "mfa-set",
            "sms_authentication_message: {####}, mfa_configuration: ON → OPTIONAL, \
             software_token_mfa: {\"Enabled\":true} → none",
        ),
        (
            "domain-created",
            "auth.example.com, custom_domain_settings: \
             {\"customDomainConfig\":{\"CertificateArn\":\
             \"arn:aws:acm:us-east-1:123456789012:certificate/1\"}}",
        ),
        ("domain-updated", "auth.example.com, custom_domain_settings.managed_login_version: 2"),
        (
            "domain-updated",
            "auth.example.com, custom_domain_settings.custom_domain_config.security_policy: \
             TLS_V1_2_2021",
        ),
    ];
    assert_eq!(changes, expected.map(|(kind, change)| (kind, change.to_owned())));
    let some = ["history", &id, "--types", "tagged,untagged,attributes-added,mfa-set"];
    assert_eq!(run(&server, &some).await.stdout.lines().count(), 6);
}
