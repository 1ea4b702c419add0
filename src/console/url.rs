//! The addresses of the console: each page has one, and it holds the whole state of the page.

use std::fmt::Write as _;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

/// The end of the address of a page's JSON.
const JSON: &str = ".json";

/// The characters that an address does not have to escape.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~')
    .remove(b'@')
    .remove(b':')
    .remove(b'*')
    .remove(b',')
    .remove(b'/');

/// The same for one segment of a path.
const SEGMENT: &AsciiSet = &ESCAPED.add(b'/');

/// Whether a path is that of JSON.
pub(super) fn is_of_json(path: &str) -> bool {
    path.ends_with(JSON)
}

/// The path of a page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Route {
    Home,
    Pools,
    Pool(String),
    History(String),
    Diff(String),
    Domains,
    Domain(String),
    Log,
    Live,
    Records,
    Export,
    Proof,
    Inclusion,
    Verifier,
    Go,
    Me,
}

impl Route {
    /// Finds the page of a path, or of the path of its JSON.
    pub(super) fn parse(path: &str) -> Option<Self> {
        let path = path.strip_suffix(JSON).unwrap_or(path);
        let segments = path.strip_prefix('/')?.split('/').map(|segment| {
            let segment = percent_decode_str(segment).decode_utf8().ok()?;
            Some(segment.into_owned())
        });
        let mut segments = segments.collect::<Option<Vec<_>>>()?;
        let third = if segments.len() == 3 { segments.pop() } else { None };
        let second = if segments.len() == 2 { segments.pop() } else { None };
        let [first] = segments.as_slice() else { return None };
        Some(match (first.as_str(), second, third.as_deref()) {
            ("", None, None) => Self::Home,
            ("pools", None, None) => Self::Pools,
            ("pools", Some(id), None) => Self::Pool(id),
            ("pools", Some(id), Some("history")) => Self::History(id),
            ("pools", Some(id), Some("diff")) => Self::Diff(id),
            ("domains", None, None) => Self::Domains,
            ("domains", Some(name), None) => Self::Domain(name),
            ("log", None, None) => Self::Log,
            ("log", Some(name), None) => match name.as_str() {
                "live" => Self::Live,
                "records" => Self::Records,
                "export.jsonl" => Self::Export,
                _ => return None,
            },
            ("proof", None, None) => Self::Proof,
            ("proof", Some(name), None) => match name.as_str() {
                "event" => Self::Inclusion,
                "verifier.html" => Self::Verifier,
                _ => return None,
            },
            ("go", None, None) => Self::Go,
            ("me", None, None) => Self::Me,
            _ => return None,
        })
    }

    /// The path, escaped.
    pub(super) fn path(&self) -> String {
        let segment = |text| utf8_percent_encode(text, SEGMENT);
        match self {
            Self::Home => "/".to_owned(),
            Self::Pools => "/pools".to_owned(),
            Self::Pool(id) => format!("/pools/{}", segment(id.as_str())),
            Self::History(id) => format!("/pools/{}/history", segment(id.as_str())),
            Self::Diff(id) => format!("/pools/{}/diff", segment(id.as_str())),
            Self::Domains => "/domains".to_owned(),
            Self::Domain(name) => format!("/domains/{}", segment(name.as_str())),
            Self::Log => "/log".to_owned(),
            Self::Live => "/log/live".to_owned(),
            Self::Records => "/log/records".to_owned(),
            Self::Export => "/log/export.jsonl".to_owned(),
            Self::Proof => "/proof".to_owned(),
            Self::Inclusion => "/proof/event".to_owned(),
            Self::Verifier => "/proof/verifier.html".to_owned(),
            Self::Go => "/go".to_owned(),
            Self::Me => "/me".to_owned(),
        }
    }

    /// The user pool that the page is about.
    pub(super) fn pool(&self) -> Option<&str> {
        match self {
            Self::Pool(id) | Self::History(id) | Self::Diff(id) => Some(id),
            Self::Home
            | Self::Pools
            | Self::Domains
            | Self::Domain(_)
            | Self::Log
            | Self::Live
            | Self::Records
            | Self::Export
            | Self::Proof
            | Self::Inclusion
            | Self::Verifier
            | Self::Go
            | Self::Me => None,
        }
    }

    /// The address with these parameters.
    pub(super) fn with(&self, query: &Query) -> String {
        format!("{}{query}", self.path())
    }

    /// The address of the JSON with these parameters.
    pub(super) fn json(&self, query: &Query) -> String {
        format!("{}{JSON}{query}", self.path())
    }
}

/// The parameters of an address, in their order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Query(Vec<(String, String)>);

impl Query {
    /// Reads the part of an address after the question mark.
    pub(super) fn parse(text: &str) -> Self {
        let pairs = text.split('&').filter(|pair| !pair.is_empty()).map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (decode(name), decode(value))
        });
        Self(pairs.collect())
    }

    /// The value of a parameter, without spaces around it. An empty one counts as absent,
    /// because forms send every field.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.all(name).next()
    }

    /// All values of a parameter, as of [`Query::get`].
    pub(super) fn all(&self, name: &str) -> impl Iterator<Item = &str> {
        let values = self.0.iter().filter(move |(other, _)| other == name);
        values.map(|(_, value)| value.trim()).filter(|value| !value.is_empty())
    }

    /// The same parameters, with one value for this one.
    #[must_use]
    pub(super) fn set(mut self, name: &str, value: impl Into<String>) -> Self {
        self = self.without(name);
        self.0.push((name.to_owned(), value.into()));
        self
    }

    /// The same parameters, with another value for this one.
    #[must_use]
    pub(super) fn and(mut self, name: &str, value: impl Into<String>) -> Self {
        self.0.push((name.to_owned(), value.into()));
        self
    }

    /// The same parameters without this one.
    #[must_use]
    pub(super) fn without(mut self, name: &str) -> Self {
        self.0.retain(|(other, _)| other != name);
        self
    }

    /// The same parameters for the first page of a list.
    #[must_use]
    pub(super) fn first_page(self) -> Self {
        self.without("after").without("back")
    }

    /// Whether any of these parameters is set.
    pub(super) fn has_any(&self, names: &[&str]) -> bool {
        names.iter().any(|name| self.get(name).is_some())
    }
}

impl std::fmt::Display for Query {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (index, (name, value)) in self.0.iter().enumerate() {
            f.write_char(if index == 0 { '?' } else { '&' })?;
            let (name, value) =
                (utf8_percent_encode(name, ESCAPED), utf8_percent_encode(value, ESCAPED));
            write!(f, "{name}={value}")?;
        }
        Ok(())
    }
}

/// Decodes a name or a value as a form encodes it.
fn decode(text: &str) -> String {
    let text = text.replace('+', " ");
    percent_decode_str(&text).decode_utf8_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::{Query, Route};

    #[test]
    fn an_address_is_read_as_it_is_written() {
        for id in ["eu-west-1_abc", "a/b", "ü ?&#%", ".", "<svg>"] {
            for route in [
                Route::Pool(id.to_owned()),
                Route::History(id.to_owned()),
                Route::Diff(id.to_owned()),
                Route::Domain(id.to_owned()),
            ] {
                assert_eq!(Route::parse(&route.path()), Some(route.clone()));
                let json = format!("{}.json", route.path());
                assert_eq!(Route::parse(&json), Some(route));
            }
        }
        assert_eq!(Route::parse("/"), Some(Route::Home));
        for path in ["", "pools", "/pools/a/b", "/pools/a/history/b", "//", "/pools/%ff"] {
            assert_eq!(Route::parse(path), None, "{path}");
        }
    }

    #[test]
    fn parameters_are_read_as_they_are_written() {
        let query = Query::default().set("q", "a&b=c +%ü").set("at", "@43").set("q", "<x> y");
        let text = query.to_string();
        assert_eq!(Query::parse(text.trim_start_matches('?')), query);
        assert_eq!(query.get("q"), Some("<x> y"));
        assert_eq!(Query::parse("q=+a+b+&q=&at").get("q"), Some("a b"));
        assert_eq!(Query::parse("at=").get("at"), None);
    }
}
