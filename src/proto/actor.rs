//! Callers, as people read and write them: in grants, in an argument of a command, or in an
//! address of the console.

use std::net::SocketAddr;

use super::ActorKind;

/// The kinds of callers that have a name, and what stands before it.
const PREFIXES: [(&str, ActorKind); 4] = [
    ("certificate", ActorKind::Certificate),
    ("token", ActorKind::Token),
    ("access-key", ActorKind::AccessKey),
    ("local", ActorKind::LocalProcess),
];

/// How a caller without a name is printed, possibly before its address.
const ANONYMOUS: &str = "anonymous";

/// What stands before the names of callers of this kind; `None` for anonymous ones.
#[must_use]
pub fn actor_prefix(kind: ActorKind) -> Option<&'static str> {
    PREFIXES.iter().find(|(_, known)| *known == kind).map(|(prefix, _)| *prefix)
}

/// The kind of callers before whose names this prefix stands.
#[must_use]
pub fn kind_of_prefix(prefix: &str) -> Option<ActorKind> {
    PREFIXES.iter().find(|(known, _)| *known == prefix).map(|(_, kind)| *kind)
}

/// A caller in any form in which one is printed, or a pattern of its name: a condition of a filter.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ActorArg {
    /// The kind, if it is given.
    pub kind: ActorKind,
    /// The pattern of its name.
    pub subject: Option<String>,
    /// The address of an anonymous caller.
    pub address: Option<String>,
}

impl From<String> for ActorArg {
    fn from(text: String) -> Self {
        let anonymous = Self { kind: ActorKind::Anonymous, ..Self::default() };
        if text == ANONYMOUS || text.is_empty() {
            return anonymous;
        }
        let address = text.strip_prefix(ANONYMOUS).and_then(|rest| rest.strip_prefix(' '));
        // A name can be an IP address, but has no port then.
        let socket = || text.parse::<SocketAddr>().is_ok().then_some(text.as_str());
        if let Some(address) = address.or_else(socket) {
            return Self { address: Some(address.to_owned()), ..anonymous };
        }
        let with_kind = text.split_once(':');
        let with_kind = with_kind.and_then(|(prefix, name)| Some((kind_of_prefix(prefix)?, name)));
        let (kind, name) = with_kind.unwrap_or((ActorKind::Unspecified, &text));
        Self { kind, subject: Some(name.to_owned()), address: None }
    }
}

#[cfg(test)]
mod tests {
    use super::{ActorArg, ActorKind};

    #[test]
    fn a_name_that_looks_like_another_form_has_its_kind() {
        let named =
            |kind, name: &str| ActorArg { kind, subject: Some(name.to_owned()), address: None };
        for (text, expected) in [
            ("token:token:x", named(ActorKind::Token, "token:x")),
            ("token:anonymous", named(ActorKind::Token, "anonymous")),
            ("certificate:10.0.0.1:443", named(ActorKind::Certificate, "10.0.0.1:443")),
            ("token:x", named(ActorKind::Token, "x")),
            ("x:y", named(ActorKind::Unspecified, "x:y")),
        ] {
            assert_eq!(ActorArg::from(text.to_owned()), expected, "{text}");
        }
    }
}
