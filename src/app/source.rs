//! The source of nondeterminism: the time and new identifiers.

use std::{fmt, time::SystemTime};

use chrono::{DateTime, SubsecRound as _, Utc};
use uuid::Uuid;

/// The letters and digits of user pool IDs.
const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
/// The length of an ID after the region, as in Cognito.
const ID_LENGTH: usize = 9;

/// The source of time and identifiers. Tests replace it.
pub trait Source: Send + Sync + fmt::Debug + 'static {
    /// The current time, in whole milliseconds.
    fn now(&self) -> DateTime<Utc>;

    /// A UUID that increases with time, for events and correlation IDs.
    fn uuid(&self) -> Uuid;

    /// A new suffix for a user pool ID, after the region.
    fn user_pool_suffix(&self) -> String;
}

/// The system's clock and randomness.
#[derive(Debug, Clone, Copy)]
pub struct SystemSource;

#[expect(clippy::disallowed_methods, reason = "the one place that owns time and randomness")]
impl Source for SystemSource {
    fn now(&self) -> DateTime<Utc> {
        // `Utc::now` panics if the clock is before 1970.
        DateTime::<Utc>::from(SystemTime::now()).trunc_subsecs(3)
    }

    fn uuid(&self) -> Uuid {
        Uuid::now_v7()
    }

    fn user_pool_suffix(&self) -> String {
        let mut random = Uuid::new_v4().as_u128();
        let mut suffix = String::with_capacity(ID_LENGTH);
        // The low 62 bits are random; nine characters take 54.
        for _ in 0..ID_LENGTH {
            let index = usize::try_from(random % 62).unwrap_or_default();
            suffix.extend(ALPHABET.get(index).map(|letter| char::from(*letter)));
            random /= 62;
        }
        suffix
    }
}
