//! The answers to requests that show nothing of the server.

use axum::{
    http::{HeaderValue, StatusCode, Uri, header::ALLOW},
    response::Response,
};
use maud::{Markup, html};

use super::{
    access::ConsoleAccess,
    answer, failure,
    guard::Violation,
    layout,
    url::{Query, Route},
};

/// Refuses a request that a browser of the user would not send.
pub(super) fn of_request(violation: Violation, access: &ConsoleAccess) -> Response {
    match violation {
        Violation::Host => show(
            StatusCode::MISDIRECTED_REQUEST,
            "Wrong host",
            &html! {
                p."note warn" { "This console does not answer to the name in this address, but to "
                    code { "127.0.0.1" } ", " code { "[::1]" } ", " code { "localhost" }
                    @match access {
                        ConsoleAccess::Link(_) => ".",
                        ConsoleAccess::Callers => {
                            ", and the names in the setting " code { "console-hosts" } "."
                        },
                    }
                }
                p { "To look from another machine, forward the port, for example with "
                    code { "ssh -L" } ", and open it under one of these names." }
            },
        ),
        Violation::Method => {
            let text = html! { p."note warn" { "The console only reads: use GET or HEAD." } };
            let mut response = show(StatusCode::METHOD_NOT_ALLOWED, "Not allowed", &text);
            response.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
            response
        }
        Violation::CrossSite => show(
            StatusCode::FORBIDDEN,
            "Another site sent this request",
            &html! {
                p."note warn" { "The console answers only to its own pages, and to a person who \
                                 opens one." }
            },
        ),
    }
}

/// Refuses a link whose secret is not valid.
pub(super) fn of_link() -> Response {
    show(
        StatusCode::FORBIDDEN,
        "This link does not work",
        &html! {
            p."note warn" { "A link works once, and for one minute after it was printed." }
            (start_again())
        },
    )
}

/// Refuses a browser without the cookie, which has not opened the link.
pub(super) fn without_cookie(uri: &Uri, wants_json: bool) -> Response {
    if wants_json {
        return answer::json(StatusCode::FORBIDDEN, &failure::without_cookie().json());
    }
    // Only a page of the console: a path such as //example.com would lead to another site.
    let page = Route::parse(uri.path());
    let query = Query::parse(uri.query().unwrap_or_default());
    let address = page.map_or_else(|| Route::Home.path(), |page| page.with(&query));
    show(
        StatusCode::FORBIDDEN,
        "Open the link first",
        &html! {
            p."note warn" { "This console is for the one who started it: open the link that "
                code { "userpool console" } " printed." }
            p { "If this browser has opened it, another site led you here, and the browser did not \
                 send the cookie of the console. " a href=(address) { "Open the page again" } "." }
            (start_again())
        },
    )
}

fn start_again() -> Markup {
    html! {
        p { "For another link, stop the command and start it again." }
    }
}

fn show(status: StatusCode, title: &str, text: &Markup) -> Response {
    answer::html(status, layout::refusal(status, title, text))
}
