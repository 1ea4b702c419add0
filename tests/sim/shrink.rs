//! Makes a case that fails smaller, so that a person can follow it.

use crate::{
    plan::{Case, Plan, Rates},
    simulation::{Failure, Tampering, simulate},
};

/// How many seeds are tried with each smaller plan. A smaller plan changes the order of
/// everything, so that the same seed rarely fails again.
const SEEDS: u64 = 20;

/// How many simulations are made in all, which bounds the time.
const SIMULATIONS: usize = 1500;

/// The smallest case that was found that still breaks a promise, which may be another one.
pub(crate) fn shrink(failure: Box<Failure>, tampering: Tampering) -> Box<Failure> {
    let mut remaining = SIMULATIONS;
    let mut smallest = failure;
    while let Some(smaller) = smaller_failure(&smallest.case, tampering, &mut remaining) {
        smallest = smaller;
    }
    smallest
}

fn smaller_failure(
    case: &Case,
    tampering: Tampering,
    remaining: &mut usize,
) -> Option<Box<Failure>> {
    smaller_plans(&case.plan).into_iter().find_map(|plan| {
        (0..SEEDS).find_map(|number| {
            *remaining = remaining.checked_sub(1)?;
            let seed = case.seed.wrapping_add(number);
            let case = Case { bug: case.bug.clone(), seed, plan: plan.clone() };
            simulate(&case, tampering).err()
        })
    })
}

/// Each has less of one thing; the largest steps are first.
fn smaller_plans(plan: &Plan) -> Vec<Plan> {
    let mut plans = Vec::new();
    let mut propose = |change: &dyn Fn(&mut Plan)| {
        let mut smaller = plan.clone();
        change(&mut smaller);
        smaller.faults.retain(|fault| fault.node < smaller.nodes);
        if smaller != *plan {
            plans.push(smaller);
        }
    };
    let half = plan.faults.len() / 2;
    propose(&|plan| plan.faults.clear());
    propose(&|plan| plan.faults.truncate(half));
    propose(&|plan| drop(plan.faults.drain(..half)));
    propose(&|plan| plan.watchers = 0);
    propose(&|plan| plan.user_pools = 0);
    propose(&|plan| plan.strict_reads = false);
    propose(&|plan| plan.clients = (plan.clients / 2).max(1));
    propose(&|plan| plan.calls = (plan.calls / 2).max(1));
    propose(&|plan| plan.nodes = 1);
    for rate in 0..rates(&mut Rates::default()).len() {
        propose(&|plan| *rates(&mut plan.rates)[rate] = 0);
    }
    for fault in 0..plan.faults.len() {
        propose(&|plan| drop(plan.faults.drain(fault..=fault)));
    }
    propose(&|plan| plan.nodes = (plan.nodes - 1).max(1));
    propose(&|plan| plan.clients = (plan.clients - 1).max(1));
    propose(&|plan| plan.watchers = plan.watchers.saturating_sub(1));
    propose(&|plan| plan.calls = (plan.calls - 1).max(1));
    plans
}

fn rates(rates: &mut Rates) -> [&mut usize; 12] {
    let Rates {
        network_delay,
        lost_requests,
        lost_answers,
        append_delay,
        lost_appends,
        silent_appends,
        late_appends,
        failed_reads,
        announcement_delay,
        clock_skew,
        replication_delay,
        turn_patience,
    } = rates;
    [
        network_delay,
        lost_requests,
        lost_answers,
        append_delay,
        lost_appends,
        silent_appends,
        late_appends,
        failed_reads,
        announcement_delay,
        clock_skew,
        replication_delay,
        turn_patience,
    ]
}
