//! The gRPC adapter: decodes messages, calls the operations, encodes their responses, and
//! renders errors as statuses. Knows nothing of storage.

mod health;
mod history;
mod message_limit;
mod methods;
mod protocol;
mod services;
mod startup_gate;
mod status;
mod target;
mod unreadable;
mod user_pools;

pub use self::{methods::methods, protocol::Grpc, services::Services, startup_gate::StartupGate};
