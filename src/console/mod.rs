//! The web console: pages for a browser, made on the server from calls of the generated client.
//! So it can do what a client can, and no more: roles, limits, deadlines and records of calls
//! are those of the server. It reads; it changes nothing, needs no script, and shows every value
//! as text.
//!
//! The path of a request: `guard` refuses what a browser of the user would not send, and
//! [`ConsoleAccess`] says who calls: the user of the console, if it is the browser that opened the
//! link, or the browser itself. `url` finds the page, `pages` calls the server and makes its
//! content, and `layout` puts it into a document. `headers` then adds the headers that limit
//! what the page may do.

mod access;
mod actor;
mod answer;
mod assets;
mod calls;
mod difference;
mod event;
mod failure;
mod filter;
mod guard;
mod headers;
mod icons;
mod kind;
mod last_changes;
mod layout;
mod members;
mod names;
mod pages;
mod plot;
mod refusal;
mod state;
mod text;
mod url;
mod value;
mod verifier;
mod visit;

use std::{error::Error, fmt, sync::Arc};

use axum::{
    Router,
    extract::{Request, State},
    http::{
        HeaderValue, StatusCode,
        header::{RETRY_AFTER, SET_COOKIE},
        request::Parts,
    },
    response::Response,
};
use chrono::{DateTime, Utc};
use tonic::body::Body;
use tower::Service;

use crate::proto::DescribeLogRequest;

pub use self::access::{ConsoleAccess, LINK_TIMEOUT, LinkAccess};
pub(crate) use self::text::shell_word;
use self::{
    answer::{Answer, Page, Section},
    calls::Calls,
    failure::Failure,
    layout::Frame,
    url::{Query, Route},
    visit::Visit,
};

/// The clock that ages are computed with.
pub type Clock = Arc<dyn Fn() -> DateTime<Utc> + Send + Sync>;

/// What a console needs besides a server.
pub struct ConsoleSettings {
    /// Who may read.
    pub access: ConsoleAccess,
    /// The names that it answers to, besides those of this machine.
    pub hosts: Vec<String>,
    /// The clock.
    pub clock: Clock,
    /// The options that connect a command to the same server.
    pub connection: Vec<String>,
    /// The address of a dashboard with latencies and rates.
    pub dashboard: Option<String>,
}

impl fmt::Debug for ConsoleSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConsoleSettings").field("access", &self.access).finish_non_exhaustive()
    }
}

/// Returns the routes of a console over a service of gRPC: a connection, or the server itself.
pub fn routes<S, B>(service: S, settings: ConsoleSettings) -> Router
where
    S: Service<http::Request<Body>, Response = http::Response<B>> + Clone + Send + Sync + 'static,
    S::Future: Send,
    S::Error: Into<Box<dyn Error + Send + Sync>>,
    B: http_body::Body<Data = bytes::Bytes> + Send + 'static,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    let console = Console { calls: Calls::new(service), settings };
    Router::new().fallback(respond).with_state(Arc::new(console))
}

#[derive(Debug)]
struct Console {
    calls: Calls,
    settings: ConsoleSettings,
}

async fn respond(State(console): State<Arc<Console>>, request: Request) -> Response {
    let (request, _) = request.into_parts();
    let mut response = console.answer(&request).await;
    headers::secure(&mut response);
    response
}

impl Console {
    async fn answer(&self, request: &Parts) -> Response {
        let ConsoleSettings { access, hosts, .. } = &self.settings;
        if let Err(violation) = guard::check(request, hosts) {
            return refusal::of_request(violation, access);
        }
        let path = request.uri.path();
        if let Some(asset) = assets::find(path) {
            return asset;
        }
        let calls = match access {
            ConsoleAccess::Callers => self.calls.on_behalf_of(request),
            ConsoleAccess::Link(access) => {
                if let Some(secret) = LinkAccess::secret_in(path) {
                    return access.redeem(secret).map_or_else(refusal::of_link, enter);
                }
                if !access.allows(&request.headers) {
                    return refusal::without_cookie(&request.uri, wants_json(request));
                }
                self.calls.clone()
            }
        };
        self.page(request, calls).await
    }

    /// Answers a request of a browser that was let in.
    async fn page(&self, request: &Parts, calls: Calls) -> Response {
        let query = Query::parse(request.uri.query().unwrap_or_default());
        let wants_json = wants_json(request);
        let route = Route::parse(request.uri.path());
        let now = (self.settings.clock)();
        let answered = match route.clone() {
            Some(route) => {
                let (calls, query) = (calls.clone(), query.clone());
                let last_event_id = request.headers.get("last-event-id");
                let last_event_id = last_event_id.and_then(|id| id.to_str().ok());
                let last_event_id = last_event_id.map(str::to_owned);
                let visit = Visit { calls, now, route, query, wants_json, last_event_id };
                pages::answer(&visit).await
            }
            None => Err(Failure::NoPage),
        };
        let (status, page, retry_after) = match answered {
            Ok(Answer::Elsewhere(address)) => return answer::redirect(&address),
            Ok(Answer::Stream { content_type, body }) => {
                return answer::with_type(StatusCode::OK, content_type, body);
            }
            Ok(Answer::Json(value)) => return answer::json(StatusCode::OK, &value),
            Ok(Answer::Page(page)) => (StatusCode::OK, page, None),
            Err(failure) => {
                let found = failure.explain(&self.settings.connection);
                if wants_json {
                    return with_retry(
                        answer::json(found.status, &found.json()),
                        found.retry_after,
                    );
                }
                let body = found.show(&found.remedy(route.as_ref(), &query));
                let (title, section) = (found.title.clone(), Section::Other);
                let (commands, restore, scripts) = (Vec::new(), None, Vec::new());
                let page = Page { title, section, body, commands, restore, scripts };
                (found.status, page, found.retry_after)
            }
        };
        let log = calls.describe_log(DescribeLogRequest::default()).await;
        let is_page = status == StatusCode::OK;
        let frame = Frame {
            log: log.as_ref(),
            now,
            connection: &self.settings.connection,
            dashboard: self.settings.dashboard.as_deref(),
            json: route.filter(|_| is_page).map(|route| route.json(&query)),
            searched: query.get("q").filter(|_| request.uri.path() == "/go").unwrap_or_default(),
            refresh: retry_after,
        };
        with_retry(answer::html(status, layout::document(&frame, &page)), retry_after)
    }
}

/// Whether a request asks for JSON, also if there is no such page.
fn wants_json(request: &Parts) -> bool {
    answer::accepts_json(&request.headers) || url::is_of_json(request.uri.path())
}

/// The answer to the browser that opened the link.
fn enter(cookie: HeaderValue) -> Response {
    let mut response = answer::redirect(&Route::Home.path());
    response.headers_mut().insert(SET_COOKIE, cookie);
    response
}

fn with_retry(mut response: Response, seconds: Option<u64>) -> Response {
    if let Some(seconds) = seconds {
        response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}
