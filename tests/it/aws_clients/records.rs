//! The access record of a call, and what it never has.

use serde_json::Value;

use super::{Server, run, succeeded};
use crate::{
    aws::{TARGET, call_to},
    tools,
};

/// The records of the calls in a process log.
fn records(log: &str) -> Vec<Value> {
    let lines = log.lines().map(|line| serde_json::from_str::<Value>(line).expect("JSON"));
    lines.filter(|line| line["message"] == "rpc").collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_has_the_door_the_operation_and_the_sdk() {
    let Some(python) = tools::boto3("that the records of boto3's calls are complete") else {
        return;
    };
    let server = Server::start().await;
    let script = "import boto3; c = boto3.client('cognito-idp'); \
                  i = c.create_user_pool(PoolName='secret-name')['UserPool']['Id']; \
                  c.describe_user_pool(UserPoolId=i); print(i); \
                  c.list_tags_for_resource(ResourceArn='arn:aws:cognito-idp:us-east-1:000000000000:userpool/' + i)";
    let mut command = tokio::process::Command::new(python);
    let id = succeeded(&run(command.args(["-c", script]), &server.url).await);
    let target = format!("{TARGET}.DescribeUserPool");
    let headers = [
        ("content-type", "application/x-amz-json-1.1"),
        ("x-amz-target", target.as_str()),
        ("x-amz-date", "20171211T000000Z"),
        (
            "authorization",
            "AWS4-HMAC-SHA256 Credential=AKIATESTS/20171211/us-east-1/cognito-idp/aws4_request, \
             SignedHeaders=host;x-amz-date;x-amz-target, Signature=5e9f",
        ),
    ];
    let address = server.url.strip_prefix("http://").expect("an address");
    let refused = call_to(address, "POST /", &headers, b"{\"UserPoolId\":\"a\"}").await;
    assert_eq!(refused.error().0, "InvalidSignatureException");
    let log = server.terminate().await;

    let records = records(&log);
    assert_eq!(records.len(), 4, "{log}");
    for (record, operation, status, error) in [
        (&records[0], "CreateUserPool", 200, Value::Null),
        (&records[1], "DescribeUserPool", 200, Value::Null),
        (&records[2], "ListTagsForResource", 200, Value::Null),
        (&records[3], "DescribeUserPool", 400, "InvalidSignatureException".into()),
    ] {
        assert_eq!(record["door"], "aws-json", "{record}");
        assert_eq!(record["aws_operation"], operation, "{record}");
        assert_eq!(record["http_status"], status, "{record}");
        assert_eq!(record["aws_type"], error, "{record}");
        assert_eq!(record["access_key_id"], "AKIATESTS", "{record}");
    }
    assert_eq!(records[0]["actor"], "access-key:tests");
    assert_eq!(records[0]["attempt"], "attempt=1; max=3");
    let agent = records[0]["user_agent"].as_str().expect("a user agent");
    assert!(agent.starts_with("Boto3/"), "{agent}");
    for record in &records[1..3] {
        assert_eq!(record["user_pool_id"], id.trim());
    }
    // What is not verified is not an actor.
    assert_eq!(records[3]["actor"], "anonymous");
    assert_eq!(records[3]["reason"], "TOKEN_REFUSED");
    for secret in ["tests/secret+1", "Signature=", "5e9f", "secret-name", "SignedHeaders"] {
        assert!(!log.contains(secret), "{secret} is in {log}");
    }
}
