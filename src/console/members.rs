//! The members of a user pool: their groups, their names for people, and what their absence
//! means.

use std::sync::LazyLock;

use prost::Name as _;
use prost_reflect::MessageDescriptor;

use crate::proto::{DESCRIPTORS, UserPool};

/// A group of members.
#[derive(Debug)]
pub(super) struct Group {
    pub(super) title: &'static str,
    pub(super) members: &'static [Member],
}

/// A member that is not a message.
#[derive(Debug)]
pub(super) struct Member {
    /// The path in JSON, as the API writes it.
    pub(super) path: &'static str,
    /// The name for people.
    pub(super) label: &'static str,
    /// What its absence means.
    pub(super) absent: &'static str,
    /// The unit of a number.
    pub(super) unit: &'static str,
}

const fn member(path: &'static str, label: &'static str, absent: &'static str) -> Member {
    Member { path, label, absent, unit: "" }
}

const fn number(path: &'static str, label: &'static str, unit: &'static str) -> Member {
    Member { path, label, absent: "not set", unit }
}

/// The title of the group of tags, and of that of attributes, which have tables of their own.
pub(super) const TAGS: &str = "Tags";
pub(super) const SCHEMA: &str = "Schema";
/// The title of a group for members that no other group has.
pub(super) const OTHER: &str = "Other settings";

/// The groups, in the order of a page.
pub(super) const GROUPS: [Group; 9] = [
    Group {
        title: "Sign-in",
        members: &[
            member("UsernameAttributes", "Username is", "chosen by the user"),
            member("AliasAttributes", "Aliases", "none"),
            member("UsernameConfiguration.CaseSensitive", "Upper and lower case differ", "not set"),
            member("AutoVerifiedAttributes", "Verified automatically", "none"),
            member(
                "UserAttributeUpdateSettings.AttributesRequireVerificationBeforeUpdate",
                "Verified before an update",
                "none",
            ),
            member("Policies.SignInPolicy.AllowedFirstAuthFactors", "First factors", "not set"),
            member("AccountRecoverySetting.RecoveryMechanisms", "Account recovery", "not set"),
            member("DeletionProtection", "Protected from deletion", "not set"),
            member("UserPoolTier", "Feature plan", "not set"),
        ],
    },
    Group {
        title: "Domains",
        members: &[
            member("Domain", "Prefix", "none"),
            member("domainSettings.managedLoginVersion", "Login pages of the prefix", "not set"),
            member("CustomDomain", "Custom domain", "none"),
            member(
                "customDomainSettings.customDomainConfig.CertificateArn",
                "Certificate of the custom domain",
                "none",
            ),
            member(
                "customDomainSettings.customDomainConfig.SecurityPolicy",
                "Oldest TLS of the custom domain",
                "not set",
            ),
            member(
                "customDomainSettings.managedLoginVersion",
                "Login pages of the custom domain",
                "not set",
            ),
            member(
                "domainSettings.customDomainConfig.CertificateArn",
                "Certificate of the prefix",
                "none",
            ),
            member(
                "domainSettings.customDomainConfig.SecurityPolicy",
                "Oldest TLS of the prefix",
                "not set",
            ),
        ],
    },
    Group {
        title: "Password policy",
        members: &[
            number("Policies.PasswordPolicy.MinimumLength", "At least", "characters"),
            member("Policies.PasswordPolicy.RequireUppercase", "Upper case", "no"),
            member("Policies.PasswordPolicy.RequireLowercase", "Lower case", "no"),
            member("Policies.PasswordPolicy.RequireNumbers", "Numbers", "no"),
            member("Policies.PasswordPolicy.RequireSymbols", "Symbols", "no"),
            number(
                "Policies.PasswordPolicy.PasswordHistorySize",
                "Not one of the last",
                "passwords",
            ),
            number(
                "Policies.PasswordPolicy.TemporaryPasswordValidityDays",
                "Temporary ones expire after",
                "days",
            ),
        ],
    },
    Group {
        title: "MFA and SMS",
        members: &[
            member("MfaConfiguration", "MFA", "off"),
            member("smsMfa", "SMS is a factor", "not set"),
            member("softwareTokenMfa.Enabled", "Software tokens are a factor", "no"),
            member("SmsConfiguration.SnsCallerArn", "SMS is sent by", "none"),
            member("SmsConfiguration.ExternalId", "External ID", "none"),
            member("SmsConfiguration.SnsRegion", "Region of SMS", "not set"),
            member("SmsAuthenticationMessage", "Sign-in text", "none"),
        ],
    },
    Group {
        title: TRIGGERS,
        members: &[
            member("LambdaConfig.PreSignUp", "Pre sign-up", "none"),
            member("LambdaConfig.CustomMessage", "Custom message", "none"),
            member("LambdaConfig.PostConfirmation", "Post confirmation", "none"),
            member("LambdaConfig.PreAuthentication", "Pre authentication", "none"),
            member("LambdaConfig.PostAuthentication", "Post authentication", "none"),
            member("LambdaConfig.DefineAuthChallenge", "Define auth challenge", "none"),
            member("LambdaConfig.CreateAuthChallenge", "Create auth challenge", "none"),
            member("LambdaConfig.VerifyAuthChallengeResponse", "Verify auth challenge", "none"),
            member("LambdaConfig.PreTokenGeneration", "Pre token generation", "none"),
            member(
                "LambdaConfig.PreTokenGenerationConfig.LambdaVersion",
                "Its event version",
                "not set",
            ),
            member("LambdaConfig.UserMigration", "User migration", "none"),
            member("LambdaConfig.CustomSMSSender.LambdaArn", "Custom SMS sender", "none"),
            member("LambdaConfig.CustomSMSSender.LambdaVersion", "Its event version", "not set"),
            member("LambdaConfig.CustomEmailSender.LambdaArn", "Custom email sender", "none"),
            member("LambdaConfig.CustomEmailSender.LambdaVersion", "Its event version", "not set"),
            member("LambdaConfig.KMSKeyID", "KMS key", "none"),
        ],
    },
    Group {
        title: "Verification messages",
        members: &[
            member("VerificationMessageTemplate.DefaultEmailOption", "Confirm with", "not set"),
            member("VerificationMessageTemplate.EmailSubject", "Subject", "none"),
            member("VerificationMessageTemplate.EmailMessage", "Email", "none"),
            member("VerificationMessageTemplate.EmailSubjectByLink", "Subject with a link", "none"),
            member("VerificationMessageTemplate.EmailMessageByLink", "Email with a link", "none"),
            member("VerificationMessageTemplate.SmsMessage", "SMS", "none"),
        ],
    },
    Group {
        title: "Email",
        members: &[
            member("EmailConfiguration.EmailSendingAccount", "Sent by", "not set"),
            member("EmailConfiguration.SourceArn", "Identity in SES", "none"),
            member("EmailConfiguration.From", "From", "not set"),
            member("EmailConfiguration.ReplyToEmailAddress", "Reply to", "none"),
            member("EmailConfiguration.ConfigurationSet", "Configuration set", "none"),
        ],
    },
    Group {
        title: "Accounts made by administrators",
        members: &[
            member("AdminCreateUserConfig.AllowAdminCreateUserOnly", "Only by them", "no"),
            number(
                "AdminCreateUserConfig.UnusedAccountValidityDays",
                "Unused ones expire after",
                "days",
            ),
            member("AdminCreateUserConfig.InviteMessageTemplate.EmailSubject", "Subject", "none"),
            member("AdminCreateUserConfig.InviteMessageTemplate.EmailMessage", "Email", "none"),
            member("AdminCreateUserConfig.InviteMessageTemplate.SMSMessage", "SMS", "none"),
        ],
    },
    Group {
        title: "Devices and add-ons",
        members: &[
            member(
                "DeviceConfiguration.ChallengeRequiredOnNewDevice",
                "New devices are challenged",
                "no",
            ),
            member(
                "DeviceConfiguration.DeviceOnlyRememberedOnUserPrompt",
                "Remembered only on request",
                "no",
            ),
            member("UserPoolAddOns.AdvancedSecurityMode", "Advanced security", "off"),
            member(
                "UserPoolAddOns.AdvancedSecurityAdditionalFlows.CustomAuthMode",
                "In custom authentication",
                "not set",
            ),
        ],
    },
];

/// The group whose set members are counted.
pub(super) const TRIGGERS: &str = "Triggers";

/// The members that a page shows outside of the groups.
const IN_HEAD: [&str; 6] =
    ["Id", "Name", "CreationDate", "SchemaAttributes", "UserPoolTags", "Arn"];

/// The members that say nothing of their own: those that are never set here, the time of the
/// last change, which the revision has as well, and those with the value of another member.
pub(super) const REDUNDANT: [&str; 9] = [
    "Status",
    "LastModifiedDate",
    "EstimatedNumberOfUsers",
    "SmsConfigurationFailure",
    "EmailConfigurationFailure",
    "SmsVerificationMessage",
    "EmailVerificationMessage",
    "EmailVerificationSubject",
    "LambdaConfig.PreTokenGenerationConfig.LambdaArn",
];

/// A member that can be set: its path in JSON, and the path of its field.
#[derive(Debug)]
struct Leaf {
    json: String,
    field: String,
}

/// Every member that is not a message.
static LEAVES: LazyLock<Vec<Leaf>> = LazyLock::new(|| {
    let mut leaves = Vec::new();
    if let Some(pool) = DESCRIPTORS.get_message_by_name(&UserPool::full_name()) {
        collect(&pool, "", "", &mut leaves);
    }
    leaves
});

fn collect(message: &MessageDescriptor, json: &str, field: &str, leaves: &mut Vec<Leaf>) {
    for member in message.fields() {
        let (json, field) =
            (format!("{json}{}", member.json_name()), format!("{field}{}", member.name()));
        let nested = member.kind().as_message().cloned();
        let nested = nested.filter(|nested| {
            let is_value = nested.full_name() == "google.protobuf.Timestamp";
            !member.is_list() && !member.is_map() && !is_value
        });
        match nested {
            Some(nested) => collect(&nested, &format!("{json}."), &format!("{field}."), leaves),
            None => leaves.push(Leaf { json, field }),
        }
    }
}

/// The path of the field with this path in JSON. A path into a map keeps its key.
pub(super) fn field_path(json: &str) -> String {
    let leaf = LEAVES.iter().find(|leaf| leaf.json == json);
    if let Some(leaf) = leaf {
        return leaf.field.clone();
    }
    let inside = LEAVES.iter().find_map(|leaf| {
        let rest = json.strip_prefix(&leaf.json)?.strip_prefix('.')?;
        Some(format!("{}.{rest}", leaf.field))
    });
    inside.unwrap_or_else(|| json.to_owned())
}

/// Whether a change of the field with this path says nothing of its own.
pub(super) fn is_redundant(field: &str) -> bool {
    let leaf = LEAVES.iter().find(|leaf| leaf.field == field);
    leaf.is_some_and(|leaf| REDUNDANT.contains(&leaf.json.as_str()))
}

/// The title of the group of a member.
pub(super) fn group_of(json: &str) -> &'static str {
    let inside = |inner: &str, outer: &str| {
        inner.strip_prefix(outer).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    };
    let of = |name: &str| inside(json, name) || inside(name, json);
    if of("UserPoolTags") {
        return TAGS;
    }
    if of("SchemaAttributes") {
        return SCHEMA;
    }
    let group = GROUPS.iter().find(|group| group.members.iter().any(|member| of(member.path)));
    group.map_or(OTHER, |group| group.title)
}

/// The paths in JSON of the members that no group has, such as those of a newer server.
pub(super) fn others() -> impl Iterator<Item = &'static str> {
    let is_shown = |path: &str| {
        let paths = GROUPS.iter().flat_map(|group| group.members).map(|member| member.path);
        IN_HEAD.into_iter().chain(REDUNDANT).chain(paths).any(|other| other == path)
    };
    LEAVES.iter().map(|leaf| leaf.json.as_str()).filter(move |path| !is_shown(path))
}

/// The name for people of the field with this path, as in "Password policy › Symbols".
pub(super) fn label(field: &str) -> String {
    let leaf = LEAVES.iter().find(|leaf| leaf.field == field);
    let known = leaf.and_then(|leaf| {
        GROUPS.iter().find_map(|group| {
            let member = group.members.iter().find(|member| member.path == leaf.json)?;
            Some(format!("{} › {}", group.title, member.label))
        })
    });
    if let Some(known) = known {
        return known;
    }
    let tables = [("user_pool_tags.", TAGS), ("schema_attributes.", SCHEMA)];
    let key = tables.iter().find_map(|(path, title)| Some((title, field.strip_prefix(path)?)));
    match key {
        Some((title, key)) => format!("{title} › {key}"),
        None if field == "pool_name" => "Name".to_owned(),
        None => field.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::{GROUPS, LEAVES, field_path, label, others};

    #[test]
    fn every_member_of_a_user_pool_has_a_place_on_the_page() {
        assert_eq!(others().collect::<Vec<_>>(), Vec::<&str>::new());
        for member in GROUPS.iter().flat_map(|group| group.members) {
            let exists = LEAVES.iter().any(|leaf| leaf.json == member.path);
            assert!(exists, "{} is not a member", member.path);
        }
    }

    #[test]
    fn paths_are_those_of_the_schema() {
        let path = "Policies.PasswordPolicy.RequireSymbols";
        assert_eq!(field_path(path), "policies.password_policy.require_symbols");
        assert_eq!(field_path("UserPoolTags.a.b"), "user_pool_tags.a.b");
        assert_eq!(label("policies.password_policy.require_symbols"), "Password policy › Symbols");
        assert_eq!(label("user_pool_tags.stage"), "Tags › stage");
    }
}
