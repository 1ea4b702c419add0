//! The callers of changes, as pages show them.

use maud::{Markup, html};

use crate::proto::{Actor, ActorKind, actor_prefix};

use super::{
    icons::Icon,
    text::{printable, shorten},
};

/// The longest name of a caller in a list; the whole name is the title.
const MAX_NAME: usize = 40;

/// The caller of a change, in the words that pages use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Who {
    icon: Icon,
    /// The short name.
    pub(super) name: String,
    /// The name as the settings of the server grant it a role.
    pub(super) full: String,
}

impl Who {
    pub(super) fn of(actor: Option<&Actor>) -> Self {
        let Some(actor) = actor else {
            return Self::new(Icon::Anonymous, "unknown", "not recorded".to_owned());
        };
        let subject = printable(&actor.subject);
        let icon = match actor.kind() {
            ActorKind::Certificate => Icon::Certificate,
            ActorKind::Token => Icon::Token,
            ActorKind::AccessKey => Icon::Key,
            ActorKind::LocalProcess => Icon::Local,
            ActorKind::Anonymous | ActorKind::Unspecified => Icon::Anonymous,
        };
        match actor_prefix(actor.kind()) {
            Some(prefix) => Self::new(icon, short(&subject), format!("{prefix}:{subject}")),
            None => Self::new(icon, "anonymous", "anonymous".to_owned()),
        }
    }

    fn new(icon: Icon, name: &str, full: String) -> Self {
        Self { icon, name: shorten(name, MAX_NAME), full }
    }

    pub(super) fn show(&self) -> Markup {
        let title = (self.full != self.name).then_some(&self.full);
        html! { span.nowrap title=[title] { (self.icon.show()) " " (self.name) } }
    }

    /// The shortest name that still tells callers apart: for the last change of a setting.
    pub(super) fn last_word(&self) -> &str {
        let name = self.name.split('@').next().unwrap_or(&self.name);
        name.rsplit('/').next().unwrap_or(name)
    }
}

/// A SPIFFE ID without its trust domain; any other subject as it is.
fn short(subject: &str) -> &str {
    let path = subject.strip_prefix("spiffe://").and_then(|rest| rest.split_once('/'));
    path.map_or(subject, |(_, path)| path)
}

/// Where a request came from: the address without its port, or the process.
pub(super) fn origin(actor: &Actor) -> Option<String> {
    if let Some(process) = &actor.process {
        return Some(printable(process));
    }
    let address = printable(&actor.peer_address);
    let host = address.rsplit_once(':').map_or(address.as_str(), |(host, _)| host);
    Some(host.trim_matches(['[', ']']).to_owned()).filter(|host| !host.is_empty())
}
