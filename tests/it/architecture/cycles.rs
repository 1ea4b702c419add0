//! The files of a room that need each other.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    modules::{Crate, Target},
    tokens::Kind,
};

/// What each file needs: the files, each with the items.
type Needs<'a> = BTreeMap<&'a str, BTreeMap<&'a str, BTreeSet<String>>>;

/// The groups of files in `room` that need each other, each with who needs what.
///
/// A module needs those that define the items it names. Declaring a child or
/// re-exporting its items needs nothing.
pub(crate) fn cycles(krate: &Crate, room: &str) -> Vec<String> {
    let needs = needs(krate, &format!("crate::{room}"));
    let reachable: BTreeMap<_, _> =
        needs.keys().map(|file| (*file, reachable(&needs, file))).collect();
    let reaches = |from: &str, to: &str| reachable.get(from).is_some_and(|all| all.contains(to));
    let mut seen = BTreeSet::new();
    let mut cycles = Vec::new();
    for file in needs.keys().filter(|file| reaches(file, file)) {
        let group: Vec<_> = needs
            .keys()
            .filter(|other| reaches(file, other) && reaches(other, file))
            .copied()
            .collect();
        if !seen.insert(group.clone()) {
            continue;
        }
        let mut lines = Vec::new();
        for from in &group {
            for (to, items) in needs[from].iter().filter(|(to, _)| group.contains(to)) {
                let items = items.iter().cloned().collect::<Vec<_>>().join(", ");
                lines.push(format!("{from} needs {to}: {items}"));
            }
        }
        cycles.push(lines.join("\n"));
    }
    cycles
}

fn reachable<'a>(needs: &Needs<'a>, file: &'a str) -> BTreeSet<&'a str> {
    let mut found = BTreeSet::new();
    let mut left = vec![file];
    while let Some(file) = left.pop() {
        for next in needs.get(file).into_iter().flat_map(BTreeMap::keys) {
            if found.insert(*next) {
                left.push(next);
            }
        }
    }
    found
}

fn needs<'a>(krate: &'a Crate, room: &str) -> Needs<'a> {
    let inside = |path: &str| path == room || path.starts_with(&format!("{room}::"));
    let mut needs = Needs::new();
    for (path, module) in krate.modules.iter().filter(|(path, _)| inside(path)) {
        for reference in &module.references {
            let (target, item) = match krate.resolve(path, &reference.segments) {
                Target::Item { module, name } => (module, name),
                Target::Module(module) if reference.kind == Kind::Glob => (module, "*".to_owned()),
                Target::Module(_) | Target::Outside(_) => continue,
            };
            let below = target.starts_with(&format!("{path}::"));
            let shown = matches!(reference.kind, Kind::Reexport | Kind::Glob) && below;
            if shown || !inside(&target) {
                continue;
            }
            let file = krate.modules[&target].file.as_str();
            if file != module.file {
                needs.entry(&*module.file).or_default().entry(file).or_default().insert(item);
            }
        }
    }
    needs
}
