//! The bytes of answers, and the answers to requests that call no operation.

use serde_json::json;

use userpool::aws::AwsApi;

use crate::{
    json::{data, with},
    support::TestServer,
};

use super::{Answer, TARGET, call, create, send, start, start_with};

/// The headers of an answer, without those that differ from run to run.
fn stable(answer: &Answer) -> Vec<(&str, &str)> {
    let headers = answer.headers.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    let mut headers: Vec<_> = headers
        .filter(|(name, _)| !["date", "content-length", "x-amzn-requestid"].contains(name))
        .collect();
    headers.sort_unstable();
    headers
}

#[tokio::test]
async fn answers_are_compact_json_with_the_headers_of_aws() {
    let server = start().await;
    let created = call(&server, "CreateUserPool", r#"{"PoolName":"people"}"#).await;

    assert_eq!(created.status, 200);
    let headers = [("connection", "close"), ("content-type", "application/x-amz-json-1.1")];
    assert_eq!(stable(&created), headers);
    let id = created.header("x-amzn-requestid").expect("an ID");
    assert!(uuid::Uuid::try_parse(id).is_ok(), "{id}");
    let length = created.header("content-length").expect("a length");
    assert_eq!(length, created.body.len().to_string());
    assert!(created.header("date").is_some());
    let id = created.json()["UserPool"]["Id"].as_str().expect("an ID").to_owned();
    let expected = format!(
        r#"{{"UserPool":{{"Id":"{id}","Name":"people","Policies":{{"PasswordPolicy":{{"MinimumLength":8,"#
    );
    assert!(created.body.starts_with(&expected), "{}", created.body);
    assert!(!created.body.contains("revision"), "{}", created.body);
    server.stop().await;
}

#[tokio::test]
async fn empty_results_are_an_empty_object_or_nothing() {
    let server = start().await;
    let id = create(&server, r#"{"PoolName":"people"}"#).await;
    let pool = json!({ "UserPoolId": id }).to_string();
    let domain = json!({ "UserPoolId": id, "Domain": "people-login" }).to_string();
    for (operation, body, expected) in [
        ("UpdateUserPool", &pool, "{}"),
        ("CreateUserPoolDomain", &domain, "{}"),
        ("DeleteUserPoolDomain", &domain, "{}"),
        ("DescribeUserPoolDomain", &domain, r#"{"DomainDescription":{}}"#),
        ("DeleteUserPool", &pool, ""),
        ("ListUserPools", &r#"{"MaxResults":10}"#.to_owned(), r#"{"UserPools":[]}"#),
    ] {
        let answer = call(&server, operation, body).await;
        assert_eq!((answer.status, answer.body.as_str()), (200, expected), "{operation}");
        assert_eq!(answer.header("content-length"), Some(&*expected.len().to_string()));
    }
    server.stop().await;
}

#[tokio::test]
async fn an_error_has_the_form_of_aws() {
    let server = start().await;
    let body = r#"{"UserPoolId":"us-east-1_nope"}"#;
    let refused = call(&server, "DescribeUserPool", body).await;

    assert_eq!(refused.status, 400);
    let message = "User pool us-east-1_nope does not exist.";
    assert_eq!(
        refused.body,
        format!(r#"{{"__type":"ResourceNotFoundException","message":"{message}"}}"#)
    );
    assert_eq!(
        stable(&refused),
        [
            ("connection", "close"),
            ("content-type", "application/x-amz-json-1.1"),
            ("x-amzn-errormessage", message),
            ("x-amzn-errortype", "ResourceNotFoundException:"),
        ]
    );
    // The text is not in a header if it does not fit into one.
    let refused = call(&server, "CreateUserPool", r#"{"PoolName":"プール"}"#).await;
    assert!(refused.body.contains("Value 'プール' at 'poolName' failed"), "{}", refused.body);
    assert_eq!(refused.header("x-amzn-errormessage"), None);
    server.stop().await;
}

#[tokio::test]
async fn a_request_that_is_no_call_is_answered_in_the_form_of_aws() {
    let server = start().await;
    let json = ("content-type", "application/x-amz-json-1.1");
    let target = format!("{TARGET}.ListUserPools");
    let target = ("x-amz-target", target.as_str());
    let users = ("x-amz-target", "AWSCognitoIdentityProviderService.ListUsers");
    let none = ("x-amz-target", "AWSCognitoIdentityProviderService.Nonsense");
    let foreign = ("x-amz-target", "DynamoDB_20120810.ListTables");
    let deep = format!("{}{}", "[".repeat(200), "]".repeat(200));
    let unknown = "UnknownOperationException";
    for (headers, body, status, error, text) in [
        (vec![json], "{}", 400, unknown, "The header X-Amz-Target, which names the operation"),
        (vec![json, users], "{}", 400, unknown, "Amazon Cognito has the operation ListUsers, but"),
        (vec![json, none], "{}", 400, unknown, "Nonsense is not an operation of Amazon Cognito"),
        (vec![json, foreign], "{}", 400, unknown, "DynamoDB_20120810.ListTables is not an"),
        (vec![target], "{}", 415, "UnsupportedMediaTypeException", "The Content-Type must be"),
        (
            vec![("content-type", "application/json"), target],
            "{}",
            415,
            "UnsupportedMediaTypeException",
            "The Content-Type must be application/x-amz-json-1.1.",
        ),
        (vec![json, target], "{", 400, "SerializationException", "Unable to parse"),
        (vec![json, target], "[]", 400, "SerializationException", "Start of list found"),
        (vec![json, target], "\u{0}", 400, "SerializationException", "Unable to parse"),
        (vec![json, target], &deep, 400, "SerializationException", "recursion limit exceeded"),
        // An empty body is an empty request.
        (vec![json, target], "", 400, "InvalidParameterException", "Value null at 'maxResults'"),
        (
            vec![("content-type", "Application/X-Amz-Json-1.0; charset=utf-8"), target],
            "{}",
            400,
            "InvalidParameterException",
            "Value null at 'maxResults'",
        ),
    ] {
        let answer = send(&server, "POST /", &headers, body.as_bytes()).await;
        let (found, message) = answer.error();
        assert_eq!((answer.status, found.as_str()), (status, error), "{message}");
        assert!(message.contains(text), "{message}");
        assert!(answer.header("x-amzn-requestid").is_some());
    }
    server.stop().await;
}

#[tokio::test]
async fn another_path_or_method_is_not_understood() {
    let server = start().await;
    for head in ["GET /", "PUT /", "POST /pools", "POST /?Action=X", "HEAD /x", "OPTIONS /"] {
        let answer = send(&server, head, &[], b"").await;
        assert_eq!(answer.status, 404, "{head}");
        if !head.starts_with("HEAD") {
            assert_eq!(
                answer.body,
                r#"{"code":"BadRequest","message":"The server did not understand the operation that was requested.","type":"client"}"#
            );
        }
    }
    server.stop().await;
}

#[tokio::test]
async fn health_is_ready_while_calls_are_answered() {
    let server = start().await;
    let answer = send(&server, "GET /health", &[], b"").await;
    assert_eq!((answer.status, answer.body.as_str()), (200, r#"{"status":"ready"}"#));
    server.stop().await;
}

#[tokio::test]
async fn a_body_over_1_mib_is_refused() {
    let server = start().await;
    let name = |bytes: usize| format!("{{\"PoolName\":\"{}\"}}", "a".repeat(bytes - 15));
    let largest = call(&server, "CreateUserPool", &name(1024 * 1024)).await;
    assert_eq!(largest.error().0, "InvalidParameterException");

    let larger = call(&server, "CreateUserPool", &name(1024 * 1024 + 1)).await;
    assert_eq!(larger.status, 413);
    assert_eq!(larger.error().0, "RequestEntityTooLargeException");
    // In chunks, the length is not known before.
    let chunk = format!("{:x}\r\n{}\r\n0\r\n\r\n", 2 << 20, "a".repeat(2 << 20));
    let target = format!("{TARGET}.CreateUserPool");
    let mut socket = tokio::net::TcpStream::connect(super::address(&server)).await.expect("one");
    let head = format!(
        "POST / HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ntransfer-encoding: chunked\r\n\
         content-type: application/x-amz-json-1.1\r\nx-amz-target: {target}\r\n\r\n{chunk}"
    );
    tokio::io::AsyncWriteExt::write_all(&mut socket, head.as_bytes()).await.ok();
    assert_eq!(super::read(&mut socket).await.status, 413);
    server.stop().await;
}

/// Every member of the seed's request, and nothing of later years.
#[tokio::test]
async fn every_member_of_2017_is_taken_and_shown() {
    let server = start_with(|config| config.aws_api = AwsApi::Of2017).await;
    let mut request = data("create-user-pool-full.json");
    let id = create(&server, &request.to_string()).await;
    let body = json!({ "UserPoolId": id }).to_string();
    let described = call(&server, "DescribeUserPool", &body).await.json();
    let members = request.as_object_mut().expect("an object");
    members.remove("Schema");
    let name = members.remove("PoolName");
    assert_eq!(Some(&described["UserPool"]["Name"]), name.as_ref());
    for (member, value) in members {
        assert_eq!(&described["UserPool"][member.as_str()], value, "{member}");
    }
    server.stop().await;
}

/// Every member, and the same over gRPC.
#[tokio::test]
async fn every_member_of_today_is_taken_and_shown() {
    let server = start().await;
    let mut request = data("create-user-pool-today.json");
    let id = create(&server, &request.to_string()).await;
    let body = json!({ "UserPoolId": id }).to_string();
    let described = call(&server, "DescribeUserPool", &body).await.json();
    let members = request.as_object_mut().expect("an object");
    members.remove("PoolName");
    for (member, value) in members {
        let shown = &described["UserPool"][member.as_str()];
        if member == "AdminCreateUserConfig" {
            assert_eq!(shown, &with(value.clone(), json!({ "UnusedAccountValidityDays": 30 })));
        } else {
            assert_eq!(shown, value, "{member}");
        }
    }
    same_over_grpc(&server, &id, described).await;
    server.stop().await;
}

/// Both doors show the same, except the form of times.
async fn same_over_grpc(server: &TestServer, id: &str, mut described: serde_json::Value) {
    let request = userpool::proto::DescribeUserPoolRequest {
        user_pool_id: Some(id.to_owned()),
        ..Default::default()
    };
    let shown = server.client().await.describe_user_pool(request).await.expect("described");
    let mut shown = crate::json::shown(&shown.into_inner());
    for time in ["CreationDate", "LastModifiedDate"] {
        let seconds = described["UserPool"][time].take();
        let grpc = shown["UserPool"][time].take();
        let grpc = chrono::DateTime::parse_from_rfc3339(grpc.as_str().expect("a time"));
        let millis = grpc.expect("a time").timestamp_millis();
        let found = (seconds.as_f64().expect("a number") * 1000.0).round();
        assert_eq!(format!("{found:.0}"), millis.to_string(), "{time}");
    }
    assert_eq!(described["UserPool"], shown["UserPool"]);
}
