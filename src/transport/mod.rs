//! Listeners, TLS, connections, the call layer, and their limits.
//! Calls no operation; it knows only the names that decide the limit of a call.

pub(crate) mod abort;
pub(crate) mod acceptor;
mod call;
mod code;
mod connection;
mod connection_age;
mod fair_limit;
mod handshake;
pub(crate) mod http1;
pub(crate) mod http2;
pub(crate) mod listen;
mod phase;
mod protocol;
mod tls;
pub(crate) mod wire;
mod write_coalescer;

pub(crate) use self::{
    call::{Authenticated, BodyMemory, CallOrigin, FinalStatus, caller, interruption},
    code::code,
    tls::LoadedTls,
};
pub use self::{
    call::{CallLayer, CallService, Capacity},
    connection_age::{MaxConnectionAge, MaxConnectionAgeError},
    listen::Listener,
    phase::Phase,
    protocol::{Protocol, Target, TargetReader},
    tls::{ClientCertificates, ServerTls, TlsError},
};
pub use crate::endpoint::{Endpoint, EndpointError};
