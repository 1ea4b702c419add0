//! Refused requests and failed calls: what the server said, why, and what to do.

use std::{collections::BTreeMap, error::Error, iter};

use axum::http::StatusCode;
use maud::{Markup, html};
use serde_json::{Value, json};
use tonic::{Code, Status, TimeoutExpired};
use tonic_types::StatusExt as _;

use crate::proto::{ActorKind, UnwritableMessage, actor_prefix};

use super::{
    text::printable,
    url::{Query, Route},
};

/// After how many seconds to try again if the server does not say.
const UNAVAILABLE_SECONDS: u64 = 5;

/// A page could not be made.
#[derive(Debug)]
pub(super) enum Failure {
    /// The server refused a call, or did not answer.
    Call(Box<Status>),
    /// A parameter of the address cannot be read.
    Parameter { name: &'static str, value: String, expected: String },
    /// There is no such page.
    NoPage,
    /// The server sent a message that has no JSON form.
    Unwritable(UnwritableMessage),
}

impl From<Status> for Failure {
    fn from(status: Status) -> Self {
        Self::Call(Box::new(status))
    }
}

impl From<UnwritableMessage> for Failure {
    fn from(error: UnwritableMessage) -> Self {
        Self::Unwritable(error)
    }
}

/// A failure as a page and as JSON show it.
#[derive(Debug)]
pub(super) struct Explanation {
    pub(super) status: StatusCode,
    pub(super) title: String,
    /// The sentence of the server.
    pub(super) message: String,
    /// The reason, as the API names it.
    pub(super) reason: String,
    pub(super) metadata: BTreeMap<String, String>,
    violations: Vec<(String, String)>,
    /// The ID under which the server logged the call.
    correlation_id: Option<String>,
    /// After how many seconds the same request may succeed.
    pub(super) retry_after: Option<u64>,
}

/// Whether the server refused for this reason.
pub(super) fn has_reason(status: &Status, reason: &str) -> bool {
    status.get_details_error_info().is_some_and(|info| info.reason == reason)
}

impl Failure {
    /// Explains the failure to a reader of a console with these options of its connection, of which
    /// the first names the server; none if the console is that of the server itself.
    pub(super) fn explain(&self, connection: &[String]) -> Explanation {
        match self {
            Self::Call(status) => explain_status(status, connection),
            Self::Parameter { name, value, expected } => {
                let message = format!("{name}: {expected}, not {:?}", printable(value));
                Explanation::local(StatusCode::BAD_REQUEST, "The address is not valid", message)
            }
            Self::NoPage => {
                let message = "This address is not one of a page.".to_owned();
                Explanation::local(StatusCode::NOT_FOUND, "There is no such page", message)
            }
            Self::Unwritable(error) => {
                let title = "The answer cannot be shown";
                Explanation::local(StatusCode::BAD_GATEWAY, title, error.to_string())
            }
        }
    }
}

impl Explanation {
    fn local(status: StatusCode, title: &str, message: String) -> Self {
        Self {
            status,
            title: title.to_owned(),
            message,
            reason: String::new(),
            metadata: BTreeMap::new(),
            violations: Vec::new(),
            correlation_id: None,
            retry_after: None,
        }
    }

    pub(super) fn json(&self) -> Value {
        let violations: Vec<_> = self
            .violations
            .iter()
            .map(|(field, description)| json!({ "field": field, "description": description }))
            .collect();
        json!({
            "error": {
                "title": self.title,
                "message": self.message,
                "reason": self.reason,
                "metadata": self.metadata,
                "violations": violations,
                "correlationId": self.correlation_id,
            }
        })
    }

    /// The content of the page; `remedy` says what to do.
    pub(super) fn show(&self, remedy: &Markup) -> Markup {
        html! {
            div.head { div { h1 { (self.title) } } }
            p."note warn" { (printable(&self.message)) }
            @if !self.violations.is_empty() {
                ul.cols {
                    @for (field, description) in &self.violations {
                        li { code { (printable(field)) } " " (printable(description)) }
                    }
                }
            }
            (remedy)
            dl."set panel" {
                @if !self.reason.is_empty() {
                    dt { "Reason" } dd { code { (printable(&self.reason)) } }
                }
                @for (name, value) in &self.metadata {
                    dt { (printable(name)) } dd { code { (printable(value)) } }
                }
                @if let Some(id) = &self.correlation_id {
                    dt { "Correlation ID, for the log of the server" }
                    dd { code { (printable(id)) } }
                }
                dt { "Answer" } dd { (self.status.as_str()) }
            }
        }
    }

    /// What to do about it, from where the reader is.
    pub(super) fn remedy(&self, route: Option<&Route>, query: &Query) -> Markup {
        let of = |name: &str| self.metadata.get(name).map(String::as_str).unwrap_or_default();
        let pool = route.and_then(Route::pool);
        match (self.reason.as_str(), pool) {
            ("PERMISSION_DENIED" | "CREDENTIALS_MISSING", _) => html! {
                @match self.grantee() {
                    Some(name) => p {
                        "The server takes you for " b { (name) } ". To let you read, its operator \
                         adds this name to the setting " code { "readers" } "."
                    },
                    None => p {
                        "The server does not know you: come with a certificate or a token that it \
                         accepts. To let everyone read, its operator adds " b { "anonymous" }
                        " to the setting " code { "readers" } "."
                    },
                }
            },
            ("BEYOND_END", Some(id)) => {
                let latest = Query::default().set("at", of("current"));
                let (pool, at) = (Route::Pool(id.to_owned()), query.get("at"));
                html! {
                    p { @if at.is_some() { "Go to " a href=(pool.with(&latest)) { "the latest" } ", " }
                        @else { "Go to " }
                        a href=(pool.path()) { "the user pool as it is now" } " or "
                        a href=(Route::History(id.to_owned()).path()) { "its history" } "." }
                }
            }
            ("BEFORE_CREATION", Some(id)) => {
                let first = Route::Pool(id.to_owned()).with(&Query::default().set("at", "1"));
                html! {
                    p { "Go to " a href=(first) { "the user pool as it was created" } " or "
                        a href=(Route::History(id.to_owned()).path()) { "its history" } "." }
                }
            }
            ("BAD_PAGE_TOKEN", _) => {
                let start = query.clone().first_page();
                html! { @if let Some(route) = route {
                    p { a href=(route.with(&start)) { "Start at the first page" } }
                } }
            }
            _ if self.status == StatusCode::NOT_FOUND => html! {
                p { "Search for a pool ID, a name, a domain or a position with the field above, \
                     or look at " a href=(Route::Pools.path()) { "all user pools" } "." }
            },
            _ if self.retry_after.is_some() => html! {
                p { "This page loads itself again." }
            },
            _ => html! {},
        }
    }

    /// The caller that was refused, as the settings of the server name it; `None` if it is
    /// anonymous.
    fn grantee(&self) -> Option<String> {
        let of = |name: &str| self.metadata.get(name).map(String::as_str).unwrap_or_default();
        let kind = ActorKind::from_str_name(&format!("ACTOR_KIND_{}", of("actor_kind")))?;
        let prefix = actor_prefix(kind)?;
        Some(format!("{prefix}:{}", printable(of("actor_subject"))))
    }
}

/// Why a browser that has not opened the link sees nothing, for a program.
pub(super) fn without_cookie() -> Explanation {
    let message = "This console is for the one who started it: send the cookie of the browser that \
                   opened the link, which \"userpool console\" printed.";
    Explanation::local(StatusCode::FORBIDDEN, "Open the link first", message.to_owned())
}

fn explain_status(status: &Status, connection: &[String]) -> Explanation {
    let details = status.get_error_details();
    let info = details.error_info();
    let (code, message) = match innermost(status) {
        // Without an answer of the server, the code is the transport's.
        Some(cause) if !cause.is::<TimeoutExpired>() => {
            let server = connection.first().and_then(|option| option.strip_prefix("--endpoint="));
            let server = server.map(|endpoint| format!(" {endpoint}")).unwrap_or_default();
            (Code::Unavailable, format!("no connection to the server{server} ({cause})"))
        }
        Some(_) | None => (status.code(), status.message().to_owned()),
    };
    let delay = details.retry_info().and_then(|info| info.retry_delay);
    let delay = delay.map(|delay| delay.as_secs().max(1));
    let violations = details.bad_request().into_iter().flat_map(|refused| {
        refused
            .field_violations
            .iter()
            .map(|violation| (violation.field.clone(), violation.description.clone()))
    });
    let correlation_id = status.metadata().get("x-request-id");
    let (status, title) = rendering(code);
    Explanation {
        status,
        title: title.to_owned(),
        message: if message.is_empty() { code.description().to_owned() } else { message },
        reason: info.map(|info| info.reason.clone()).unwrap_or_default(),
        metadata: info.map(|info| info.metadata.clone().into_iter().collect()).unwrap_or_default(),
        violations: violations.collect(),
        correlation_id: correlation_id.and_then(|id| id.to_str().ok()).map(str::to_owned),
        retry_after: if code == Code::Unavailable {
            Some(delay.unwrap_or(UNAVAILABLE_SECONDS))
        } else {
            delay.filter(|_| code == Code::ResourceExhausted)
        },
    }
}

/// The status of HTTP and the title of a code.
const fn rendering(code: Code) -> (StatusCode, &'static str) {
    match code {
        Code::InvalidArgument | Code::FailedPrecondition => {
            (StatusCode::BAD_REQUEST, "The server refused the request")
        }
        Code::NotFound => (StatusCode::NOT_FOUND, "Not found"),
        Code::OutOfRange => (StatusCode::NOT_FOUND, "There is no such point"),
        Code::PermissionDenied => (StatusCode::FORBIDDEN, "You may not read this"),
        Code::Unauthenticated => (StatusCode::UNAUTHORIZED, "The server does not know you"),
        Code::ResourceExhausted => (StatusCode::TOO_MANY_REQUESTS, "The server is overloaded"),
        Code::Unavailable => (StatusCode::SERVICE_UNAVAILABLE, "The server does not serve now"),
        Code::DeadlineExceeded => (StatusCode::GATEWAY_TIMEOUT, "No answer in time"),
        Code::Unimplemented => (StatusCode::BAD_GATEWAY, "The server is too old for this page"),
        Code::Ok
        | Code::Cancelled
        | Code::Unknown
        | Code::AlreadyExists
        | Code::Aborted
        | Code::Internal
        | Code::DataLoss => (StatusCode::BAD_GATEWAY, "The server failed"),
    }
}

/// The innermost cause of a failure that is not the server's answer.
fn innermost(status: &Status) -> Option<&(dyn Error + 'static)> {
    iter::successors(status.source(), |&cause| cause.source()).last()
}
