//! The plan of a simulation: drawn from its seed before it begins, so that it can be
//! printed and reduced.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::random::Random;

/// What a simulation depends on: two simulations of one case are the same.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Case {
    /// The bug that it was found with, if that was a planted one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) bug: Option<String>,
    /// The seed of everything that the plan does not say.
    pub(crate) seed: u64,
    pub(crate) plan: Plan,
}

impl Case {
    /// The case of a seed.
    pub(crate) fn draw(seed: u64) -> Self {
        Self { bug: None, seed, plan: Plan::draw(&mut Random::from_seed(seed).fork()) }
    }
}

/// The size of the load, how often calls and appends fail, and when each fault
/// occurs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Plan {
    pub(crate) nodes: usize,
    pub(crate) clients: usize,
    /// How many calls each client makes.
    pub(crate) calls: usize,
    pub(crate) watchers: usize,
    /// How many user pools there may be; 0 for the usual number.
    #[serde(default)]
    pub(crate) user_pools: u64,
    /// Whether reads wait until what they show is durable.
    #[serde(default)]
    pub(crate) strict_reads: bool,
    pub(crate) rates: Rates,
    /// In the order of their times.
    pub(crate) faults: Vec<Fault>,
}

/// Probabilities in thousandths, and the longest delays in milliseconds. One that a kept
/// case does not name is 0.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Rates {
    pub(crate) network_delay: usize,
    pub(crate) lost_requests: usize,
    pub(crate) lost_answers: usize,
    pub(crate) append_delay: usize,
    /// Appends that are lost.
    pub(crate) lost_appends: usize,
    /// Appends that are written and get no answer.
    pub(crate) silent_appends: usize,
    /// Appends that are written after their outcome was reported as unknown.
    pub(crate) late_appends: usize,
    pub(crate) failed_reads: usize,
    /// The longest delay of the announcement of records to a node.
    pub(crate) announcement_delay: usize,
    /// How far the clock of each node is ahead of the one before.
    pub(crate) clock_skew: usize,
    /// How long a record is in the log before it is durable.
    pub(crate) replication_delay: usize,
    /// How long a node may have its turn to append before another one gets it; 0 if there are no
    /// turns.
    pub(crate) turn_patience: usize,
}

/// A fault of one node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Fault {
    /// When it begins, in milliseconds.
    pub(crate) at: usize,
    pub(crate) kind: FaultKind,
    pub(crate) node: usize,
    /// How long it lasts, in milliseconds.
    pub(crate) duration: usize,
}

/// The kind of a fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum FaultKind {
    /// The node dies, and is started again afterwards.
    Crash,
    /// The node stops as it is told to, and is started again afterwards.
    Stop,
    /// The node cannot reach the log.
    LogPartition,
    /// No client can reach the node.
    ClientPartition,
    /// No node can reach the log, as in a failover that loses nothing.
    LogOutage,
    /// The log answers nobody, and no error says so.
    LogSilence,
}

impl Plan {
    /// The plan of a seed. Each kind of fault is absent from half of the plans, and
    /// its frequency varies in the others: two kinds that always occur together can
    /// hide the effects of each other.
    pub(crate) fn draw(random: &mut Random) -> Self {
        let nodes = random.below(3) + 1;
        let mut plan = Self {
            nodes,
            clients: random.below(8) + 2,
            calls: 40,
            watchers: random.below(3),
            user_pools: u64::try_from(if random.once_in(2) { 0 } else { random.below(6) + 2 })
                .expect("a small number"),
            strict_reads: random.once_in(4),
            rates: Rates {
                network_delay: random.below(10) + 1,
                lost_requests: rate(random, 40),
                lost_answers: rate(random, 40),
                append_delay: random.below(12) + 1,
                lost_appends: rate(random, 60),
                silent_appends: rate(random, 60),
                late_appends: rate(random, 60),
                failed_reads: rate(random, 20),
                announcement_delay: random.below(60) + 1,
                clock_skew: rate(random, 100_000),
                replication_delay: rate(random, 8),
                turn_patience: if random.once_in(2) { 0 } else { random.below(400) + 20 },
            },
            faults: Vec::new(),
        };
        let kinds = [
            FaultKind::Crash,
            FaultKind::Stop,
            FaultKind::LogPartition,
            FaultKind::ClientPartition,
            FaultKind::LogOutage,
            FaultKind::LogSilence,
        ];
        let kinds: Vec<_> = kinds.into_iter().filter(|_| random.once_in(2)).collect();
        for _ in 0..random.below(12) {
            if let Some(kind) = random.pick(&kinds).copied() {
                // Silence is worst if it is longer than a command waits.
                let longest = if kind == FaultKind::LogSilence { 9000 } else { 1500 };
                plan.faults.push(Fault {
                    at: random.below(4000),
                    kind,
                    node: random.below(nodes),
                    duration: random.below(longest) + 1,
                });
            }
        }
        plan.faults.sort_by_key(|fault| fault.at);
        plan
    }
}

/// Zero in half of the cases, and up to six times the usual value in a sixth.
fn rate(random: &mut Random, usual: usize) -> usize {
    match random.below(6) {
        0..=2 => 0,
        3 => random.below(usual / 4) + 1,
        4 => random.below(usual) + 1,
        _ => random.below(usual * 6) + 1,
    }
}

/// A duration of so many milliseconds.
pub(crate) fn milliseconds(number: usize) -> Duration {
    Duration::from_millis(u64::try_from(number).expect("a small number"))
}
