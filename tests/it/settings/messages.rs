//! What the texts of messages must contain beyond their patterns: an invitation the
//! username, and a link its text.

use serde_json::{Value, json};

use super::{created, only, parameter, sms, updated};
use crate::json::with;

/// Invitations with the code, which the pattern requires, and whether they are accepted.
const INVITATIONS: [(&str, bool); 13] = [
    ("{username}{####}", true),
    ("{####}{username}", true),
    ("Hello {username}, your\npassword is {####}.", true),
    ("{{username}} {{####}}", true),
    ("{username} {username} {####}", true),
    ("{####}", false),
    ("Your code is {####}", false),
    ("username {####}", false),
    ("{USERNAME} {####}", false),
    ("{Username} {####}", false),
    ("{ username } {####}", false),
    ("{user name} {####}", false),
    ("{username {####}", false),
];

/// Messages with a link, and whether they are accepted.
const LINKS: [(&str, bool); 14] = [
    ("{##a##}", true),
    ("{##Click Here##}", true),
    ("{##VERIFY EMAIL##}", true),
    ("Hello,\n{##confirm\nyour address##}.", true),
    ("{## ##}", true),
    ("{#####}", true),
    ("{####} {##a##}", true),
    ("{##a##} {####}", true),
    ("{##{####}##}", true),
    ("{####}", false),
    ("EMAIL CODE {####}", false),
    ("{####} {####}", false),
    ("{####}{####}##}", false),
    ("{{####}} Click Here", false),
];

fn invitation(member: &str, text: &str) -> Value {
    json!({ "AdminCreateUserConfig": { "InviteMessageTemplate": { (member): text } } })
}

fn link(text: &str, option: Option<&str>) -> Value {
    let mut template = json!({ "EmailMessageByLink": text });
    if let Some(option) = option {
        template["DefaultEmailOption"] = json!(option);
    }
    json!({ "VerificationMessageTemplate": template })
}

/// The ways to update: all settings, the setting alone, and another setting alone. The
/// request is checked as a whole each time.
fn masks(path: &str) -> [Value; 3] {
    [json!([]), json!([path]), json!(["user_pool_tags"])].map(|mask| json!({ "update_mask": mask }))
}

#[tokio::test]
async fn an_invitation_contains_the_username_and_the_code() {
    let text = "The invite message must contain {username} and {####}.";
    for (member, name) in [("SMSMessage", "sms_message"), ("EmailMessage", "email_message")] {
        let path = format!("admin_create_user_config.invite_message_template.{name}");
        let expected = parameter(text, &path, "PATTERN");
        for (message, accepted) in INVITATIONS {
            let members = invitation(member, message);
            let answer = created(members.clone()).await;
            if accepted {
                let shown = &answer.expect(message)["AdminCreateUserConfig"];
                assert_eq!(shown["InviteMessageTemplate"][member], message);
            } else {
                assert_eq!(only(answer), expected, "{message}");
            }
        }
        for mask in masks(&path) {
            let with_mask = |message| with(invitation(member, message), mask.clone());
            updated(with_mask("{username} {####}")).await.expect("an update");
            assert_eq!(only(updated(with_mask("{####}")).await), expected, "{mask}");
        }
    }
}

#[tokio::test]
async fn both_invitations_are_checked() {
    let template = json!({ "SMSMessage": "{####}", "EmailMessage": "{####}" });
    let members = json!({ "AdminCreateUserConfig": { "InviteMessageTemplate": template } });
    let status = created(members).await.expect_err("a refusal");
    let text = "The invite message must contain {username} and {####}.";
    assert_eq!(status.message(), format!("{text}; {text}"));
}

#[tokio::test]
async fn other_messages_need_no_username() {
    let members = json!({
        "SmsVerificationMessage": "{####}",
        "EmailVerificationMessage": "{####}",
        "SmsAuthenticationMessage": "{####}",
        "AdminCreateUserConfig": { "InviteMessageTemplate": { "EmailSubject": "Welcome" } },
    });
    created(with(members.clone(), sms())).await.expect("a user pool");
    updated(with(members, sms())).await.expect("an update");
}

#[tokio::test]
async fn a_link_has_a_text() {
    let text = "The message is invalid.";
    let path = "verification_message_template.email_message_by_link";
    let expected = parameter(text, path, "PATTERN");
    for (message, accepted) in LINKS {
        let answer = created(link(message, None)).await;
        if accepted {
            let shown = &answer.expect(message)["VerificationMessageTemplate"];
            assert_eq!(shown["EmailMessageByLink"], message);
        } else {
            assert_eq!(only(answer), expected, "{message}");
        }
    }
    for option in ["CONFIRM_WITH_CODE", "CONFIRM_WITH_LINK"] {
        assert_eq!(only(created(link("{####}", Some(option))).await), expected, "{option}");
        for mask in masks(path) {
            let with_mask = |message| with(link(message, Some(option)), mask.clone());
            updated(with_mask("{##Click Here##}")).await.expect("an update");
            assert_eq!(only(updated(with_mask("{####}")).await), expected, "{option} {mask}");
        }
    }
}
