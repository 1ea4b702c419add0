//! The same operations of moto's server, which is what many use instead of Cognito.

use serde_json::Value;
use userpool::proto::to_json;

use crate::{
    Bench,
    describe::created,
    figures::{PER_SECOND, shown},
    load::{Call, h2load},
    process::{Server, exchange, written},
    report::{Report, Row},
    rounds::{Side, alternate},
};

const IN_FLIGHT: usize = 8;
const TYPE: &str = "Content-Type: application/x-amz-json-1.1";
/// moto takes the region from it, and believes it.
const SIGNED: &str = "Authorization: AWS4-HMAC-SHA256 Credential=bench/20171211/us-east-1/\
                      cognito-idp/aws4_request, SignedHeaders=host, Signature=0";
const CREATE: [&str; 3] =
    ["X-Amz-Target: AWSCognitoIdentityProviderService.CreateUserPool", TYPE, SIGNED];
const DESCRIBE: [&str; 3] =
    ["X-Amz-Target: AWSCognitoIdentityProviderService.DescribeUserPool", TYPE, SIGNED];

pub(crate) fn compare(bench: &Bench, report: &mut Report) {
    let Some(moto) = Server::moto(&bench.tools) else { return };
    let server = Server::userpool(&bench.scratch.path().join("moto"));
    // The same JSON that AWS's own clients send.
    let request = to_json(&bench.messages.request).to_string();
    let made: Value =
        serde_json::from_str(&exchange(&moto.address, "POST", "/", &CREATE, &request))
            .expect("what moto made");
    let id = made.get("UserPool").and_then(|pool| pool.get("Id")).expect("its ID");
    let describe = serde_json::json!({ "UserPoolId": id }).to_string();

    let id = created(bench, &server);
    let ours = bench.messages.describe(&server, &id);
    let theirs = theirs(bench, &moto, "moto-describe", &describe, &DESCRIBE);
    by_turns(bench, report, "DescribeUserPool", &ours, &theirs);
    let ours = bench.messages.create(&server);
    let theirs = self::theirs(bench, &moto, "moto-create", &request, &CREATE);
    by_turns(bench, report, "CreateUserPool, durable here and in memory there", &ours, &theirs);
}

fn theirs(
    bench: &Bench,
    moto: &Server,
    file: &str,
    body: &str,
    headers: &'static [&'static str],
) -> Call {
    let body = written(bench.scratch.path(), file, body.as_bytes());
    let address = moto.address.clone();
    Call { address, path: "/", body, answer_bytes: 500, http1: Some(headers) }
}

fn by_turns(bench: &Bench, report: &mut Report, operation: &str, ours: &Call, theirs: &Call) {
    let what = format!("{operation}, {IN_FLIGHT} in flight, against moto");
    let sides = vec![
        Side::new("userpool", || h2load(&bench.settings, ours, IN_FLIGHT)),
        Side::new("moto", || h2load(&bench.settings, theirs, IN_FLIGHT)),
    ];
    let rounds = alternate(&bench.settings.briefly(), &what, sides);
    report.keep(&what, &rounds);
    let side = |name| shown(rounds.of(name, PER_SECOND).median);
    report.row(Row {
        what,
        target: "to compare",
        measured: format!("{}/s against {}/s", side("userpool"), side("moto")),
        ratio: Some(rounds.ratio("userpool", "moto", PER_SECOND)),
        reached: None,
    });
}
