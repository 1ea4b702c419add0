//! Any body of a request at the door for AWS clients.

use super::{corpus, mutated};
use crate::{
    aws::{TARGET, send, start},
    random::{Random, rounds},
};

/// Each is answered with 200, or with 400 and an error of AWS, and the next one is served.
#[tokio::test(flavor = "multi_thread")]
async fn any_body_is_answered_in_the_form_of_aws() {
    let mut random = Random::seeded();
    let server = start().await;
    let corpus = corpus("aws_request");
    let targets = ["CreateUserPool", "UpdateUserPool", "ListUserPools", "DescribeUserPoolDomain"];
    for target in targets {
        let target = format!("{TARGET}.{target}");
        let headers = [("content-type", "application/x-amz-json-1.1"), ("x-amz-target", &target)];
        for _ in 0..rounds(1) * 100 {
            let body = mutated(&mut random, &corpus);
            let answer = send(&server, "POST /", &headers, &body).await;
            let shown = data_encoding::HEXLOWER.encode(&body);
            assert!([200, 400].contains(&answer.status), "{answer:?} {shown}");
            if answer.status == 400 {
                let (error, _) = answer.error();
                let known = [
                    "InvalidParameterException",
                    "SerializationException",
                    "UserPoolTaggingException",
                    "ResourceNotFoundException",
                ];
                assert!(known.contains(&error.as_str()), "{error} {shown}");
            }
        }
    }
    server.stop().await;
}
