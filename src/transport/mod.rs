//! Listeners, TLS, connections, the call layer, and their limits.
//! Calls no operation; it knows only the names that decide the limit of a call.

pub(crate) mod acceptor;
mod call;
mod connection;
mod connection_age;
mod fair_limit;
mod handshake;
pub(crate) mod http2;
pub(crate) mod listen;
mod phase;
mod protocol;
mod tls;
mod write_coalescer;

pub(crate) use self::{call::caller, tls::LoadedTls};
pub use self::{
    call::{CallLayer, Capacity},
    connection_age::{MaxConnectionAge, MaxConnectionAgeError},
    listen::Listener,
    phase::Phase,
    protocol::{Protocol, Target, TargetReader},
    tls::{ClientCertificates, ServerTls, TlsError},
};
pub use crate::endpoint::{Endpoint, EndpointError};
