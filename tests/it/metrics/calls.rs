//! Calls are counted under the names that dashboards for gRPC servers know.

use http::uri::PathAndQuery;
use tonic::{Code, client::Grpc};
use tonic_prost::ProstCodec;
use userpool::{
    grpc::methods,
    proto::{DescribeUserPoolRequest, DescribeUserPoolResponse, ListUserPoolsRequest},
};

use super::{Reading, measured, reading};
use crate::support::{TestServer, create};

const SERVICE: &str = "grpc_service=\"userpool.v1.UserPoolService\"";

/// The series of a method of the service.
fn series(name: &str, method: &str, code: Option<&str>) -> String {
    let code = code.map(|code| format!(",grpc_code=\"{code}\"")).unwrap_or_default();
    format!("grpc_server_{name}{{grpc_type=\"unary\",{SERVICE},grpc_method=\"{method}\"{code}}}")
}

fn counts(reading: &Reading, method: &str, code: &str) -> [u64; 3] {
    [
        reading.count(&series("started_total", method, None)),
        reading.count(&series("handled_total", method, Some(code))),
        reading.count(&series("handling_seconds_count", method, None)),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn every_call_is_counted_with_its_true_code() {
    let server = measured().await;
    let mut client = server.client().await;
    for name in ["one", "two"] {
        create(&mut client, name).await;
    }
    let absent = DescribeUserPoolRequest {
        user_pool_id: Some("us-east-1_AbCdEfGhI".to_owned()),
        ..DescribeUserPoolRequest::default()
    };
    let refused = client.describe_user_pool(absent).await.expect_err("absent");
    assert_eq!(refused.code(), Code::NotFound);

    let reading = reading(&server).await;

    assert_eq!(counts(&reading, "CreateUserPool", "OK"), [2; 3]);
    assert_eq!(counts(&reading, "DescribeUserPool", "NOT_FOUND"), [1; 3]);
    assert_eq!(counts(&reading, "DescribeUserPool", "OK")[1], 0);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_method_and_code_is_shown_before_the_first_call() {
    let server = measured().await;
    let reading = reading(&server).await;
    let methods = methods();
    assert!(methods.len() > 17, "{methods:?}");
    for method in methods {
        let labels = format!(
            "grpc_type=\"{}\",grpc_service=\"{}\",grpc_method=\"{}\"",
            method.kind, method.service, method.name
        );
        reading.value(&format!("grpc_server_started_total{{{labels}}}"));
        for code in ["OK", "CANCELLED", "INVALID_ARGUMENT", "UNAUTHENTICATED"] {
            let handled = format!("grpc_server_handled_total{{{labels},grpc_code=\"{code}\"}}");
            assert_eq!(reading.count(&handled), 0, "{handled}");
        }
    }
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn unknown_methods_are_counted_under_one_label() {
    let server = measured().await;
    let before = reading(&server).await.names().count();
    let mut grpc = Grpc::new(server.channel().await);
    for path in ["/userpool.v1.UserPoolService/DropUserPools", "/a/b"] {
        grpc.ready().await.expect("ready");
        let codec = ProstCodec::<ListUserPoolsRequest, DescribeUserPoolResponse>::default();
        let request = tonic::Request::new(ListUserPoolsRequest::default());
        let path = PathAndQuery::from_static(path);
        let refused = grpc.unary(request, path, codec).await.expect_err("no method");
        assert_eq!(refused.code(), Code::Unimplemented);
    }

    let reading = reading(&server).await;

    let labels = "grpc_type=\"unknown\",grpc_service=\"unknown\",grpc_method=\"unknown\"";
    reading.expect(&[
        (&format!("grpc_server_started_total{{{labels}}}"), 2.0),
        (&format!("grpc_server_handled_total{{{labels},grpc_code=\"UNIMPLEMENTED\"}}"), 2.0),
    ]);
    assert_eq!(reading.names().count(), before, "clients cannot create series");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn refused_calls_and_connections_are_counted_by_reason() {
    let server = TestServer::with(|config| {
        config.metrics_listen = Some(super::free());
        config.capacity.reads = 0;
    })
    .await;
    let mut client = server.client().await;
    let list = ListUserPoolsRequest { max_results: Some(1), ..Default::default() };
    let refused = client.list_user_pools(list).await.expect_err("no place");
    assert_eq!(refused.code(), Code::ResourceExhausted);

    let reading = reading(&server).await;

    reading.expect(&[
        ("userpool_refused_total{reason=\"reads\"}", 1.0),
        ("userpool_refused_total{reason=\"writes\"}", 0.0),
        ("userpool_refused_total{reason=\"permission_denied\"}", 0.0),
    ]);
    assert_eq!(counts(&reading, "ListUserPools", "RESOURCE_EXHAUSTED"), [1; 3]);
    server.stop().await;
}
