//! How calls arrive and answers leave: listeners, TLS, connections and their limits.
//! Knows nothing of the operations.

pub(crate) mod acceptor;
mod connection;
mod handshake;
pub(crate) mod listen;
mod tls;
mod write_coalescer;

pub(crate) use self::connection::Socket;
pub use self::{
    listen::{Endpoint, EndpointError, Listener},
    tls::{Clients, Tls, TlsError},
};
