//! What a source names: its items, its imports, and every other path in it.
//!
//! All tokens of the file are read, so a path counts in an expression, a type, an
//! attribute or the input of a macro alike.

use proc_macro2::{Delimiter, Ident, TokenStream, TokenTree};
use syn::{ItemUse, UseTree};

/// The keywords that define the name after them.
const DEFINITIONS: [&str; 8] =
    ["const", "enum", "fn", "macro_rules", "static", "struct", "trait", "type"];

/// How a path is named.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// By a `use` for the module itself.
    Import,
    /// By a `use` for other modules.
    Reexport,
    /// By a `use` of everything in it.
    Glob,
    /// Where it is needed.
    Inline,
}

/// A path as it is written. One that starts with `::` starts with an empty segment.
#[derive(Debug, Clone)]
pub(crate) struct Reference {
    pub(crate) kind: Kind,
    pub(crate) segments: Vec<String>,
    /// The name that a `use` gives it.
    pub(crate) alias: Option<String>,
}

/// The content of one module.
#[derive(Debug, Default)]
pub(crate) struct Content {
    pub(crate) items: Vec<String>,
    pub(crate) references: Vec<Reference>,
    /// The modules that have files of their own.
    pub(crate) files: Vec<String>,
    pub(crate) inline: Vec<(String, Content)>,
    /// Code that could hide an import.
    pub(crate) faults: Vec<String>,
}

/// Reads the source of a module.
pub(crate) fn read(source: &str) -> Content {
    let tokens: TokenStream = source.parse().expect("Rust tokens");
    let mut content = Content::default();
    content.read(tokens, Place::Module);
    content
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Module,
    Attribute,
    Block,
}

impl Content {
    fn read(&mut self, tokens: TokenStream, place: Place) {
        let tokens: Vec<TokenTree> = tokens.into_iter().collect();
        let mut at = 0;
        let mut public = false;
        while let Some(token) = tokens.get(at) {
            match token {
                TokenTree::Ident(word) => {
                    at = self.read_word(&tokens, at, place, public);
                    public = word == "pub";
                    continue;
                }
                TokenTree::Group(group) => {
                    public &= group.delimiter() == Delimiter::Parenthesis;
                    // The `crate` of `pub(crate)` names no module.
                    if !public || group.stream().into_iter().count() > 1 {
                        let inside = match place {
                            _ if is_attribute(&tokens, at) => Place::Attribute,
                            Place::Module => Place::Block,
                            Place::Attribute | Place::Block => place,
                        };
                        self.read(group.stream(), inside);
                    }
                }
                // The name of a lifetime is no path.
                TokenTree::Punct(punct) if punct.as_char() == '\'' => at += 1,
                TokenTree::Literal(literal) if place == Place::Attribute => {
                    if tokens.first().and_then(ident).as_deref() != Some("doc") {
                        self.read_text(&literal.to_string());
                    }
                }
                TokenTree::Punct(_) | TokenTree::Literal(_) => {}
            }
            at += 1;
        }
    }

    /// Reads what the word at `at` begins; returns where to read on.
    fn read_word(&mut self, tokens: &[TokenTree], at: usize, place: Place, public: bool) -> usize {
        let TokenTree::Ident(word) = &tokens[at] else { return at + 1 };
        let word = word.to_string();
        let next = tokens.get(at + 1);
        let name = next.and_then(ident);
        if place == Place::Module && DEFINITIONS.contains(&word.as_str()) {
            self.items.extend(defined(&tokens[at + 1..]));
        }
        match (word.as_str(), name.as_deref()) {
            ("use", _) if !next.is_some_and(|next| is_punct(next, '<')) => {
                let length = tokens[at..].iter().position(|one| is_punct(one, ';'));
                let end = length.map_or(tokens.len(), |length| at + length + 1);
                self.read_use(&tokens[at..end], public);
                end
            }
            ("mod", Some(name)) => {
                self.read_module(name, tokens.get(at + 2), place);
                at + 3
            }
            ("extern", Some("crate")) => {
                self.faults.push("extern crate".into());
                at + 2
            }
            _ => self.read_path(tokens, at, place),
        }
    }

    /// Reads the text of an attribute, which can be a path, as in `with = "crate::x"`.
    fn read_text(&mut self, literal: &str) {
        let path = syn::parse_str::<syn::LitStr>(literal);
        let path = path.and_then(|literal| literal.parse::<syn::Path>());
        if let Ok(path) = path
            && path.segments.len() > 1
        {
            let segments = path.segments.iter().map(|segment| plain(&segment.ident));
            self.references.push(inline(segments.collect()));
        }
    }

    fn read_module(&mut self, name: &str, body: Option<&TokenTree>, place: Place) {
        match body {
            Some(TokenTree::Group(group)) if place == Place::Module => {
                let mut content = Content::default();
                content.read(group.stream(), Place::Module);
                self.inline.push((name.to_owned(), content));
            }
            Some(_) if place == Place::Module => self.files.push(name.to_owned()),
            _ => self.faults.push(format!("mod {name} inside a block")),
        }
    }

    fn read_use(&mut self, tokens: &[TokenTree], public: bool) {
        let item: TokenStream = tokens.iter().cloned().collect();
        let Ok(item) = syn::parse2::<ItemUse>(item.clone()) else {
            self.faults.push(format!("an unreadable import: {item}"));
            return;
        };
        let kind = if public { Kind::Reexport } else { Kind::Import };
        let start = item.leading_colon.map(|_| String::new());
        self.read_use_tree(&item.tree, kind, start.into_iter().collect());
    }

    fn read_use_tree(&mut self, tree: &UseTree, kind: Kind, mut segments: Vec<String>) {
        let (name, alias) = match tree {
            UseTree::Path(path) => {
                segments.push(plain(&path.ident));
                return self.read_use_tree(&path.tree, kind, segments);
            }
            UseTree::Group(group) => {
                for tree in &group.items {
                    self.read_use_tree(tree, kind, segments.clone());
                }
                return;
            }
            UseTree::Glob(_) => {
                self.references.push(Reference { kind: Kind::Glob, segments, alias: None });
                return;
            }
            UseTree::Name(name) => (plain(&name.ident), None),
            UseTree::Rename(rename) => (plain(&rename.ident), Some(plain(&rename.rename))),
        };
        if name != "self" {
            segments.push(name);
        }
        let alias = alias.or_else(|| segments.last().cloned());
        self.references.push(Reference { kind, segments, alias });
    }

    /// Reads the path that may start at `start`; returns where to read on.
    fn read_path(&mut self, tokens: &[TokenTree], start: usize, place: Place) -> usize {
        let mut segments: Vec<_> = tokens.get(start).and_then(ident).into_iter().collect();
        let mut at = start + 1;
        while is_colons(tokens, at)
            && let Some(segment) = tokens.get(at + 2).and_then(ident)
        {
            segments.push(segment);
            at += 3;
        }
        let first = segments.first().map(String::as_str).unwrap_or_default();
        let called = match tokens.get(at) {
            Some(TokenTree::Group(group)) => group.delimiter() == Delimiter::Parenthesis,
            Some(next) => is_punct(next, '!'),
            None => false,
        };
        let bang = tokens.get(at).is_some_and(|next| is_punct(next, '!'));
        let value = tokens.get(at).is_some_and(|next| is_punct(next, '='))
            && matches!(tokens.get(at + 1), Some(TokenTree::Literal(_)));
        if place == Place::Attribute
            && (matches!(first, "macro_export" | "macro_use") || first == "path" && value)
        {
            self.faults.push(format!("#[{first}]"));
        }
        if segments.len() == 1 && matches!(first, "crate" | "super") {
            self.faults.push(format!("{first} without a path"));
        }
        if bang && matches!(segments.last().map(String::as_str), Some("include" | "include_proto"))
        {
            self.references.push(inline(vec!["include".into()]));
        }
        let before = |back: usize| start.checked_sub(back).and_then(|at| tokens.get(at));
        let after_colons = start > 1 && is_colons(tokens, start - 2);
        if after_colons {
            // After a type in angle brackets this is one of its items.
            let arrow = before(4).is_some_and(|one| is_punct(one, '-') || is_punct(one, '='));
            let item = before(3).is_some_and(|one| is_punct(one, '>') || ident(one).is_some());
            if arrow || !item {
                segments.insert(0, String::new());
                self.references.push(inline(segments));
            }
            return at;
        }
        let member = before(1).is_some_and(|one| is_punct(one, '.'))
            && !before(2).is_some_and(|one| is_punct(one, '.'));
        let capital = first.starts_with(char::is_uppercase);
        let word = matches!(first, "async" | "await");
        if word || segments.len() > 1 || !member && (capital || called) {
            self.references.push(inline(segments));
        }
        at
    }
}

fn inline(segments: Vec<String>) -> Reference {
    Reference { kind: Kind::Inline, segments, alias: None }
}

/// The name that a definition gives, from the tokens after its keyword.
fn defined(tokens: &[TokenTree]) -> Option<String> {
    let skip = usize::from(is_punct(tokens.first()?, '!'));
    let name = ident(tokens.get(skip)?)?;
    (!matches!(name.as_str(), "_" | "async" | "extern" | "fn" | "mut" | "unsafe")).then_some(name)
}

/// Whether the group at `at` is one of `#[…]` or `#![…]`.
fn is_attribute(tokens: &[TokenTree], at: usize) -> bool {
    let is_before = |back: usize, character| {
        at.checked_sub(back).is_some_and(|at| is_punct(&tokens[at], character))
    };
    is_before(1, '#') || is_before(1, '!') && is_before(2, '#')
}

fn is_colons(tokens: &[TokenTree], at: usize) -> bool {
    [at, at + 1].into_iter().all(|at| tokens.get(at).is_some_and(|one| is_punct(one, ':')))
}

fn is_punct(token: &TokenTree, character: char) -> bool {
    matches!(token, TokenTree::Punct(punct) if punct.as_char() == character)
}

fn ident(token: &TokenTree) -> Option<String> {
    match token {
        TokenTree::Ident(ident) => Some(plain(ident)),
        TokenTree::Group(_) | TokenTree::Punct(_) | TokenTree::Literal(_) => None,
    }
}

fn plain(ident: &Ident) -> String {
    let name = ident.to_string();
    name.strip_prefix("r#").map_or_else(|| name.clone(), str::to_owned)
}
