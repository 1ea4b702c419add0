//! What the last column of the table in `src/lib.rs` means, in rooms, crates and keywords.

use super::{
    modules::{Crate, Target},
    tokens::{Kind, Reference},
};

/// The phrases of the column, each with the paths that a room must then not name.
/// A crate stands for those whose names start with its name and `_`, too.
const MEANINGS: [(&str, &[&str]); 19] = [
    ("HTTP", &["axum", "http", "http_body", "hyper", "tower", "tower_http"]),
    ("async", &["async", "await", "async_trait", "futures_util", "tokio"]),
    ("clocks", &["chrono::Local", "chrono::Utc", "std::time", "tokio::time"]),
    ("each other", &["crate::aws", "crate::console", "crate::grpc"]),
    ("engines", &["crate::event_log", "sled"]),
    ("engines and files", &["crate::event_log", "crate::fs", "sled", "std::fs"]),
    ("files", &["crate::fs", "std::fs"]),
    ("gRPC", &["crate::grpc", "tonic"]),
    ("messages", &["crate::proto", "prost"]),
    ("operations", &["crate::aws", "crate::console", "crate::grpc", "crate::service::Operations"]),
    ("pools", &["crate::user_pool"]),
    ("protocol adapters", &["crate::aws", "crate::console", "crate::grpc", "tonic"]),
    ("rules", &["crate::user_pool"]),
    ("storage", &["crate::event_log", "sled"]),
    (
        "the commands of user pools",
        &[
            "crate::user_pool::CheckedCommand",
            "crate::user_pool::Command",
            "crate::user_pool::decide",
        ],
    ),
    ("the log", &["crate::event_log", "sled"]),
    ("the rules of user pools", &["crate::user_pool"]),
    ("tonic", &["tonic"]),
    ("who asks", &["crate::auth"]),
];

/// What a room must not name.
#[derive(Debug)]
pub(crate) enum Unknown {
    /// All rooms but these.
    AllBut(Vec<String>),
    /// These paths.
    Paths(Vec<&'static str>),
}

/// What the last column of the table says of a room, or the phrase without a meaning.
pub(crate) fn unknown(column: &str) -> Result<Unknown, String> {
    let rooms = |named: &str| named.split('`').skip(1).step_by(2).map(str::to_owned).collect();
    if column == "anything" {
        return Ok(Unknown::AllBut(Vec::new()));
    }
    if let Some(named) = column.strip_prefix("anything but ") {
        return Ok(Unknown::AllBut(rooms(named)));
    }
    let mut paths = Vec::new();
    for phrase in column.split(", ").filter(|phrase| *phrase != "—") {
        let meaning = MEANINGS.iter().find(|(known, _)| *known == phrase);
        let (_, meaning) = meaning.ok_or_else(|| phrase.to_owned())?;
        paths.extend_from_slice(meaning);
    }
    Ok(Unknown::Paths(paths))
}

/// The paths in `room` that it must not name, each with the file that names it.
pub(crate) fn violations(krate: &Crate, room: &str, unknown: &Unknown) -> Vec<String> {
    let own = format!("crate::{room}");
    let mut found = Vec::new();
    for (path, module) in &krate.modules {
        if *path != own && !path.starts_with(&format!("{own}::")) {
            continue;
        }
        for reference in &module.references {
            for named in named(krate, path, reference) {
                if own != prefix(&named, 2) && unknown.forbids(&named) {
                    found.push(format!("{}: {named}", module.file));
                }
            }
        }
    }
    found.sort();
    found.dedup();
    found
}

impl Unknown {
    fn forbids(&self, path: &str) -> bool {
        match self {
            Self::AllBut(rooms) => {
                let room = prefix(path, 2);
                let room = room.strip_prefix("crate::");
                room.is_some_and(|room| !rooms.iter().any(|allowed| allowed == room))
            }
            Self::Paths(paths) => paths.iter().any(|forbidden| {
                let rest = path.strip_prefix(forbidden);
                rest.is_some_and(|rest| match rest.chars().next() {
                    None | Some(':') => true,
                    Some('_') => !forbidden.contains(':'),
                    Some(_) => false,
                })
            }),
        }
    }
}

/// The path from the root, without the renames of its module, and the path in another
/// crate that it leads to.
fn named(krate: &Crate, module: &str, reference: &Reference) -> Vec<String> {
    let written = krate.written(module, reference).map(|path| path.join("::"));
    let outside = match krate.resolve(module, &reference.segments) {
        // A single name is a crate only in a `use`; elsewhere it can be anything.
        Target::Outside(path) if path.len() > 1 || reference.kind != Kind::Inline => Some(path),
        Target::Outside(path) if matches!(path[0].as_str(), "async" | "await") => Some(path),
        Target::Outside(_) | Target::Module(_) | Target::Item { .. } => None,
    };
    written.into_iter().chain(outside.map(|path| path.join("::"))).collect()
}

fn prefix(path: &str, segments: usize) -> String {
    path.split("::").take(segments).collect::<Vec<_>>().join("::")
}
