//! Taking turns: other load on the machine affects every side.

use serde_json::{Value, json};

use crate::{
    figures::{CPU, Figure, P50, P99, PER_SECOND, Run, Spread, shown},
    settings::Settings,
};

/// One side of a comparison: its name, and its action in a turn.
pub(crate) struct Side<'a> {
    name: &'static str,
    turn: Box<dyn FnMut() -> Run + 'a>,
}

impl<'a> Side<'a> {
    pub(crate) fn new(name: &'static str, turn: impl FnMut() -> Run + 'a) -> Self {
        Self { name, turn: Box::new(turn) }
    }
}

/// The results of every side in every round.
#[derive(Debug, Default)]
pub(crate) struct Rounds(Vec<(&'static str, Vec<Run>)>);

/// Runs the sides in turns, forwards and backwards, so that none is always first.
pub(crate) fn alternate(settings: &Settings, what: &str, mut sides: Vec<Side<'_>>) -> Rounds {
    let mut rounds = Rounds(sides.iter().map(|side| (side.name, Vec::new())).collect());
    for round in 0..settings.rounds {
        let mut order: Vec<usize> = (0..sides.len()).collect();
        if !round.is_multiple_of(2) {
            order.reverse();
        }
        for index in order {
            let (side, place) = (sides.get_mut(index), rounds.0.get_mut(index));
            if let (Some(side), Some((_, runs))) = (side, place) {
                runs.push((side.turn)());
            }
        }
    }
    for (name, _) in &rounds.0 {
        println!(
            "{what:<40} {name:<16} {:>9}/s   p50 {:>8} ms   p99 {:>8} ms   CPU {:>8}",
            shown(rounds.of(name, PER_SECOND).median),
            shown(rounds.of(name, P50).median),
            shown(rounds.of(name, P99).median),
            rounds.cpu(name).unwrap_or_else(|| "–".to_owned()),
        );
    }
    rounds
}

impl Rounds {
    fn runs(&self, side: &str) -> &[Run] {
        let found = self.0.iter().find(|(name, _)| *name == side);
        found.map(|(_, runs)| runs.as_slice()).unwrap_or_default()
    }

    /// Whether this side took part.
    pub(crate) fn has(&self, side: &str) -> bool {
        !self.runs(side).is_empty()
    }

    /// One figure of one side.
    pub(crate) fn of(&self, side: &str, figure: Figure) -> Spread {
        Spread::of(self.runs(side).iter().map(figure))
    }

    /// The ratio of the medians, with the smallest and the largest of any one round.
    pub(crate) fn ratio(&self, side: &str, to: &str, figure: Figure) -> Spread {
        let pairs = self.runs(side).iter().zip(self.runs(to));
        let rounds = Spread::of(pairs.map(|(side, to)| figure(side) / figure(to)));
        let median = self.of(side, figure).median / self.of(to, figure).median;
        Spread { median, ..rounds }
    }

    /// Calls per second, and the CPU time of the server for each.
    pub(crate) fn speed(&self, side: &str) -> String {
        let cpu = self.cpu(side).map(|cpu| format!(" ({cpu})")).unwrap_or_default();
        format!("{}/s{cpu}", shown(self.of(side, PER_SECOND).median))
    }

    /// The CPU time of the server per call; `None` if the side is no server.
    fn cpu(&self, side: &str) -> Option<String> {
        let cpu = self.of(side, CPU).median;
        cpu.is_finite().then(|| format!("{} µs", shown(cpu)))
    }

    /// The speed of one side, and that of another.
    pub(crate) fn speeds(&self, side: &str, to: &str) -> String {
        format!("{} against {}", self.speed(side), self.speed(to))
    }

    /// All of it, for the raw results.
    pub(crate) fn to_json(&self, what: &str) -> Value {
        let sides: Vec<Value> =
            self.0.iter().map(|(name, runs)| json!({"side": name, "rounds": runs})).collect();
        json!({"comparison": what, "sides": sides})
    }
}
