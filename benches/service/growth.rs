//! The same figures with more user pools.

use std::{
    path::PathBuf,
    sync::atomic::{AtomicU64, Ordering},
};

use prost::Message as _;
use userpool::proto::{
    DescribeUserPoolRequest, EventView, ListUserPoolEventsRequest, UserPoolEventFilter,
};

use crate::{
    Bench,
    client::turn,
    data,
    data_directory::{POOL, id_at},
    figures::{P50, P99, PER_SECOND, Run, shown},
    messages::{CREATE, DESCRIBE, LIST_EVENTS},
    process::Server,
    report::{Curve, Report, Row},
    rounds::{Rounds, Side, alternate},
    varied_pools::Random,
    zipf,
};

/// The plotted figures.
pub(crate) const DESCRIBE_PLOT: &str = "describe-by-pools";
pub(crate) const CREATE_PLOT: &str = "create-by-pools";
const IN_FLIGHT: usize = 64;
const NAMES: [&str; 3] = ["small", "middle", "large"];

/// How many turns there were.
static TURNS: AtomicU64 = AtomicU64::new(0);

type Size<'a> = (&'static str, u64, &'a Server);

pub(crate) fn compare(bench: &Bench, report: &mut Report) {
    let directories: Vec<(u64, PathBuf)> = bench
        .settings
        .events
        .into_iter()
        .map(|events| (events, data::copy(bench, events)))
        .collect();
    let servers: Vec<(u64, Server)> = directories
        .iter()
        .map(|(events, directory)| (*events, Server::userpool(directory)))
        .collect();
    let sizes: Vec<Size<'_>> = NAMES
        .iter()
        .zip(&servers)
        .map(|(name, (events, server))| (*name, *events, server))
        .collect();

    let what = format!("DescribeUserPool of any user pool, {IN_FLIGHT} in flight");
    let rounds = by_turns(bench, &what, &sizes, |events, server| {
        describe(bench, server, move |number| position(number, events))
    });
    judge(report, &what, &sizes, &rounds, ("≥ 0.75", 0.75));
    draw(report, DESCRIBE_PLOT, &sizes, &rounds);

    let what = format!("DescribeUserPool of any user pool by Zipf's law, {IN_FLIGHT} in flight");
    let rounds = by_turns(bench, &what, &sizes, |events, server| {
        describe(bench, server, move |number| position(zipf::rank(number, events), events))
    });
    judge(report, &what, &sizes, &rounds, ("≥ 0.95", 0.95));

    let what = format!("CreateUserPool durable, {IN_FLIGHT} in flight");
    let rounds = by_turns(bench, &what, &sizes, |_, server| {
        turn(bench, server, CREATE, IN_FLIGHT, bench.messages.creates())
    });
    judge(report, &what, &sizes, &rounds, ("≥ 0.90", 0.90));
    draw(report, CREATE_PLOT, &sizes, &rounds);

    page(bench, report, &sizes);
}

/// The first page of the one user pool that has many events.
fn page(bench: &Bench, report: &mut Report, sizes: &[Size<'_>]) {
    let what = "history of one user pool, a page of 100 events, 1 in flight";
    let rounds = by_turns(bench, what, sizes, |_, server| {
        turn(bench, server, LIST_EVENTS, 1, |_| {
            let id = Some(POOL.to_owned());
            let filter = Some(UserPoolEventFilter { user_pool_id: id, ..Default::default() });
            let request = ListUserPoolEventsRequest {
                filter,
                view: EventView::Full.into(),
                ..Default::default()
            };
            request.encode_to_vec().into()
        })
    });
    report.keep(what, &rounds);
    let ratio = rounds.ratio("large", "small", P50);
    let side = |name| shown(rounds.of(name, P50).median);
    report.row(Row {
        what: format!("{what}, p50, {}", among(sizes)),
        target: "independent of the log",
        measured: format!("{} ms against {} ms", side("large"), side("small")),
        ratio: Some(ratio),
        // A tree that is a hundred times larger is a little deeper.
        reached: Some(ratio.median <= 1.25),
    });
}

/// Describes the user pool that was created at the position for each call. No turn has the
/// numbers of another, or it would find its user pools in the cache.
fn describe(
    bench: &Bench,
    server: &Server,
    position: impl Fn(u64) -> u64 + Send + Sync + 'static,
) -> Run {
    let first = TURNS.fetch_add(1, Ordering::Relaxed) << 32;
    turn(bench, server, DESCRIBE, IN_FLIGHT, move |number| {
        let id = Some(id_at(position(first + number)));
        DescribeUserPoolRequest { user_pool_id: id, ..DescribeUserPoolRequest::default() }
            .encode_to_vec()
            .into()
    })
}

/// A pseudorandom position at which a user pool with one event was created.
fn position(number: u64, events: u64) -> u64 {
    let every = events / data::OWN.min(events / 2);
    let position = 1 + Random(number).below(events - 1);
    if position.is_multiple_of(every) { position - 1 } else { position }
}

fn by_turns(
    bench: &Bench,
    what: &str,
    sizes: &[Size<'_>],
    run: impl Fn(u64, &Server) -> Run,
) -> Rounds {
    let mut all = Vec::new();
    for &(name, events, server) in sizes {
        let run = &run;
        all.push(Side::new(name, move || run(events, server)));
    }
    alternate(&bench.settings, what, all)
}

fn among(sizes: &[Size<'_>]) -> String {
    let events = |index: usize| sizes.get(index).map(|(_, events, _)| shown(*events as f64));
    let large = events(sizes.len().saturating_sub(1)).unwrap_or_default();
    format!("{large} events against {}", events(0).unwrap_or_default())
}

fn judge(
    report: &mut Report,
    what: &str,
    sizes: &[Size<'_>],
    rounds: &Rounds,
    (target, least): (&'static str, f64),
) {
    report.keep(&format!("{what}, by events"), rounds);
    let ratio = rounds.ratio("large", "small", PER_SECOND);
    report.row(Row {
        what: format!("{what}, {}", among(sizes)),
        target,
        measured: rounds.speeds("large", "small"),
        ratio: Some(ratio),
        reached: Some(ratio.median >= least),
    });
}

fn draw(report: &mut Report, plot: &'static str, sizes: &[Size<'_>], rounds: &Rounds) {
    for (name, figure) in [("p50", P50), ("p99", P99)] {
        let points =
            sizes.iter().map(|(side, events, _)| (*events as f64, rounds.of(side, figure)));
        report.curves.push(Curve { plot, side: name.to_owned(), points: points.collect() });
    }
}
