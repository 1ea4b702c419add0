//! Refuses requests that a browser of the user would not send: of another site, or to another
//! name. A page on the internet can make a browser send requests to the machine it runs on, and to
//! every one that it can reach.

use std::net::IpAddr;

use axum::http::{HeaderMap, Method, header::HOST, request::Parts};

/// Why a request is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Violation {
    /// The name in the address is neither one of this machine nor a configured one.
    Host,
    /// The method would change something.
    Method,
    /// Another site asked for something else than to open a page.
    CrossSite,
}

/// Checks a request, before anything is read. `hosts` are names besides those of this machine.
pub(super) fn check(request: &Parts, hosts: &[String]) -> Result<(), Violation> {
    if !is_known(request, hosts) {
        return Err(Violation::Host);
    }
    if request.method != Method::GET && request.method != Method::HEAD {
        return Err(Violation::Method);
    }
    if is_cross_site(&request.headers) {
        return Err(Violation::CrossSite);
    }
    Ok(())
}

/// Whether the host is a name or an address of this machine, or a configured one. Any port is
/// allowed, because it may be forwarded from another machine. With another name, a page of that
/// name could read the answers after it changed its address to this machine's.
fn is_known(request: &Parts, hosts: &[String]) -> bool {
    let mut named = request.headers.get_all(HOST).iter();
    let (Some(host), None) = (named.next(), named.next()) else { return false };
    let Ok(host) = host.to_str() else { return false };
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split_once(']').map_or(host, |(name, _)| name),
        None => host.split_once(':').map_or(host, |(name, _)| name),
    };
    let address: Result<IpAddr, _> = name.parse();
    name.eq_ignore_ascii_case("localhost")
        || address.is_ok_and(|address| address.is_loopback())
        || hosts.iter().any(|host| host.eq_ignore_ascii_case(name))
}

/// Whether the browser says that another site sent the request, unless a person opens a page.
fn is_cross_site(headers: &HeaderMap) -> bool {
    let is = |name: &str, value: &str| headers.get(name).is_some_and(|found| found == value);
    let is_own = match headers.get("sec-fetch-site") {
        None => true,
        Some(site) => site == "same-origin" || site == "none",
    };
    let opens_page = is("sec-fetch-mode", "navigate") && is("sec-fetch-dest", "document");
    !is_own && !opens_page
}

#[cfg(test)]
mod tests {
    use super::{Violation, check};
    use axum::http::Request;

    fn checked(method: &str, headers: &[(&str, &str)]) -> Result<(), Violation> {
        let mut request = Request::builder().method(method).uri("/pools");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let hosts = ["console.example.org".to_owned(), "2001:db8::7".to_owned()];
        check(&request.body(()).expect("a request").into_parts().0, &hosts)
    }

    #[test]
    fn only_known_names_are_answered() {
        let of_machine = ["127.0.0.1:4000", "localhost", "LOCALHOST:1", "[::1]:80", "127.9.9.9"];
        let configured = ["console.example.org", "Console.Example.org:8443", "[2001:db8::7]:1"];
        for host in of_machine.into_iter().chain(configured) {
            assert_eq!(checked("GET", &[("host", host)]), Ok(()), "{host}");
        }
        for host in [
            "example.org",
            "127.0.0.1.example.org",
            "console.example.org.",
            "192.0.2.1:80",
            "[2001:db8::1]",
            "",
        ] {
            assert_eq!(checked("GET", &[("host", host)]), Err(Violation::Host), "{host}");
        }
        assert_eq!(checked("GET", &[]), Err(Violation::Host));
        let twice = [("host", "localhost"), ("host", "example.org")];
        assert_eq!(checked("GET", &twice), Err(Violation::Host));
    }

    #[test]
    fn another_site_can_only_open_a_page() {
        let from = |site: &'static str, mode: &'static str, dest: &'static str| {
            let host = ("host", "localhost");
            let fetch = [("sec-fetch-site", site), ("sec-fetch-mode", mode)];
            checked("GET", &[host, fetch[0], fetch[1], ("sec-fetch-dest", dest)])
        };
        assert_eq!(from("same-origin", "cors", "empty"), Ok(()));
        assert_eq!(from("none", "navigate", "document"), Ok(()));
        assert_eq!(from("cross-site", "navigate", "document"), Ok(()));
        for site in ["cross-site", "same-site"] {
            assert_eq!(from(site, "navigate", "iframe"), Err(Violation::CrossSite));
            assert_eq!(from(site, "no-cors", "image"), Err(Violation::CrossSite));
            assert_eq!(from(site, "cors", "empty"), Err(Violation::CrossSite));
        }
    }

    #[test]
    fn only_reading_methods_are_allowed() {
        for method in ["POST", "PUT", "DELETE", "OPTIONS", "PATCH"] {
            assert_eq!(checked(method, &[("host", "localhost")]), Err(Violation::Method));
        }
        assert_eq!(checked("HEAD", &[("host", "localhost")]), Ok(()));
    }
}
