//! `DescribeUserPool` in AWS's JSON over HTTP/1.1, with and without signatures, against gRPC.

use std::{fs, os::unix::fs::PermissionsExt as _};

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
const SIGNED: &str = "AWS JSON, signed";
const GRPC: &str = "gRPC";
const IN_FLIGHT: usize = 64;
/// The ID and the secret of the access key.
const KEY: (&str, &str) = ("AKIABENCH", "bench-secret");

pub(crate) fn compare(bench: &Bench, report: &mut Report) {
    let (address, signed_address) = (free_address(), free_address());
    let data = bench.scratch.path().join("aws");
    let server = Server::userpool_with(&data, &["--aws-listen", &address]);
    let id = created(bench, &server);
    // Such a server accepts no other calls in AWS's JSON.
    let keys = bench.scratch.path().join("keys.toml");
    let (key_id, secret) = KEY;
    let text = format!("[bench]\naccess_key_id = \"{key_id}\"\nsecret_access_key = \"{secret}\"\n");
    fs::write(&keys, text).expect("written");
    fs::set_permissions(&keys, fs::Permissions::from_mode(0o600)).expect("for its owner alone");
    let keys = format!("--aws-credentials={}", keys.display());
    let data = bench.scratch.path().join("aws-signed");
    let signed = Server::userpool_with(&data, &["--aws-listen", &signed_address, &keys]);
    let signed_id = created(bench, &signed);

    let messages = &bench.messages;
    let grpc = messages.describe(&server, &id);
    let aws = messages.describe_as_aws(&server, &address, &id, None);
    // Made anew for each turn, because a signature expires.
    let describe_signed =
        || messages.describe_as_aws(&signed, &signed_address, &signed_id, Some(KEY));
    let settings = &bench.settings;
    let what = format!("DescribeUserPool, {IN_FLIGHT} in flight, in AWS's JSON");
    let sides = vec![
        Side::new(AWS, || h2load(settings, &aws, IN_FLIGHT)),
        Side::new(SIGNED, || h2load(settings, &describe_signed(), IN_FLIGHT)),
        Side::new(GRPC, || h2load(settings, &grpc, IN_FLIGHT)),
    ];
    let rounds = alternate(settings, &what, sides);
    report.keep(&what, &rounds);
    for (side, what, target, least) in [
        (AWS, what.clone(), "≥ 0.5 of gRPC", 0.5),
        (SIGNED, format!("{what}, signed"), "≥ 0.35 of gRPC", 0.35),
    ] {
        let ratio = rounds.ratio(side, GRPC, PER_SECOND);
        report.row(Row {
            what,
            target,
            measured: rounds.speeds(side, GRPC),
            ratio: Some(ratio),
            reached: Some(ratio.median >= least),
        });
    }
}
