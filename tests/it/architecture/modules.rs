//! The modules of the crate, and what each path in them leads to.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
};

use super::tokens::{self, Content, Kind, Reference};

/// More renames than any honest path goes through.
const MAX_RENAMES: u32 = 20;

/// The modules of a crate, by path: `crate`, `crate::app`, `crate::app::writer`.
#[derive(Debug, Default)]
pub(crate) struct Crate {
    pub(crate) modules: BTreeMap<String, Module>,
    /// Code that could hide an import, each with the file that has it.
    pub(crate) faults: Vec<String>,
}

/// A module.
#[derive(Debug)]
pub(crate) struct Module {
    /// Its file, below `src`.
    pub(crate) file: String,
    items: BTreeSet<String>,
    children: BTreeSet<String>,
    pub(crate) references: Vec<Reference>,
}

/// What a path leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Target {
    /// A module of this crate.
    Module(String),
    /// An item that is defined in a module of this crate.
    Item { module: String, name: String },
    /// A path into another crate.
    Outside(Vec<String>),
}

impl Crate {
    /// Reads the crate from its files, by path below `src`.
    pub(crate) fn read(files: &BTreeMap<String, String>) -> Self {
        let mut read = Self::default();
        read.add_file(files, "crate", "lib.rs");
        let lib = &read.modules["crate"];
        let imports = lib.references.iter().any(|reference| reference.kind != Kind::Inline);
        if imports || !lib.items.is_empty() {
            read.faults.push("lib.rs: more than the declaration of rooms".into());
        }
        let known: BTreeSet<_> = read.modules.values().map(|module| module.file.clone()).collect();
        let unknown = files.keys().filter(|file| !known.contains(*file) && *file != "main.rs");
        read.faults.extend(unknown.map(|file| format!("{file}: not a module")));
        read
    }

    fn add_file(&mut self, files: &BTreeMap<String, String>, path: &str, file: &str) {
        let Some(source) = files.get(file) else {
            self.faults.push(format!("{file}: no such file"));
            return;
        };
        self.add(files, path, file, tokens::read(source));
    }

    fn add(&mut self, files: &BTreeMap<String, String>, path: &str, file: &str, content: Content) {
        let Content { items, references, files: named, inline, faults } = content;
        self.faults.extend(faults.into_iter().map(|fault| format!("{file}: {fault}")));
        let children = named.iter().chain(inline.iter().map(|(name, _)| name)).cloned().collect();
        let items = items.into_iter().collect();
        let module = Module { file: file.to_owned(), items, children, references };
        self.modules.insert(path.to_owned(), module);
        for (name, content) in inline {
            self.add(files, &format!("{path}::{name}"), file, content);
        }
        for name in named {
            let below = path.split("::").skip(1).collect::<PathBuf>().join(&name);
            let below = below.to_string_lossy();
            let forms = [format!("{below}.rs"), format!("{below}/mod.rs")];
            let [short, long] = &forms;
            let file = if files.contains_key(long) { long } else { short };
            self.add_file(files, &format!("{path}::{name}"), file);
        }
    }

    /// The path from the root of the crate, if it starts with `crate`, `self` or `super`.
    pub(crate) fn absolute(module: &str, segments: &[String]) -> Option<Vec<String>> {
        let mut path: Vec<String> = module.split("::").map(str::to_owned).collect();
        let climbs = |segment: &&String| matches!(segment.as_str(), "crate" | "self" | "super");
        let climb = segments.iter().take_while(climbs).count();
        for segment in &segments[..climb] {
            match segment.as_str() {
                "crate" => path.truncate(1),
                "super" => drop(path.pop()),
                _ => {}
            }
        }
        path.extend_from_slice(&segments[climb..]);
        (climb > 0).then_some(path)
    }

    /// The same for a path that starts with a name that `module` imports.
    pub(crate) fn written(&self, module: &str, reference: &Reference) -> Option<Vec<String>> {
        let segments = &reference.segments;
        Self::absolute(module, segments).or_else(|| {
            let (first, rest) = segments.split_first()?;
            let mut known = self.modules[module].references.iter();
            let alias = known.find(|known| known.alias.as_ref() == Some(first))?;
            Self::absolute(module, &[&alias.segments, rest].concat())
        })
    }

    /// What a path that is written in `module` leads to, through all re-exports.
    pub(crate) fn resolve(&self, module: &str, segments: &[String]) -> Target {
        self.find(module, segments, MAX_RENAMES)
    }

    fn find(&self, module: &str, segments: &[String], renames: u32) -> Target {
        if segments.first().is_some_and(String::is_empty) {
            return Target::Outside(segments[1..].to_vec());
        }
        if let Some(path) = Self::absolute(module, segments) {
            return self.walk("crate", &path[1..], renames);
        }
        match segments.split_first() {
            Some((first, rest)) => self
                .step(module, first, rest, renames)
                .unwrap_or_else(|| Target::Outside(segments.to_vec())),
            None => Target::Module(module.to_owned()),
        }
    }

    fn walk(&self, module: &str, segments: &[String], renames: u32) -> Target {
        let Some((first, rest)) = segments.split_first() else {
            return Target::Module(module.to_owned());
        };
        let item = || Target::Item { module: module.to_owned(), name: first.clone() };
        self.step(module, first, rest, renames).unwrap_or_else(item)
    }

    /// Follows one name of a module. A name can be that of a module and of an item:
    /// more segments mean the module.
    fn step(&self, path: &str, name: &str, rest: &[String], renames: u32) -> Option<Target> {
        let module = self.modules.get(path)?;
        let renames = renames.checked_sub(1)?;
        let child = || {
            let path = format!("{path}::{name}");
            module.children.contains(name).then(|| self.walk(&path, rest, renames))
        };
        let item = || {
            let (module, name) = (path.to_owned(), name.to_owned());
            self.modules[path].items.contains(&name).then_some(Target::Item { module, name })
        };
        let is_it = |reference: &&Reference| reference.alias.as_deref() == Some(name);
        // A `use` of a crate by its own name leads to that crate.
        let is_other = |reference: &&Reference| reference.segments != [name];
        let alias = || {
            let alias = module.references.iter().filter(is_other).find(is_it)?;
            Some(self.find(path, &[&alias.segments, rest].concat(), renames))
        };
        let glob = || {
            let mut globs = module.references.iter().filter(|one| one.kind == Kind::Glob);
            globs.find_map(|glob| self.through(path, glob, name, rest, renames))
        };
        if rest.is_empty() {
            item().or_else(alias).or_else(child).or_else(glob)
        } else {
            child().or_else(alias).or_else(item).or_else(glob)
        }
    }

    fn through(
        &self,
        path: &str,
        glob: &Reference,
        name: &str,
        rest: &[String],
        renames: u32,
    ) -> Option<Target> {
        match self.find(path, &glob.segments, renames) {
            Target::Module(module) if module != path => self.step(&module, name, rest, renames),
            Target::Module(_) | Target::Item { .. } | Target::Outside(_) => None,
        }
    }
}
