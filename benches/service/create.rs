//! `CreateUserPool`, durable, against a bare tonic server, against syncs alone, and
//! against etcd.

use bytes::Bytes;
use prost::Message as _;

use crate::{
    Bench, append,
    client::turn,
    figures::{CPU, P50, P99, PER_SECOND, Spread, shown},
    messages::CREATE,
    process::Server,
    report::{Curve, Report, Row},
    rounds::{Rounds, Side, alternate},
};

/// The plotted figures.
pub(crate) const PLOT: &str = "create-throughput";
/// The numbers of calls in flight; the targets are for 1, 64 and 512.
const IN_FLIGHT: [usize; 5] = [1, 8, 64, 256, 512];
const PUT: &str = "/etcdserverpb.KV/Put";

/// etcd's `PutRequest`, with only the members used here.
#[derive(Clone, PartialEq, prost::Message)]
struct Put {
    #[prost(bytes = "vec", tag = "1")]
    key: Vec<u8>,
    #[prost(bytes = "vec", tag = "2")]
    value: Vec<u8>,
}

pub(crate) fn compare(bench: &Bench, report: &mut Report) {
    // Without the syncs: their rate is far beyond that of any server and would
    // flatten the plot.
    let mut curves = ["userpool", "bare tonic", "etcd"].map(|side| (side, Vec::new()));
    let mut at_64 = Spread::of([]);
    for in_flight in IN_FLIGHT {
        let what = format!("CreateUserPool durable, {in_flight} in flight");
        let rounds = by_turns(bench, &what, in_flight);
        report.keep(&what, &rounds);
        for (side, points) in &mut curves {
            points.push((in_flight as f64, rounds.of(side, PER_SECOND)));
        }
        match in_flight {
            1 => one(report, &what, &rounds),
            64 => {
                at_64 = rounds.of("userpool", PER_SECOND);
                many(report, &what, &rounds);
            }
            512 => most(report, &what, &rounds, at_64),
            _ => (),
        }
    }
    for (side, points) in curves {
        if points.iter().all(|(_, spread): &(f64, Spread)| spread.median.is_finite()) {
            report.curves.push(Curve { plot: PLOT, side: side.to_owned(), points });
        }
    }
}

/// New directories for each number of calls, so that no run works on the data of
/// another.
fn by_turns(bench: &Bench, what: &str, in_flight: usize) -> Rounds {
    let settings = &bench.settings;
    let briefly = settings.briefly();
    let scratch = tempfile::tempdir_in(bench.scratch.path()).expect("a directory");
    let server = Server::userpool(&scratch.path().join("userpool"));
    let bare = bench.messages.bare();
    let etcd = Server::etcd(&bench.tools, &scratch.path().join("etcd"));
    let create = |server| turn(bench, server, CREATE, in_flight, bench.messages.creates());
    let record = &bench.messages.record_file;
    let mut sides = vec![
        Side::new("userpool", || create(&server)),
        Side::new("bare tonic", || create(&bare)),
        Side::new("fdatasync", || {
            append::turn(settings, &append::here(scratch.path()), record, in_flight)
        }),
    ];
    if let Some(etcd) = &etcd {
        sides.push(Side::new("etcd", || {
            let record = bench.messages.records();
            turn(bench, etcd, PUT, in_flight, move |number| put(record(number).into()))
        }));
    }
    let settings = if [1, 64, 512].contains(&in_flight) { settings } else { &briefly };
    alternate(settings, what, sides)
}

/// A `Put` of this value.
fn put(value: Vec<u8>) -> Bytes {
    Put { key: b"pools/us-east-1_AbCdEfGhI".to_vec(), value }.encode_to_vec().into()
}

fn one(report: &mut Report, what: &str, rounds: &Rounds) {
    let [ours, bare, sync] =
        ["userpool", "bare tonic", "fdatasync"].map(|side| rounds.of(side, P50).median);
    let limit = 1.3f64.mul_add(sync, bare);
    let most = 1.8 * limit;
    report.row(Row {
        what: format!("{what}, p50"),
        target: "≤ 1.8 × (bare tonic + 1.3 × fdatasync)",
        measured: format!(
            "{} ms ({} µs); {} + 1.3 × {} = {} ms",
            shown(ours),
            shown(rounds.of("userpool", CPU).median),
            shown(bare),
            shown(sync),
            shown(limit)
        ),
        ratio: Some(rounds.of("userpool", P50).over(limit)),
        // On a busy machine a process waits longer for the CPU than for the disk, and
        // a result that is slower than the server is not its limit.
        reached: (sync <= ours).then_some(ours <= most),
    });
}

fn many(report: &mut Report, what: &str, rounds: &Rounds) {
    let ratio = rounds.ratio("userpool", "bare tonic", PER_SECOND);
    report.row(Row {
        what: what.to_owned(),
        target: "≥ 0.35 of bare tonic",
        measured: rounds.speeds("userpool", "bare tonic"),
        ratio: Some(ratio),
        reached: Some(ratio.median >= 0.35),
    });
    if !rounds.has("etcd") {
        return;
    }
    let ratio = rounds.ratio("userpool", "etcd", PER_SECOND);
    report.row(Row {
        what: what.to_owned(),
        target: "≥ 1.4 × etcd's Put",
        measured: rounds.speeds("userpool", "etcd"),
        ratio: Some(ratio),
        reached: Some(ratio.median >= 1.4),
    });
}

fn most(report: &mut Report, what: &str, rounds: &Rounds, at_64: Spread) {
    let per_second = rounds.of("userpool", PER_SECOND);
    report.row(Row {
        what: what.to_owned(),
        target: "not slower than at 64, p99 bounded",
        measured: format!(
            "{}, p99 {} ms",
            rounds.speed("userpool"),
            shown(rounds.of("userpool", P99).median)
        ),
        ratio: Some(per_second.over(at_64.median)),
        reached: Some(per_second.median >= at_64.median),
    });
}
