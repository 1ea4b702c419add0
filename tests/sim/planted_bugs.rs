//! Each planted bug is found within a bounded number of seeds; otherwise the
//! simulator does not work.

use std::{fs, path::Path};

use userpool::app::planted_bugs::{PlantedBug, plant};

use crate::{
    forks::{self, Loss},
    plan::Case,
    shrink::shrink,
    simulation::{Failure, Tampering, simulate},
};

/// Finds a planted bug, and returns the broken promise. Prints how long it took and, with
/// `SIMULATE_SHRINK`, the smallest case, which takes longer.
fn found(bug: PlantedBug, seeds: u64) -> String {
    found_in(bug, (0..seeds).map(Case::draw))
}

fn found_in(bug: PlantedBug, cases: impl Iterator<Item = Case>) -> String {
    #[expect(clippy::disallowed_methods, reason = "it is printed, and decides nothing")]
    let now = std::time::Instant::now;
    let began = now();
    plant(Some(bug));
    let mut cases = cases.zip(1_u64..);
    let simulate = |case| simulate(&case, Tampering::default()).err();
    let found = cases.find_map(|(case, seeds)| Some((simulate(case)?, seeds)));
    let (mut failure, seeds) = found.unwrap_or_else(|| unreachable!("{bug:?} was not found"));
    let (violation, took) = (failure.violation.clone(), began.elapsed());
    eprintln!("{bug:?}: {seeds} seeds, {:.2} s: {violation}", took.as_secs_f64());
    if std::env::var_os("SIMULATE_SHRINK").is_some() {
        failure.case.bug = Some(format!("{bug:?}"));
        let Failure { case, violation } = *shrink(failure, Tampering::default());
        let json = serde_json::to_string_pretty(&case).expect("numbers");
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{bug:?}.json"));
        fs::write(&path, &json).expect("a file");
        let took = began.elapsed().as_secs_f64();
        eprintln!("smallest, after {took:.1} s, in {}: {violation}\n{json}", path.display());
    }
    plant(None);
    violation
}

/// Otherwise a case no longer simulates what it is kept for.
#[cfg(tokio_unstable)]
#[test]
fn every_case_that_is_kept_fails_with_its_bug() {
    for (name, case) in crate::kept_cases() {
        let Some(found_with) = &case.bug else { continue };
        let bug = PlantedBug::ALL.into_iter().find(|bug| format!("{bug:?}") == *found_with);
        let bug = bug.unwrap_or_else(|| panic!("{name}: no bug has the name {found_with}"));
        plant(Some(bug));
        let result = simulate(&case, Tampering::default());
        plant(None);
        assert!(
            result.is_err(),
            "{name}: {bug:?} is not found; shrink it again: SIMULATE_SHRINK=1"
        );
    }
}

#[test]
fn a_request_id_that_is_not_looked_up_is_found() {
    let violation = found(PlantedBug::RequestIdIgnored, 100);
    assert!(violation.starts_with("request "), "{violation}");
}

#[test]
fn an_answer_before_the_append_is_found() {
    let violation = found(PlantedBug::EarlyAnswer, 100);
    assert!(violation.starts_with("Lost") || violation.starts_with("Unexplained"), "{violation}");
}

#[test]
fn an_unknown_outcome_taken_for_a_conflict_is_found() {
    found(PlantedBug::UnknownAsConflict, 100);
}

#[test]
fn a_conflict_with_an_append_of_its_own_is_found() {
    // It needs a late append that its own retry overtakes, which is rare.
    let cases = (0..3000).map(Case::draw).map(|mut case| {
        let rates = &mut case.plan.rates;
        rates.late_appends = rates.late_appends.max(400);
        rates.append_delay = rates.append_delay.max(100);
        case.plan.faults.clear();
        case
    });
    found_in(PlantedBug::OwnConflict, cases);
}

#[test]
fn a_refusal_on_a_stale_state_is_found() {
    found(PlantedBug::StaleRefusal, 300);
}

#[test]
fn an_event_that_a_watch_skips_is_found() {
    let violation = found(PlantedBug::SkippedEvent, 300);
    assert!(violation.starts_with("watcher "), "{violation}");
}

#[test]
fn an_unknown_outcome_taken_for_a_failure_is_found() {
    found(PlantedBug::UnknownAsNotAppended, 100);
}

#[test]
fn a_read_with_the_answer_to_an_earlier_question_is_found() {
    let violation = found(PlantedBug::EarlierQuestion, 300);
    assert!(violation.starts_with("Unexplained"), "{violation}");
}

#[test]
fn a_fork_that_is_not_noticed_is_found() {
    found_in_forks(PlantedBug::ForkIgnored, Loss::End);
}

#[test]
fn an_answer_before_its_record_is_durable_is_found() {
    found_in_forks(PlantedBug::AcknowledgedNotDurable, Loss::NotDurable);
}

#[test]
fn a_fork_taken_for_damage_is_found() {
    found_in_forks(PlantedBug::ForkAsDamage, Loss::End);
}

#[test]
fn a_read_from_a_stale_state_is_found() {
    let violation = found(PlantedBug::StaleRead, 100);
    assert!(violation.starts_with("Unexplained"), "{violation}");
}

#[test]
fn a_strict_read_that_believes_a_former_primary_is_found() {
    let violation = found(PlantedBug::FormerPrimary, 300);
    assert!(violation.starts_with("Unexplained"), "{violation}");
}

fn found_in_forks(bug: PlantedBug, loss: Loss) {
    #[expect(clippy::disallowed_methods, reason = "it is printed, and decides nothing")]
    let now = std::time::Instant::now;
    let began = now();
    plant(Some(bug));
    let found = (0..3000).find_map(|seed| Some((forks::simulate(seed, loss).err()?, seed + 1)));
    plant(None);
    let (violation, seeds) = found.unwrap_or_else(|| unreachable!("{bug:?} was not found"));
    eprintln!("{bug:?}: {seeds} seeds, {:.2} s: {violation}", began.elapsed().as_secs_f64());
}
