//! Access. A console of one user lets in the browser that opened the link with the secret,
//! once and in time: it gets a cookie for the requests after that, so no address that is kept has a
//! secret. A console of a server lets the server decide for each call.

use std::{
    fmt,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use axum::http::{HeaderMap, HeaderValue, header::COOKIE};
use tokio::time::Instant;

/// How long the link can be opened.
pub const LINK_TIMEOUT: Duration = Duration::from_mins(1);

/// The path of the link, before the secret.
const LINK_PATH: &str = "/in/";

/// Who may read.
#[derive(Debug)]
pub enum ConsoleAccess {
    /// The browser that opened the link. Calls have the credentials of the connection.
    Link(LinkAccess),
    /// Whoever the server lets read. Calls have the connection of the browser and its token.
    Callers,
}

/// Lets in the browser that opens a link, and knows it by its cookie.
pub struct LinkAccess {
    /// The secret in the link, until it is used.
    link: Mutex<Option<Link>>,
    session: String,
    cookie_name: String,
}

struct Link {
    secret: String,
    expires_at: Instant,
}

impl LinkAccess {
    /// Lets in who knows `link_secret`, and gives the browser `session_secret`. Browsers send
    /// the cookies of a host to each of its ports, so the port is in the name of the cookie.
    #[must_use]
    pub fn new(link_secret: String, session_secret: String, port: u16) -> Self {
        let link = Link { secret: link_secret, expires_at: Instant::now() + LINK_TIMEOUT };
        Self {
            link: Mutex::new(Some(link)),
            session: session_secret,
            cookie_name: format!("userpool-console-{port}"),
        }
    }

    /// The path to open with the secret of the link.
    #[must_use]
    pub fn path(link_secret: &str) -> String {
        format!("{LINK_PATH}{link_secret}")
    }

    /// The secret in the path of a request, if it is that of a link.
    pub(super) fn secret_in(path: &str) -> Option<&str> {
        path.strip_prefix(LINK_PATH)
    }

    /// Returns the cookie for the browser that opened the link with this secret, which works
    /// once.
    pub(super) fn redeem(&self, secret: &str) -> Option<HeaderValue> {
        let mut link = self.link.lock().unwrap_or_else(PoisonError::into_inner);
        let open = link.take_if(|link| is_equal(&link.secret, secret))?;
        if Instant::now() >= open.expires_at {
            return None;
        }
        let (name, value) = (&self.cookie_name, &self.session);
        let cookie = format!("{name}={value}; HttpOnly; SameSite=Strict; Path=/");
        HeaderValue::try_from(cookie).ok()
    }

    /// Whether the request has the cookie.
    pub(super) fn allows(&self, headers: &HeaderMap) -> bool {
        let cookies = headers.get_all(COOKIE).iter().filter_map(|cookie| cookie.to_str().ok());
        let mut cookies = cookies.flat_map(|cookies| cookies.split(';'));
        cookies.any(|cookie| {
            let found = cookie.trim().split_once('=');
            found.is_some_and(|(name, value)| {
                name == self.cookie_name && is_equal(value, &self.session)
            })
        })
    }
}

/// Debug output hides the secrets.
impl fmt::Debug for LinkAccess {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LinkAccess").field("cookie_name", &self.cookie_name).finish_non_exhaustive()
    }
}

/// Compares without telling by its duration how much is equal.
fn is_equal(left: &str, right: &str) -> bool {
    let differences = left.bytes().zip(right.bytes()).fold(0, |all, (l, r)| all | (l ^ r));
    left.len() == right.len() && differences == 0
}

#[cfg(test)]
mod tests {
    use super::{LINK_TIMEOUT, LinkAccess};
    use axum::http::{HeaderMap, HeaderValue, header::COOKIE};
    use tokio::time;

    fn access() -> LinkAccess {
        LinkAccess::new("link".to_owned(), "session".to_owned(), 4000)
    }

    fn with_cookie(cookie: &'static str) -> HeaderMap {
        HeaderMap::from_iter([(COOKIE, HeaderValue::from_static(cookie))])
    }

    #[tokio::test(start_paused = true)]
    async fn a_link_works_once_and_for_a_minute() {
        let access = access();
        assert_eq!(access.redeem("wrong"), None);
        let cookie = access.redeem("link").expect("a cookie");
        let expected = "userpool-console-4000=session; HttpOnly; SameSite=Strict; Path=/";
        assert_eq!(cookie, expected);
        assert_eq!(access.redeem("link"), None);

        let late = self::access();
        time::advance(LINK_TIMEOUT).await;
        assert_eq!(late.redeem("link"), None);
    }

    #[tokio::test]
    async fn only_the_cookie_lets_in() {
        let access = access();
        assert!(access.allows(&with_cookie("a=b; userpool-console-4000=session")));
        for cookie in [
            "userpool-console-4000=other00",
            "userpool-console-4000=",
            "userpool-console-4001=session",
            "session",
        ] {
            assert!(!access.allows(&with_cookie(cookie)), "{cookie}");
        }
        assert!(!access.allows(&HeaderMap::new()));
    }
}
