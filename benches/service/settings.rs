//! What a run of the bench is told by its environment.

use std::{env, str::FromStr, time::Duration};

/// How long, how often, how much, and which.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    /// For trying the bench; the figures say nothing.
    pub(crate) quick: bool,
    /// How long one side has in one round.
    pub(crate) time: Duration,
    /// How often each side has its turn.
    pub(crate) rounds: usize,
    /// How many events the small, the middle and the large log have.
    pub(crate) events: [u64; 3],
    /// How long the idle server is looked at.
    pub(crate) idle: Duration,
    /// The comparisons that were asked for; all where it is empty.
    only: Vec<String>,
}

impl Settings {
    /// `quick` is what the command line asks for; a variable has the last word.
    pub(crate) fn read(quick: bool) -> Self {
        let quick = quick || env::var_os("USERPOOL_BENCH_QUICK").is_some();
        let (seconds, rounds, events, idle) = if quick {
            (0.25, 1, [1_000, 5_000, 20_000], 1.0)
        } else {
            (3.0, 5, [10_000, 100_000, 1_000_000], 20.0)
        };
        let large = number("USERPOOL_BENCH_EVENTS").unwrap_or(events[2]);
        let only = env::var("USERPOOL_BENCH_ONLY").unwrap_or_default();
        Self {
            quick,
            time: Duration::from_secs_f64(number("USERPOOL_BENCH_SECONDS").unwrap_or(seconds)),
            rounds: number("USERPOOL_BENCH_ROUNDS").unwrap_or(rounds).max(1),
            events: [events[0].min(large), events[1].min(large), large],
            idle: Duration::from_secs_f64(idle),
            only: only
                .split([',', ' '])
                .filter(|name| !name.is_empty())
                .map(str::to_owned)
                .collect(),
        }
    }

    /// What was asked for that there is none of.
    pub(crate) fn unknown(&self, names: &[&str]) -> Option<&str> {
        self.only.iter().map(String::as_str).find(|only| !names.contains(only))
    }

    /// Whether the comparison of this name was asked for.
    pub(crate) fn wants(&self, name: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|only| only == name)
    }

    /// Whether this run leaves nothing out, so that its figures may stand in the docs.
    pub(crate) fn is_whole(&self) -> bool {
        let [.., events] = self.events;
        !self.quick && self.only.is_empty() && events >= 1_000_000
    }

    /// The same with fewer rounds, for what has no target.
    pub(crate) fn briefly(&self) -> Self {
        Self { rounds: self.rounds.min(3), ..self.clone() }
    }

    /// What a side does before it is measured.
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
