//! The types of events, as pages show them and addresses name them.

use crate::proto::UserPoolEventType;

use super::icons::Icon;

/// How a type of events is shown.
#[derive(Debug, Clone, Copy)]
pub(super) struct Kind {
    pub(super) event_type: UserPoolEventType,
    /// The name in addresses and for `--types` of the commands.
    pub(super) name: &'static str,
    pub(super) word: &'static str,
    pub(super) icon: Icon,
    /// The class of the style sheet with its color.
    pub(super) class: &'static str,
}

const fn kind(
    event_type: UserPoolEventType,
    name: &'static str,
    word: &'static str,
    icon: Icon,
    class: &'static str,
) -> Kind {
    Kind { event_type, name, word, icon, class }
}

/// The types.
pub(super) const KINDS: [Kind; 11] = [
    kind(UserPoolEventType::UserPoolCreated, "created", "Created", Icon::Plus, "created"),
    kind(UserPoolEventType::UserPoolUpdated, "updated", "Updated", Icon::Pen, "updated"),
    kind(UserPoolEventType::UserPoolDeleted, "deleted", "Deleted", Icon::Bin, "deleted"),
    kind(
        UserPoolEventType::UserPoolDomainCreated,
        "domain-created",
        "Domain created",
        Icon::Link,
        "domain-created",
    ),
    kind(
        UserPoolEventType::UserPoolDomainUpdated,
        "domain-updated",
        "Domain updated",
        Icon::Link,
        "updated",
    ),
    kind(
        UserPoolEventType::UserPoolDomainDeleted,
        "domain-deleted",
        "Domain deleted",
        Icon::Unlink,
        "domain-deleted",
    ),
    kind(UserPoolEventType::UserPoolTagged, "tagged", "Tagged", Icon::Tag, "updated"),
    kind(UserPoolEventType::UserPoolUntagged, "untagged", "Untagged", Icon::Tag, "updated"),
    kind(
        UserPoolEventType::CustomAttributesAdded,
        "attributes-added",
        "Attributes added",
        Icon::Plus,
        "updated",
    ),
    kind(UserPoolEventType::UserPoolMfaConfigSet, "mfa-set", "MFA set", Icon::Shield, "updated"),
    kind(UserPoolEventType::UserPoolRestored, "restored", "Restored", Icon::Restore, "created"),
];

/// A type that only a newer server knows.
const UNKNOWN: Kind =
    kind(UserPoolEventType::Unspecified, "unknown", "Unknown change", Icon::Pen, "updated");

/// How a type is shown.
pub(super) fn kind_of(event_type: UserPoolEventType) -> Kind {
    KINDS.into_iter().find(|kind| kind.event_type == event_type).unwrap_or(UNKNOWN)
}

/// The type with this name in an address.
pub(super) fn kind_named(name: &str) -> Option<Kind> {
    KINDS.into_iter().find(|kind| kind.name == name)
}
