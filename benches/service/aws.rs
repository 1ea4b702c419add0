//! `DescribeUserPool` in AWS's JSON over HTTP/1.1, against gRPC on the same server.

use crate::{
    Bench,
    describe::created,
    figures::PER_SECOND,
    load::h2load,
    process::{Server, free_address},
    report::{Report, Row},
    rounds::{Side, alternate},
};

const AWS: &str = "AWS JSON";
const GRPC: &str = "gRPC";
const IN_FLIGHT: usize = 64;

pub(crate) fn compare(bench: &Bench, report: &mut Report) {
    let address = free_address();
    let data = bench.scratch.path().join("aws");
    let server = Server::userpool_with(&data, &["--aws-listen", &address]);
    let id = created(bench, &server);
    let grpc = bench.messages.describe(&server, &id);
    let aws = bench.messages.describe_as_aws(&server, &address, &id);
    let settings = &bench.settings;
    let what = format!("DescribeUserPool, {IN_FLIGHT} in flight, in AWS's JSON");
    let sides = vec![
        Side::new(AWS, || h2load(settings, &aws, IN_FLIGHT)),
        Side::new(GRPC, || h2load(settings, &grpc, IN_FLIGHT)),
    ];
    let rounds = alternate(settings, &what, sides);
    report.keep(&what, &rounds);
    let ratio = rounds.ratio(AWS, GRPC, PER_SECOND);
    report.row(Row {
        what,
        target: "≥ 0.5 of gRPC",
        measured: rounds.speeds(AWS, GRPC),
        ratio: Some(ratio),
        reached: Some(ratio.median >= 0.5),
    });
}
