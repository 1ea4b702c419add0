//! Figures: the results of one run, and the summary of many.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The result of one side in one round.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
pub(crate) struct Run {
    pub(crate) per_second: f64,
    pub(crate) p50_ms: f64,
    pub(crate) p99_ms: f64,
    /// The CPU time of the server per call, in microseconds, if there is a server.
    pub(crate) cpu_us: Option<f64>,
}

impl Run {
    /// From the duration of each call, in microseconds.
    pub(crate) fn of(per_second: f64, mut microseconds: Vec<u64>) -> Self {
        microseconds.sort_unstable();
        let at = |share| percentile(&microseconds, share) / 1000.0;
        Self { per_second, p50_ms: at(0.50), p99_ms: at(0.99), cpu_us: None }
    }

    /// With the CPU time that the server took for these calls, in ticks of 10 ms.
    pub(crate) fn with_cpu(self, ticks: u64, calls: usize) -> Self {
        Self { cpu_us: Some(ticks as f64 * 10_000.0 / calls as f64), ..self }
    }
}

/// One figure of a run.
pub(crate) type Figure = fn(&Run) -> f64;

pub(crate) const PER_SECOND: Figure = |run| run.per_second;
pub(crate) const CPU: Figure = |run| run.cpu_us.unwrap_or(f64::NAN);
pub(crate) const P50: Figure = |run| run.p50_ms;
pub(crate) const P99: Figure = |run| run.p99_ms;

/// The quantile of sorted values.
pub(crate) fn percentile(sorted: &[u64], share: f64) -> f64 {
    let last = sorted.len().saturating_sub(1);
    let index = (last as f64 * share).round() as usize;
    sorted.get(index).copied().unwrap_or_default() as f64
}

/// The median of some rounds, the smallest and the largest.
#[derive(Debug, Clone, Copy, Serialize)]
pub(crate) struct Spread {
    pub(crate) median: f64,
    pub(crate) min: f64,
    pub(crate) max: f64,
}

impl Spread {
    pub(crate) fn of(values: impl IntoIterator<Item = f64>) -> Self {
        let mut values: Vec<f64> = values.into_iter().collect();
        values.sort_by(f64::total_cmp);
        let at = |index: usize| values.get(index).copied().unwrap_or(f64::NAN);
        let last = values.len().saturating_sub(1);
        let median = f64::midpoint(at(last / 2), at(last.div_ceil(2)));
        Self { median, min: at(0), max: at(last) }
    }

    /// As a ratio to another figure.
    pub(crate) fn over(self, whole: f64) -> Self {
        Self { median: self.median / whole, min: self.min / whole, max: self.max / whole }
    }
}

impl fmt::Display for Spread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.2} ({:.2}–{:.2})", self.median, self.min, self.max)
    }
}

/// A number for people: three significant digits, and separated thousands.
pub(crate) fn shown(number: f64) -> String {
    match number.abs() {
        large if large >= 100.0 => grouped(number),
        middle if middle >= 10.0 => format!("{number:.1}"),
        small if small >= 1.0 => format!("{number:.2}"),
        _ => format!("{number:.3}"),
    }
}

fn grouped(number: f64) -> String {
    let digits = format!("{:.0}", number.abs());
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    if number < 0.0 { format!("-{text}") } else { text }
}
