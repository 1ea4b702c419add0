//! A gRPC control plane for Cognito-style user pools in which the history is the
//! database: every change is an event in a hash-chained log. Describe and List return a
//! projection of the log; the history of a user pool is read from the log itself.
//!
//! Each room (top-level module) imports only from the rooms above it; a test enforces
//! this. The feature `client` builds only `proto`, `endpoint` and `client`; `server`, the
//! default, builds every room.
//!
//! | room | is | knows nothing of |
//! |---|---|---|
//! | [`endpoint`] | the address that a server listens on | anything |
//! | [`proto`] | the messages: the schema of the API and of the events in the log | anything |
//! | [`telemetry`] | metrics, spans and the process log | anything |
//! | [`fs`] | atomic writes, private files, reloading | anything but `telemetry` |
//! | [`event_log`] | an ordered log of opaque records, and its engines | pools, messages, gRPC |
//! | [`user_pool`] | commands, rules, state: pure functions over plain data | the log, gRPC, clocks, async |
//! | [`audit`] | the codec of events, the verifier of the chain and of the rules, the Merkle tree and its proofs, signed checkpoints and their witnesses, export and import | gRPC |
//! | [`app`] | the writer, the projector, the read model, the history | gRPC |
//! | [`auth`] | the identity of callers, and their permissions | protocol adapters |
//! | [`service`] | one function per operation: takes the request message, returns the response message, a stream of them, or an error | HTTP, gRPC |
//! | [`transport`] | listeners, TLS, connections and their limits, and the steps of every call | operations |
//! | [`grpc`] | the gRPC adapter: decodes requests, encodes responses and statuses | each other, engines and files |
//! | [`aws`] | the AWS JSON adapter: the same operations for unmodified AWS SDKs | each other, engines and files |
//! | [`console`] | the web console: pages for a browser, made from calls of the generated client | anything but `proto` |
//! | [`server`] | the server: starts, serves, stops | the commands of user pools |
//! | [`client`] | a client of the service: deadlines, retries, watches that resume | anything but `proto` and `endpoint` |
//! | [`cli`] | the command line: the server, client commands, and commands on a data directory | — |
//!
//! The path of a change: [`server`] connects the parts. [`transport`] accepts the
//! connection, and tonic reads HTTP/2. [`transport::CallLayer`] authenticates, authorizes
//! and admits the call. (An AWS SDK speaks HTTP/1.1 instead, to [`aws::Door`], which passes its
//! call through the same layer.) [`grpc::StartupGate`] passes it to its service in [`grpc`], which
//! decodes the request message and calls its function in [`service::Operations`]. The
//! function checks the request, which makes it a [`user_pool::CheckedCommand`], and calls
//! [`app::App::execute`], which sends it to the writer. The writer decides each command of
//! a batch with [`user_pool::decide`] on the state after the commands before it, and
//! computes the next state with [`user_pool::evolve`]. It appends the events with
//! [`event_log::EventLog::append`]. Once they are durable, the projector writes the new
//! states to the [`app::ReadModel`]. Then the writer answers, and the answer returns the
//! same way.
//!
//! The path of a read is the same up to its function. The reads of `UserPoolService` use
//! the [`app::ReadModel`], such as DescribeUserPool with [`app::App::describe`]. The reads
//! of `UserPoolHistoryService` use the log, or recent events in memory, through
//! [`app::History`]. A read does not wait for the writer's queue or for a sync.

pub mod endpoint;

pub mod proto;

#[cfg(feature = "server")]
pub mod telemetry;

#[cfg(feature = "server")]
pub mod fs;

#[cfg(feature = "server")]
pub mod event_log;

#[cfg(feature = "server")]
pub mod user_pool;

#[cfg(feature = "server")]
pub mod audit;

#[cfg(feature = "server")]
pub mod app;

#[cfg(feature = "server")]
pub mod auth;

#[cfg(feature = "server")]
pub mod service;

#[cfg(feature = "server")]
pub mod transport;

#[cfg(feature = "server")]
pub mod grpc;

#[cfg(feature = "server")]
pub mod aws;

#[cfg(feature = "server")]
pub mod console;

#[cfg(feature = "server")]
pub mod server;

#[cfg(feature = "client")]
pub mod client;

#[cfg(feature = "server")]
pub mod cli;
