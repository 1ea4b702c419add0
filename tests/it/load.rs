//! Overload and misbehaving clients: other clients are served meanwhile, excess calls
//! are refused at once, and the server recovers.

mod capacity;
mod deadlines;
mod hostile_clients;
mod memory;
mod stalled_clients;
mod startup;
pub(crate) mod wire;
