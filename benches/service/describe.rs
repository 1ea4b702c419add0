//! `DescribeUserPool` against a bare tonic server.

use crate::{
    Bench,
    figures::{Figure, P99, PER_SECOND, Spread, shown},
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

pub(crate) fn compare(bench: &Bench, report: &mut Report) {
    let server = Server::userpool(&bench.scratch.path().join("describe"));
    let bare = bench.messages.bare();
    let id = created(bench, &server);
    let ours = bench.messages.describe(&server, &id);
    let theirs = bench.messages.describe(&bare, &id);
    let mut curves = [("userpool", Vec::new()), ("bare tonic", Vec::new())];
    for in_flight in IN_FLIGHT {
        let what = format!("DescribeUserPool, {in_flight} in flight");
        let rounds = by_turns(bench, &what, in_flight, &ours, &theirs);
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

fn by_turns(bench: &Bench, what: &str, in_flight: usize, ours: &Call, theirs: &Call) -> Rounds {
    let settings = &bench.settings;
    let sides = vec![
        Side::new("userpool", || h2load(settings, ours, in_flight)),
        Side::new("bare tonic", || h2load(settings, theirs, in_flight)),
    ];
    let briefly = settings.briefly();
    alternate(if in_flight == 64 { settings } else { &briefly }, what, sides)
}

fn judge(report: &mut Report, what: &str, rounds: &Rounds) {
    let side = |name, figure: Figure| shown(rounds.of(name, figure).median);
    let ratio: Spread = rounds.ratio("userpool", "bare tonic", PER_SECOND);
    report.row(Row {
        what: what.to_owned(),
        target: "≥ 0.90 of bare tonic",
        measured: format!(
            "{}/s against {}/s",
            side("userpool", PER_SECOND),
            side("bare tonic", PER_SECOND)
        ),
        ratio: Some(ratio),
        reached: Some(ratio.median >= 0.90),
    });
    let ratio = rounds.ratio("userpool", "bare tonic", P99);
    report.row(Row {
        what: format!("{what}, p99"),
        target: "≤ 1.2 × bare tonic",
        measured: format!("{} ms against {} ms", side("userpool", P99), side("bare tonic", P99)),
        ratio: Some(ratio),
        reached: Some(ratio.median <= 1.2),
    });
}

/// The ID of a user pool that exists in the log.
pub(crate) fn created(bench: &Bench, server: &Server) -> String {
    let request = bench.messages.request.clone();
    bench.runtime.block_on(async {
        let mut client = UserPoolServiceClient::new(connect(&server.address).await);
        let created = client.create_user_pool(request).await.expect("created").into_inner();
        created.user_pool.and_then(|pool| pool.id).expect("an ID")
    })
}
