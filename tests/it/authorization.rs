//! Every RPC for every role, called by a caller of each kind.

mod local_peers;
mod patterns;
mod refusals;

use std::{collections::BTreeSet, fs};

use prost_reflect::DescriptorPool;
use tempfile::TempDir;
use tonic::{
    Code, Request, Status,
    client::Grpc,
    codegen::http::uri::PathAndQuery,
    transport::{Channel, Endpoint as Transport},
};
use tonic_prost::ProstCodec;
use userpool::{auth::Grants, proto::FILE_DESCRIPTOR_SET, transport::Endpoint};

use crate::{
    support::{TestServer, reason},
    tools::repository,
};

/// The role of a caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    Nobody,
    Reader,
    Writer,
}

/// The role that an RPC requires.
#[derive(Debug, Clone, Copy)]
enum Requirement {
    Nothing,
    /// A local peer, or the role reader.
    NearOrReader,
    Reader,
    Writer,
}

impl Requirement {
    /// Whether a local caller with this role has it.
    fn met(self, role: Role) -> bool {
        match self {
            Self::Nothing | Self::NearOrReader => true,
            Self::Reader => role != Role::Nobody,
            Self::Writer => role == Role::Writer,
        }
    }
}

/// Every RPC; the test fails if one is missing.
const RPCS: [(&str, Requirement); 31] = [
    ("grpc.health.v1.Health/Check", Requirement::Nothing),
    ("grpc.health.v1.Health/Watch", Requirement::Nothing),
    ("grpc.reflection.v1.ServerReflection/ServerReflectionInfo", Requirement::NearOrReader),
    ("grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo", Requirement::NearOrReader),
    ("userpool.v1.UserPoolHistoryService/CountUserPoolEvents", Requirement::Reader),
    ("userpool.v1.UserPoolHistoryService/DescribeLog", Requirement::Reader),
    ("userpool.v1.UserPoolHistoryService/GetCheckpointKey", Requirement::Reader),
    ("userpool.v1.UserPoolHistoryService/GetConsistencyProof", Requirement::Reader),
    ("userpool.v1.UserPoolHistoryService/GetInclusionProof", Requirement::Reader),
    ("userpool.v1.UserPoolHistoryService/GetSignedCheckpoint", Requirement::Reader),
    ("userpool.v1.UserPoolHistoryService/ListUserPoolEvents", Requirement::Reader),
    ("userpool.v1.UserPoolHistoryService/ReplayUserPool", Requirement::Reader),
    ("userpool.v1.UserPoolHistoryService/VerifyUserPoolHistory", Requirement::Reader),
    ("userpool.v1.UserPoolHistoryService/WatchUserPoolEvents", Requirement::Reader),
    ("userpool.v1.UserPoolService/AddCustomAttributes", Requirement::Writer),
    ("userpool.v1.UserPoolService/CreateUserPool", Requirement::Writer),
    ("userpool.v1.UserPoolService/CreateUserPoolDomain", Requirement::Writer),
    ("userpool.v1.UserPoolService/DeleteUserPool", Requirement::Writer),
    ("userpool.v1.UserPoolService/DeleteUserPoolDomain", Requirement::Writer),
    ("userpool.v1.UserPoolService/DescribeUserPool", Requirement::Reader),
    ("userpool.v1.UserPoolService/DescribeUserPoolDomain", Requirement::Reader),
    ("userpool.v1.UserPoolService/GetUserPoolMfaConfig", Requirement::Reader),
    ("userpool.v1.UserPoolService/ListTagsForResource", Requirement::Reader),
    ("userpool.v1.UserPoolService/ListUserPoolDomains", Requirement::Reader),
    ("userpool.v1.UserPoolService/ListUserPools", Requirement::Reader),
    ("userpool.v1.UserPoolService/RestoreUserPool", Requirement::Writer),
    ("userpool.v1.UserPoolService/SetUserPoolMfaConfig", Requirement::Writer),
    ("userpool.v1.UserPoolService/TagResource", Requirement::Writer),
    ("userpool.v1.UserPoolService/UntagResource", Requirement::Writer),
    ("userpool.v1.UserPoolService/UpdateUserPool", Requirement::Writer),
    ("userpool.v1.UserPoolService/UpdateUserPoolDomain", Requirement::Writer),
];

#[test]
fn every_rpc_has_a_row() {
    let rows = RPCS.map(|(method, _)| method.to_owned());
    assert_eq!(BTreeSet::from(rows), methods());
}

/// A row of the table names RPCs (`CountUserPoolEvents`) and beginnings of names (`List…`).
#[test]
fn the_table_in_the_documents_names_every_rpc() {
    let text = fs::read_to_string(repository().join("docs/guides/roles.md")).expect("a document");
    let (_, table) = text.split_once("| | no role | reader | writer |\n").expect("a table");
    let rows = table.lines().take_while(|line| line.starts_with('|'));
    let rows: Vec<Vec<_>> = rows.map(|row| row.split('|').map(str::trim).collect()).collect();
    for (method, requirement) in RPCS {
        let name = match method.split_once('/').expect("a method") {
            ("grpc.health.v1.Health", _) => "health",
            (service, name) if service.starts_with("userpool.v1.") => name,
            _ => "reflection",
        };
        let names_it = |named: &str| match named.strip_suffix('…') {
            Some(start) => name.starts_with(start),
            None => name == named,
        };
        let found: Vec<_> = rows.iter().filter(|row| row[1].split(", ").any(names_it)).collect();
        let [row] = found.as_slice() else { panic!("{} rows name {name}", found.len()) };
        let expected = match requirement {
            Requirement::Nothing => ["yes", "yes", "yes"],
            Requirement::NearOrReader => ["on the server's machine", "yes", "yes"],
            Requirement::Reader => ["", "yes", "yes"],
            Requirement::Writer => ["", "", "yes"],
        };
        assert_eq!(row[2..5], expected, "{name}");
    }
}

#[tokio::test]
async fn every_role_may_call_what_its_row_says_and_nothing_else() {
    for role in [Role::Nobody, Role::Reader, Role::Writer] {
        let server = Server::on_a_socket(grants("local:uid=*", role)).await;
        for (method, needs) in RPCS {
            let allowed = needs.met(role);
            let refused = refused(&server.channel().await, method).await;
            let code = refused.as_ref().map(Status::code);
            let expected = (!allowed).then_some(Code::PermissionDenied);
            assert_eq!(code, expected, "{method} for {role:?}");
            assert!(refused.is_none_or(|status| reason(&status) == "PERMISSION_DENIED"));
        }
        server.stop().await;
    }
}

#[tokio::test]
async fn anonymous_callers_may_call_nothing_unless_granted() {
    for role in [Role::Nobody, Role::Reader, Role::Writer] {
        let server = TestServer::with(|config| config.grants = grants("anonymous", role)).await;
        let channel = server.channel().await;
        for (method, needs) in RPCS {
            let allowed = needs.met(role);
            let refused = refused(&channel, method).await;
            let code = refused.as_ref().map(Status::code);
            let expected = (!allowed).then_some(Code::Unauthenticated);
            assert_eq!(code, expected, "{method} for {role:?}");
            assert!(refused.is_none_or(|status| reason(&status) == "CREDENTIALS_MISSING"));
        }
        drop(channel);
        server.stop().await;
    }
}

#[tokio::test]
async fn without_grants_every_caller_may_call_everything() {
    let over_tcp = TestServer::start().await;
    let over_socket = Server::on_a_socket(Grants::default()).await;
    for (method, _) in RPCS {
        for channel in [over_tcp.channel().await, over_socket.channel().await] {
            assert!(refused(&channel, method).await.is_none(), "{method}");
        }
    }
    over_socket.stop().await;
    over_tcp.stop().await;
}

#[tokio::test]
async fn only_writers_learn_that_a_method_does_not_exist() {
    for (role, expected) in [
        (Role::Nobody, Code::PermissionDenied),
        (Role::Reader, Code::PermissionDenied),
        (Role::Writer, Code::Unimplemented),
    ] {
        let server = Server::on_a_socket(grants("local:uid=*", role)).await;
        for method in ["userpool.v1.UserPoolService/CreateGroup", "a.B/C", "x"] {
            let status = call(&server.channel().await, method).await.expect_err(method);
            assert_eq!(status.code(), expected, "{method} for {role:?}");
        }
        server.stop().await;
    }
}

/// Grants that give this role to these callers, and other roles to others.
fn grants(callers: &str, role: Role) -> Grants {
    let pattern = |text: &str| text.parse().expect("a pattern");
    let others = vec![pattern("certificate:spiffe://example/other")];
    let these = vec![pattern(callers)];
    match role {
        Role::Nobody => Grants { readers: others.clone(), writers: others },
        Role::Reader => Grants { readers: these, writers: others },
        Role::Writer => Grants { readers: others, writers: these },
    }
}

/// A server on a Unix socket, whose callers are identified.
struct Server {
    server: TestServer,
    _directory: TempDir,
}

impl Server {
    async fn on_a_socket(grants: Grants) -> Self {
        let directory = TempDir::new().expect("a directory");
        let listen = Endpoint::Unix(directory.path().join("socket"));
        let server = TestServer::with(|config| {
            config.listen = listen;
            config.grants = grants;
        });
        Self { server: server.await, _directory: directory }
    }

    async fn channel(&self) -> Channel {
        let endpoint = Transport::from_shared(self.server.endpoint.to_string()).expect("a path");
        endpoint.connect().await.expect("a connection")
    }

    async fn stop(self) {
        self.server.stop().await;
    }
}

/// The refusal, if the call is refused for lack of a role.
async fn refused(channel: &Channel, method: &str) -> Option<Status> {
    let status = call(channel, method).await.err()?;
    matches!(status.code(), Code::PermissionDenied | Code::Unauthenticated).then_some(status)
}

/// Calls any method with one empty message and waits for the beginning of the answer.
async fn call(channel: &Channel, method: &str) -> Result<(), Status> {
    let mut grpc = Grpc::new(channel.clone());
    grpc.ready().await.expect("a connection");
    let path = PathAndQuery::try_from(format!("/{method}")).expect("a path");
    let empty: ProstCodec<(), ()> = ProstCodec::default();
    grpc.server_streaming(Request::new(()), path, empty).await.map(|_| ())
}

/// Every method in the descriptors of the server.
fn methods() -> BTreeSet<String> {
    let mut methods = BTreeSet::new();
    for descriptors in [
        FILE_DESCRIPTOR_SET,
        tonic_health::pb::FILE_DESCRIPTOR_SET,
        tonic_reflection::pb::v1::FILE_DESCRIPTOR_SET,
        tonic_reflection::pb::v1alpha::FILE_DESCRIPTOR_SET,
    ] {
        let pool = DescriptorPool::decode(descriptors).expect("descriptors");
        for service in pool.services() {
            let names = service.methods().map(|method| method.name().to_owned());
            methods.extend(names.map(|name| format!("{}/{name}", service.full_name())));
        }
    }
    methods
}
