//! The settings of a bench run from its environment.

use std::{env, str::FromStr, time::Duration};

/// The length, the number of rounds, the sizes, and the selection.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    /// For testing the bench; the figures mean nothing.
    pub(crate) quick: bool,
    /// The duration of one side in one round.
    pub(crate) time: Duration,
    /// The number of turns of each side.
    pub(crate) rounds: usize,
    /// The number of events in the small, the middle and the large log.
    pub(crate) events: [u64; 3],
    /// The number of user pools that are updated, and of the updates.
    pub(crate) updates: (u64, u64),
    /// How long the idle server is observed.
    pub(crate) idle: Duration,
    /// The selected comparisons; empty means all.
    only: Vec<String>,
}

impl Settings {
    /// `quick` comes from the command line; a variable overrides it.
    pub(crate) fn read(quick: bool) -> Self {
        let quick = quick || env::var_os("USERPOOL_BENCH_QUICK").is_some();
        let (seconds, rounds, events, updates, idle) = if quick {
            (0.25, 1, [1_000, 5_000, 20_000], (500, 5_000), 1.0)
        } else {
            (3.0, 5, [10_000, 100_000, 1_000_000], (50_000, 500_000), 20.0)
        };
        let large = number("USERPOOL_BENCH_EVENTS").unwrap_or(events[2]);
        let only = env::var("USERPOOL_BENCH_ONLY").unwrap_or_default();
        Self {
            quick,
            time: Duration::from_secs_f64(number("USERPOOL_BENCH_SECONDS").unwrap_or(seconds)),
            rounds: number("USERPOOL_BENCH_ROUNDS").unwrap_or(rounds).max(1),
            events: [events[0].min(large), events[1].min(large), large],
            updates,
            idle: Duration::from_secs_f64(idle),
            only: only
                .split([',', ' '])
                .filter(|name| !name.is_empty())
                .map(str::to_owned)
                .collect(),
        }
    }

    /// Selected names that no comparison has.
    pub(crate) fn unknown(&self, names: &[&str]) -> Option<&str> {
        self.only.iter().map(String::as_str).find(|only| !names.contains(only))
    }

    /// Whether the comparison of this name is selected.
    pub(crate) fn wants(&self, name: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|only| only == name)
    }

    /// Whether this run is complete, so that its figures may be published.
    pub(crate) fn is_whole(&self) -> bool {
        let [.., events] = self.events;
        !self.quick && self.only.is_empty() && events >= 1_000_000
    }

    /// The same with fewer rounds, for comparisons without a target.
    pub(crate) fn briefly(&self) -> Self {
        Self { rounds: self.rounds.min(3), ..self.clone() }
    }

    /// The time that a side runs before it is measured.
    pub(crate) fn warm_up(&self) -> Duration {
        self.time.mul_f64(0.25)
    }
}

fn number<T: FromStr>(name: &str) -> Option<T> {
    let text = env::var(name).ok()?;
    let number = text.parse().ok();
    assert!(number.is_some(), "{name} is {text:?}, which is no number");
    number
}
