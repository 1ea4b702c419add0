//! `DescribeUserPool` against bare tonic servers, and against nghttp2's server.

use crate::{
    Bench,
    figures::{CPU, Figure, P99, PER_SECOND, shown},
    load::{Call, h2load},
    messages::connect,
    process::Server,
    report::{Curve, Report, Row},
    rounds::{Rounds, Side, alternate},
};
use userpool::proto::user_pool_service_client::UserPoolServiceClient;

/// The plotted figures.
pub(crate) const PLOT: &str = "describe-throughput";
/// The numbers of calls in flight; the targets are for 64.
const IN_FLIGHT: [usize; 5] = [1, 8, 64, 256, 512];
const OURS: &str = "userpool";
const BARE: &str = "bare tonic";
const COALESCING: &str = "coalescing bare tonic";
const NGHTTPD: &str = "nghttpd";

type Called = (&'static str, Call);

pub(crate) fn compare(bench: &Bench, report: &mut Report) {
    let server = Server::userpool(&bench.scratch.path().join("describe"));
    let id = created(bench, &server);
    let call = |server: &Server| bench.messages.describe(server, &id);
    let (bare, coalescing) = (bench.messages.bare(), bench.messages.coalescing_bare());
    let nghttpd = bench.messages.nghttpd();
    let mut all = vec![(OURS, call(&server)), (BARE, call(&bare)), (COALESCING, call(&coalescing))];
    all.extend(nghttpd.as_ref().map(|nghttpd| (NGHTTPD, call(nghttpd))));
    let mut curves = [(OURS, Vec::new()), (BARE, Vec::new())];
    for in_flight in IN_FLIGHT {
        let what = format!("DescribeUserPool, {in_flight} in flight");
        let rounds = by_turns(bench, &what, in_flight, &all);
        report.keep(&what, &rounds);
        for (side, points) in &mut curves {
            points.push((in_flight as f64, rounds.of(side, PER_SECOND)));
        }
        if in_flight == 64 {
            judge(report, &what, &rounds);
        }
    }
    for (side, points) in curves {
        report.curves.push(Curve { plot: PLOT, side: side.to_owned(), points });
    }
}

/// All servers, or for a comparison without a target only the plotted ones.
fn by_turns(bench: &Bench, what: &str, in_flight: usize, all: &[Called]) -> Rounds {
    let settings = &bench.settings;
    let judged = in_flight == 64;
    let sides = all
        .iter()
        .filter(|(name, _)| judged || [OURS, BARE].contains(name))
        .map(|(name, call)| Side::new(name, move || h2load(settings, call, in_flight)))
        .collect();
    let briefly = settings.briefly();
    alternate(if judged { settings } else { &briefly }, what, sides)
}

fn judge(report: &mut Report, what: &str, rounds: &Rounds) {
    let ratio = rounds.ratio(COALESCING, OURS, CPU);
    report.row(Row {
        what: format!("{what}, CPU time per call"),
        target: "coalescing bare tonic ÷ ours ≥ 0.75",
        measured: rounds.speeds(OURS, COALESCING),
        ratio: Some(ratio),
        reached: Some(ratio.median >= 0.75),
    });
    report.row(Row {
        what: format!("{what}, against plain bare tonic"),
        target: "to compare",
        measured: rounds.speeds(OURS, BARE),
        ratio: Some(rounds.ratio(OURS, BARE, PER_SECOND)),
        reached: None,
    });
    if rounds.has(NGHTTPD) {
        report.row(Row {
            what: format!("{what}, CPU time per call, nghttpd with a static file ÷ ours"),
            target: "to compare",
            measured: rounds.speeds(OURS, NGHTTPD),
            ratio: Some(rounds.ratio(NGHTTPD, OURS, CPU)),
            reached: None,
        });
    }
    let ratio = rounds.ratio(OURS, BARE, P99);
    let side = |name, figure: Figure| shown(rounds.of(name, figure).median);
    report.row(Row {
        what: format!("{what}, p99"),
        target: "≤ 1.2 × bare tonic",
        measured: format!("{} ms against {} ms", side(OURS, P99), side(BARE, P99)),
        ratio: Some(ratio),
        reached: Some(ratio.median <= 1.2),
    });
}

/// The ID of a user pool that exists in the log.
pub(crate) fn created(bench: &Bench, server: &Server) -> String {
    let request = bench.messages.typical.clone();
    bench.runtime.block_on(async {
        let mut client = UserPoolServiceClient::new(connect(&server.address).await);
        let created = client.create_user_pool(request).await.expect("created").into_inner();
        created.user_pool.and_then(|pool| pool.id).expect("an ID")
    })
}
