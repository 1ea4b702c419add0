//! A gRPC control plane for Cognito-style user pools in which the history is the
//! database: every change is an event in a hash-chained log, and what clients
//! read is a projection of it.
//!
//! Each room imports only from the rooms above it; a test holds that true. The feature
//! `client` builds `proto`, `endpoint` and `client` alone; `server`, the default, builds
//! every room.
//!
//! | room | is | knows nothing of |
//! |---|---|---|
//! | [`endpoint`] | where a server listens | anything |
//! | [`proto`] | the messages: the schema of everything stored and served | anything |
//! | [`telemetry`] | metrics, traces and logs | anything |
//! | [`fs`] | atomic writes, private files, reloading: each once | anything |
//! | [`event_log`] | an ordered log of opaque records, and its engines | pools, messages, gRPC |
//! | [`audit`] | the chain verifier, signed checkpoints, export and import | the rules of user pools |
//! | [`user_pool`] | commands, rules, state: pure functions over plain data | the log, gRPC, time, async |
//! | [`app`] | the writer, the read model, the projection between them, the history | gRPC |
//! | [`auth`] | who calls, and what they may do | doors |
//! | [`service`] | one function per operation: request message in, response message or refusal out | HTTP, gRPC |
//! | [`transport`] | listeners, TLS, connections, their limits, and the steps of every call | operations |
//! | [`grpc`] | decodes a call, calls its operation, encodes the answer; every status | engines and files |
//! | [`server`] | listening, serving, stopping | rules |
//! | [`client`] | a client of the service: deadlines, retries, watches that resume | anything but `proto` and `endpoint` |
//! | [`cli`] | the command line: the server, its clients, and work on its files | — |
//!
//! The way of a command: [`user_pool::CheckedCommand`] is a request whose fields were
//! checked; [`app::App::execute`] hands it to the writer, which calls
//! [`user_pool::decide`] on the current state, appends the events with
//! [`event_log::EventLog::append`], and once they are durable projects them into
//! the [`app::ReadModel`] with [`user_pool::evolve`]. Reads go to the read model,
//! or by way of [`app::History`] to the log itself, and never wait for the writer.

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
