//! The maximum age of a connection. A certificate is checked when its connection starts, so
//! one that has expired or was revoked since then stays in use no longer than this.

use std::{fmt, future::pending, str::FromStr, time::Duration};

use ring::rand::{self, SystemRandom};
use tokio::{sync::watch, time::sleep};

/// The name of an unlimited age.
const OFF: &str = "off";
/// The shortest age, so that clients are not busy connecting.
const MIN_AGE: Duration = Duration::from_secs(1);

/// The maximum age of a connection, or none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MaxConnectionAge(pub Option<Duration>);

/// The text is not a [`MaxConnectionAge`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected a duration of at least 1s, such as 90s, 30m or 1h, or off")]
pub struct MaxConnectionAgeError;

impl MaxConnectionAge {
    /// The age of one connection: between 80 and 100 percent of the maximum, so that clients
    /// that connected at the same moment do not all return at the same moment.
    fn of_connection(self) -> Option<Duration> {
        let random = rand::generate(&SystemRandom::new()).map_or([0], rand::Random::expose);
        let [random]: [u8; 1] = random;
        self.0.map(|max| max.saturating_sub(max / 5 * u32::from(random) / u32::from(u8::MAX)))
    }

    /// Waits until a connection that begins now has reached its age.
    pub(super) async fn end(self) {
        match self.of_connection() {
            Some(age) => sleep(age).await,
            None => pending().await,
        }
    }
}

impl Default for MaxConnectionAge {
    /// One hour.
    fn default() -> Self {
        Self(Some(Duration::from_hours(1)))
    }
}

impl FromStr for MaxConnectionAge {
    type Err = MaxConnectionAgeError;

    fn from_str(text: &str) -> Result<Self, MaxConnectionAgeError> {
        if matches!(text, OFF | "0") {
            return Ok(Self(None));
        }
        let age = humantime::parse_duration(text).ok().filter(|age| *age >= MIN_AGE);
        age.map(|age| Self(Some(age))).ok_or(MaxConnectionAgeError)
    }
}

impl fmt::Display for MaxConnectionAge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(age) => humantime::format_duration(age).fmt(f),
            None => f.write_str(OFF),
        }
    }
}

/// Becomes true when a connection ends its streams. In the extensions of its requests.
#[derive(Debug, Clone)]
pub(crate) struct StreamsEnd(watch::Receiver<bool>);

impl StreamsEnd {
    /// The end, and the sender that causes it.
    pub(super) fn new() -> (watch::Sender<bool>, Self) {
        let (sender, receiver) = watch::channel(false);
        (sender, Self(receiver))
    }

    /// Waits for it. Waits forever if the connection closes in another way.
    pub(super) async fn wait(&mut self) {
        if self.0.wait_for(|has_ended| *has_ended).await.is_err() {
            pending::<()>().await;
        }
    }
}
