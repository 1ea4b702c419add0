//! A gRPC control plane for Cognito-style user pools in which the history is the
//! database: every change is an event in a hash-chained log, and what clients
//! read is a projection of it.
//!
//! Each room (top-level module) imports only from the rooms above it; a test enforces
//! this. The feature `client` builds only `proto`, `endpoint` and `client`; `server`, the
//! default, builds every room.
//!
//! | room | is | knows nothing of |
//! |---|---|---|
//! | [`endpoint`] | the address that a server listens on | anything |
//! | [`proto`] | the messages: the schema of everything stored and served | anything |
//! | [`telemetry`] | metrics, traces and logs | anything |
//! | [`fs`] | atomic writes, private files, reloading | anything but `telemetry` |
//! | [`event_log`] | an ordered log of opaque records, and its engines | pools, messages, gRPC |
//! | [`audit`] | the chain verifier, signed checkpoints, export and import | the rules of user pools |
//! | [`user_pool`] | commands, rules, state: pure functions over plain data | the log, gRPC, time, async |
//! | [`app`] | the writer, the read model, the projection between them, the history | gRPC |
//! | [`auth`] | the identity of callers, and their permissions | protocol adapters |
//! | [`service`] | one function per operation: takes the request message, returns the response message or an error | HTTP, gRPC |
//! | [`transport`] | listeners, TLS, connections and their limits, and the steps of every call | operations |
//! | [`grpc`] | the gRPC adapter: decodes requests, encodes responses and statuses | engines and files |
//! | [`server`] | the server: starts, serves, stops | commands |
//! | [`client`] | a client of the service: deadlines, retries, watches that resume | anything but `proto` and `endpoint` |
//! | [`cli`] | the command line: the server, client commands, and commands on its files | — |
//!
//! The path of a change: [`transport`] accepts the connection; its [`transport::CallLayer`]
//! authenticates, authorizes and admits the call; [`grpc`] decodes the request message and
//! calls its function in [`service::Operations`]. The function checks the fields, which
//! makes the request a [`user_pool::CheckedCommand`], and calls [`app::App::execute`].
//! That sends the command to the writer, which calls [`user_pool::decide`] on the current
//! state, appends the events with [`event_log::EventLog::append`], and once they are
//! durable applies them to the [`app::ReadModel`], whose state [`user_pool::evolve`]
//! computes. Then the writer answers, and the answer returns the same way. Reads use the
//! read model, or the log itself through [`app::History`], and never wait for the writer.

pub mod endpoint;

pub mod proto;

#[cfg(feature = "server")]
pub mod telemetry;

#[cfg(feature = "server")]
pub mod fs;

#[cfg(feature = "server")]
pub mod event_log;

#[cfg(feature = "server")]
pub mod audit;

#[cfg(feature = "server")]
pub mod user_pool;

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
pub mod server;

#[cfg(feature = "client")]
pub mod client;

#[cfg(feature = "server")]
pub mod cli;
