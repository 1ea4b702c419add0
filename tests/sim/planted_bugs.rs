//! Each planted bug is found within a bounded number of seeds; otherwise the
//! simulator does not work.

use userpool::app::planted_bugs::{PlantedBug, plant};

use crate::simulation::{Tampering, simulate};

/// The first failing seed, and its failure.
fn found(bug: Option<PlantedBug>, tampering: Tampering, seeds: u64) -> String {
    plant(bug);
    let failure = (0..seeds).find_map(|seed| simulate(seed, tampering).err());
    plant(None);
    let failure = failure.unwrap_or_else(|| unreachable!("{bug:?} was not found"));
    eprintln!("{bug:?}: {failure}");
    failure.violation
}

#[test]
fn a_request_id_that_is_not_looked_up_is_found() {
    let violation = found(Some(PlantedBug::RequestIdIgnored), Tampering::default(), 100);
    assert!(violation.starts_with("request "), "{violation}");
}

#[test]
fn an_answer_before_the_append_is_found() {
    let violation = found(Some(PlantedBug::EarlyAnswer), Tampering::default(), 100);
    assert!(violation.starts_with("Lost") || violation.starts_with("Unexplained"), "{violation}");
}

#[test]
fn an_unknown_outcome_taken_for_a_conflict_is_found() {
    found(Some(PlantedBug::UnknownAsConflict), Tampering::default(), 100);
}

#[test]
fn a_conflict_with_an_append_of_its_own_is_found() {
    // It needs a late append that its own retry overtakes, which is rare.
    let tampering = Tampering { late_appends: 300, ..Tampering::default() };
    found(Some(PlantedBug::OwnConflict), tampering, 3000);
}

#[test]
fn a_refusal_on_a_stale_state_is_found() {
    found(Some(PlantedBug::StaleRefusal), Tampering::default(), 300);
}

#[test]
fn an_event_that_a_watch_skips_is_found() {
    let violation = found(Some(PlantedBug::SkippedEvent), Tampering::default(), 300);
    assert!(violation.starts_with("watcher "), "{violation}");
}

#[test]
fn a_read_from_a_stale_state_is_found() {
    let tampering = Tampering { has_stale_reads: true, ..Tampering::default() };
    let violation = found(None, tampering, 100);
    assert!(violation.starts_with("Unexplained"), "{violation}");
}
