//! Each planted bug is found within a bounded number of seeds; otherwise the
//! simulator does not work.

use userpool::app::{
    ReadMode,
    planted_bugs::{PlantedBug, plant},
};

use crate::{
    forks,
    plan::Case,
    shrink::shrink,
    simulation::{Tampering, simulate},
};

/// Finds a planted bug, and returns the broken promise. Prints how long it took and, with
/// `SIMULATE_SHRINK`, the smallest case, which takes longer.
fn found(bug: PlantedBug, seeds: u64) -> String {
    found_in(Some(bug), Tampering::default(), (0..seeds).map(Case::draw))
}

fn found_in(
    bug: Option<PlantedBug>,
    tampering: Tampering,
    cases: impl Iterator<Item = Case>,
) -> String {
    #[expect(clippy::disallowed_methods, reason = "it is printed, and decides nothing")]
    let now = std::time::Instant::now;
    let began = now();
    plant(bug);
    let mut cases = cases.zip(1_u64..);
    let found = cases.find_map(|(case, seeds)| Some((simulate(&case, tampering).err()?, seeds)));
    let (failure, seeds) = found.unwrap_or_else(|| unreachable!("{bug:?} was not found"));
    let (violation, took) = (failure.violation.clone(), began.elapsed());
    eprintln!("{bug:?}: {seeds} seeds, {:.2} s: {violation}", took.as_secs_f64());
    if std::env::var_os("SIMULATE_SHRINK").is_some() {
        let smallest = shrink(failure, tampering);
        eprintln!(
            "smallest, after {:.1} s: {}\n{}",
            began.elapsed().as_secs_f64(),
            smallest.violation,
            serde_json::to_string(&smallest.case).expect("numbers"),
        );
    }
    plant(None);
    violation
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
        case.plan.rates.late_appends = case.plan.rates.late_appends.max(300);
        case
    });
    found_in(Some(PlantedBug::OwnConflict), Tampering::default(), cases);
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
    plant(Some(PlantedBug::ForkIgnored));
    let violation = (0..100).find_map(|seed| forks::simulate(seed).err());
    plant(None);
    eprintln!("{}", violation.unwrap_or_else(|| unreachable!("it was not found")));
}

#[test]
fn a_read_from_a_stale_state_is_found() {
    let tampering = Tampering { reads: ReadMode::Local };
    let violation = found_in(None, tampering, (0..100).map(Case::draw));
    assert!(violation.starts_with("Unexplained"), "{violation}");
}
