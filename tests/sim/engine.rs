//! The log of the simulation keeps the promises of every log engine, at whatever speed it
//! answers; and when it fails, the outcome of an append is what it says.

#[path = "../engines/mod.rs"]
mod promises;

use std::{collections::BTreeSet, sync::Arc};

use bytes::Bytes;
use tokio::time::sleep;
use userpool::event_log::{AppendError, EventLog as _, Head, Position, ReadLimit, Record};

use crate::{
    log::SimulatedLog,
    plan::{Case, milliseconds},
    random::Random,
    simulation::{Tampering, runtime},
    world::World,
};

/// The number of seeds for each promise.
const SEEDS: u64 = 10;

/// Runs `test` on the log of a world.
fn check<F: Future<Output = ()>>(case: Case, test: impl FnOnce(Arc<World>) -> F) {
    runtime(case.seed).block_on(async {
        let mut random = Random::from_seed(case.seed);
        test(World::new(case.plan, &mut random, Tampering::default())).await;
    });
}

/// Nothing fails, but everything takes some time.
fn without_faults(seed: u64) -> Case {
    let mut case = Case::draw(seed);
    let rates = &mut case.plan.rates;
    (rates.lost_appends, rates.silent_appends, rates.late_appends) = (0, 0, 0);
    rates.failed_reads = 0;
    case
}

macro_rules! every_promise_holds_at_any_speed {
    ($($promise:ident)*) => {$(
        #[test]
        fn $promise() {
            for seed in 0..SEEDS {
                check(without_faults(seed), |world| promises::$promise(SimulatedLog::open(&world, 0)));
            }
        }
    )*};
}

promises::with_every_promise!(every_promise_holds_at_any_speed);

/// Two nodes append at the same time, and send each append again until its outcome is known.
#[test]
fn each_outcome_of_an_append_is_what_it_says() {
    let mut unknown = 0;
    for seed in 0..crate::SEEDS {
        let mut case = Case::draw(seed);
        case.plan.nodes = 2;
        let rates = &mut case.plan.rates;
        (rates.lost_appends, rates.silent_appends, rates.late_appends) = (100, 100, 300);
        check(case, async |world| {
            let appenders = [0, 1].map(|node| {
                let log = SimulatedLog::open(&world, node);
                tokio::spawn(append_twenty(log, node))
            });
            let mut known = BTreeSet::new();
            for appender in appenders {
                let (appended, times) = appender.await.expect("no panic");
                unknown += times;
                known.extend(appended);
            }
            // Everything late arrives.
            sleep(milliseconds(2000)).await;
            let all = ReadLimit { records: usize::MAX, bytes: usize::MAX };
            let written = world.log().read(Position::START, all).await.expect("in memory");
            let bodies: Vec<Bytes> = written.into_iter().map(|record| record.body).collect();
            assert_eq!(bodies.len(), known.len(), "seed {seed}: written once");
            assert_eq!(bodies.into_iter().collect::<BTreeSet<_>>(), known, "seed {seed}");
        });
    }
    assert!(unknown > 0);
}

/// Appends 20 records one after the other. Returns those that were written, and how many outcomes
/// were unknown.
async fn append_twenty(log: Arc<SimulatedLog>, node: usize) -> (Vec<Bytes>, usize) {
    let (mut written, mut unknown) = (Vec::new(), 0);
    let mut number = 0;
    let mut end = Head::default();
    while number < 20 {
        let body = Bytes::from(format!("{node} {number}"));
        match log.append(end, vec![body.clone()]).await {
            Ok(records) => {
                end = records.last().map(Record::head).expect("a record");
                written.push(body);
                number += 1;
            }
            Err(AppendError::Conflict { actual, .. }) => end = actual,
            Err(AppendError::NotAppended(_)) => (),
            Err(AppendError::Unknown(_)) => {
                unknown += 1;
                let own = Record::chain(end, vec![body.clone()]);
                let next = resolve(&log, end, &body).await;
                if own.first() == Some(&next) {
                    written.push(body);
                    number += 1;
                }
                end = next.head();
            }
            Err(error @ AppendError::Forked(_)) => unreachable!("{error}"),
        }
    }
    (written, unknown)
}

/// The record after `end`, which is written if there is none.
async fn resolve(log: &SimulatedLog, end: Head, body: &Bytes) -> Record {
    loop {
        let limit = ReadLimit { records: 1, bytes: 0 };
        if let Ok(read) = log.read(end.position, limit).await
            && let Some(record) = read.into_iter().next()
        {
            return record;
        }
        let _ = log.append(end, vec![body.clone()]).await;
    }
}
