//! The icons, as symbols that each page defines once.

use maud::{Markup, PreEscaped, html};

/// An icon.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Icon {
    Anonymous,
    Bin,
    Broken,
    Certificate,
    Key,
    Link,
    Local,
    Logo,
    Pen,
    Plus,
    Restore,
    Search,
    Shield,
    Swap,
    Tag,
    Token,
    Unlink,
    Yes,
}

/// The icons, with their names and shapes on a square of 20.
const SHAPES: [(Icon, &str, &str); 18] = [
    (
        Icon::Anonymous,
        "anonymous",
        r#"<circle cx="10" cy="10" r="7"/><path d="M8 8a2 2 0 113 1.7c-.8.4-1 .8-1 1.6M10 14v.1"/>"#,
    ),
    (Icon::Bin, "bin", r#"<path d="M4 6h12M8 6V4h4v2M6 6l1 10h6l1-10"/>"#),
    (
        Icon::Broken,
        "broken",
        r#"<circle cx="10" cy="10" r="7"/><path d="M7.5 7.5l5 5M12.5 7.5l-5 5"/>"#,
    ),
    (
        Icon::Certificate,
        "certificate",
        r#"<rect x="3" y="4" width="14" height="9" rx="1.5"/><path d="M7 13v4l2-1.3 2 1.3v-4M6 7.5h8"/>"#,
    ),
    (
        Icon::Key,
        "key",
        r#"<circle cx="6.5" cy="13.5" r="3"/><path d="M8.6 11.4L16 4M13 7l2.5 2.5"/>"#,
    ),
    (
        Icon::Link,
        "link",
        r#"<path d="M8.5 11.5l3-3M7 9l-2 2a2.8 2.8 0 004 4l2-2M13 11l2-2a2.8 2.8 0 00-4-4L9 7"/>"#,
    ),
    (
        Icon::Local,
        "local",
        r#"<rect x="3" y="4" width="14" height="10" rx="1.5"/><path d="M6 8l2 2-2 2M10 12h3M7 17h6"/>"#,
    ),
    (Icon::Logo, "logo", r#"<path d="M4 4v7a6 6 0 0012 0V4"/><path d="M8 4v7a2 2 0 004 0V4"/>"#),
    (Icon::Pen, "pen", r#"<path d="M4 16l1-4 8.5-8.5 3 3L8 15z"/>"#),
    (Icon::Plus, "plus", r#"<path d="M10 4v12M4 10h12"/>"#),
    (Icon::Restore, "restore", r#"<path d="M4 10a6 6 0 106-6H5M8 1L5 4l3 3"/>"#),
    (Icon::Search, "search", r#"<circle cx="9" cy="9" r="5"/><path d="M13 13l4 4"/>"#),
    (
        Icon::Shield,
        "shield",
        r#"<path d="M10 2.5l6 2.2v4.6c0 4-2.6 6.7-6 8.2-3.4-1.5-6-4.2-6-8.2V4.7z"/>"#,
    ),
    (Icon::Swap, "swap", r#"<path d="M4 7h11l-3-3M16 13H5l3 3"/>"#),
    (Icon::Tag, "tag", r#"<path d="M3 10V4h6l8 7-6 6zM6.5 7.5v.1"/>"#),
    (Icon::Token, "token", r#"<circle cx="7" cy="10" r="3"/><path d="M10 10h7M14.5 10v3"/>"#),
    (
        Icon::Unlink,
        "unlink",
        r#"<path d="M7 9l-2 2a2.8 2.8 0 004 4l2-2M13 11l2-2a2.8 2.8 0 00-4-4L9 7M4 4l12 12"/>"#,
    ),
    (Icon::Yes, "yes", r#"<circle cx="10" cy="10" r="7"/><path d="M7 10.2l2 2 4-4.4"/>"#),
];

impl Icon {
    /// The icon beside a text that says the same.
    pub(super) fn show(self) -> Markup {
        let name = SHAPES.iter().find(|(icon, _, _)| *icon == self).map(|(_, name, _)| name);
        let name = name.unwrap_or(&"");
        // The architecture test takes the name of this element for an import.
        PreEscaped(format!(
            r##"<svg class="icon" aria-hidden="true"><use href="#i-{name}"/></svg>"##
        ))
    }
}

/// The definitions of the symbols.
pub(super) fn symbols() -> Markup {
    html! {
        svg hidden width="0" height="0" {
            @for (_, name, shape) in SHAPES {
                symbol id=(format!("i-{name}")) viewBox="0 0 20 20" { (PreEscaped(shape)) }
            }
        }
    }
}
