//! The rules for the texts of messages that go beyond the patterns of their shapes.

use crate::proto::UserPool;

use super::violation::{Rule, Violation};

/// The placeholder for the username in an invite message.
const USERNAME: &str = "{username}";

/// Checks the messages of a request to create or to update a user pool. Only what a request
/// has is checked: a message that was recorded earlier stays valid.
pub(super) fn violations(requested: &UserPool) -> Vec<Violation> {
    let mut violations = Vec::new();
    // Source: refusals observed on AWS, whatever the default email option is.
    let template = requested.verification_message_template.as_ref();
    let by_link = template.and_then(|template| template.email_message_by_link.as_ref());
    if by_link.is_some_and(|message| !has_link_text(message)) {
        violations.push(Violation::new(
            "verification_message_template.email_message_by_link",
            Rule::Pattern,
            "must contain {##text of the link##} with a text",
            "The message is invalid.",
        ));
    }
    // Source: refusals reported by the authors of the AWS CDK and of Terraform; not their text.
    let config = requested.admin_create_user_config.as_ref();
    if let Some(invite) = config.and_then(|config| config.invite_message_template.as_ref()) {
        for (field, message) in
            [("sms_message", &invite.sms_message), ("email_message", &invite.email_message)]
        {
            if message.as_ref().is_some_and(|message| !message.contains(USERNAME)) {
                violations.push(Violation::new(
                    format!("admin_create_user_config.invite_message_template.{field}"),
                    Rule::Pattern,
                    "must contain {username} and {####}, the placeholders for the username and \
                     the password",
                    "The invite message must contain {username} and {####}.",
                ));
            }
        }
    }
    violations
}

/// Whether a placeholder for the link has a text. `{####}`, which matches the pattern, has
/// none.
fn has_link_text(message: &str) -> bool {
    let mut rest = message;
    while let Some((_, begun)) = rest.split_once("{##") {
        match begun.split_once("##}") {
            Some(("", after)) => rest = after,
            Some(_) => return true,
            None => return false,
        }
    }
    false
}
