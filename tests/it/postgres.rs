//! The log in PostgreSQL: what the suite of every engine does not cover, because it takes a
//! database that others use as well, or that fails.

mod cluster;
mod engine;
mod faults;
mod moves;
mod node;
mod proxy;
mod refusals;
mod servers;

pub(crate) use self::cluster::TestLog;
