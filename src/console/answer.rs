//! What a request is answered with: a page, its JSON, or another address.

use axum::{
    body::Body,
    http::{
        HeaderMap, HeaderValue, StatusCode,
        header::{ACCEPT, CONTENT_TYPE, LOCATION},
    },
    response::Response,
};
use maud::Markup;
use serde_json::Value;

use super::assets::Asset;

/// The answer to a request.
#[derive(Debug)]
pub(super) enum Answer {
    Page(Page),
    Json(Value),
    /// A body that is sent as it is made.
    Stream {
        content_type: &'static str,
        body: Body,
    },
    /// The address with the answer.
    Elsewhere(String),
}

/// The section of the bar that a page belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Section {
    Pools,
    Domains,
    Log,
    Proof,
    Other,
}

/// The content of a page.
#[derive(Debug)]
pub(super) struct Page {
    pub(super) title: String,
    pub(super) section: Section,
    pub(super) body: Markup,
    /// The commands that show the same.
    pub(super) commands: Vec<Command>,
    /// The command that sets a user pool back to what the page shows.
    pub(super) restore: Option<Command>,
    /// The scripts that it runs, besides those of every page.
    pub(super) scripts: Vec<&'static Asset>,
}

/// A command of `userpool`: its words.
#[derive(Debug, Clone)]
pub(super) struct Command(pub(super) Vec<String>);

impl Command {
    pub(super) fn new(words: &[&str]) -> Self {
        Self(words.iter().map(|word| (*word).to_owned()).collect())
    }

    /// The same command with an option, if it has a value.
    #[must_use]
    pub(super) fn option(mut self, name: &str, value: Option<&str>) -> Self {
        if let Some(value) = value {
            // In one word, so that no value can become an option.
            self.0.push(format!("{name}={value}"));
        }
        self
    }

    /// The same command with a flag, if there is one.
    #[must_use]
    pub(super) fn flag(mut self, name: Option<&str>) -> Self {
        self.0.extend(name.map(str::to_owned));
        self
    }
}

/// Whether a request wants the JSON of a page.
pub(super) fn accepts_json(headers: &HeaderMap) -> bool {
    let accepted = headers.get(ACCEPT).and_then(|accept| accept.to_str().ok()).unwrap_or_default();
    let types = accepted.split(',').map(|part| part.split(';').next().unwrap_or(part).trim());
    let first = types.into_iter().find(|found| matches!(*found, "text/html" | "application/json"));
    first == Some("application/json")
}

pub(super) fn html(status: StatusCode, page: Markup) -> Response {
    let body = Body::from(page.into_string());
    with_type(status, "text/html; charset=utf-8", body)
}

pub(super) fn json(status: StatusCode, value: &Value) -> Response {
    with_type(status, "application/json", Body::from(format!("{value:#}\n")))
}

pub(super) fn with_type(status: StatusCode, content_type: &'static str, body: Body) -> Response {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}

pub(super) fn redirect(address: &str) -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::SEE_OTHER;
    if let Ok(address) = HeaderValue::try_from(address) {
        response.headers_mut().insert(LOCATION, address);
    }
    response
}
